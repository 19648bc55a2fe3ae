"""Of clips with the same samples one stays; which one is a function of what is decided of each source alone."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.selection.decision import SAME_CLIP, Arm, DecidedWindow, Decision, ScoredWindow
from pipelines.ingest.series.cross_source_rules import apply_cross_source_rules
from pipelines.ingest.series.duplicates import duplicate_clips
from pipelines.ingest.state.queue import Item, Queue, open_queue
from pipelines.schema import clip_id

ORDER = ("e1", "e2", "e3")


def window(source: str, second: int, sound: str, arm: Arm = "model") -> tuple[str, DecidedWindow]:
    scored = ScoredWindow(second * 16000, 48000, 0.0, {}, sound)
    return source, DecidedWindow(clip_id(source, second * 16000, 16000), scored, Decision("keep", arm=arm))


WINDOWS = (
    window("e1", 5, "same"), window("e2", 3, "same"), window("e2", 9, "same"), window("e1", 20, "own"),
    window("e2", 30, ""), window("e3", 1, ""), window("e1", 40, "by hand"), window("e3", 7, "by hand", "picked"),
    window("e2", 50, "by hand", "picked"), window("away", 1, "own"),
)  # fmt: skip
LEAVING = {
    "e2-000003000": "e1-000005000",
    "e2-000009000": "e1-000005000",
    "e1-000040000": "e2-000050000",
    "away-000001000": "e1-000020000",
}


@given(st.permutations(WINDOWS))
def test_the_earliest_stays_and_whatever_was_picked(shuffled: list[tuple[str, DecidedWindow]]) -> None:
    assert duplicate_clips(shuffled, ORDER) == LEAVING


def put(queue: Queue, name: str) -> Item:
    item = Item(name, name, status="done", facts={"sample_rate_hz": "16000"})
    own = [one for source, one in WINDOWS if source == name]
    other = Decision("reject", ("overlap",))
    queue.put(
        item,
        [*(one.window for one in own), ScoredWindow(99 * 16000, 48000, 0.0, {}, "same")],
        [*(one.decision for one in own), other],
    )
    return item


def standing(queue: Queue, items: dict[str, Item]) -> dict[str, Decision]:
    return {one.clip_id: one.decision for item in items.values() for one in queue.decided(item)}


@pytest.mark.parametrize("names", [("e1", "e2", "e3", "away"), ("away", "e3", "e2", "e1")])
def test_they_leave_come_back_and_leave_again_whatever_came_first(tmp_path: Path, names: tuple[str, ...]) -> None:
    with open_queue(tmp_path / "ingest.db") as queue:
        items: dict[str, Item] = {}
        for name in names:  # one more source each time, as new episodes arrive
            items[name] = put(queue, name)
            apply_cross_source_rules(queue, items, ORDER)
        after = standing(queue, items)
        assert {name for name, one in after.items() if one.reasons == (SAME_CLIP,)} == LEAVING.keys()
        assert sum(one.reasons == ("overlap",) for one in after.values()) == 4
        assert apply_cross_source_rules(queue, items, ORDER) == frozenset()
        queue.made_candidates_of("")
        without = {name: item for name, item in items.items() if name != "e1"}
        assert apply_cross_source_rules(queue, without, ORDER) == {"away", "e2"}
        came_back = standing(queue, without)
        assert came_back["e2-000003000"] == Decision("keep", arm="model") and queue.ahead
        assert came_back["e2-000009000"].reasons == (SAME_CLIP,)
        apply_cross_source_rules(queue, items, ORDER)
        assert standing(queue, items) == after


def test_a_pick_that_is_no_candidate_holds_its_sound(tmp_path: Path) -> None:
    with open_queue(tmp_path / "ingest.db") as queue:
        items = {name: put(queue, name) for name in ("e1", "e3")}
        queue.put_picked("e3", [ScoredWindow(33, 48000, 0.0, {}, "same")])
        apply_cross_source_rules(queue, items, ORDER)
        assert standing(queue, items)["e1-000005000"].reasons == (SAME_CLIP,)
        queue.put_picked("e3", [])
        assert apply_cross_source_rules(queue, items, ORDER) == {"e1"}
        assert standing(queue, items)["e1-000005000"].kept


def test_nothing_in_common_turns_nothing_over(tmp_path: Path) -> None:
    with open_queue(tmp_path / "ingest.db") as queue:
        items = {"e3": put(queue, "e3")}
        queue.made_candidates_of("")
        assert apply_cross_source_rules(queue, items, ORDER) == frozenset() and not queue.ahead
        assert apply_cross_source_rules(queue, {}, ORDER) == frozenset()
        assert replace(items["e3"]) == queue.items()["e3"]
