"""workbench clips pick, unpick and sound: the clipper's acts from the shell."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.ingest.run import run
from pipelines.ingest.selection.manual_picks import picks_file
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.study import ROOT_VARIABLE, Study
from tests.small_study import lenient_study
from tests.synthetic_audio import noise, voice
from workbench.cli.main import main
from workbench.curation import picks
from workbench.curation.picks import Desk
from workbench.store import Event, open_store
from workbench.store.curation import CurationEvent


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    made = lenient_study(tmp_path)
    sound = np.concatenate([noise(4, level=0.001), voice(4.0), noise(4, level=0.001)])
    audio.encode(tmp_path / "film.m4a", sound, 16000, "aac")
    run.ingest(made, [str(tmp_path / "film.m4a")], jobs=1)
    return made


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any, str]:
    with pytest.raises(SystemExit) as left:
        main([*words, "--json"])
    said = capsys.readouterr()
    return int(left.value.code or 0), json.loads(said.out), said.err


def test_a_clip_is_picked_and_taken_back(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    before = study.clips_csv.read_bytes()
    words = ("clips", "pick", "film", "--at", "0.25", "--speaker", "Ann", "--gender", "female", "--emotion", "sad")
    code, said, _ = call(capsys, *words)
    assert (code, said["done"]) == (0, [{"clip_id": "film-000000250", "start_sample": 4000}])
    whole, rate_hz = audio.read_mono(study.root / "film.m4a")
    (clip,) = [clip for clip in read_clips(study.clips_csv) if clip.arm == "picked"]
    expected = audio.to_pcm16(whole)[4000 : 4000 + 3 * rate_hz]
    assert (clip.speaker, clip.gender, clip.pcm_sha256) == ("Ann", "female", audio.pcm_sha256(expected))
    assert np.array_equal(audio.to_pcm16(audio.read_mono(study.clip_path(clip.clip_id))[0]), expected)
    code, said, _ = call(capsys, "clips", "pick", "film", "--at", "1", "--at", "9")
    assert (code, len(said["done"]), said["refused"]) == (3, 1, ["overlaps the clip picked at 0.250 s"])
    code, said, _ = call(capsys, "clips", "unpick", "film-000000250", "film-000009000")
    assert (code, said["refused"]) == (0, [])
    assert study.clips_csv.read_bytes() == before
    assert picks_file(study).read_text() == "source_id,start_sample,n_samples\n"


def test_what_is_not_there_is_refused_before_any_work(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = call(capsys, "clips", "pick", "filn", "--at", "1")
    assert code == 2 and "unknown source 'filn'; did you mean 'film'?" in said["error"]
    code, said, _ = call(capsys, "clips", "unpick", "film-000000250")
    assert code == 2 and "unknown picked clip" in said["error"]
    code, said, _ = call(capsys, "clips", "pick", "film", "--at", "-3")
    assert (code, said["refused"]) == (1, ["it does not say where"])


def test_sounds_are_made_once_and_a_missing_recording_is_named(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "clips", "sound")[1]["made"] == ["film"]
    code, said, _ = call(capsys, "clips", "sound", "film")
    assert (code, said["made"], said["there"]) == (0, [], ["film"])
    for folder in (study.cache / "sound").glob("film.*"):
        if folder.is_dir():
            folder.rename(study.root / "elsewhere")
    (study.root / "film.m4a").unlink()
    code, said, told = call(capsys, "clips", "sound")
    assert code == 1
    assert said["failed"]["film"].startswith("the recording of 'film', film.m4a, is no longer where it was ingested")
    assert told.strip().endswith(said["failed"]["film"])


def test_the_next_ingest_makes_good_what_a_killed_program_left(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed after the pick was stored and before picks.csv was written."""
    with open_store(study) as store:
        store.add_rater("cura")
        assert Desk(study, store).record([CurationEvent("a-pick", "cura", "pick", "film", start_sample=4000)]).acked
    assert not picks_file(study).exists()
    call(capsys, "ingest")
    assert "film-000000250" in {clip.clip_id for clip in read_clips(study.clips_csv) if clip.arm == "picked"}
    assert study.clip_path("film-000000250").is_file()


def test_a_study_without_a_store_gets_none_for_it(study: Study) -> None:
    picks.make_good(study)
    assert not study.labels_db.exists()


def test_a_label_holds_a_pick(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "clips", "pick", "film", "--at", "0.25")
    with open_store(study) as store:
        store.add_rater("ben")
        store.record([Event("an-answer", "ben", clip_id="film-000000250", label="sad")])
    code, said, _ = call(capsys, "clips", "unpick", "film-000000250")
    assert (code, said["refused"]) == (1, ["somebody has labelled this clip already: it stays"])
