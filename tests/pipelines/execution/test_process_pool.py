"""pipelines.execution.process_pool: an outcome for every task, whatever one of them does."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import Cancelled, MediaError
from pipelines.execution import process_pool
from pipelines.execution.process_pool import Failed, Limits, OnProgress, WorkerCrashed, run_each
from pipelines.progress import Progress, ignore_progress


def square(task: int, on_progress: OnProgress) -> int:
    on_progress(1, 2)
    if task < 0:
        raise MediaError("negative", "has no root", "gone")
    return task * task


def crash(task: Path, on_progress: OnProgress) -> str:
    with task.open("a") as file:
        file.write("tried\n")
    if task.name == "bad":
        os._exit(7)
    return task.name


def crash_or_meet(task: Path, on_progress: OnProgress) -> str:
    """As `crash`, but `later0` and `later1`, and so on, continue only when both run at the same time."""
    crash(task, on_progress)
    if task.name.startswith("later"):
        partner = task.with_name(f"later{int(task.name.removeprefix('later')) ^ 1}")
        wait_for(partner.exists)
    return task.name


def linger(task: Path, on_progress: OnProgress) -> None:
    for turn in range(1000):
        task.write_text(str(turn))
        time.sleep(0.01)
        on_progress(turn, 1000)


@pytest.fixture(params=["spawned", "forked"])
def _workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which worker processes start."""
    monkeypatch.setattr(process_pool, "_is_warm", False)
    if request.param == "forked":
        process_pool.warm_up("pipelines.progress")


def worker_environment(task: str, on_progress: OnProgress) -> tuple[int, bool]:
    return os.getppid(), "pipelines.progress" in sys.modules and os.environ.get("OMP_NUM_THREADS") == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_warm_workers_are_forks_of_the_fork_server_not_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_pool, "_is_warm", False)
    before = dict(os.environ)
    process_pool.warm_up("pipelines.progress")
    outcomes = dict(
        run_each(worker_environment, {"a": "", "b": "", "c": ""}, jobs=2, stage="try", report=ignore_progress)
    )
    parents = {one[0] for one in outcomes.values() if not isinstance(one, Failed)}
    assert len(parents) == 1 and os.getpid() not in parents
    assert all(not isinstance(one, Failed) and one[1] for one in outcomes.values())
    assert dict(os.environ) == before


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
from pipelines.execution import process_pool
from pipelines.progress import ignore_progress
from tests.pipelines.execution.test_process_pool import square
signal.signal(signal.SIGINT, lambda *_: None)
process_pool.warm_up("slow_to_load")
while not Path("loading").exists():
    time.sleep(0.01)
os.killpg(0, signal.SIGINT)
print(sorted(process_pool.run_each(square, {"a": 2, "b": 3}, jobs=2, stage="try", report=ignore_progress)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_an_interrupt_during_warm_up_reaches_only_the_caller(tmp_path: Path) -> None:
    (tmp_path / "slow_to_load.py").write_text("open('loading', 'w').close()\nimport time; time.sleep(0.5)\n")
    paths = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[3])))
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths},
        start_new_session=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[('a', 4), ('b', 9)]\n", "")


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_has_an_outcome_and_reports_progress(jobs: int) -> None:
    told: list[Progress] = []
    outcomes = dict(run_each(square, {"a": 2, "b": -1, "c": 3}, jobs=jobs, stage="try", report=told.append))
    failed = outcomes.pop("b")
    assert outcomes == {"a": 4, "c": 9}
    assert isinstance(failed, Failed) and isinstance(failed.error, MediaError) and failed.error.failure == "gone"
    assert {(p.stage, p.item, p.fraction) for p in told} <= {("try", key, 0.5) for key in "abc"}
    assert list(run_each(square, {}, jobs=jobs, stage="try", report=ignore_progress)) == []


@pytest.mark.usefixtures("_workers")
def test_a_dying_process_takes_no_other_task_with_it(tmp_path: Path) -> None:
    names = ("bad", "good", "well", "fine")
    tasks = {name: tmp_path / name for name in names}
    outcomes = dict(run_each(crash, tasks, jobs=2, stage="try", report=ignore_progress))
    failed = outcomes.pop("bad")
    assert isinstance(failed, Failed) and isinstance(failed.error, WorkerCrashed)
    assert outcomes == {name: name for name in names if name != "bad"}
    assert tasks["bad"].read_text() == "tried\n" * 2


