"""Clips that a pick stands over are given to nobody, also while an ingest keeps the table as it was."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.ingest.selection.manual_picks import picks_file
from pipelines.ingest.state.queue import open_queue
from pipelines.manifest import table_to_csv
from pipelines.study import ROOT_VARIABLE, Study
from tests.small_study import study_with_sound
from workbench.app.page.session import Person
from workbench.app.routes import label_api
from workbench.curation.picks import Desk
from workbench.labels import queue
from workbench.store import Store, open_store
from workbench.store.curation import CurationEvent

HZ = 16000
LENGTH = 3 * HZ


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Five clips, at 0, 4, 8, 12 and 16 s of one source of 40 s."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    made = study_with_sound(tmp_path, episodes=1)
    columns = ("source_id", "uri", "sample_rate_hz", "decoded_samples", "sha256")
    row = dict(zip(columns, ("ep1", "ep1.wav", HZ, 40 * HZ, "ab" * 32), strict=True))
    made.sources_csv.write_text(table_to_csv(columns, [row]))
    with open_store(made) as store:
        store.add_rater("cura", role="curator")
        store.add_rater("ann")
    return made


@pytest.fixture
def store(study: Study) -> Iterator[Store]:
    with open_store(study) as opened:
        yield opened


def pick(number: int, start: int) -> CurationEvent:
    return CurationEvent(f"event-{number}", "cura", "pick", "ep1", start_sample=start)


def given(study: Study, store: Store, desk: Desk) -> set[str]:
    """What Ann would get of all there is."""
    asked = queue.items(study)
    left = queue.outlook(store, asked, "ann", withheld=desk.withheld).left
    with store.writing() as connection:
        gone = desk.withheld(connection)
    assert left == len(asked.clip_ids) - len(gone)
    return set(asked.clip_ids) - gone


def test_a_clip_under_a_pick_is_given_to_nobody_while_an_ingest_runs(study: Study) -> None:
    with open_store(study) as store, open_queue(study.ingest_db):  # as an ingest has it: the table stays as it is
        assert not Desk(study, store).record([pick(1, 4 * HZ + 100), pick(2, 11 * HZ)]).refused
        said = json.loads(
            bytes(label_api.next_clips(Person("ann", "Ann", "annotator", "en"), label_api.NextBody(n=5)).body)
        )
        tokens = [clip["token"] for clip in said["clips"]]
        clips = {assignment.clip_id for token in tokens if (assignment := store.assignment(token))}
    assert clips == {"ep1-000000000", "ep1-000008000", "ep1-000016000"}
    assert said["progress"] == {"done": 0, "total": 3}


def test_it_comes_back_with_the_pick_taken_back(study: Study, store: Store) -> None:
    desk, other = Desk(study, store), Desk(study, store)
    everything = set(queue.items(study).clip_ids)
    assert given(study, store, desk) == everything
    other.record([pick(1, 4 * HZ + 5)])  # of the same millisecond: another sound of the same name
    assert given(study, store, desk) == everything - {"ep1-000004000"}
    other.record([CurationEvent("event-2", "cura", "undo", undoes="event-1")])
    assert given(study, store, desk) == everything
    other.record([pick(3, 4 * HZ)])
    assert given(study, store, desk) == everything, "picked as it was cut: the same sound under the same name"


def test_a_pick_that_was_taken_back_is_withheld_until_the_table_knows(study: Study, store: Store) -> None:
    desk = Desk(study, store)
    text = study.clips_csv.read_text(encoding="utf-8")
    header, row, *rest = text.splitlines(keepends=True)
    assert ",arm," in header
    cells = row.split(",")
    cells[header.split(",").index("arm")] = "picked"
    desk.record([pick(1, 0)])
    study.clips_csv.write_text("".join([header, ",".join(cells), *rest]), encoding="utf-8")
    assert "ep1-000000000" in given(study, store, desk)
    desk.record([CurationEvent("event-2", "cura", "unpick", "ep1", start_sample=0)])
    assert "ep1-000000000" not in given(study, store, desk)


def test_a_spoilt_table_of_picks_stops_no_annotator(study: Study, store: Store) -> None:
    desk = Desk(study, store)
    desk.record([pick(1, 4 * HZ + 5)])
    picks_file(study).write_text("source_id,start_sample,n_samples\nep1,abc,48000\n", encoding="utf-8")
    assert "ep1-000004000" not in given(study, store, desk) and "ep1-000000000" in given(study, store, desk)
    picks_file(study).write_text(f"source_id,start_sample,n_samples\nep1,{8 * HZ + 9},48000\n", encoding="utf-8")
    assert "ep1-000008000" not in given(study, store, desk), "picked on another machine"
