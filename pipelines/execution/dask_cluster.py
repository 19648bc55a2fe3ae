"""Tasks done by the workers of a Dask cluster: outcomes as of `pipelines.execution.process_pool.run_each`, on many machines.

A task is done where its result lies in the storage, not where some future says so: a caller or worker that is killed
costs what was in its hands, and whoever asks again gets what was made. The caller alone writes to the study.
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
from pipelines.execution.dask_scheduler import connected, quiet
from pipelines.execution.process_pool import Failed, More, WorkerCrashed
from pipelines.execution.shared_storage import NotThere, Storage, StorageError
from pipelines.execution.shipping import (
    Answer,
    Broke,
    Errand,
    Freight,
    Made,
    Wanted,
    code,
    differences,
    perform,
    unpack,
)
from pipelines.progress import Listener, Progress, Report
from pipelines.units import Seconds

#: No worker for so long, and the rest is left for another run.
PATIENCE_S: Seconds = 600.0

_TOPIC = "workbench-progress"
_TELL_EVERY_S: Seconds = 0.5
_LOOK_EVERY_S: Seconds = 5.0
_HELPERS = 4
_TRIES = 6


class Cluster:
    """The cluster at one address, for the length of a `with`.

    `checksum` gives the SHA-256 of a recording; it is called in the caller's thread. Entering raises ConfigError where
    nobody answers, there is no worker, one has other versions than this machine, or the storage is not shared by all.
    """

    def __init__(
        self,
        address: str,
        storage: Storage,
        freight: Iterable[Freight],
        *,
        checksum: Callable[[Path], str] = sha256_file,
        patience_s: Seconds = PATIENCE_S,
    ) -> None:
        self.address = address
        self._storage = storage
        self._freight = {one.work: one for one in freight}
        self._checksum = checksum
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        with quiet():
            self._client = connected(self.address)
            try:
                _check_storage(self._client, self._storage)
            except BaseException:
                self._client.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with quiet():
            self._client.close()

    @property
    def width(self) -> int:
        """How many tasks to hand out at once: two for each that can be done, one of which is on its way."""
        workers = self._client.scheduler_info()["workers"].values()
        return 2 * max(1, sum(int(worker["nthreads"]) for worker in workers))

    def run_each(
        self,
        work: Callable[[Any, Any], Any],
        tasks: Mapping[str, Any],
        *,
        stage: str,
        report: Report,
        more: "More[Any] | None" = None,
    ) -> Iterator[tuple[str, Any]]:
        """Yield (key, result or Failed) for every task, in the order in which they end; see pipelines.execution.process_pool.

        `work` is that of one of the cluster's Freight. A task that kills the process that does it, or falls silent, is
        tried twice. One whose worker is lost is done by another, until that has happened more often than the
        scheduler's `allowed-failures` (3). When the scheduler is lost, or all workers, what is left fails with
        ClusterLost. Leaving the loop early takes back what was sent and waits for what is being written here.
        """
        with TemporaryDirectory(prefix="workbench-") as folder, quiet():
            run = _Run(self._client, self.address, self._storage, self._freight[work], stage, report, Path(folder))
            try:
                yield from run.begin(tasks, self._checksum)
                while run.under_way or more is not None:
                    if more is not None:
                        new = more(0.0 if run.under_way else 0.1, run.under_way)
                        more = more if new is not None else None
                        yield from run.begin(new or {}, self._checksum)
                    yield from run.next(0.1)
                    if run.is_alone_for(self._patience_s):
                        yield from run.give_up(f"{self.address} has had no worker for {self._patience_s:g} s")
            finally:
                run.close()


@dataclass
class _Sent:
    """A task under way. `tries`: how often it was sent to a worker; `future` while it is there."""

    errand: Errand
    tries: int = 0
    future: Any = None


@dataclass(frozen=True, slots=True)
class _Result:
    value: Any


@dataclass(frozen=True, slots=True)
class _Send:
    """To be sent to a worker, for the first time or once more."""


@dataclass(frozen=True, slots=True)
class _Other:
    """Not done: the worker at `address` has other versions."""

    address: str
    what: str


@dataclass(frozen=True, slots=True)
class _Told:
    done: float
    total: float | None


class _Run:
    """One `run_each`. Helpers (threads) ask storage and cluster; what they learn is news for the caller's thread."""

    def __init__(
        self, client: Any, address: str, storage: Storage, freight: Freight, stage: str, report: Report, folder: Path
    ) -> None:
        self._client, self._address, self._storage = client, address, storage
        self._freight, self._stage, self._folder = freight, stage, folder
        self._report = Listener(report)
        self._said: Progress | None = None
        self._news: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._sent: dict[str, _Sent] = {}
        self._keys: dict[str, str] = {}
        self._bad: dict[str, str] = {}
        self._lost = ""
        self._looked_at = self._seen_at = time.monotonic()
        self._helpers = ThreadPoolExecutor(_HELPERS)
        client.subscribe_topic(_TOPIC, self._hear)

    @property
    def under_way(self) -> int:
        return len(self._sent)

    def begin(self, tasks: Mapping[str, Any], checksum: Callable[[Path], str]) -> Iterator[tuple[str, Failed]]:
        for key, task in tasks.items():
            path: Path = getattr(task, self._freight.reads)
            try:
                media, size = checksum(path), path.stat().st_size
            except OSError as error:
                yield key, Failed(error)
                continue
            digest = self._freight.digest(task, media)
            errand = Errand(self._freight, task, self._stage, media, size, digest, self._storage, code())
            self._sent[key], self._keys[digest] = _Sent(errand), key
            self._ask(key, partial(_made_before, errand, self._folder))

    def next(self, timeout_s: Seconds) -> Iterator[tuple[str, Any]]:
        """Take in what news there is, waiting for the first; yield the outcomes that they bring."""
        try:
            yield from self._take(*self._news.get(timeout=timeout_s))
            while True:
                yield from self._take(*self._news.get_nowait())
        except Empty:
            if self._client.status != "running":
                yield from self.give_up(f"the scheduler at {self._address} was lost")
        self._report.check()
        said = self._said or next((Progress(self._stage, 0, item=key) for key in self._sent), None)
        if said is not None:
            self._report.ask(said)

    def _take(self, key: str, what: Any) -> Iterator[tuple[str, Any]]:
        if key not in self._sent:
            return
        if isinstance(what, Future):
            error = what.exception()
            what = Broke(error) if error is not None else what.result()
        if isinstance(what, _Told):
            self._said = Progress(self._stage, what.done, what.total, key)
            with self._report.held():  # what else has come is taken in before
                self._report(self._said)
            return
        outcome = self._outcome(key, what)
        if outcome is not None:
            del self._sent[key]
            yield key, outcome.value if isinstance(outcome, _Result) else Failed(outcome.error)

    def give_up(self, why: str) -> Iterator[tuple[str, Failed]]:
        """Fail what is with the workers, and whatever would be sent there."""
        self._lost = why
        self._take_back()
        for key in [key for key, one in self._sent.items() if one.future is not None]:
            del self._sent[key]
            yield key, Failed(self._gone(why))

    def is_alone_for(self, patience_s: Seconds) -> bool:
        """Whether tasks have waited for so long without any worker."""
        now = time.monotonic()
        if now - self._looked_at >= min(_LOOK_EVERY_S, patience_s) and self._client.status == "running":
            self._looked_at = now
            if self._workers() or not self._sent:
                self._seen_at = now
        return bool(self._sent) and now - self._seen_at > patience_s

    def close(self) -> None:
        if self._client.status == "running":
            self._client.unsubscribe_topic(_TOPIC)
        self._take_back()
        self._helpers.shutdown(wait=True, cancel_futures=True)

    def _outcome(self, key: str, what: Any) -> _Result | Broke | None:
        """What a piece of news means for a task; None where it goes on."""
        one = self._sent[key]
        one.future = None
        if isinstance(what, _Result):
            return what
        if isinstance(what, Made):
            self._ask(key, partial(_unpacked, one.errand, what.hexadecimal, self._folder))
        elif isinstance(what, Wanted):
            self._ask(key, partial(_uploaded, one.errand))
        elif isinstance(what, Broke) and not isinstance(what.error, Cancelled):
            return what
        else:
            if isinstance(what, _Other):
                self._bad[what.address] = what.what
            return self._send(key, one)
        return None

    def _send(self, key: str, one: _Sent) -> Broke | None:
        if self._client.status != "running":
            self._lost = self._lost or f"the scheduler at {self._address} was lost"
        if self._lost:
            return Broke(self._gone(self._lost))
        if one.tries == _TRIES:
            return Broke(ClusterLost(f"was sent to workers {_TRIES} times in vain; ingest again"))
        workers = None
        if self._bad:
            workers = [name for name in self._workers() if name not in self._bad]
            if not workers:
                name, what = next(iter(self._bad.items()))
                return Broke(self._gone(f"the only workers left have other versions ({name}: {what})"))
        one.tries += 1
        name = f"{self._stage}-{one.errand.digest}-{one.tries}"
        one.future = self._client.submit(_on_worker, one.errand, key=name, pure=False, workers=workers)
        one.future.add_done_callback(lambda future: self._ask(key, partial(_answer, future, self._address)))
        return None

    def _ask(self, key: str, question: Callable[[], Any]) -> None:
        try:
            asked = self._helpers.submit(question)
        except RuntimeError:  # the run has ended, and nobody waits for this any more
            return
        asked.add_done_callback(lambda answer: None if answer.cancelled() else self._news.put((key, answer)))

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        key = self._keys.get(event[1]["task"])
        if key is not None:
            self._news.put((key, _Told(event[1]["done"], event[1]["total"])))

    def _workers(self) -> list[str]:
        return list(self._client.scheduler_info()["workers"])

    def _take_back(self) -> None:
        futures = [one.future for one in self._sent.values() if one.future is not None]
        if futures and self._client.status == "running":
            self._client.cancel(futures)

    def _gone(self, why: str) -> ClusterLost:
        return ClusterLost(f"{why}; what was done is kept: ingest again for the rest")