@pytest.mark.usefixtures("_workers")
def test_tasks_submitted_after_a_process_died_run_in_parallel(tmp_path: Path) -> None:
    names = ["bad", "good", *(f"later{number}" for number in range(4))]
    left = list(names)

    def next_tasks(_timeout_s: float, running: int) -> dict[str, Path] | None:
        if running:  # in pairs: a task beside a process that dies may be tried again
            return {}
        given = {name: tmp_path / name for name in left[:2]}
        del left[:2]
        return given or None

    outcomes = dict(run_each(crash_or_meet, {}, jobs=2, stage="try", report=ignore_progress, next_tasks=next_tasks))
    failed = outcomes.pop("bad")
    assert isinstance(failed, Failed) and outcomes == {name: name for name in names if name != "bad"}
    tries = {name: (tmp_path / name).read_text().count("tried") for name in names}
    assert tries["bad"] == 2 and all(tries[name] == 1 for name in names if name.startswith("later"))


def hang(task: Path, on_progress: OnProgress) -> str:
    """`bad` holds the interpreter in native code until the watchdog ends it, soon after its last report."""
    if task.name == "bad":
        with task.open("a") as file:
            file.write("tried\n")
        process_pool._heartbeat_timeout_s = 0.3
        on_progress(1, 1)
        sum(range(10**15))
    return task.name


def count_waits(task: int, on_progress: OnProgress) -> int:
    """How often progress reports restarted the watchdog."""
    waits: list[int] = []
    process_pool._restart_watchdog = lambda _devnull: waits.append(task)
    for _ in range(task):
        on_progress(1, 1)
    return len(waits)


def gorge(task: int, on_progress: OnProgress) -> int:
    return len(bytearray(task))


@pytest.mark.usefixtures("_workers")
def test_a_task_that_hangs_in_native_code_is_ended_alone(tmp_path: Path) -> None:
    tasks = {name: tmp_path / name for name in ("bad", "good")}
    limits = Limits(heartbeat_timeout_s=120)
    outcomes = dict(run_each(hang, tasks, jobs=2, stage="try", report=ignore_progress, limits=limits))
    failed = outcomes.pop("bad")
    assert isinstance(failed, Failed) and isinstance(failed.error, WorkerCrashed)
    assert "died or hung twice" in str(failed.error)
    assert tasks["bad"].read_text() == "tried\n" * 2
    assert outcomes == {"good": "good"}


def test_each_progress_report_restarts_the_watchdog() -> None:
    assert dict(run_each(count_waits, {"a": 5}, jobs=2, stage="try", report=ignore_progress)) == {"a": 5}


@pytest.mark.usefixtures("_workers")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux refuses memory to a process")
def test_too_much_memory_is_refused() -> None:
    limits = Limits(memory_bytes=2**28)
    outcomes = dict(
        run_each(gorge, {"a": 2**20, "b": 2**29}, jobs=2, stage="try", report=ignore_progress, limits=limits)
    )
    failed = outcomes.pop("b")
    assert isinstance(failed, Failed) and isinstance(failed.error, MemoryError)
    assert outcomes == {"a": 2**20}


