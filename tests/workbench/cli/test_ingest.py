"""workbench ingest and clips list: exit codes, one JSON document, sentences."""

import json
from pathlib import Path

import pytest

from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.study import create_study, open_study
from tests.pipelines.ingest.run.test_run import speech
from tests.synthetic_audio import silence
from workbench.cli.main import main
from workbench.store import Event, open_store


@pytest.fixture
def media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path / "root"))
    create_study("night", rights_basis="made for this test", root=tmp_path / "root")
    folder = tmp_path / "media"
    folder.mkdir()
    audio.encode(folder / "one.wav", speech(), 16000, "pcm16")
    return folder


def workbench(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def test_json_is_one_document_and_nothing_else(media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert workbench("ingest", media, "--jobs", 1, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] and document["clips"] > 0 and document["sources"][0]["source_id"] == "one"
    assert workbench("clips", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["count"] == document["clips"] and all(clip["here"] for clip in listed["clips"])
    assert listed["clips"][0]["metrics"]["speech_ratio"] >= 0.6


def test_some_failed_is_3_all_failed_is_1_refused_is_2(media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = media.parent / "text.mp4"
    bad.write_text("no film")
    assert workbench("ingest", media, bad, "--jobs", 1) == 3
    assert workbench("ingest", bad, "--json") == 1
    assert workbench("ingest", media, "--jobs", 0) == 2
    assert workbench("ingest", media, "--study", "../up") == 2
    assert workbench("ingest", media, "--rights-basis", " ") == 2
    table = media / "list.csv"
    table.write_text("uri,season\none.wav,two\n")
    capsys.readouterr()
    assert workbench("ingest", table) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "list.csv, row 1, column 'season': expected a whole number or nothing, found 'two'\n"


def test_the_end_of_an_ingest_and_the_funnel_count_the_same_hours_and_call_recordings_by_their_names(
    media: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio.encode(media / "沒有人說話.wav", silence(12), 16000, "pcm16")
    assert workbench("ingest", media, "--jobs", 1) == 0
    told = capsys.readouterr().out
    assert " (沒有人說話): 0 clips kept, 0 windows rejected" in told
    assert workbench("clips", "funnel") == 0
    sound = capsys.readouterr().out.splitlines()[0]
    assert sound in told.splitlines(), "a recording without speech is sound too"
    assert workbench("sources", "list") == 0
    assert " (沒有人說話): 0 clips\n" in capsys.readouterr().out


def test_people_are_told_what_was_kept_and_why_not(media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (media / "notes.txt").write_text("no recording")
    assert workbench("ingest", media, "--jobs", 1) == 0
    first = capsys.readouterr().out
    assert "ingested   one: " in first and "1 other files in these folders are no recordings." in first
    assert workbench("ingest", media, "--jobs", 1) == 0
    assert "Nothing had changed." in capsys.readouterr().out
    assert workbench("ingest", media, "--dry-run") == 0
    told = capsys.readouterr().out
    assert "unchanged  one: there already\n" in told and "this was a dry run" in told
    assert workbench("clips", "list", "--source", "on") == 2
    assert "did you mean 'one'?" in capsys.readouterr().err
    assert workbench("clips", "list", "--source", "one") == 0
    assert "one-00000" in capsys.readouterr().out


def test_answered_clips_are_not_cut_anew_in_another_length(media: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert workbench("ingest", media, "--jobs", 1) == 0
    study = open_study("night")
    settings = study.settings_file.read_text()
    before = study.clips_csv.read_bytes()
    first = read_clips(study.clips_csv)[0].clip_id
    with open_store(study) as store:
        store.ensure_rater("ann")
        assert not store.record([Event("1", "ann", clip_id=first, label="sad")]).refused
    study.settings_file.write_text(settings.replace("length_s = 3.0", "length_s = 2.0"))
    capsys.readouterr()
    assert workbench("ingest", "--jobs", 1) == 2
    assert "1 clips of another length were answered" in capsys.readouterr().err
    assert study.clips_csv.read_bytes() == before
    with open_store(study) as store:
        assert not store.record([Event("2", "ann", clip_id=first, kind="undo")]).refused
    assert workbench("ingest", "--jobs", 1) == 0
    assert {clip.n_samples for clip in read_clips(study.clips_csv)} == {32000}