def _check_storage(client: Any, storage: Storage) -> None:
    shelf = secrets.token_hex(32)
    try:
        name = storage.put_bytes(shelf, b"can all machines read this?")
        try:
            seen = client.run(_sees, storage.url, shelf, name, on_error="return")
        finally:
            storage.clear(shelf)
    except StorageError as error:
        raise ConfigError(str(error)) from None
    for worker, what in seen.items():
        if what is not None:
            raise ConfigError(
                f"{worker} does not see what this machine leaves in {storage.url} ({what}); name a folder or bucket "
                "that all machines share"
            )


def _sees(url: str, shelf: str, name: str) -> str | None:
    try:
        Storage(url).get_bytes(shelf, name)
    except NotThere:
        return "nothing is there"
    except PipelineError as error:
        return str(error)
    return None


def _made_before(errand: Errand, folder: Path) -> _Result | _Send:
    found = errand.storage.named(errand.media, errand.digest)
    return _Send() if found is None else _unpacked(errand, found, folder)


def _unpacked(errand: Errand, hexadecimal: str, folder: Path) -> _Result | _Send:
    parcel = folder / f"{secrets.token_hex(8)}.tar"
    try:
        errand.storage.get_file(errand.media, hexadecimal, parcel)
    except NotThere:
        return _Send()
    try:
        return _Result(unpack(errand.freight, errand.task, parcel))
    finally:
        parcel.unlink()


