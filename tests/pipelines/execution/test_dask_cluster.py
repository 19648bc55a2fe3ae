"""pipelines.execution.dask_cluster on real schedulers and workers: the same outcomes as the local process pool."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import Cancelled, ClusterLost, ConfigError, MediaError
from pipelines.execution import dask_cluster as clusters
from pipelines.execution import dask_scheduler as schedulers
from pipelines.execution.dask_cluster import Cluster
from pipelines.execution.process_pool import Failed, WorkerCrashed, run_each
from pipelines.execution.shared_storage import Storage, StorageError
from pipelines.progress import Progress, ignore_progress
from tests.cluster_test_tasks import SHOUT, Shout, Shouted, mortal_cluster, shout
from tests.s3_server import object_store


@dataclass(frozen=True)
class Machines:
    """A scheduler with two workers in processes of their own, and a bucket that all can reach."""

    address: str
    bucket: str


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    from distributed import LocalCluster

    with (
        object_store() as bucket,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
    ):
        yield Machines(cluster.scheduler_address, bucket)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(f"file://{tmp_path}/storage")


def task_of(folder: Path, said: str, name: str) -> Shout:
    (folder / "media").mkdir(exist_ok=True)
    path = folder / "media" / f"{name}.mp3"
    path.write_text(said)
    return Shout(path, folder / "into", folder / f"{name}.file", folder / "scratch", str(folder / "log"), "here")


def tries(folder: Path) -> list[list[str]]:
    log = folder / "log"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def wait_for(what: Any, seconds: float = 60) -> Any:
    for _ in range(round(seconds / 0.05)):
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


def later(coming: list[dict[str, Shout]], _timeout_s: float, _running: int) -> dict[str, Shout] | None:
    return coming.pop(0) if coming else None


def test_the_same_outcomes_and_files_as_the_local_pool(machines: Machines, storage: Storage, tmp_path: Path) -> None:
    said = {"one": "good morning", "two": "fail please", "three": "die now", "four": "never mind"}
    told: list[Progress] = []
    outcomes = {}
    for place in ("local", "cluster"):
        folder = tmp_path / place
        folder.mkdir()
        tasks = {key: task_of(folder, words, key) for key, words in said.items()}
        if place == "local":
            outcomes[place] = dict(run_each(shout, tasks, jobs=2, stage="shout", report=ignore_progress))
        else:
            absent = {"absent": Shout(folder / "absent", folder, folder, folder, "")}
            coming = [{}, {"four": tasks.pop("four")}, {}]
            with Cluster(machines.address, storage, [SHOUT]) as cluster:
                next_tasks = partial(later, coming)
                outcomes[place] = dict(
                    cluster.run_each(shout, tasks | absent, stage="shout", report=told.append, next_tasks=next_tasks)
                )
                gone = outcomes[place].pop("absent")
                assert isinstance(gone, Failed) and isinstance(gone.error, FileNotFoundError)
                done = {key: one.words for key, one in outcomes[place].items() if isinstance(one, Shouted)}
                before = len(tries(folder))
                again = {key: task_of(folder, said[key], key) for key in done}
                found = dict(cluster.run_each(shout, again, stage="shout", report=ignore_progress))
                assert {key: one.words for key, one in found.items()} == done and len(tries(folder)) == before
    local, there = outcomes["local"], outcomes["cluster"]
    assert {key for key, one in there.items() if isinstance(one, Failed)} == {"two", "three"}
    for key, one in local.items():
        if isinstance(one, Failed):
            assert (type(there[key].error), str(there[key].error)) == (type(one.error), str(one.error))
        else:
            assert there[key] == one
    assert isinstance(there["two"].error, MediaError) and there["two"].error.failure == "gone"
    assert isinstance(there["three"].error, WorkerCrashed)
    assert len([line for line in tries(tmp_path / "cluster") if line[0] == "three.mp3"]) == 2
    written = {
        place: {
            str(file.relative_to(tmp_path / place)): file.read_bytes()
            for file in (tmp_path / place).rglob("*")
            if file.is_file() and file.name != "log" and "scratch" not in file.parts
        }
        for place in outcomes
    }
    assert written["local"] == written["cluster"] and not (tmp_path / "cluster" / "scratch").exists()
    assert {(one.stage, one.item) for one in told} <= {("shout", key) for key in said}


def test_machines_without_a_shared_folder_use_an_object_store(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = {name: task_of(tmp_path, f"{name} is far away", name) for name in ("one", "two")}
    monkeypatch.chdir(tmp_path)  # the workers are elsewhere: to them the recordings are not there
    near = {
        key: Shout(Path("media", f"{key}.mp3"), task.into, task.file, task.scratch, task.log)
        for key, task in tasks.items()
    }
    storage = Storage(f"{machines.bucket}/{tmp_path.name}")
    with Cluster(machines.address, storage, [SHOUT]) as cluster:
        outcomes = dict(cluster.run_each(shout, near, stage="shout", report=ignore_progress))
    assert {key: one.words for key, one in outcomes.items()} == {
        "one": ("one", "is", "far", "away"),
        "two": ("two", "is", "far", "away"),
    }
    assert (tmp_path / "into" / "two.txt").read_text() == "TWO IS FAR AWAY" and len(tries(tmp_path)) == 2


@pytest.mark.stress
def test_a_killed_worker_costs_only_time(machines: Machines, storage: Storage, tmp_path: Path) -> None:
    tasks = {name: task_of(tmp_path, f"linger {name}", name) for name in ("one", "two", "three")}
    killed: list[int] = []

    def report(progress: Progress) -> None:
        if progress.done and not killed:
            worker = int(tries(tmp_path)[0][2])
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)
            (tmp_path / "free").touch()

    with Cluster(machines.address, storage, [SHOUT]) as cluster:
        outcomes = dict(cluster.run_each(shout, tasks, stage="shout", report=report))
    assert killed and not [one.error for one in outcomes.values() if isinstance(one, Failed)]
    first = tries(tmp_path)[0]
    again = [line for line in tries(tmp_path) if line[0] == first[0]]
    assert len(again) == 2 and again[1][2] != first[2]
    assert (tmp_path / "into" / "one.txt").read_text() == "LINGER ONE"


@pytest.mark.stress
def test_a_task_that_kills_every_worker_fails_alone(machines: Machines, storage: Storage, tmp_path: Path) -> None:
    said = {"one": "murder", "two": "good morning", "three": "good night"}
    tasks = {key: task_of(tmp_path, words, key) for key, words in said.items()}
    with Cluster(machines.address, storage, [SHOUT]) as cluster:
        outcomes = dict(cluster.run_each(shout, tasks, stage="shout", report=ignore_progress))
    assert isinstance(outcomes["two"], Shouted) and isinstance(outcomes["three"], Shouted)
    assert isinstance(outcomes["one"].error, WorkerCrashed)
    assert "every worker that read it was lost" in str(outcomes["one"].error)
    assert len([line for line in tries(tmp_path) if line[0] == "one.mp3"]) == 4


def test_cancelling_stops_the_workers(machines: Machines, storage: Storage, tmp_path: Path) -> None:
    tasks = {name: task_of(tmp_path, f"linger {name}", name) for name in ("one", "two", "three")}

    def stop(progress: Progress) -> None:
        if progress.done:
            raise Cancelled("enough")

    with Cluster(machines.address, storage, [SHOUT]) as cluster, pytest.raises(Cancelled, match="enough"):
        dict(cluster.run_each(shout, tasks, stage="shout", report=stop))
    processes = {int(line[1]) for line in tries(tmp_path)}
    wait_for(lambda: not [pid for pid in processes if Path(f"/proc/{pid}").exists() and running(pid)])
    turns = {file.name: file.read_text() for file in tmp_path.glob("turn-*")}
    time.sleep(0.3)
    assert turns == {file.name: file.read_text() for file in tmp_path.glob("turn-*")}
    assert not list((tmp_path).rglob("*.txt"))


def test_cancelling_works_while_the_workers_report_no_progress(
    machines: Machines, storage: Storage, tmp_path: Path
) -> None:
    tasks = {name: task_of(tmp_path, f"hush {name}", name) for name in ("one", "two")}
    told: list[str] = []

    def stop(progress: Progress) -> None:
        if progress.done:
            told.append(progress.item)
        if len(told) > len(tasks):  # each tells once as it begins
            (tmp_path / "free").touch()
            raise Cancelled("enough")

    with Cluster(machines.address, storage, [SHOUT]) as cluster, pytest.raises(Cancelled, match="enough"):
        dict(cluster.run_each(shout, tasks, stage="shout", report=stop))


def running(pid: int) -> bool:
    try:
        return "shout" in Path(f"/proc/{pid}/cmdline").read_text() or "Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_damaged_result_is_made_again(machines: Machines, storage: Storage, tmp_path: Path) -> None:
    tasks = {"one": task_of(tmp_path, "good morning", "one")}
    with Cluster(machines.address, storage, [SHOUT]) as cluster:
        for turn in (1, 2):
            assert isinstance(
                dict(cluster.run_each(shout, tasks, stage="shout", report=ignore_progress))["one"], Shouted
            )
            assert len(tries(tmp_path)) == turn
            for file in (tmp_path / "storage").rglob("*"):
                if file.is_file() and file.suffix != ".is":
                    file.write_bytes(file.read_bytes()[:-1])
            (tmp_path / "into" / "one.txt").unlink()


def test_a_storage_error_fails_the_task_and_not_the_run(machines: Machines, tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}/storage")
    with Cluster(machines.address, storage, [SHOUT]) as cluster:
        shutil.rmtree(tmp_path / "storage")
        (tmp_path / "storage").write_text("a file in the way")
        outcome = dict(
            cluster.run_each(shout, {"one": task_of(tmp_path, "hm", "one")}, stage="shout", report=ignore_progress)
        )["one"]
    assert isinstance(outcome, Failed) and isinstance(outcome.error, StorageError)


def test_a_worker_with_other_versions_runs_no_task(
    machines: Machines, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = {**clusters.code_versions(), "av": "99.1"}
    with Cluster(machines.address, storage, [SHOUT]) as cluster:
        monkeypatch.setattr(clusters, "code_versions", lambda: newer)  # as if workers had joined since that are older
        tasks = {"one": task_of(tmp_path, "hm", "one")}
        outcome = dict(cluster.run_each(shout, tasks, stage="shout", report=ignore_progress))["one"]
    assert isinstance(outcome, Failed) and isinstance(outcome.error, ClusterLost)
    assert "the only workers left have other versions" in str(outcome.error) and not tries(tmp_path)
    monkeypatch.setattr("pipelines.execution.remote_tasks.code_versions", lambda: newer)
    with pytest.raises(ConfigError, match=r"other versions than this machine: av .* \(here 99\.1\); install the same"):
        Cluster(machines.address, storage, [SHOUT]).__enter__()


def test_threads_of_this_process_and_storage_in_memory_work(tmp_path: Path) -> None:
    from distributed import LocalCluster

    storage = Storage(f"memory://{tmp_path.name}")
    tasks = {name: task_of(tmp_path, f"{name} here", name) for name in ("one", "two")}
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as local,
        Cluster(local.scheduler_address, storage, [SHOUT]) as cluster,
    ):
        outcomes = dict(cluster.run_each(shout, tasks, stage="shout", report=ignore_progress))
    assert {key: one.words for key, one in outcomes.items()} == {"one": ("one", "here"), "two": ("two", "here")}
    assert (tmp_path / "into" / "one.txt").read_text() == "ONE HERE"


def test_a_killed_scheduler_leaves_finished_tasks(
    tmp_path: Path, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = {"quick": task_of(tmp_path, "hm", "quick"), "slow": task_of(tmp_path, "linger", "slow")}
    afterwards = {"late": task_of(tmp_path, "too late", "late"), "known": task_of(tmp_path, "hm", "known")}
    outcomes: dict[str, Any] = {}
    coming = [afterwards]

    def next_tasks(_timeout_s: float, _running: int) -> dict[str, Shout] | None:
        if "slow" not in outcomes:
            return {}
        return coming.pop() if coming else None

    with mortal_cluster() as (address, process), Cluster(address, storage, [SHOUT]) as cluster:
        for key, outcome in cluster.run_each(
            shout, tasks, stage="shout", report=ignore_progress, next_tasks=next_tasks
        ):
            outcomes[key] = outcome
            if key == "quick":
                wait_for(lambda: len(tries(tmp_path)) == 2)
                process.kill()
    assert isinstance(outcomes["quick"], Shouted) and (tmp_path / "into" / "quick.txt").exists()
    assert isinstance(outcomes["known"], Shouted)  # the same words: nobody has to be asked
    for key in ("slow", "late"):
        assert isinstance(outcomes[key].error, ClusterLost)
        assert "was lost; finished tasks are kept: ingest again for the rest" in str(outcomes[key].error)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.fixture
def cluster_without_workers(storage: Storage) -> Iterator[Cluster]:
    """A cluster whose workers have all left."""
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as local,
        Cluster(local.scheduler_address, storage, [SHOUT], no_worker_timeout_s=0.2) as cluster,
    ):
        local.scale(0)
        wait_for(lambda: not local.scheduler.workers)
        yield cluster


def test_tasks_fail_where_no_worker_is_left(cluster_without_workers: Cluster, tmp_path: Path) -> None:
    tasks = {"one": task_of(tmp_path, "hm", "one")}
    outcome = dict(cluster_without_workers.run_each(shout, tasks, stage="shout", report=ignore_progress))["one"]
    assert isinstance(outcome.error, ClusterLost) and "has had no worker for 0.2 s" in str(outcome.error)


def test_cancelling_works_where_no_worker_has_ever_reported(cluster_without_workers: Cluster, tmp_path: Path) -> None:
    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        dict(
            cluster_without_workers.run_each(shout, {"one": task_of(tmp_path, "hm", "one")}, stage="shout", report=stop)
        )
    assert told == [Progress("shout", 0, item="one")]


def test_no_scheduler_no_worker_or_no_address_is_one_sentence(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr(schedulers, "CONNECT_TIMEOUT_S", 1.0)  # where nobody is there to answer
    with socket.socket() as silent_one, socket.socket() as closed:
        silent_one.bind(("127.0.0.1", 0))
        silent_one.listen()
        closed.bind(("127.0.0.1", 0))
        for server in (silent_one, closed):
            address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
            with pytest.raises(ConfigError, match=f"no Dask scheduler answers at {address} within 1 s; start one"):
                Cluster(address, storage, [SHOUT]).__enter__()
    for address in ("nonsense", "foo://x:1", "tcp://", "tcp://x:notaport", ""):
        with pytest.raises(ConfigError, match=r"scheduler"):
            Cluster(address, storage, [SHOUT]).__enter__()
    monkeypatch.setattr(schedulers, "CONNECT_TIMEOUT_S", 60.0)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as local,
        pytest.raises(ConfigError, match=r"has no workers; start some with 'dask worker inproc://"),
    ):
        Cluster(local.scheduler_address, storage, [SHOUT]).__enter__()
