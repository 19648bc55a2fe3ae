"""Which answers count: one meaning, read by the overview, the table of clips, agreement and releases alike."""

from pathlib import Path

import pytest

from pipelines.errors import DataError
from pipelines.manifest import read_clips
from pipelines.study import Study, create_study
from tests.workbench.silent_study import study_with_clips
from workbench.curation.clip_table import clip_rows
from workbench.labels.valid_answers import Counted, counted
from workbench.status.study_status import Standing, look
from workbench.store import Event, RaterKind, open_store

NONE = {"value": None, "reason": "not asked", "n": 0}


def say(study: Study, rater: str, clip: str, label: str, kind: RaterKind = "person", pass_: str = "audio") -> None:
    with open_store(study) as store:
        store.ensure_rater(rater, kind=kind)
        store.record([Event(f"{rater}{clip}{pass_}{label}", rater, clip_id=clip, label=label, pass_=pass_)])


def seen(study: Study) -> tuple[Counted, Standing]:
    with open_store(study) as store:
        return counted(study, store), look(study, store, NONE)  # type: ignore[arg-type]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return study_with_clips(tmp_path, 3)


def test_known_answers_other_passes_and_withdrawn_clips_count_nowhere(study: Study) -> None:
    first, second, third = (clip.clip_id for clip in read_clips(study.clips_csv))
    say(study, "ann", first, "sad")
    say(study, "key", second, "happy", kind="reference")
    say(study, "ann", third, "happy", pass_="context")
    say(study, "ann", "ep9-000000000", "sad")
    found, standing = seen(study)
    assert [one.clip_id for one in found.annotations] == [first] and found.gone == 1
    assert (standing.answered, standing.people, standing.simulated) == (1, 1, 0)
    rows = clip_rows(found.clips, found.annotations, study.scheme.label_names, wanted=1)
    assert [row.answers for row in rows] == [1, 0, 0]


def test_machines_stand_in_until_two_people_share_a_clip(study: Study) -> None:
    first, second, _ = (clip.clip_id for clip in read_clips(study.clips_csv))
    for clip in (first, second):
        say(study, "whisper", clip, "angry", kind="machine")
    say(study, "ann", first, "sad")
    found, standing = seen(study)
    assert found.simulated == ("whisper",) and (standing.answered, standing.simulated) == (2, 1)
    say(study, "ben", first, "sad")
    found, standing = seen(study)
    assert (found.simulated, found.machine_left_out) == ((), 2)
    assert (standing.answered, standing.simulated, standing.people) == (1, 0, 2)


def test_without_clips_the_way_on_is_named(tmp_path: Path) -> None:
    study = create_study("bare", root=tmp_path)
    with open_store(study) as store:
        with pytest.raises(DataError, match="has no clips yet: begin with 'workbench ingest FILE --study bare'"):
            counted(study, store)
        assert look(study, store, NONE).clips == 0  # type: ignore[arg-type]
