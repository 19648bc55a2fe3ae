"""Ingest on a real Dask cluster: the same bytes as on one machine, whoever is killed."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import cluster_tasks, run, stages
from pipelines.media import audio
from pipelines.progress import Progress, ignore_progress
from pipelines.study import Study, create_study
from tests.cluster_test_tasks import mortal_cluster
from tests.pipelines.ingest import crashing_analysis
from tests.pipelines.ingest.run.test_run import RIGHTS, snapshot, speech
from tests.s3_server import object_store
from workbench.cli.main import main


def night(root: Path) -> Study:
    """A study whose finer screens turn nothing down: they may change, and it is not their test."""
    study = create_study("night", rights_basis=RIGHTS, root=root)
    study.settings_file.write_text(study.settings_file.read_text() + "\n[select]\nrandom_share = 1.0\n")
    return study


@dataclass(frozen=True)
class Alone:
    study: Study
    report: IngestReport
    files: dict[str, bytes]


def episode(first: int, count: int) -> audio.Audio:
    return np.concatenate([speech(16000, seed) for seed in range(first, first + 10 * count, 10)])


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """Two workers, each in a process of its own under a nanny that starts it again."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    audio.encode(folder / "One.wav", episode(0, 2), 16000, "pcm16")
    audio.encode(folder / "two.m4a", np.stack([speech(44100, 100)] * 2), 44100, "aac")
    (folder / "three.mp4").write_text("no film")
    return folder


