"""Dask cluster: tasks run by its workers, with outcomes as `pipelines.execution.process_pool.run_each` gives them.

A task is done when its result is in the shared storage, not when a future says so. A killed caller or worker costs only
the tasks that it was running; a later run gets every stored result. Only the caller writes to the study.
"""

import multiprocessing
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from pipelines.atomic_write import sha256_file
from pipelines.errors import Cancelled, ClusterLost, ConfigError, PipelineError
from pipelines.execution.dask_scheduler import connect_client, quiet_logging
from pipelines.execution.process_pool import Failed, NextTasks, WorkerCrashed
from pipelines.execution.remote_tasks import (
    RecordingMissing,
    RemoteTask,
    ResultStored,
    TaskFailed,
    TaskSpec,
    WorkerOutcome,
    code_versions,
    run_task,
    unpack_result,
    version_differences,
)
from pipelines.execution.shared_storage import ObjectMissing, Storage, StorageError
from pipelines.progress import Progress, ProgressCallback, ProgressReporter
from pipelines.units import Seconds

#: After so long without any worker, the remaining tasks are left for another run.
NO_WORKER_TIMEOUT_S: Seconds = 600.0

_TOPIC = "workbench-progress"
_REPORT_INTERVAL_S: Seconds = 0.5
_WORKER_CHECK_INTERVAL_S: Seconds = 5.0
_THREADS = 4
_MAX_TRIES = 6


class Cluster:
    """A connection to the scheduler at one address, open within a `with`.

    `checksum` gives the SHA-256 of a recording; it is called in the caller's thread. Entering raises ConfigError where
    no scheduler answers, there is no worker, one has other versions than this machine, or the storage is not shared by
    all.
    """

    def __init__(
        self,
        address: str,
        storage: Storage,
        specs: Iterable[TaskSpec],
        *,
        checksum: Callable[[Path], str] = sha256_file,
        no_worker_timeout_s: Seconds = NO_WORKER_TIMEOUT_S,
    ) -> None:
        self.address = address
        self._storage = storage
        self._specs = {spec.function: spec for spec in specs}
        self._checksum = checksum
        self._no_worker_timeout_s = no_worker_timeout_s

    def __enter__(self) -> Self:
        with quiet_logging():
            self._client = connect_client(self.address)
            try:
                _check_storage(self._client, self._storage)
            except BaseException:
                self._client.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with quiet_logging():
            self._client.close()

    @property
    def capacity(self) -> int:
        """How many tasks to submit at once: two for each worker thread, one of which is still on its way."""
        workers = self._client.scheduler_info()["workers"].values()
        return 2 * max(1, sum(int(worker["nthreads"]) for worker in workers))

    def run_each(
        self,
        function: Callable[[Any, Any], Any],
        tasks: Mapping[str, Any],
        *,
        stage: str,
        report: ProgressCallback,
        next_tasks: "NextTasks[Any] | None" = None,
    ) -> Iterator[tuple[str, Any]]:
        """Yield (key, result or Failed) for every task, in the order in which they end.

        As pipelines.execution.process_pool.run_each. `function` is that of one of the cluster's task specs. A task that
        kills its process, or sends no heartbeat, is tried twice. One whose worker is lost runs on another, until that
        has happened more often than the scheduler's `allowed-failures` (3). When the scheduler or all workers are lost,
        the remaining tasks fail with ClusterLost. Leaving the loop early cancels the submitted tasks and waits for
        files that are being written here.
        """
        with TemporaryDirectory(prefix="workbench-") as folder, quiet_logging():
            run = _Run(self._client, self.address, self._storage, self._specs[function], stage, report, Path(folder))
            try:
                yield from run.start(tasks, self._checksum)
                while run.running or next_tasks is not None:
                    if next_tasks is not None:
                        new = next_tasks(0.0 if run.running else 0.1, run.running)
                        next_tasks = next_tasks if new is not None else None
                        yield from run.start(new or {}, self._checksum)
                    yield from run.collect(0.1)
                    if run.has_had_no_worker_for(self._no_worker_timeout_s):
                        yield from run.give_up(f"{self.address} has had no worker for {self._no_worker_timeout_s:g} s")
            finally:
                run.close()


@dataclass
class _Running:
    """A task that has not ended. `tries`: how often it was submitted to a worker; `future` while it is there."""

    remote: RemoteTask
    tries: int = 0
    future: Any = None


@dataclass(frozen=True, slots=True)
class _Result:
    """The task is done, and its files are in place."""

    value: Any


@dataclass(frozen=True, slots=True)
class _Submit:
    """The task must be submitted to a worker, for the first time or again."""


@dataclass(frozen=True, slots=True)
class _OtherVersions:
    """The task is not done: the worker at `address` has other versions."""

    address: str
    differences: str


@dataclass(frozen=True, slots=True)
class _Step:
    """Progress of a task, as its worker reports it."""

    done: float
    total: float | None


