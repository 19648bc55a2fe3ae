"""Process pool: run one function over many tasks in worker processes, with progress, cancellation and crash isolation.

It yields one outcome per task, in the order in which the tasks end. A task that raises, or whose process dies, is
Failed and never ends the run. Worker processes have limits of time and memory, because a damaged file may send a
decoder into an endless loop.
"""

import faulthandler
import math
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TextIO, TypeVar

from pipelines.errors import Cancelled, PipelineError
from pipelines.progress import Progress, ProgressCallback
from pipelines.units import Seconds

Task = TypeVar("Task")
Result = TypeVar("Result")

#: A task calls it with (done, total) in the unit of its stage; it raises Cancelled when the run is to stop.
OnProgress = Callable[[float, float | None], None]
TaskFunction = Callable[[Task, OnProgress], Result]

#: Called for further tasks with how long it may wait for one, in seconds, and how many tasks are running; returns None
#: when there are no more.
NextTasks = Callable[[Seconds, int], Mapping[str, Task] | None]


@dataclass(frozen=True, slots=True)
class Failed:
    """The outcome of a task that gave no result, with the reason."""

    error: BaseException


class WorkerCrashed(PipelineError):
    """The process that ran a task died twice: a fault in native code, no memory, or no heartbeat for too long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a worker process: seconds between two progress reports of its task, and bytes of data in memory.

    A process that exceeds `heartbeat_timeout_s` ends itself, whatever its native code does. Memory is refused
    (MemoryError) where the system supports it (Linux).
    """

    heartbeat_timeout_s: Seconds = 900.0
    memory_bytes: int = 4 * 2**30


class _MessageQueue(Protocol):
    def put(self, item: Any, /) -> None: ...
    def get(self) -> Any: ...
    def empty(self) -> bool: ...


class _StopEvent(Protocol):
    def set(self) -> None: ...
    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Channel:
    """The connection between workers and their caller: progress one way, the request to stop the other."""

    messages: _MessageQueue
    stop: _StopEvent

    def progress_callback(self, key: str) -> OnProgress:
        def on_progress(done: float, total: float | None) -> None:
            if self.stop.is_set():
                raise Cancelled("stopped; no half-written files were left")
            self.messages.put((key, done, total))

        return on_progress


def run_each(
    function: "TaskFunction[Task, Result]",
    tasks: Mapping[str, Task],
    *,
    jobs: int,
    stage: str,
    report: ProgressCallback,
    next_tasks: "NextTasks[Task] | None" = None,
    limits: Limits = Limits(),
) -> Iterator[tuple[str, Result | Failed]]:
    """Yield (key, outcome) for every task, in the order in which they end.

    With `jobs` of 1, tasks run in a thread of this process, without limits. With more, they run in fresh processes
    (spawned, or forked from an idle one: `warm_up`); `function` must then be a module-level function, and tasks and
    results must be picklable. Progress is reported as `stage` with the key as item. A task whose process dies or sends
    no heartbeat is tried once more, alone, so that it takes no other task with it. Leaving the loop early, also by
    Cancelled out of `report`, stops running tasks and waits until they have cleaned up. `next_tasks` is called for
    further tasks while others run, in the caller's thread.
    """
    suspects: dict[str, Task] = {}
    remaining: dict[str, Task] = dict(tasks)
    while remaining or next_tasks is not None:  # once, and once more after each process that died
        run = _PoolRun(function, jobs, stage, report, limits, next_tasks)
        yield from run.outcomes(remaining)
        suspects |= run.crashed
        remaining, next_tasks = run.not_started, run.next_tasks
    for key, task in suspects.items():
        yield from _retry_alone(function, key, task, stage, report, limits)


def _retry_alone(
    function: "TaskFunction[Task, Result]", key: str, task: Task, stage: str, report: ProgressCallback, limits: Limits
) -> Iterator[tuple[str, Result | Failed]]:
    """Try a task again that was running when a process died, with no other task beside it."""
    remaining = {key: task}
    while remaining:  # not started where the fork server died: the next round spawns instead
        run = _PoolRun(function, 2, stage, report, limits, None)
        yield from run.outcomes(remaining)
        remaining = run.not_started
        if run.crashed:
            reason = "the process that read it died or hung twice; see whether another program can read it"
            yield key, Failed(WorkerCrashed(reason))