@pytest.fixture(scope="module")
def alone(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """What one machine makes of it."""
    study = night(tmp_path_factory.mktemp("alone"))
    report = run.ingest(study, [str(media)], jobs=1)
    return Alone(study, report, snapshot(study))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv("WORKBENCH_STORAGE_URL", f"file://{tmp_path}/storage")
    return night(tmp_path / "root")


def rows(report: IngestReport) -> list[tuple[str, ...]]:
    return [(row.source_id, row.status, row.reason_code, row.reason, row.failure) for row in report.sources]


def storage_files(tmp_path: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in (tmp_path / "storage").rglob("*") if file.is_file()}


def test_the_same_bytes_as_on_one_machine_and_a_moved_bound_too(
    workers: Any, study: Study, media: Path, alone: Alone, tmp_path: Path
) -> None:
    told: list[Progress] = []
    report = run.ingest(study, [str(media)], scheduler=workers.scheduler_address, report=told.append)
    assert rows(report) == rows(alone.report) and report.clips == alone.report.clips > 0 and report.exit_code == 3
    assert snapshot(study) == alone.files
    assert {one.item for one in told if one.stage == "analyse"} <= {"one", "two"}
    left = storage_files(tmp_path)
    assert len(left) == 4  # a result and its name for two recordings, which all machines could see where they are

    other = night(tmp_path / "other")
    again = run.ingest(other, [str(media)], scheduler=workers.scheduler_address)
    assert snapshot(other) == alone.files and again.clips == report.clips
    assert storage_files(tmp_path) == left  # nothing was made twice

    bound = study.settings_file.read_text().replace("random_share = 1.0", "random_share = 0.5")
    shutil.copytree(alone.study.root, tmp_path / "one")
    one_machine = Study(tmp_path / "one", "night")
    for place, how in ((study, {"scheduler": workers.scheduler_address}), (one_machine, {"jobs": 1})):
        place.settings_file.write_text(bound)
        for file in place.audio.glob("two-*"):
            file.unlink()
        moved = run.ingest(Study(place.root, place.name), **how)  # type: ignore[arg-type]
        assert moved.clips
    assert snapshot(study) == snapshot(one_machine)


def test_workers_killed_while_they_analyse(workers: Any, study: Study, media: Path, alone: Alone) -> None:
    killed: list[int] = []

    def report(progress: Progress) -> None:
        if progress.stage == "analyse" and not killed:
            for nanny in list(workers.workers.values()):
                os.kill(nanny.pid, signal.SIGKILL)
                killed.append(nanny.pid)

    done = run.ingest(study, [str(media)], scheduler=workers.scheduler_address, report=report)
    assert len(killed) == 2 and rows(done) == rows(alone.report) and snapshot(study) == alone.files


def test_no_cluster_or_no_storage_is_refused_in_one_sentence_before_any_work(
    workers: Any, study: Study, media: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKBENCH_ROOT", str(study.root))
    for address, storage, told in (
        ("tcp://127.0.0.1:9", None, "no Dask scheduler answers at tcp://127.0.0.1:9 within 0.5 s"),
        (workers.scheduler_address, "", "set WORKBENCH_STORAGE_URL, or storage_url in private.toml"),
        (workers.scheduler_address, "memory://nowhere", "cannot read what this machine writes to memory://nowhere"),
        (workers.scheduler_address, "file:///proc/nothing", "the storage file:///proc/nothing cannot be "),
    ):
        monkeypatch.setattr("pipelines.execution.dask_scheduler.CONNECT_TIMEOUT_S", 0.5 if storage is None else 60.0)
        if storage is not None:
            monkeypatch.setenv("WORKBENCH_STORAGE_URL", storage)
        with pytest.raises(SystemExit) as left:
            main(["ingest", str(media), "--scheduler", address])
        said = capsys.readouterr()
        assert left.value.code == 2 and said.out == "" and said.err.count("\n") == 1 and told in said.err
        assert not study.sources_csv.exists()
    monkeypatch.setenv("WORKBENCH_STORAGE_URL", "/a/folder")
    with pytest.raises(ConfigError, match="WORKBENCH_STORAGE_URL is not a URL"):
        run.ingest(study, [str(media)], scheduler=workers.scheduler_address)


def test_a_lost_scheduler_is_a_row_to_try_again(study: Study, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    analysis, cutting = cluster_tasks.TASK_SPECS
    monkeypatch.setattr(cluster_tasks, "TASK_SPECS", (replace(analysis, function=crashing_analysis.halfway), cutting))
    monkeypatch.setattr(stages, "analyse", crashing_analysis.halfway)
    with mortal_cluster() as (address, process):

        def report(progress: Progress) -> None:
            if progress.stage == "analyse":
                process.kill()

        done = run.ingest(study, [str(media / "One.wav")], scheduler=address, report=report)
    assert [(row.status, row.reason_code, row.failure) for row in done.sources] == [("failed", "machines", "retry")]
    assert "One.wav: the scheduler at tcp://" in done.sources[0].reason and "ingest again" in done.sources[0].reason


CALLER = """
import sys
from pathlib import Path
from pipelines.ingest.run import run
from pipelines.study import Study
if __name__ == "__main__":
    run.ingest(Study(Path(sys.argv[1]), "night"), [sys.argv[2]], scheduler=sys.argv[3])
"""


@pytest.mark.stress
@pytest.mark.timeout(1200)
def test_callers_and_workers_killed_at_random_with_an_object_store_end_in_the_same_bytes(tmp_path: Path) -> None:
    """Twelve recordings that the workers cannot see, three workers; callers and workers are killed all the time."""
    from distributed import LocalCluster

    chance = random.Random(20261121)
    media = tmp_path / "media"
    media.mkdir()
    for number in range(12):
        audio.encode(media / f"ep{number:02}.wav", episode(100 + 3 * number, 4), 16000, "pcm16")
    alone = night(tmp_path / "alone")
    run.ingest(alone, [str(media)])
    study = night(tmp_path / "root")
    script = tmp_path / "caller.py"
    script.write_text(CALLER)
    kills = {"caller": 0, "worker": 0}
    with (
        object_store() as bucket,
        LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("WORKBENCH_STORAGE_URL", f"{bucket}/night")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
        command = [sys.executable, str(script), str(study.root), "media", cluster.scheduler_address]
        nannies = list(cluster.workers.values())
        for _ in range(30):
            caller = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            die_at = time.monotonic() + chance.uniform(5, 25)
            while caller.poll() is None and time.monotonic() < die_at:
                time.sleep(chance.uniform(0.5, 2.0))
                up = [nanny for nanny in nannies if nanny.worker_address in cluster.scheduler.workers]
                if len(up) > 1 and chance.random() < 0.5:
                    os.kill(chance.choice(up).pid, signal.SIGKILL)
                    kills["worker"] += 1
            if caller.poll() == 0:
                break
            caller.kill()
            caller.wait()
            kills["caller"] += 1
            assert not [file for file in study.audio.glob("*.wav") if file.stat().st_size == 0]
        patch.chdir(tmp_path)
        last = run.ingest(
            study, ["media"], scheduler=cluster.scheduler_address, report=ignore_progress, retry_failed=True
        )
    assert kills["worker"] >= 3 and kills["caller"] >= 1, kills
    assert len(last.sources) == 12 and {row.status for row in last.sources} <= {"ingested", "unchanged"}
    assert snapshot(study) == snapshot(alone)
