"""The order of airing is one for the same sources, however they come."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.series.air_order import in_air_order
from pipelines.ingest.sources import Source
from pipelines.ingest.state.queue import Item

SOURCES = (
    Source("b1", "b1.mp4", series="Night Bus", season=1, episode=1),
    Source("a2", "a2.mp4", series="Night Bus", season=1, episode=2),
    Source("c1", "c1.mp4", series="night bus", season=2, episode=1),
    Source("y", "y.mp4", series="Night Bus", measured={"upload_date": "20200101"}),
    Source("x", "x.mp4", series="Night Bus", measured={"upload_date": "20200102"}),
    Source("w", "w.mp4", series="Night Bus"),
    Source("old", "old.mp4", measured={"upload_date": "19990101"}),
    Source("a", "a.mp4"),
)


@given(st.permutations(SOURCES))
def test_the_order_is_by_episode_then_date_then_name_however_they_come(shuffled):
    assert in_air_order(shuffled) == SOURCES


def test_the_date_that_this_machine_measured_counts_first():
    items = {"a": Item("a", "a.mp4", facts={"upload_date": "19800101"})}
    assert [source.source_id for source in in_air_order(SOURCES, items)][-2:] == ["a", "old"]


def test_a_row_without_an_id_has_no_place():
    assert in_air_order([Source("", "new.mp4")]) == ()
