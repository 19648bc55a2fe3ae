"""How many answered clips leave the study is reported before and after; answers of machines do not count."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.ingest.run import run
from pipelines.ingest.selection.threshold_preview import preview_thresholds, read_candidates
from pipelines.manifest import read_clips
from pipelines.study import ScreenThresholds, Study
from pipelines.takedowns import Takedown, write_takedowns
from tests.workbench.command_line import call
from workbench.labels.answered_clips import answered, answered_in, leaving_words, outside
from workbench.store import Event, open_store

STRICT = ScreenThresholds(min=0.95)


@pytest.fixture
def study(ingested: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    shutil.copytree(ingested.root, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path))
    return Study(tmp_path, ingested.name)


def say(study: Study, names: list[str], rater: str = "ada", kind: str = "person") -> None:
    with open_store(study) as store:
        store.ensure_rater(rater, kind=kind)  # type: ignore[arg-type]
        done = store.record([Event(f"{rater} {name}", rater, clip_id=name, label="happy") for name in names])
    assert not done.refused


@pytest.fixture
def leaving(study: Study) -> list[str]:
    """Clips that a stricter screen would take out."""
    found = preview_thresholds(read_candidates(study.candidates), study.settings, {"speech_ratio": STRICT}).lost
    assert len(found) >= 3
    return list(found)


def test_clips_that_people_answered_are_known_and_those_of_machines_are_not(study: Study) -> None:
    names = [clip.clip_id for clip in read_clips(study.clips_csv)][:4]
    assert answered_in(study) == frozenset() and not study.labels_db.exists(), "looking makes no store"
    say(study, names[:2])
    say(study, names[1:3], "known", "reference")
    say(study, names[3:], "model", "machine")
    assert answered_in(study) == set(names[:3])
    with open_store(study) as store:
        store.record([Event("back", "ada", kind="undo", clip_id=names[0])])
        assert answered(store) == set(names[1:3])


def test_a_bound_says_before_and_after_how_many_that_leave_have_answers(
    study: Study, leaving: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    stays = next(clip.clip_id for clip in read_clips(study.clips_csv) if clip.clip_id not in leaving)
    say(study, [*leaving[:2], stays])
    words = ("clips", "screen", "speech_ratio", "--min", "0.95")
    _, out, _ = call(capsys, *words)
    assert f"2 of the {len(leaving)} clips that would leave have answers: they wait under their ids" in out
    _, out, _ = call(capsys, *words, "--json")
    assert json.loads(out)["loses_answered"] == 2
    _, out, _ = call(capsys, *words, "--set", "--json")
    told = json.loads(out)
    assert told["left_answered"] == 2 and sum(told["left"].values()) == len(leaving)
    _, out, _ = call(capsys, "clips", "funnel", "--json")
    assert json.loads(out)["answered_outside"] == {"speech_ratio_low": 2}
    _, out, _ = call(capsys, "clips", "funnel")
    assert "not in the study now" in out and "2 share of the clip that is speech: under 0.95" in out
    with open_store(study) as store:
        assert answered(store) == {*leaving[:2], stays}, "nothing answered is lost"
    call(capsys, "clips", "screen", "speech_ratio", "--default", "--set")
    _, out, _ = call(capsys, "clips", "funnel", "--json")
    assert json.loads(out)["answered_outside"] == {}


def test_an_ingest_says_how_many_clips_with_answers_left(
    study: Study, leaving: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    say(study, leaving[:1])
    study.settings_file.write_text(study.settings_file.read_text() + "\n[screen.speech_ratio]\nmin = 0.95\n")
    code, out, _ = call(capsys, "ingest", "--jobs", "1")
    assert code == 0 and f"1 of the {len(leaving)} clips that left has answers" in out
    assert "for share of the clip that is speech: too low" in out
    _, out, _ = call(capsys, "ingest", "--jobs", "1", "--json")
    told = json.loads(out)
    assert (told["left"], told["left_answered"]) == ({}, 0), "it is said once"


def test_answered_clips_outside_are_told_by_what_keeps_them_out(study: Study) -> None:
    clips = read_clips(study.clips_csv)
    one, two = (next(clip.clip_id for clip in clips if clip.source_id == f"episode_{n}") for n in (1, 2))
    say(study, [one, two, "episode_1-999999999", "gone-000000000"])
    everyone = answered_in(study)
    candidates = read_candidates(study.candidates)
    assert outside(study, everyone, candidates) == {"elsewhere": 1, "unlisted": 1}
    write_takedowns(study, [Takedown("2026-11-21T12:00:00Z", "gone", (), "")])
    assert outside(study, everyone, candidates) == {"elsewhere": 1, "taken_down": 1}
    head, *rows = study.sources_csv.read_text().splitlines(keepends=True)
    study.sources_csv.write_text(head + "".join(row for row in rows if not row.startswith("episode_2,")))
    run.ingest(Study(study.root, study.name), jobs=1)
    assert outside(study, everyone, None) == {"elsewhere": 1, "taken_down": 1, "unlisted": 1}


@pytest.mark.parametrize(
    ("left", "with_answers", "is_done", "told"),
    [
        (0, 0, True, ""),
        (7, 0, False, ""),
        (1, 1, True, "The clip that left has answers: they wait under its id"),
        (9, 1, False, "1 of the 9 clips that would leave has answers"),
        (37, 14, True, "14 of the 37 clips that left have answers: they wait under their ids"),
    ],
)
def test_the_sentence_fits_the_numbers(left: int, with_answers: int, is_done: bool, told: str) -> None:
    said = leaving_words(left, with_answers, is_done=is_done)
    assert said.startswith(told) and bool(said) == bool(told)