class _Run:
    """One call of `run_each`. Threads query storage and cluster; their answers are messages to the caller's thread."""

    def __init__(
        self,
        client: Any,
        address: str,
        storage: Storage,
        spec: TaskSpec,
        stage: str,
        report: ProgressCallback,
        folder: Path,
    ) -> None:
        self._client, self._address, self._storage = client, address, storage
        self._spec, self._stage, self._folder = spec, stage, folder
        self._report = ProgressReporter(report)
        self._last_progress: Progress | None = None
        self._messages: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._running: dict[str, _Running] = {}
        self._keys_by_digest: dict[str, str] = {}
        self._outdated_workers: dict[str, str] = {}
        self._lost_reason = ""
        self._checked_at_s = self._worker_seen_at_s = time.monotonic()
        self._threads = ThreadPoolExecutor(_THREADS)
        client.subscribe_topic(_TOPIC, self._on_progress_event)

    @property
    def running(self) -> int:
        """How many tasks have not ended."""
        return len(self._running)

    def start(self, tasks: Mapping[str, Any], checksum: Callable[[Path], str]) -> Iterator[tuple[str, Failed]]:
        for key, task in tasks.items():
            path: Path = getattr(task, self._spec.input_file)
            try:
                sha256, size = checksum(path), path.stat().st_size
            except OSError as error:
                yield key, Failed(error)
                continue
            digest = self._spec.digest(task, sha256)
            remote = RemoteTask(self._spec, task, self._stage, sha256, size, digest, self._storage, code_versions())
            self._running[key], self._keys_by_digest[digest] = _Running(remote), key
            self._query(key, partial(_earlier_result, remote, self._folder))

    def collect(self, timeout_s: Seconds) -> Iterator[tuple[str, Any]]:
        """Process the messages there are, waiting for the first; yield the outcomes that they bring."""
        try:
            yield from self._process(*self._messages.get(timeout=timeout_s))
            while True:
                yield from self._process(*self._messages.get_nowait())
        except Empty:
            if self._client.status != "running":
                yield from self.give_up(f"the scheduler at {self._address} was lost")
        self._report.raise_if_cancelled()
        last = self._last_progress or next((Progress(self._stage, 0, item=key) for key in self._running), None)
        if last is not None:
            self._report.report_if_due(last)

    def _process(self, key: str, message: Any) -> Iterator[tuple[str, Any]]:
        if key not in self._running:
            return
        if isinstance(message, Future):
            error = message.exception()
            message = TaskFailed(error) if error is not None else message.result()
        if isinstance(message, _Step):
            self._last_progress = Progress(self._stage, message.done, message.total, key)
            with self._report.cancellation_deferred():  # messages that are here are processed first
                self._report(self._last_progress)
            return
        outcome = self._outcome(key, message)
        if outcome is not None:
            del self._running[key]
            yield key, outcome.value if isinstance(outcome, _Result) else Failed(outcome.error)

    def give_up(self, reason: str) -> Iterator[tuple[str, Failed]]:
        """Fail all tasks that are with workers, and all that would be submitted later."""
        self._lost_reason = reason
        self._cancel_submitted()
        for key in [key for key, one in self._running.items() if one.future is not None]:
            del self._running[key]
            yield key, Failed(self._cluster_lost(reason))

    def has_had_no_worker_for(self, duration_s: Seconds) -> bool:
        """Whether tasks have waited for so long without any worker."""
        now = time.monotonic()
        if now - self._checked_at_s >= min(_WORKER_CHECK_INTERVAL_S, duration_s) and self._client.status == "running":
            self._checked_at_s = now
            if self._workers() or not self._running:
                self._worker_seen_at_s = now
        return bool(self._running) and now - self._worker_seen_at_s > duration_s

    def close(self) -> None:
        if self._client.status == "running":
            self._client.unsubscribe_topic(_TOPIC)
        self._cancel_submitted()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _outcome(self, key: str, message: Any) -> _Result | TaskFailed | None:
        """What a message means for a task; None where the task goes on."""
        one = self._running[key]
        one.future = None
        if isinstance(message, _Result):
            return message
        if isinstance(message, ResultStored):
            self._query(key, partial(_unpack_stored, one.remote, message.sha256, self._folder))
        elif isinstance(message, RecordingMissing):
            self._query(key, partial(_upload_recording, one.remote))
        elif isinstance(message, TaskFailed) and not isinstance(message.error, Cancelled):
            return message
        else:
            if isinstance(message, _OtherVersions):
                self._outdated_workers[message.address] = message.differences
            return self._submit(key, one)
        return None

    def _submit(self, key: str, one: _Running) -> TaskFailed | None:
        if self._client.status != "running":
            self._lost_reason = self._lost_reason or f"the scheduler at {self._address} was lost"
        if self._lost_reason:
            return TaskFailed(self._cluster_lost(self._lost_reason))
        if one.tries == _MAX_TRIES:
            return TaskFailed(
                ClusterLost(f"was submitted to workers {_MAX_TRIES} times without a result; ingest again")
            )
        workers = None
        if self._outdated_workers:
            workers = [name for name in self._workers() if name not in self._outdated_workers]
            if not workers:
                name, differences = next(iter(self._outdated_workers.items()))
                return TaskFailed(
                    self._cluster_lost(f"the only workers left have other versions ({name}: {differences})")
                )
        one.tries += 1
        name = f"{self._stage}-{one.remote.digest}-{one.tries}"
        one.future = self._client.submit(_run_on_worker, one.remote, key=name, pure=False, workers=workers)
        one.future.add_done_callback(lambda future: self._query(key, partial(_worker_outcome, future, self._address)))
        return None

    def _query(self, key: str, query: Callable[[], Any]) -> None:
        """Run a query of storage or cluster in a thread; its answer becomes a message."""
        try:
            future = self._threads.submit(query)
        except RuntimeError:  # the run has ended, and nobody waits for this any more
            return
        future.add_done_callback(lambda answer: None if answer.cancelled() else self._messages.put((key, answer)))

    def _on_progress_event(self, event: tuple[float, Mapping[str, Any]]) -> None:
        key = self._keys_by_digest.get(event[1]["task"])
        if key is not None:
            self._messages.put((key, _Step(event[1]["done"], event[1]["total"])))

    def _workers(self) -> list[str]:
        return list(self._client.scheduler_info()["workers"])

    def _cancel_submitted(self) -> None:
        futures = [one.future for one in self._running.values() if one.future is not None]
        if futures and self._client.status == "running":
            self._client.cancel(futures)

    def _cluster_lost(self, reason: str) -> ClusterLost:
        return ClusterLost(f"{reason}; finished tasks are kept: ingest again for the rest")


