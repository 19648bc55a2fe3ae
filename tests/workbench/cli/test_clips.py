"""workbench clips verify and rebuild, as they are typed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipelines.ingest.repeats import Repeat
from pipelines.ingest.run import run
from pipelines.ingest.series.repeat_masks import SourceCopy, StudyRepeats
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.study import Study, create_study
from tests.synthetic_audio import noise, voice
from tests.workbench.command_line import call


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    study = create_study("night", rights_basis="made for this test", root=root)
    (root / "media").mkdir()
    turns = [part for turn in range(3) for part in (noise(1, level=0.001), voice(3.2, seed=turn))]
    audio.encode(root / "media/one.m4a", np.concatenate(turns), 16000, "aac")
    run.ingest(study, [str(root / "media/one.m4a")], jobs=1)
    return root


@pytest.fixture
def study(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    shutil.copytree(template, tmp_path / "root")
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path / "root"))
    return Study(tmp_path / "root", "night")


def test_verify_at_both_levels(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    count = len(read_clips(study.clips_csv))
    for more in ((), ("--sources", "--jobs", "1"), ("--sources", "--media", str(study.root / "media"), "--jobs", "1")):
        code, out, _ = call(capsys, "clips", "verify", *more, "--json")
        told = json.loads(out)
        assert (code, told["ok"], told["counts"]["exact"]) == (0, True, count)
    first = read_clips(study.clips_csv)[0].clip_id
    study.clip_path(first).unlink()
    code, out, _ = call(capsys, "clips", "verify", "--json")
    told = json.loads(out)
    assert (code, told["ok"], told["counts"]["gone"]) == (3, False, 1)
    assert [row["level"] for row in told["clips"] if row["clip_id"] == first] == ["gone"]
    code, out, _ = call(capsys, "clips", "verify")
    assert code == 3 and f"gone     {first}" in out and f"{count - 1} exact" in out
    assert call(capsys, "clips", "verify", "--media", "x", "--json")[0] == 2


def test_a_shared_study_is_rebuilt_on_an_empty_machine(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    before = {file.name: file.read_bytes() for file in study.audio.iterdir()}
    shutil.rmtree(study.private)
    code, out, _ = call(capsys, "clips", "rebuild", "night", "--json")
    assert code == 3 and json.loads(out)["counts"]["gone"] == len(before)
    (study.root / "media").rename(study.root / "elsewhere")
    words = ("clips", "rebuild", str(study.manifests), "--media", str(study.root / "elsewhere"), "--jobs", "1")
    code, out, _ = call(capsys, *words, "--json")
    assert code == 0 and json.loads(out)["counts"]["exact"] == len(before)
    assert {file.name: file.read_bytes() for file in study.audio.glob("*.wav")} == before
    assert call(capsys, "clips", "verify")[0] == 0


def test_a_manifest_from_outside_needs_a_place(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(study.manifests, tmp_path / "given")
    given, media = str(tmp_path / "given"), str(study.root / "media")
    code, out, _ = call(capsys, "clips", "rebuild", given, "--media", media, "--json")
    assert code == 2 and "say with --out where" in json.loads(out)["error"]
    whole, rate_hz = audio.read_mono(study.root / "media/one.m4a")
    (tmp_path / "new").mkdir()
    audio.encode(tmp_path / "new/one.wav", np.concatenate([noise(2.5), whole]), rate_hz, "pcm16")
    words = ("clips", "rebuild", given, "--out", str(tmp_path / "out"), "--jobs", "1")
    code, out, _ = call(capsys, *words, "--media", str(tmp_path / "new"))
    assert code == 3 and "stand +2.500 s from where they were" in out and "run this again with --retime" in out
    code, out, _ = call(capsys, *words, "--media", str(tmp_path / "new"), "--retime", "--json")
    told = json.loads(out)
    assert code == 3 and [Path(path).name for path in told["retimed"]] == ["clips.retimed.csv", "clips.moves.csv"]
    moved = read_clips(tmp_path / "given/clips.retimed.csv")
    assert sorted(file.stem for file in (tmp_path / "out").glob("*.wav")) == sorted(clip.clip_id for clip in moved)
    shutil.rmtree(tmp_path / "out")
    code, out, _ = call(capsys, *words, "--media", media)
    assert code == 0 and f"{len(moved)} exact" in out


def test_repeats_are_told_and_drawn(
    study: Study, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = StudyRepeats(
        order=("e1", "e2", "away"),
        seconds={"e1": 60.0, "e2": 70.0},
        repeats=(Repeat("e1", 5.0, "e2", 8.0, 4.0, "recap", 0.9, refined=True),),
        copies={"e2": SourceCopy("e1", 0.9)},
        not_compared=("away",),
    )
    monkeypatch.setattr("pipelines.ingest.series.repeat_masks.read_study_repeats", lambda _: told)
    code, out, _ = call(capsys, "clips", "repeats", "--json", "--picture", str(tmp_path / "repeats.svg"))
    document = json.loads(out)
    assert code == 0 and (tmp_path / "repeats.svg").read_bytes().startswith(b"<?xml")
    assert [source["masked_s"] for source in document["sources"]] == [0.0, 4.0, 0.0]
    assert document["sources"][1]["dup_of"] == "e1" and document["not_compared"] == ["away"]
    (group,) = document["groups"]
    assert [(one["source_id"], one["start_s"], one["masked"]) for one in group["places"]] == [
        ("e1", 5.0, False), ("e2", 8.0, True),
    ]  # fmt: skip
    code, out, _ = call(capsys, "clips", "repeats")
    assert "  e1  0:05 to 0:09  kept" in out and "1 recap in 2 recordings" in out and "Not compared" in out


def test_repeats_of_nothing_say_what_makes_them(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.ingest.series.repeat_masks.read_study_repeats", lambda _: StudyRepeats())
    code, out, _ = call(capsys, "clips", "repeats")
    assert code == 0 and "Nothing was compared yet" in out
