"""workbench clips funnel and screen, workbench sources, as they are typed."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.ingest import source_analysis
from pipelines.ingest.run import run
from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.state.operator_requests import read_requests
from pipelines.ingest.state.queue import open_queue
from pipelines.manifest import read_clips
from pipelines.study import Study
from tests.workbench.command_line import call


@pytest.fixture
def study(ingested: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    shutil.copytree(ingested.root, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path))
    return Study(tmp_path, ingested.name)


def test_the_funnel_is_told_in_words_and_as_json(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "clips", "funnel", "--json")
    told = json.loads(out)
    assert code == 0 and sum(told["arms"].values()) == told["status"]["keep"] == len(read_clips(study.clips_csv))
    assert told["steps"][0]["name"] == "audio" and len(told["loudness"]) == 4
    code, out, _ = call(capsys, "clips", "funnel")
    assert code == 0 and "by loudness" in out and "share of the clip that is speech: under 0.6" in out


def test_screens_are_listed_and_one_is_drawn(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    before = study.settings_file.read_text()
    told = json.loads(call(capsys, "clips", "screen", "--json")[1])
    assert [row["screen"] for row in told["screens"]] == list(SCREENS) and told["clips"] == len(
        read_clips(study.clips_csv)
    )
    code, out, _ = call(capsys, "clips", "screen", "speech_ratio", "--min", "0.99")
    assert code == 0 and "Would keep" in out and "Nothing was changed" in out and "#" in out
    told = json.loads(call(capsys, "clips", "screen", "speech_ratio", "--min", "0.99", "--json")[1])
    assert told["keeps"] == told["was"] + told["gains"] - told["loses"] < told["was"]
    assert told["asked"]["min"] == 0.99 and not told["set"] and study.settings_file.read_text() == before


def test_a_bound_is_put_in_force_without_decoding_and_undone(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = study.clips_csv.read_bytes()
    many = len(read_clips(study.clips_csv))

    def refuse(*_: object) -> None:
        raise AssertionError("a recording was opened")

    monkeypatch.setattr(source_analysis, "open_recording", refuse, raising=False)
    code, out, _ = call(capsys, "clips", "screen", "speech_ratio", "--min", "0.99", "--set", "--json")
    told = json.loads(out)
    assert (code, told["before"], told["changed"]) == (0, None, True)
    assert len(read_clips(study.clips_csv)) == told["keeps"] < many
    assert Study(study.root, study.name).settings.screen["speech_ratio"].min == 0.99
    code, out, _ = call(capsys, "clips", "screen", "speech_ratio", "--default", "--set")
    assert code == 0 and "clips.csv says so now" in out
    assert study.clips_csv.read_bytes() == first and "[screen.speech_ratio]" not in study.settings_file.read_text()


def test_while_a_run_goes_on_the_bound_is_written_and_the_rest_left_to_it(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_queue(study.ingest_db):
        code, out, _ = call(capsys, "clips", "screen", "speech_ratio", "--min", "0.99", "--set")
    assert code == 3 and "another ingest of this study is running" in out
    assert Study(study.root, study.name).settings.screen["speech_ratio"].min == 0.99
    run.retable(Study(study.root, study.name))
    told = json.loads(call(capsys, "clips", "screen", "speech_ratio", "--json")[1])
    assert told["keeps"] == told["was"] == len(read_clips(study.clips_csv))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("speech",), "unknown screen 'speech'"),
        (("speech_ratio", "--min", "many"), "--min: expected a number or 'none', found 'many'"),
        (("speech_ratio", "--min", "0.9", "--max", "0.1"), "keeps nothing"),
        (("speech_ratio", "--min", "0.9", "--default"), "--default goes without other bounds"),
        (("--set",), "say which screen"),
        (("speech_ratio", "--max", "inf"), "'max': Input should be less than or equal to 1000000000 (given: inf)"),
        (("speech_ratio", "--review-max", "nan", "--set"), "'review_max': Input should be"),
    ],
)
def test_what_will_not_do_is_refused(
    study: Study, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    code, out, _ = call(capsys, "clips", "screen", *words, "--json")
    assert code == 2 and told in json.loads(out)["error"]


def test_sources_are_listed_paused_and_tried_again(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(call(capsys, "sources", "list", "--json")[1])
    assert told["counts"] == {"done": 2}
    assert sum(row["clips"] for row in told["sources"]) == len(read_clips(study.clips_csv))
    assert call(capsys, "sources", "pause", "episode_1")[1] == "'episode_1' is paused.\n"
    assert call(capsys, "sources", "retry", "episode_2")[0] == 0
    assert read_requests(study) == {"episode_1": "pause", "episode_2": "retry"}
    call(capsys, "sources", "resume", "episode_1")
    assert read_requests(study) == {"episode_2": "retry"}
    code, out, _ = call(capsys, "sources", "pause", "episode_9", "--json")
    assert code == 2 and "unknown source 'episode_9'; did you mean" in json.loads(out)["error"]
    assert "2 done" in call(capsys, "sources", "list")[1]
