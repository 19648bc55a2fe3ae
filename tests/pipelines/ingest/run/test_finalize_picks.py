"""Picks by hand and words about speakers, on their way from picks.csv and speakers.csv into clips.csv."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.execution.process_pool import run_each
from pipelines.ingest.preview.decoded_audio import DecodeTask, decode_to_cache, decoded_audio_folder
from pipelines.ingest.run import finalize
from pipelines.ingest.selection.manual_picks import (
    Pick,
    Speaker,
    picks_file,
    picks_to_csv,
    speakers_file,
    speakers_to_csv,
)
from pipelines.ingest.source_analysis import tracks_file
from pipelines.ingest.state.queue import open_queue
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.schema import Clip, clip_id
from pipelines.study import Study
from tests.pipelines.ingest.run.test_finalize import RATE, decodes, fresh, media, recordings, result, retable, study
from tests.pipelines.ingest.run.test_run import ingest, snapshot

__all__ = ["media", "recordings", "study"]

N = 3 * RATE


def pick(study: Study, *picks: tuple[str, int]) -> None:
    by_source: dict[str, list[Pick]] = {}
    for source, start in picks:
        by_source.setdefault(source, []).append(Pick(start, N))
    picks_file(study).write_text(picks_to_csv(by_source))


def clips(study: Study, source: str = "one") -> list[Clip]:
    return [clip for clip in read_clips(study.clips_csv) if clip.source_id == source]


def test_a_pick_is_cut_once_scored_and_takes_the_place_of_what_it_overlaps(
    study: Study, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media)
    before = snapshot(study)
    away = next(clip for clip in clips(study))
    start = away.start_sample + 777
    pick(study, ("one", start))
    with decodes(monkeypatch) as opened:
        report = retable(study)
        assert opened == ["one.wav"] and report.failed == ()
        opened.clear()
        assert retable(study).changed is False and ingest(study).changed is False and opened == []
    (picked,) = (clip for clip in clips(study) if clip.arm == "picked")
    assert (picked.start_sample, picked.n_samples) == (start, N)
    whole = audio.to_pcm16(audio.read_mono(media / "one.wav")[0])[start : start + N]
    np.testing.assert_array_equal(audio.to_pcm16(audio.read_mono(study.clip_path(picked.clip_id))[0]), whole)
    assert picked.pcm_sha256 == audio.pcm_sha256(whole)
    assert picked.metrics["loudness_lufs"] is not None and picked.metrics["speech_ratio"] is not None
    assert away.clip_id not in {clip.clip_id for clip in clips(study)}
    rows = {row["clip_id"]: row for row in pq.read_table(study.candidates).to_pylist()}
    assert "picked_over" in rows[away.clip_id]["reasons"] and rows[picked.clip_id]["arm"] == "picked"
    assert {name for name, row in rows.items() if row["status"] == "keep"} == {
        clip.clip_id for clip in read_clips(study.clips_csv)
    }
    assert result(study) == result(fresh(study, media, tmp_path))
    picks_file(study).unlink()
    retable(study)
    assert {name: body for name, body in snapshot(study).items() if "picks" not in name} == before


def test_a_pick_that_is_taken_back_while_it_is_cut_ends_no_run(
    study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media)
    before = snapshot(study)
    start = clips(study)[0].start_sample + 777
    pick(study, ("one", start))

    def taken_back(*args: Any, **options: Any) -> Iterator[tuple[str, Any]]:
        for name, outcome in run_each(*args, **options):
            picks_file(study).unlink()
            study.clip_path(clip_id("one", start, RATE)).unlink()
            yield name, outcome

    with monkeypatch.context() as patch:
        patch.setattr(finalize, "run_each", taken_back)
        assert retable(study).failed == ()
    assert start not in {clip.start_sample for clip in clips(study)}
    retable(study)
    assert {name: body for name, body in snapshot(study).items() if "picks" not in name} == before


def test_a_candidate_that_is_picked_needs_no_decode_and_is_kept_whatever_its_scores(
    study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media)
    rows = pq.read_table(study.candidates).to_pylist()
    bad = next(
        row for row in rows if row["source_id"] == "one" and row["status"] == "reject" and "low" in row["reasons"]
    )
    good = next(row for row in rows if row["source_id"] == "two" and row["status"] == "keep")
    pick(study, ("one", bad["start_sample"]), ("two", good["start_sample"]))
    with decodes(monkeypatch) as opened:
        retable(study)
    assert opened == ["one.wav"]
    arms = {clip.clip_id: clip.arm for clip in read_clips(study.clips_csv)}
    assert arms[bad["clip_id"]] == arms[good["clip_id"]] == "picked"


def test_a_pick_within_the_same_millisecond_as_a_kept_clip_replaces_its_file_and_gives_it_back(
    study: Study, media: Path
) -> None:
    audio.encode(media / "fast.wav", np.resize(audio.read_mono(media / "one.wav")[0], 44_100 * 20), 44_100, "pcm16")
    ingest(study, media)
    before = snapshot(study)
    old = clips(study, "fast")[0]
    start = next(
        old.start_sample + step
        for step in (-1, 1)
        if round((old.start_sample + step) / 44.1) == round(old.start_sample / 44.1)
    )
    picks_file(study).write_text(picks_to_csv({"fast": [Pick(start, old.n_samples)]}))
    retable(study)
    (new,) = (clip for clip in clips(study, "fast") if clip.arm == "picked")
    assert new.clip_id == old.clip_id and new.pcm_sha256 != old.pcm_sha256
    assert audio.pcm_sha256(audio.to_pcm16(audio.read_mono(study.clip_path(new.clip_id))[0])) == new.pcm_sha256
    picks_file(study).unlink()
    retable(study)
    assert {name: body for name, body in snapshot(study).items() if "picks" not in name} == before


def test_without_tracks_a_pick_has_the_scores_that_its_samples_tell(study: Study, media: Path) -> None:
    ingest(study, media)
    shutil.rmtree(tracks_file(study, "one").parent)
    pick(study, ("one", 5))
    retable(study)
    (picked,) = (clip for clip in clips(study) if clip.arm == "picked")
    assert picked.metrics["peak_dbfs"] is not None and picked.metrics["speech_ratio"] is None


def test_a_pick_is_cut_from_the_exact_sound_where_that_was_made(
    study: Study, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media)
    with open_queue(study.ingest_db) as queue:
        mark = queue.items()["one"].sha256
    folder = decoded_audio_folder(study, "one", mark)
    decode_to_cache(DecodeTask("one", media / "one.wav", mark, folder), lambda *_: None)
    pick(study, ("one", 4321))
    with decodes(monkeypatch) as opened:
        retable(study)
    assert opened == []
    assert result(study) == result(fresh(study, media, tmp_path))


def test_a_pick_that_stands_nowhere_is_one_row(study: Study, media: Path) -> None:
    ingest(study, media)
    before = read_clips(study.clips_csv)
    pick(study, ("one", 10**8), ("nobody", 0))
    report = retable(study)
    assert {(row.source_id, row.reason_code, row.failure) for row in report.failed} == {
        ("one", "outside", "fix"),
        ("nobody", "no_recording", "fix"),
    }
    assert "reaches over its end" in report.failed[1].reason + report.failed[0].reason
    assert read_clips(study.clips_csv) == before and report.exit_code == 3
    assert ingest(study).exit_code == 3
    json.dumps(report.document())


def test_a_pick_that_was_being_cut_when_all_was_lost_is_cut_again(
    study: Study, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media)
    pick(study, ("one", 1234))
    with monkeypatch.context() as patched:
        patched.setattr(finalize, "score_picked", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            retable(study)
    retable(study)
    assert result(study) == result(fresh(study, media, tmp_path))


def test_speakers_are_columns_of_clips_and_nothing_is_cut_for_them(
    study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(study, media)
    first, second = clips(study)[:2]
    said = {first.clip_id: Speaker("Ah-Mei", "female"), second.clip_id: Speaker("", "male")}
    speakers_file(study).write_text(speakers_to_csv({**said, "nobody-000000000": Speaker("x", "")}))
    with decodes(monkeypatch) as opened:
        assert retable(study).changed and opened == []
    assert {clip.clip_id: Speaker(clip.speaker, clip.gender) for clip in clips(study)[:2]} == said
    speakers_file(study).unlink()
    retable(study)
    assert {clip.speaker + clip.gender for clip in clips(study)} == {""}