class _PoolRun(Generic[Task, Result]):
    """One executor, used until all tasks have ended or one of its processes dies.

    Afterwards `crashed` holds the tasks that were running in it then, `not_started` those that it no longer accepted,
    and `next_tasks` is None where there are no more.
    """

    def __init__(
        self,
        function: "TaskFunction[Task, Result]",
        jobs: int,
        stage: str,
        report: ProgressCallback,
        limits: Limits,
        next_tasks: "NextTasks[Task] | None",
    ) -> None:
        self._function, self._jobs, self._stage, self._report, self._limits = function, jobs, stage, report, limits
        self.next_tasks = next_tasks
        self.crashed: dict[str, Task] = {}
        self.not_started: dict[str, Task] = {}
        self._is_broken = False
        self._submitted: dict[str, Task] = {}
        self._running: dict[Future[Any], str] = {}

    def outcomes(self, tasks: Mapping[str, Task]) -> Iterator[tuple[str, Result | Failed]]:
        """Run `tasks` and those of `next_tasks`, and yield the outcomes as they come."""
        workers = self._jobs if self.next_tasks is not None else min(self._jobs, len(tasks))
        with _threads() if self._jobs == 1 else _processes(workers, self._limits) as (executor, channel):
            self._executor, self._channel = executor, channel
            self._submit_all(tasks)
            while self._running or (self.next_tasks is not None and not self._is_broken):
                ended: list[tuple[str, Result | Failed]] = []
                try:
                    self._refill(0.0 if self._running else 0.1)
                    ended += self._collect(wait(self._running, timeout=0.1, return_when=FIRST_COMPLETED).done)
                    self._report_messages()
                    if ended and self._running:  # an idle process continues while the caller handles these
                        self._refill(0.0)
                except BaseException:
                    ended += self._collect([future for future in self._running if future.done()])
                    yield from ended  # finished tasks are not lost
                    raise
                yield from ended

    def _submit_all(self, tasks: Mapping[str, Task]) -> None:
        self._submitted.update(tasks)
        for key, task in tasks.items():
            if self._is_broken or not self._submit(key, task):
                self._is_broken = True
                self.not_started[key] = task

    def _submit(self, key: str, task: Task) -> bool:
        """Hand a task to the executor; False where its processes are dead."""
        global _is_warm
        try:
            if self._jobs == 1:
                future = self._executor.submit(self._function, task, self._channel.progress_callback(key))
            else:
                future = self._executor.submit(_run_in_worker, self._function, key, task)
        except BrokenProcessPool:
            return False
        except (EOFError, OSError):
            if not _is_warm:
                raise
            _is_warm = False  # the fork server died: the next round spawns instead
            return False
        self._running[future] = key
        return True

    def _refill(self, timeout_s: Seconds) -> None:
        if self.next_tasks is not None and not self._is_broken:
            new = self.next_tasks(timeout_s, len(self._running))
            if new is None:
                self.next_tasks = None
            self._submit_all(new or {})

    def _collect(self, ended: Iterable[Future[Any]]) -> Iterator[tuple[str, Result | Failed]]:
        for future in ended:
            key = self._running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                self.crashed[key] = self._submitted[key]
                self._is_broken = True
            else:
                yield key, Failed(error) if error is not None else future.result()

    def _report_messages(self) -> None:
        while not self._channel.messages.empty():
            key, done, total = self._channel.messages.get()
            self._report(Progress(self._stage, done, total, key))


def warm_up(module: str) -> None:
    """Load `module` in a fork server before `run_each` needs processes, where the system can (Linux). Returns at once.

    From then on, workers are forks of that one process, under this process's environment: they start at once, and share
    its memory. The fork server does nothing else.
    """
    global _is_warm
    if sys.platform == "linux" and not _is_warm:
        multiprocessing.set_forkserver_preload([module])
        multiprocessing.resource_tracker.ensure_running()  # else started below, which unblocks interrupts
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _CALLER_SIGNALS)
        try:
            with _single_blas_thread():
                multiprocessing.forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _is_warm = True


def limit_memory(max_bytes: int) -> None:
    """Limit the data memory of this process from now on (MemoryError above it), where the system can (Linux)."""
    if sys.platform == "linux":
        import resource

        _, hard_limit = resource.getrlimit(resource.RLIMIT_DATA)
        if hard_limit == resource.RLIM_INFINITY or max_bytes < hard_limit:
            resource.setrlimit(resource.RLIMIT_DATA, (max_bytes, hard_limit))


@contextmanager
def _threads() -> Iterator[tuple[Executor, _Channel]]:
    channel = _Channel(queue.SimpleQueue(), threading.Event())
    executor = ThreadPoolExecutor(1)
    try:
        yield executor, channel
    finally:
        channel.stop.set()
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _processes(jobs: int, limits: Limits) -> Iterator[tuple[Executor, _Channel]]:
    context = multiprocessing.get_context("forkserver" if _is_warm else "spawn")
    messages = context.SimpleQueue()
    channel = _Channel(messages, context.Event())
    with _single_blas_thread():
        executor = ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_initialize_worker, initargs=(channel, limits)
        )
        try:
            yield executor, channel
        finally:
            channel.stop.set()
            executor.shutdown(wait=True, cancel_futures=True)
            messages.close()


@contextmanager
def _single_blas_thread() -> Iterator[None]:
    """Worker processes share the cores already; two BLAS threads in each cost double the time for nothing."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


#: Nobody reads progress more often, and one report costs more than a tenth of a millisecond.
_REPORT_INTERVAL_S = 0.05

#: Signals that reach every process of a shell or a service; the caller of a run decides what they mean.
_CALLER_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_is_warm = False
_channel: _Channel | None = None
_heartbeat_timeout_s: Seconds = 0.0


def _initialize_worker(channel: _Channel, limits: Limits) -> None:
    global _channel, _heartbeat_timeout_s
    _channel, _heartbeat_timeout_s = channel, limits.heartbeat_timeout_s
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what Ctrl-C means
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _CALLER_SIGNALS)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    limit_memory(limits.memory_bytes)


def _exit_with_parent() -> None:
    """Without this, workers of a caller that was killed would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _run_in_worker(function: "TaskFunction[Task, Result]", key: str, task: Task) -> Result:
    if _channel is None:
        raise RuntimeError("this worker was not initialized")
    send_progress = _channel.progress_callback(key)
    last_s = -math.inf

    def on_progress(done: float, total: float | None) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s < _REPORT_INTERVAL_S and done != total:
            return
        last_s = now_s
        _restart_watchdog(devnull)
        send_progress(done, total)

    with open(os.devnull, "w") as devnull:  # noqa: PTH123
        _restart_watchdog(devnull)
        try:
            return function(task, on_progress)
        finally:
            faulthandler.cancel_dump_traceback_later()


def _restart_watchdog(devnull: TextIO) -> None:
    """End this process unless called again in time. The watchdog needs no Python: native code may hold the GIL."""
    faulthandler.dump_traceback_later(_heartbeat_timeout_s, exit=True, file=devnull)