def _check_storage(client: Any, storage: Storage) -> None:
    recording = secrets.token_hex(32)
    try:
        name = storage.put_bytes(recording, b"can all machines read this?")
        try:
            problems = client.run(_storage_problem, storage.url, recording, name, on_error="return")
        finally:
            storage.delete(recording)
    except StorageError as error:
        raise ConfigError(str(error)) from None
    for worker, problem in problems.items():
        if problem is not None:
            raise ConfigError(
                f"{worker} cannot read what this machine writes to {storage.url} ({problem}); give a folder or bucket "
                "that all machines share"
            )


def _storage_problem(url: str, recording: str, name: str) -> str | None:
    """Why this worker cannot read a test object; None where it can."""
    try:
        Storage(url).get_bytes(recording, name)
    except ObjectMissing:
        return "it is not there"
    except PipelineError as error:
        return str(error)
    return None


def _earlier_result(remote: RemoteTask, folder: Path) -> _Result | _Submit:
    stored = remote.storage.resolve(remote.recording_sha256, remote.digest)
    return _Submit() if stored is None else _unpack_stored(remote, stored, folder)


def _unpack_stored(remote: RemoteTask, sha256: str, folder: Path) -> _Result | _Submit:
    archive = folder / f"{secrets.token_hex(8)}.tar"
    try:
        remote.storage.get_file(remote.recording_sha256, sha256, archive)
    except ObjectMissing:
        return _Submit()
    try:
        return _Result(unpack_result(remote.spec, remote.task, archive))
    finally:
        archive.unlink()


def _upload_recording(remote: RemoteTask) -> _Submit:
    path: Path = getattr(remote.task, remote.spec.input_file)
    before = path.stat()
    remote.storage.put_file(remote.recording_sha256, path, remote.recording_sha256)
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ClusterLost(f"{path.name}: changed while it was uploaded; ingest again")
    return _Submit()


def _worker_outcome(future: Any, address: str) -> "WorkerOutcome | _OtherVersions":
    from distributed import KilledWorker

    try:
        outcome: WorkerOutcome | _OtherVersions = future.result()
    except KilledWorker:
        raise WorkerCrashed("every worker that read it was lost; see whether another program can read it") from None
    except CancelledError:
        raise ClusterLost(
            f"the scheduler at {address} was lost; finished tasks are kept: ingest again for the rest"
        ) from None
    return outcome


def _run_on_worker(remote: RemoteTask) -> "WorkerOutcome | _OtherVersions":
    """Run a task in a thread of a Dask worker, in the worker's folder; the task itself has a process of its own."""
    from distributed import get_worker

    worker = get_worker()
    differences = version_differences(remote.caller_versions)
    if differences:
        return _OtherVersions(worker.address, differences)
    # Dask starts workers as daemons, which Python allows no children; ours exit with their parent by themselves.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    name = worker.get_current_task()
    reported_at_s = 0.0

    def report(progress: Progress) -> None:
        nonlocal reported_at_s
        task = worker.state.tasks.get(name)
        if task is None or task.state == "cancelled":  # by the caller, or because the scheduler dropped it
            raise Cancelled("cancelled by its caller")
        if time.monotonic() - reported_at_s >= _REPORT_INTERVAL_S:
            reported_at_s = time.monotonic()
            worker.log_event(_TOPIC, {"task": remote.digest, "done": progress.done, "total": progress.total})

    try:
        return run_task(remote, report, Path(worker.local_directory))
    except Cancelled as stopped:
        return TaskFailed(stopped)