@pytest.mark.usefixtures("_workers")
@pytest.mark.parametrize("jobs", [1, 2])
def test_cancelling_stops_running_tasks(jobs: int, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        list(run_each(linger, {"a": tmp_path / "turn"}, jobs=jobs, stage="try", report=stop))
    turn = (tmp_path / "turn").read_text()
    time.sleep(0.1)
    assert (tmp_path / "turn").read_text() == turn
    assert int(turn) < 500


@pytest.mark.parametrize("jobs", [1, 2])
def test_further_tasks_are_submitted_while_others_run(jobs: int) -> None:
    coming = iter(({}, {"b": 3}, {}, {"c": 4, "d": -1}))
    outcomes = dict(
        run_each(
            square, {"a": 2}, jobs=jobs, stage="try", report=ignore_progress, next_tasks=lambda *_: next(coming, None)
        )
    )
    assert isinstance(outcomes.pop("d"), Failed)
    assert outcomes == {"a": 4, "b": 9, "c": 16}
    assert not dict(run_each(square, {}, jobs=jobs, stage="try", report=ignore_progress, next_tasks=lambda *_: None))


def meet(task: Path, on_progress: OnProgress) -> str:
    """`b` continues only after `c` has started."""
    task.touch()
    if task.name == "b":
        wait_for(task.with_name("c").exists)
    return task.name


def wait_for(happened: Callable[[], bool]) -> None:
    last_s = time.monotonic() + 60
    while not happened():
        if time.monotonic() > last_s:
            raise TimeoutError("it never came")
        time.sleep(0.01)


def test_an_idle_process_continues_before_the_caller_has_handled_its_result(tmp_path: Path) -> None:
    left = [tmp_path / name for name in ("b", "c", "d")]
    met: list[tuple[str, int]] = []

    def next_tasks(_timeout_s: float, running: int) -> dict[str, Path] | None:
        given = {task.name: task for task in left[: 2 - running]}
        del left[: len(given)]
        return given if given or left else None

    for key, _ in run_each(
        meet, {"a": tmp_path / "a"}, jobs=2, stage="try", report=ignore_progress, next_tasks=next_tasks
    ):
        met.append((key, len(left)))
    assert sorted(key for key, _ in met) == ["a", "b", "c", "d"]
    assert met[0] == ("a", 1) and not left, "the third was submitted before the first was yielded"


class Dying:
    """Stands in for an executor whose fork server the system kills while it starts a worker."""

    def __init__(self, *_: Any, **__: Any) -> None: ...
    def submit(self, *_: Any) -> Any:
        raise EOFError("unexpected EOF")

    def shutdown(self, **_: Any) -> None: ...


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_the_run_continues_where_the_fork_server_dies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_pool, "_is_warm", True)
    real = process_pool.ProcessPoolExecutor
    pools = iter((Dying,))
    monkeypatch.setattr(process_pool, "ProcessPoolExecutor", lambda *given, **more: next(pools, real)(*given, **more))
    outcomes = dict(run_each(square, {"a": 2, "b": 3}, jobs=2, stage="try", report=ignore_progress))
    assert outcomes == {"a": 4, "b": 9} and not process_pool._is_warm


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_a_task_that_is_retried_alone_has_an_outcome_where_the_fork_server_dies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process_pool, "_is_warm", True)
    real = process_pool.ProcessPoolExecutor
    pools = iter((real, Dying))
    monkeypatch.setattr(process_pool, "ProcessPoolExecutor", lambda *given, **more: next(pools, real)(*given, **more))
    outcomes = dict(run_each(crash, {"bad": tmp_path / "bad"}, jobs=2, stage="try", report=ignore_progress))
    assert isinstance(outcomes["bad"], Failed) and isinstance(outcomes["bad"].error, WorkerCrashed)
    assert (tmp_path / "bad").read_text() == "tried\n" * 2 and not process_pool._is_warm


@pytest.mark.parametrize("jobs", [1, 2])
def test_tasks_that_end_while_the_caller_is_busy_are_yielded_when_it_cancels(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    futures: list[Future[Any]] = []

    def noted(real: type[Any]) -> type[Any]:
        class Noted(real):  # type: ignore[misc]
            def submit(self, *given: Any) -> Future[Any]:
                futures.append(super().submit(*given))
                return futures[-1]

        return Noted

    for name in ("ThreadPoolExecutor", "ProcessPoolExecutor"):
        monkeypatch.setattr(process_pool, name, noted(getattr(process_pool, name)))

    def stop(_: Progress) -> None:
        wait_for(lambda: all(future.done() for future in futures))
        raise Cancelled("enough")

    met: dict[str, object] = {}

    def take_in() -> None:
        for key, outcome in run_each(square, {"a": 2, "b": 3, "c": 4}, jobs=jobs, stage="try", report=stop):
            met[key] = outcome

    with pytest.raises(Cancelled):
        take_in()
    assert met == {"a": 4, "b": 9, "c": 16}


@pytest.mark.parametrize("jobs", [1, 2])
def test_finished_tasks_are_yielded_to_a_caller_who_cancels_at_that_moment(jobs: int) -> None:
    asked: list[int] = []

    def next_tasks(_timeout_s: float, running: int) -> dict[str, int] | None:
        asked.append(running)
        if len(asked) == 1:
            return {"a": 2, "b": 10**6}
        if running < 2:
            raise Cancelled("enough")
        return {}

    met: dict[str, object] = {}

    def take_in() -> None:
        for key, outcome in run_each(
            square_or_stay, {}, jobs=jobs, stage="try", report=ignore_progress, next_tasks=next_tasks
        ):
            met[key] = outcome

    with pytest.raises(Cancelled):
        take_in()
    assert met == {"a": 4}


def square_or_stay(task: int, on_progress: OnProgress) -> int:
    """A large task stays until it is cancelled."""
    last_s = time.monotonic() + (60 if task > 10 else 0)
    while time.monotonic() < last_s:
        time.sleep(0.01)
        on_progress(0, 1)
    return task * task
