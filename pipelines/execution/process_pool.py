"""Run the same function over many tasks in worker processes, with progress, cancelling and crashes contained.

One outcome per task, as it comes. A task that raises, or whose process dies, is Failed and never ends the run. Worker
processes live within limits of time and memory, since a spoilt file may send a decoder round for ever.
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
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TextIO, TypeVar

from pipelines.errors import Cancelled, PipelineError
from pipelines.progress import Progress, Report
from pipelines.units import Seconds

Task = TypeVar("Task")
Result = TypeVar("Result")

#: What a task calls with (done, total) in the unit of its stage; raises Cancelled when the run is to stop.
Tell = Callable[[float, float | None], None]
Work = Callable[[Task, Tell], Result]


@dataclass(frozen=True, slots=True)
class Failed:
    """A task that gave nothing, and why."""

    error: BaseException


class WorkerCrashed(PipelineError):
    """The process that did a task died twice: a fault in native code, no memory, or no word for too long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker process may take: seconds without a word from its task, and bytes of data in memory.

    A process that is silent for too long ends itself, whatever its native code does; memory is refused (MemoryError)
    where the system can do that (Linux).
    """

    silence_s: Seconds = 900.0
    memory_bytes: int = 4 * 2**30


class _News(Protocol):
    def put(self, item: Any, /) -> None: ...
    def get(self) -> Any: ...
    def empty(self) -> bool: ...


class _Flag(Protocol):
    def set(self) -> None: ...
    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Line:
    """The wire between a worker and its caller."""

    news: _News
    stop: _Flag

    def tell(self, key: str) -> Tell:
        def tell(done: float, total: float | None) -> None:
            if self.stop.is_set():
                raise Cancelled("stopped; nothing half-made was left")
            self.news.put((key, done, total))

        return tell


#: Asked for further tasks with how long it may wait for one, in seconds, and how many tasks are under way; None when
#: there will be no more.
More = Callable[[Seconds, int], Mapping[str, Task] | None]


def run_each(
    work: "Work[Task, Result]",
    tasks: Mapping[str, Task],
    *,
    jobs: int,
    stage: str,
    report: Report,
    more: "More[Task] | None" = None,
    limits: Limits = Limits(),
) -> Iterator[tuple[str, Result | Failed]]:
    """Yield (key, outcome) for every task, in the order in which they end.

    `jobs` of 1 works in a thread of this process, without limits; more work in fresh processes (spawned, or forked off
    an idle one: `warm_up`), for which `work` is a module-level function and tasks and results can be pickled. Progress
    comes as `stage` with the key as item. A task whose process dies or falls silent is tried once more alone, so that
    it takes no other with it. Leaving the loop early, also by Cancelled out of `report`, stops what runs and waits for
    it to tidy up. `more` is asked for further tasks while others run, in the caller's thread.
    """
    suspects: dict[str, Task] = {}
    left: dict[str, Task] = dict(tasks)
    while left or more is not None:  # once, and once more after each process that died
        left, more = yield from _run(work, left, jobs, stage, report, suspects, limits, more)
    for key, task in suspects.items():
        again: dict[str, Task] = {}
        left = {key: task}
        while left:  # not begun where the process that it was to be forked off died: the next round does without
            left, _ = yield from _run(work, left, 2, stage, report, again, limits)
        if again:
            yield (
                key,
                Failed(
                    WorkerCrashed(
                        "the process that read it died or hung twice; see whether another program can read it"
                    )
                ),
            )


def _run(
    work: "Work[Task, Result]",
    tasks: dict[str, Task],
    jobs: int,
    stage: str,
    report: Report,
    crashed: dict[str, Task],
    limits: Limits,
    more: "More[Task] | None" = None,
) -> "Generator[tuple[str, Result | Failed], None, tuple[dict[str, Task], More[Task] | None]]":
    """Until all has ended or a process dies; `crashed` gets what was with it. Returns what was not begun."""
    unbegun: dict[str, Task] = {}
    broken = False
    begun = dict(tasks)
    workers = jobs if more is not None else min(jobs, len(tasks))
    with _threads() if jobs == 1 else _processes(workers, limits) as (executor, line):
        waiting: dict[Future[Any], str] = {}

        def submit(new: Mapping[str, Task]) -> None:
            global _is_warm
            nonlocal broken
            begun.update(new)
            for key, task in new.items():
                if broken:
                    unbegun[key] = task
                    continue
                try:
                    if jobs == 1:
                        waiting[executor.submit(work, task, line.tell(key))] = key
                    else:
                        waiting[executor.submit(_in_worker, work, key, task)] = key
                except BrokenProcessPool:
                    unbegun[key] = task
                    broken = True
                except (EOFError, OSError):
                    if not _is_warm:
                        raise
                    _is_warm = False  # the process that they are forked off died: the next round does without
                    unbegun[key] = task
                    broken = True

        def refill(timeout_s: Seconds) -> None:
            nonlocal more
            if more is not None and not broken:
                new = more(timeout_s, len(waiting))
                more = more if new is not None else None
                submit(new or {})

        def take_in(ended: Iterable[Future[Any]]) -> Iterator[tuple[str, Result | Failed]]:
            nonlocal broken
            for future in ended:
                key = waiting.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    crashed[key] = begun[key]
                    broken = True
                else:
                    yield key, Failed(error) if error is not None else future.result()

        submit(tasks)
        while waiting or (more is not None and not broken):
            outcomes: list[tuple[str, Result | Failed]] = []
            try:
                refill(0.0 if waiting else 0.1)
                outcomes += take_in(wait(waiting, timeout=0.1, return_when=FIRST_COMPLETED).done)
                while not line.news.empty():
                    key, done, total = line.news.get()
                    report(Progress(stage, done, total, key))
                if outcomes and waiting:  # the process that is free works on while the caller takes these in
                    refill(0.0)
            except BaseException:
                outcomes += take_in([future for future in waiting if future.done()])
                yield from outcomes  # what is done stays done
                raise
            yield from outcomes
    return unbegun, more


def warm_up(module: str) -> None:
    """Have `module` loaded by the time that `run_each` needs processes, where the system can (Linux). Returns at once.

    From now on they are forks of one process that has loaded it, under this process's environment, and does nothing
    else: they begin at once, and share that memory.
    """
    global _is_warm
    if sys.platform == "linux" and not _is_warm:
        multiprocessing.set_forkserver_preload([module])
        multiprocessing.resource_tracker.ensure_running()  # else begun below, which lets interrupts in again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _CALLERS)
        try:
            with _one_thread_each():
                multiprocessing.forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _is_warm = True


def limit_memory(most_bytes: int) -> None:
    """Refuse this process more data than that from now on (MemoryError), where the system can (Linux)."""
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        if most == resource.RLIM_INFINITY or most_bytes < most:
            resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most))


@contextmanager
def _threads() -> Iterator[tuple[Executor, _Line]]:
    line = _Line(queue.SimpleQueue(), threading.Event())
    executor = ThreadPoolExecutor(1)
    try:
        yield executor, line
    finally:
        line.stop.set()
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _processes(jobs: int, limits: Limits) -> Iterator[tuple[Executor, _Line]]:
    context = multiprocessing.get_context("forkserver" if _is_warm else "spawn")
    news = context.SimpleQueue()
    line = _Line(news, context.Event())
    with _one_thread_each():
        executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(line, limits))
        try:
            yield executor, line
        finally:
            line.stop.set()
            executor.shutdown(wait=True, cancel_futures=True)
            news.close()


@contextmanager
def _one_thread_each() -> Iterator[None]:
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


#: Nobody looks more often, and a word costs more than a tenth of a millisecond.
_TELL_EVERY_S = 0.05

#: Signals that reach every process of a shell or a service; what they mean to a run, its caller decides.
_CALLERS = (signal.SIGINT, signal.SIGTERM)

_is_warm = False
_line: _Line | None = None
_silence_s: Seconds = 0.0


def _begin(line: _Line, limits: Limits) -> None:
    global _line, _silence_s
    _line, _silence_s = line, limits.silence_s
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what Ctrl-C means
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _CALLERS)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    limit_memory(limits.memory_bytes)


def _leave_with_parent() -> None:
    """Without this, workers of a caller that was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _in_worker(work: "Work[Task, Result]", key: str, task: Task) -> Result:
    if _line is None:
        raise RuntimeError("this worker was not begun")
    told = _line.tell(key)

    last_s = -math.inf

    def tell(done: float, total: float | None) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s < _TELL_EVERY_S and done != total:
            return
        last_s = now_s
        _wait_for_a_word(unheard)
        told(done, total)

    with open(os.devnull, "w") as unheard:  # noqa: PTH123
        _wait_for_a_word(unheard)
        try:
            return work(task, tell)
        finally:
            faulthandler.cancel_dump_traceback_later()


def _wait_for_a_word(unheard: TextIO) -> None:
    """End this process unless called again in time. Its watch needs no Python: native code may hold the interpreter."""
    faulthandler.dump_traceback_later(_silence_s, exit=True, file=unheard)
