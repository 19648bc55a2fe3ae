"""pipelines.ingest.reproduce.clip_checks: one row per kept clip, made once from its file, the same bytes every time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.errors import DataError, MediaError
from pipelines.ingest.analysis.fingerprint import INNER_S, bit_errors, fingerprint_blocks, inner_items
from pipelines.ingest.reproduce import clip_checks as module
from pipelines.ingest.reproduce.clip_checks import (
    checks_path,
    deserialize_checks,
    make_check,
    read_checks,
    read_pcm16,
    serialize_checks,
    update_checks,
    write_checks,
)
from pipelines.ingest.reproduce.sketch import sketch
from pipelines.ingest.run import run
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.study import Study, create_study
from tests.synthetic_audio import noise, voice


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return made(tmp_path, jobs=1)


def made(tmp_path: Path, jobs: int) -> Study:
    study = create_study("night", rights_basis="made for this test", root=tmp_path)
    turns = [part for seed in range(3) for part in (noise(1, level=0.001), voice(3.2, seed=seed))]
    audio.encode(tmp_path / "one.wav", np.concatenate(turns), 16000, "pcm16")
    run.ingest(study, [str(tmp_path / "one.wav")], jobs=jobs)
    return study


def test_an_ingest_writes_a_check_for_every_clip(study: Study) -> None:
    clips = read_clips(study.clips_csv)
    checks = read_checks(study.manifests / "clips_check.parquet")
    assert list(checks) == [clip.clip_id for clip in clips] and len(clips) >= 2
    for clip in clips:
        pcm, rate_hz = read_pcm16(study.clip_path(clip.clip_id))
        check = checks[clip.clip_id]
        assert (rate_hz, check.pcm_sha256) == (16000, clip.pcm_sha256)
        np.testing.assert_array_equal(check.sketch, sketch(pcm))
        assert len(check.items) == 16


@pytest.mark.parametrize("jobs", [1, 2])
def test_checks_are_made_while_cutting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    """Not from the files again, which would be one process's work when all others have ended."""
    monkeypatch.setattr(module, "_check_from_file", pytest.fail)
    test_an_ingest_writes_a_check_for_every_clip(made(tmp_path, jobs))


def test_checks_round_trip_through_text(study: Study) -> None:
    sound = {clip.clip_id: read_pcm16(study.clip_path(clip.clip_id)) for clip in read_clips(study.clips_csv)}
    checks = [make_check(name, *there) for name, there in sound.items()]
    for name, there in deserialize_checks(serialize_checks(checks)).items():
        check = make_check(name, *sound[name])
        assert (there.clip_id, there.pcm_sha256) == (name, check.pcm_sha256)
        np.testing.assert_array_equal(there.sketch, check.sketch)
        np.testing.assert_array_equal(there.items, check.items)


@pytest.mark.parametrize("text", ["", "{", "null", "3", "[[1]]", '[["a", "b", "c", "d"]]', '[["a", "b", "", ""]]'])
def test_other_text_gives_no_checks(text: str) -> None:
    assert deserialize_checks(text) == {}


def test_the_table_is_reproducible(study: Study) -> None:
    path = checks_path(study.clips_csv)
    made = path.read_bytes()
    assert run.ingest(study, [str(study.root / "one.wav")], jobs=1).changed is False
    path.unlink()
    assert run.ingest(study, [str(study.root / "one.wav")], jobs=1).changed is True
    assert path.read_bytes() == made
    path.write_bytes(b"PAR1 no more")
    clips = read_clips(study.clips_csv)
    audio_of = {clip.clip_id: study.clip_path(clip.clip_id) for clip in clips}
    assert update_checks(path, clips, audio_of.__getitem__) and path.read_bytes() == made
    for file in audio_of.values():
        file.unlink()
    assert not update_checks(path, clips, audio_of.__getitem__), "rows stay where the sound is not"
    assert path.read_bytes() == made
    fewer = [replace(clips[0], pcm_sha256="0" * 64), *clips[1:]]
    assert update_checks(path, fewer, audio_of.__getitem__)
    assert list(read_checks(path)) == [clip.clip_id for clip in clips[1:]], "a row is of one sound only"


def test_a_file_with_other_audio_gets_no_row(study: Study) -> None:
    path = checks_path(study.clips_csv)
    clips = read_clips(study.clips_csv)
    path.unlink()
    audio.write_pcm16(study.clip_path(clips[0].clip_id), np.zeros(48000, np.int16), 16000)
    study.clip_path(clips[1].clip_id).write_bytes(b"RIFF")
    update_checks(path, clips, study.clip_path)
    assert list(read_checks(path)) == [clip.clip_id for clip in clips[2:]]


def test_a_table_of_another_algorithm_is_rejected_by_name(tmp_path: Path) -> None:
    path = tmp_path / "clips_check.parquet"
    write_checks(path, [make_check("a-000000000", np.arange(48000, dtype=np.int16), 16000)])
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"sketch": b"other-9"}), path)
    with pytest.raises(DataError, match=r"clips_check.parquet: was made with sketch 'other-9', expected 'signs-1'"):
        read_checks(path)
    assert read_checks(tmp_path / "none.parquet") == {}


@pytest.mark.parametrize("rate_hz", [16000, 44100])
def test_fingerprint_items_of_a_clip_equal_those_of_its_recording(rate_hz: int) -> None:
    whole = np.concatenate([voice(6, rate_hz, seed=1), noise(2, rate_hz), voice(4, rate_hz, seed=2)])
    items = fingerprint_blocks([whole], rate_hz, "a").items
    start = round(4.5 * rate_hz)  # on the grid of the recording's items
    inner = inner_items(whole[start : start + 3 * rate_hz], rate_hz)
    place = round((start / rate_hz + INNER_S) / 0.125)
    assert abs(start / rate_hz + INNER_S - place * 0.125) < 0.04
    assert bit_errors(inner, items[place : place + len(inner)]).mean() < 0.1
    assert bit_errors(inner, items[place + 4 : place + 4 + len(inner)]).mean() > 0.3
    assert len(inner_items(whole[: round(0.9 * rate_hz)], rate_hz)) == 0


def test_files_that_are_no_clips_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="there is no such file"):
        read_pcm16(tmp_path / "a.wav")
    for name in ("a.wav", "a.flac"):
        (tmp_path / name).write_bytes(b"text")
        with pytest.raises(MediaError, match="cannot be read"):
            read_pcm16(tmp_path / name)
    pcm = np.arange(-100, 100, dtype=np.int16)
    audio.write_pcm16(tmp_path / "b.flac", pcm, 16000)
    np.testing.assert_array_equal(read_pcm16(tmp_path / "b.flac")[0], pcm)
