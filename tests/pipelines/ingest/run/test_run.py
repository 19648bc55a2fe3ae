"""pipelines.ingest.run.run: from files to clips and back to the same bytes, whatever is thrown at it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import Cancelled, ConfigError, PipelineError, TableError
from pipelines.ingest import source_analysis
from pipelines.ingest.preflight import preflight
from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import run
from pipelines.ingest.state.run_log import runs_file
from pipelines.manifest import read_clips, read_table
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.study import Study, create_study
from tests.synthetic_audio import noise, silence, video_without_sound, voice

RIGHTS = "made for this test"


@lru_cache(maxsize=32)
def speech(rate_hz: int = 16000, seed: int = 0) -> audio.Audio:
    """Twelve seconds: three utterances with pauses."""
    utterances = [voice(length, rate_hz, seed=seed + turn) for turn, length in enumerate((3.4, 3.2, 2.6))]
    pauses = [noise(length, rate_hz, 0.001) for length in (1.0, 0.8, 1.0)]
    return np.concatenate([part for pair in zip(pauses, utterances, strict=True) for part in pair])


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study("night", rights_basis=RIGHTS, root=tmp_path / "root")


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    audio.encode(folder / "One.wav", speech(seed=0), 16000, "pcm16")
    audio.encode(folder / "two.m4a", np.stack([speech(44100, 10)] * 2), 44100, "aac")
    (folder / "notes.txt").write_text("no recording")
    return folder


def ingest(study: Study, *inputs: Path | str, **options: object) -> IngestReport:
    return run.ingest(Study(study.root, study.name), [str(one) for one in inputs], jobs=1, **options)  # type: ignore[arg-type]


def snapshot(study: Study) -> dict[str, bytes]:
    """Every table and clip, by path. The queue, its lock and what is told of runs may differ: they hold times."""
    files = [file for half in (study.manifests, study.private) for file in half.rglob("*") if file.is_file()]
    return {
        str(file.relative_to(study.root)): file.read_bytes()
        for file in files
        if not file.name.startswith("ingest.") and file != runs_file(study)
    }


def test_recordings_become_exact_clips(study: Study, media: Path) -> None:
    report = ingest(study, media)
    assert [(row.source_id, row.status) for row in report.sources] == [("one", "ingested"), ("two", "ingested")]
    assert (report.exit_code, report.changed, report.skipped) == (0, True, 1)
    clips = read_clips(study.clips_csv)
    assert len(clips) == report.clips >= 4
    for clip in clips:
        rate_hz, path = (16000, media / "One.wav") if clip.source_id == "one" else (44100, media / "two.m4a")
        assert re.fullmatch(rf"{clip.source_id}-\d{{9}}", clip.clip_id)
        assert (clip.rate_hz, clip.n_samples, clip.recipe) == (rate_hz, 3 * rate_hz, "pcm16-v1")
        with wave.open(str(study.clip_path(clip.clip_id))) as written:
            assert (written.getnframes(), written.getframerate()) == (3 * rate_hz, rate_hz)
            assert (written.getnchannels(), written.getsampwidth()) == (1, 2)
            pcm = np.frombuffer(written.readframes(written.getnframes()), "<i2")
        whole, _ = audio.read_mono(path)
        expected = audio.to_pcm16(whole)[clip.start_sample : clip.start_sample + clip.n_samples]
        np.testing.assert_array_equal(pcm, expected)
        assert clip.pcm_sha256 == audio.pcm_sha256(expected)
        assert (clip.metrics["speech_ratio"] or 0) >= 0.6
    for earlier, later in pairwise(clips):
        if earlier.source_id == later.source_id:
            assert later.start_sample >= earlier.start_sample + earlier.n_samples


def test_tables_hold_no_path_of_this_machine_and_every_window(study: Study, media: Path) -> None:
    import pyarrow.parquet as pq

    report = ingest(study, media)
    rows = read_table(study.sources_csv)
    assert [(row["source_id"], row["uri"], row["rights_basis"]) for row in rows] == [
        ("one", "One.wav", RIGHTS), ("two", "two.m4a", RIGHTS)
    ]  # fmt: skip
    assert [(row["acodec"], row["sample_rate_hz"], row["channels"], row["status"]) for row in rows] == [
        ("pcm_s16le", "16000", "1", "ok"), ("aac", "44100", "2", "ok")
    ]  # fmt: skip
    assert str(media).encode() not in b"".join(file.read_bytes() for file in study.manifests.iterdir())
    table = pq.read_table(study.candidates).to_pylist()
    kept = {row["clip_id"] for row in table if row["status"] == "keep"}
    assert kept == {clip.clip_id for clip in read_clips(study.clips_csv)}
    assert len(table) == report.clips + sum(report.rejected.values())
    assert all(row["reasons"] for row in table if row["status"] == "reject")


def test_again_changes_no_byte_and_decodes_nothing(study: Study, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ingest(study, media)
    before = snapshot(study)
    times = {file: file.stat().st_mtime_ns for file in study.audio.iterdir()}

    def refuse(*_: object) -> None:
        raise AssertionError("a recording was opened")

    monkeypatch.setattr(source_analysis, "open_track", refuse)
    monkeypatch.setattr(preflight, "probe", refuse)
    (media / "notes.txt").unlink()  # only what is not known yet is looked into
    for inputs in ((media,), (), (study.sources_csv,)):
        again = ingest(study, *inputs)
        assert [row.status for row in again.sources] == ["unchanged", "unchanged"]
        assert (again.exit_code, again.changed, again.clips) == (0, False, first.clips)
    assert snapshot(study) == before
    assert {file: file.stat().st_mtime_ns for file in study.audio.iterdir()} == times


def test_a_lost_clip_is_made_again_the_same(study: Study, media: Path) -> None:
    ingest(study, media)
    before = snapshot(study)
    next(study.audio.glob("two-*")).unlink()
    study.clips_csv.unlink()
    assert [row.status for row in ingest(study, media).sources] == ["unchanged", "ingested"]
    assert snapshot(study) == before


def test_another_threshold_makes_other_clips(study: Study, media: Path) -> None:
    many = ingest(study, media).clips
    study.settings_file.write_text(study.settings_file.read_text() + "\n[screen.speech_ratio]\nmin = 0.999\n")
    few = ingest(study, media)
    assert few.clips < many and few.rejected["speech_ratio_low"] > 0 and few.changed
    study.settings_file.write_text(study.settings_file.read_text().replace("speech_ratio", "speech_ration"))
    with pytest.raises(PipelineError, match=r"unknown screen 'speech_ration'; did you mean 'speech_ratio'\?"):
        ingest(study, media)


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda path: None, "missing", "there is no such file"),
        (lambda path: path.mkdir(), "no_media", "holds no recording"),
        (lambda path: (path.mkdir(), (path / "a.txt").write_text("a")), "no_media", "holds no recording"),
        (lambda path: path.write_text("plain text " * 500), "not_media", "is not a recording"),
        (lambda path: path.write_bytes(b""), "empty", "is empty"),
        (lambda path: video_without_sound(path), "no_audio", "has no audio track"),
        (lambda path: audio.encode(path, voice(1.0), 16000, "aac"), "too_short", "needs 3 s"),
    ],
)
def test_a_bad_input_is_one_row_with_its_reason(
    study: Study, media: Path, tmp_path: Path, make: Callable[[Path], object], code: str, words: str
) -> None:
    bad = tmp_path / "bad.mp4"
    make(bad)
    before = snapshot(study)
    alone = ingest(study, bad)
    assert (alone.exit_code, alone.changed, alone.clips) == (1, False, 0)
    (row,) = alone.sources
    assert (row.status, row.reason_code) == ("failed", code)
    assert words in row.reason and "\n" not in row.reason
    assert snapshot(study) == before
    among = ingest(study, bad, media)
    assert (among.exit_code, [row.status for row in among.sources].count("ingested")) == (3, 2)
    assert among.document()["ok"] is False


def test_a_broken_recording_ends_nothing_and_leaves_nothing(study: Study, media: Path) -> None:
    whole = media / "whole.flac"
    audio.encode(whole, speech(44100), 44100, "flac")
    (media / "broken.flac").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    report = ingest(study, media)
    assert [(row.source_id, row.status, row.reason_code) for row in report.sources] == [
        ("one", "ingested", ""), ("broken", "failed", "damaged"), ("two", "ingested", "")
    ]  # fmt: skip
    assert report.exit_code == 3
    assert not list(study.audio.glob("broken*"))
    assert "broken" not in study.sources_csv.read_text() + study.clips_csv.read_text()
    audio.encode(whole, speech(44100, 5), 44100, "flac")
    whole.replace(media / "broken.flac")  # a whole copy under the same name
    assert ingest(study, media).exit_code == 0


def test_an_error_of_ours_is_a_row_too(study: Study, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = source_analysis.speech_spans
    monkeypatch.setattr(source_analysis, "speech_spans", lambda p, s: real(p, s) if len(p) < 380 else [][0])
    audio.encode(media / "long.wav", np.tile(speech(), 2), 16000, "pcm16")
    report = ingest(study, media)
    (failed,) = report.failed
    assert (failed.source_id, failed.reason_code) == ("long", "bug") and "IndexError" in failed.reason
    assert report.exit_code == 3


@pytest.mark.parametrize("name", ["喊 叫 😱.wav", "qu\"ote's & 100%.wav", "a b  c.wav", "l" * 200 + ".wav", "-.wav"])
def test_any_file_name_makes_a_plain_id(study: Study, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    audio.encode(path, speech(), 16000, "pcm16")
    report = ingest(study, path)
    (row,) = report.sources
    assert row.status == "ingested" and row.clips > 0
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", row.source_id)
    (source,) = read_table(study.sources_csv)
    assert source["uri"] == name
    assert ingest(study, path).changed is False


def test_equal_names_get_ids_of_their_own_and_equal_content_is_taken_once(study: Study, tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 5)):
        (tmp_path / folder).mkdir()
        audio.encode(tmp_path / folder / "scene.wav", speech(seed=seed), 16000, "pcm16")
    shutil.copy(tmp_path / "a" / "scene.wav", tmp_path / "copy.wav")
    report = ingest(study, tmp_path / "a", tmp_path / "b", tmp_path / "copy.wav")
    first, second, third = report.sources
    assert first.source_id == "scene" and re.fullmatch(r"scene-[0-9a-f]{6}", second.source_id)
    assert (third.status, third.source_id) == ("duplicate", "scene") and report.exit_code == 0
    assert ingest(study, tmp_path / "copy.wav", tmp_path / "b").changed is False


def test_a_moved_file_is_the_same_source_and_a_changed_one_is_not(study: Study, media: Path, tmp_path: Path) -> None:
    ingest(study, media)
    before = snapshot(study)
    moved = tmp_path / "elsewhere.wav"
    (media / "One.wav").replace(moved)
    report = ingest(study, moved)
    assert [(row.source_id, row.status) for row in report.sources] == [("one", "unchanged")]
    assert snapshot(study).keys() == before.keys()
    audio.encode(moved, speech(seed=50), 16000, "pcm16")
    (row,) = ingest(study, moved).sources
    assert (row.status, row.reason_code) == ("failed", "changed")
    assert read_clips(study.clips_csv)[0].source_id == "one"


def test_rights_are_asked_once_or_per_source(tmp_path: Path, media: Path) -> None:
    bare = create_study("bare", root=tmp_path / "root")
    with pytest.raises(ConfigError, match=r"no rights basis for .*One\.wav: say on what ground"):
        ingest(bare, media)
    with pytest.raises(ConfigError, match="--rights-basis is blank"):
        ingest(bare, media, rights_basis="  ")
    with pytest.raises(ConfigError, match="expected one line"):
        ingest(bare, media, rights_basis="yes\nno")
    assert not bare.sources_csv.exists() and not bare.audio.exists()
    table = media / "list.csv"
    table.write_text("uri,rights_basis\nOne.wav,asked the author\ntwo.m4a,\n")
    with pytest.raises(ConfigError, match=r"no rights basis for two\.m4a"):
        ingest(bare, table)
    ingest(bare, table, rights_basis="public domain")
    rows = {row["source_id"]: row["rights_basis"] for row in read_table(bare.sources_csv)}
    assert rows == {"one": "asked the author", "two": "public domain"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; expected a header"),
        ("file,rights\n", "expected a column 'uri'"),
        ("uri,season\none.wav,two\n", "row 1, column 'season': expected a whole number or nothing, found 'two'"),
        ("uri,source_id\na.wav,ok\nb.wav,../up\n", "row 2, column 'source_id': expected 1 to 64 lower-case letters"),
        ("uri,source_id\na.wav,x\nb.wav,x\n", "row 2, column 'source_id': expected an id of its own"),
        ("uri,notes\na.wav,\n,b\n", "row 2, column 'uri': expected a file's path or an http"),
        ("uri,notes\na.wav\n", "row 1: expected 2 cells, found 1"),
        (
            "uri,right_basis\na.wav,x\n",
            "column 'right_basis': is not a column of this table; did you mean 'rights_basis'",
        ),
        ("uri\n", "has no rows"),
    ],
)
def test_a_malformed_table_is_refused_before_any_work(study: Study, tmp_path: Path, text: str, words: str) -> None:
    table = tmp_path / "list.csv"
    table.write_text(text)
    before = snapshot(study)
    with pytest.raises(TableError, match=re.escape(words)) as refused:
        ingest(study, table)
    assert str(refused.value).startswith("list.csv")
    assert snapshot(study) == before


def test_a_tilde_that_is_nobodys_home_is_part_of_a_name(study: Study, media: Path) -> None:
    (media / "One.wav").rename(media / "~draft.wav")
    (media / "list.csv").write_text("source_id,uri\ndraft,~draft.wav\ngone,~nobody/else.wav\n")
    draft, gone = ingest(study, media / "list.csv").sources
    assert (draft.status, draft.source_id) == ("ingested", "draft")
    assert (gone.status, gone.reason_code) == ("failed", "missing") and "~nobody/else.wav" in gone.given


def test_a_curators_table_gives_ids_groups_and_keeps_its_own_columns(study: Study, media: Path) -> None:
    study.sources_csv.write_text(
        "source_id,uri,series,season,episode,shelf\n"
        f"pilot,{media / 'One.wav'},The Show,1,2,A7\n"
        "gone,https://127.0.0.1:1/x.mp4,,,,\n"
    )
    report = ingest(study)
    assert [(row.source_id, row.status, row.reason_code) for row in report.sources] == [
        ("pilot", "ingested", ""), ("gone", "failed", "private_host")
    ]  # fmt: skip
    rows = {row["source_id"]: row for row in read_table(study.sources_csv)}
    assert (rows["pilot"]["uri"], rows["pilot"]["shelf"], rows["pilot"]["group_id"]) == (
        "One.wav",
        "A7",
        "the_show-s01e02",
    )
    assert (rows["gone"]["status"], rows["gone"]["reason_code"]) == ("failed", "private_host")
    assert {clip.group_id for clip in read_clips(study.clips_csv)} == {"the_show-s01e02"}
    text = study.sources_csv.read_text()
    assert ingest(study).changed is False
    study.sources_csv.write_text(text.replace("The Show,1,2", "The Show,1,3"))  # an edit needs no decoding
    edited = ingest(study)
    assert edited.changed and {row.source_id: row.status for row in edited.sources}["pilot"] == "unchanged"
    assert {clip.group_id for clip in read_clips(study.clips_csv)} == {"the_show-s01e03"}


def test_a_source_taken_out_of_the_table_takes_its_clips_along_and_that_is_told(study: Study, media: Path) -> None:
    ingest(study, media)
    lines = study.sources_csv.read_text().splitlines(keepends=True)
    study.sources_csv.write_text(lines[0] + lines[1])
    report = ingest(study)
    assert [(row.source_id, row.status) for row in report.sources] == [("one", "unchanged"), ("two", "unlisted")]
    assert "clips left clips.csv" in report.sources[1].reason and report.exit_code == 0
    assert {clip.source_id for clip in read_clips(study.clips_csv)} == {"one"}


def test_nothing_named_and_nothing_listed_is_refused(study: Study) -> None:
    with pytest.raises(ConfigError, match="nothing to ingest: name files"):
        ingest(study)
    with pytest.raises(ConfigError, match="expected 1 or more, found 0"):
        run.ingest(study, ["a.wav"], jobs=0)


def test_a_dry_run_plans_and_does_nothing(study: Study, media: Path) -> None:
    before = snapshot(study)
    report = ingest(study, media, dry_run=True)
    assert [(row.source_id, row.status) for row in report.sources] == [("one", "planned"), ("two", "planned")]
    assert report.sources[0].duration_s == pytest.approx(12.0, abs=0.1) and report.dry_run
    assert snapshot(study) == before


def test_silence_gives_no_clips_and_is_no_failure(study: Study, tmp_path: Path) -> None:
    audio.encode(tmp_path / "hush.wav", silence(6.0), 16000, "pcm16")
    report = ingest(study, tmp_path / "hush.wav")
    assert (report.exit_code, report.clips, report.sources[0].speech_s) == (0, 0, 0.0)


def test_stopping_keeps_what_was_done_and_the_rest_follows(study: Study, media: Path, tmp_path: Path) -> None:
    whole = create_study("whole", rights_basis=RIGHTS, root=tmp_path / "other")
    ingest(whole, media)

    def stop(progress: Progress) -> None:
        if progress.stage == "sources" and progress.done == 1:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        ingest(study, media, report=stop)
    assert 0 < len(read_clips(study.clips_csv)) < len(read_clips(whole.clips_csv))
    ingest(study, media)
    for name in ("clips.csv", "sources.csv"):
        assert (study.manifests / name).read_bytes() == (whole.manifests / name).read_bytes()


def test_two_runs_at_once_are_refused(study: Study, media: Path) -> None:
    def again(progress: Progress) -> None:
        with pytest.raises(ConfigError, match="another ingest of this study is running"):
            ingest(study, media)

    assert ingest(study, media, report=again).clips > 0


@pytest.mark.parametrize("clips", [1, 9])
def test_killed_in_the_middle_and_run_again_gives_the_same_bytes(study: Study, tmp_path: Path, clips: int) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(4):
        audio.encode(folder / f"s{number}.m4a", np.tile(speech(22050, number), 3), 22050, "aac")
    whole = create_study("night", rights_basis=RIGHTS, root=tmp_path / "other")
    ingest(whole, folder)
    code = "import sys; from workbench.cli.main import main; main(sys.argv[1:])"
    running = subprocess.Popen(
        [sys.executable, "-c", code, "ingest", str(folder), "--jobs", "2"],
        env={**os.environ, "WORKBENCH_ROOT": str(study.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(list(study.audio.glob("s*.wav"))) < clips and running.poll() is None:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() in (-signal.SIGKILL, 0)  # 0: it was quicker than this loop
    ingest(study, folder)
    assert snapshot(study) == snapshot(whole)


def test_a_real_drama_gives_clips_of_speech(study: Study, real_recordings: Path) -> None:
    folder = real_recordings / "NOTLD_1968"
    report = run.ingest(study, [str(folder)])
    assert (report.exit_code, report.skipped, len(report.sources)) == (0, 21, 20)
    assert report.clips >= 50 and report.rejected["speech_ratio_low"] > 0
    for clip in read_clips(study.clips_csv):
        with wave.open(str(study.clip_path(clip.clip_id))) as written:
            assert written.getnframes() == 3 * written.getframerate() == 48000
    before = snapshot(study)
    assert run.ingest(study, [str(folder)]).changed is False
    assert snapshot(study) == before