def _uploaded(errand: Errand) -> _Send:
    path: Path = getattr(errand.task, errand.freight.reads)
    before = path.stat()
    errand.storage.put_file(errand.media, path, errand.media)
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ClusterLost(f"{path.name}: changed while it was sent; ingest again")
    return _Send()


def _answer(future: Any, address: str) -> "Answer | _Other":
    from distributed import KilledWorker

    try:
        answer: Answer | _Other = future.result()
    except KilledWorker:
        raise WorkerCrashed("every worker that read it was lost; see whether another program can read it") from None
    except CancelledError:
        raise ClusterLost(
            f"the scheduler at {address} was lost; what was done is kept: ingest again for the rest"
        ) from None
    return answer


def _on_worker(errand: Errand) -> "Answer | _Other":
    """Done in a thread of a worker, which lends its name and its folder; the task itself has a process of its own."""
    from distributed import get_worker

    worker = get_worker()
    what = differences(errand.made_with)
    if what:
        return _Other(worker.address, what)
    # Dask starts workers as daemons, which Python lets have no children; ours leave with their parent by themselves.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    name = worker.get_current_task()
    told_at = 0.0

    def report(progress: Progress) -> None:
        nonlocal told_at
        task = worker.state.tasks.get(name)
        if task is None or task.state == "cancelled":  # by the caller, or because it is no more
            raise Cancelled("taken back by its caller")
        if time.monotonic() - told_at >= _TELL_EVERY_S:
            told_at = time.monotonic()
            worker.log_event(_TOPIC, {"task": errand.digest, "done": progress.done, "total": progress.total})

    try:
        return perform(errand, report, Path(worker.local_directory))
    except Cancelled as stopped:
        return Broke(stopped)
