"""pipelines.execution.process_pool: outcomes for all, whatever one task does."""

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
from pipelines.execution.process_pool import Failed, Limits, Tell, WorkerCrashed, run_each
from pipelines.progress import Progress, silent


def square(task: int, tell: Tell) -> int:
    tell(1, 2)
    if task < 0:
        raise MediaError("negative", "has no root", "gone")
    return task * task


def crash(task: Path, tell: Tell) -> str:
    with task.open("a") as file:
        file.write("tried\n")
    if task.name == "bad":
        os._exit(7)
    return task.name


def crash_or_meet(task: Path, tell: Tell) -> str:
    """As `crash`, but `later0` and `later1`, and so on, go on only where the two run at the same time."""
    crash(task, tell)
    if task.name.startswith("later"):
        partner = task.with_name(f"later{int(task.name.removeprefix('later')) ^ 1}")
        wait_for(partner.exists)
    return task.name


def linger(task: Path, tell: Tell) -> None:
    for turn in range(1000):
        task.write_text(str(turn))
        time.sleep(0.01)
        tell(turn, 1000)


@pytest.fixture(params=["spawned", "forked"])
def _workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which worker processes come to be."""
    monkeypatch.setattr(process_pool, "_is_warm", False)
    if request.param == "forked":
        process_pool.warm_up("pipelines.progress")


def whereabouts(task: str, tell: Tell) -> tuple[int, bool]:
    return os.getppid(), "pipelines.progress" in sys.modules and os.environ.get("OMP_NUM_THREADS") == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_warm_processes_are_forks_of_one_that_is_not_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_pool, "_is_warm", False)
    before = dict(os.environ)
    process_pool.warm_up("pipelines.progress")
    outcomes = dict(run_each(whereabouts, {"a": "", "b": "", "c": ""}, jobs=2, stage="try", report=silent))
    parents = {one[0] for one in outcomes.values() if not isinstance(one, Failed)}
    assert len(parents) == 1 and os.getpid() not in parents
    assert all(not isinstance(one, Failed) and one[1] for one in outcomes.values())
    assert dict(os.environ) == before


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
from pipelines.execution import process_pool
from pipelines.progress import silent
from tests.pipelines.execution.test_process_pool import square
signal.signal(signal.SIGINT, lambda *_: None)
process_pool.warm_up("slow_to_load")
while not Path("loading").exists():
    time.sleep(0.01)
os.killpg(0, signal.SIGINT)
print(sorted(process_pool.run_each(square, {"a": 2, "b": 3}, jobs=2, stage="try", report=silent)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_an_interrupt_while_processes_are_warmed_is_the_callers_alone(tmp_path: Path) -> None:
    (tmp_path / "slow_to_load.py").write_text("open('loading', 'w').close()\nimport time; time.sleep(0.5)\n")
    paths = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[3])))
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths},
        start_new_session=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[('a', 4), ('b', 9)]\n", "")


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_has_an_outcome_and_tells_where_it_is(jobs: int) -> None:
    told: list[Progress] = []
    outcomes = dict(run_each(square, {"a": 2, "b": -1, "c": 3}, jobs=jobs, stage="try", report=told.append))
    failed = outcomes.pop("b")
    assert outcomes == {"a": 4, "c": 9}
    assert isinstance(failed, Failed) and isinstance(failed.error, MediaError) and failed.error.failure == "gone"
    assert {(p.stage, p.item, p.fraction) for p in told} <= {("try", key, 0.5) for key in "abc"}
    assert list(run_each(square, {}, jobs=jobs, stage="try", report=silent)) == []


@pytest.mark.usefixtures("_workers")
def test_a_dying_process_takes_no_other_task_with_it(tmp_path: Path) -> None:
    names = ("bad", "good", "well", "fine")
    tasks = {name: tmp_path / name for name in names}
    outcomes = dict(run_each(crash, tasks, jobs=2, stage="try", report=silent))
    failed = outcomes.pop("bad")
    assert isinstance(failed, Failed) and isinstance(failed.error, WorkerCrashed)
    assert outcomes == {name: name for name in names if name != "bad"}
    assert tasks["bad"].read_text() == "tried\n" * 2


@pytest.mark.usefixtures("_workers")
def test_what_is_handed_out_after_a_process_died_goes_on_side_by_side(tmp_path: Path) -> None:
    names = ["bad", "good", *(f"later{number}" for number in range(4))]
    left = list(names)

    def more(_timeout_s: float, under_way: int) -> dict[str, Path] | None:
        if under_way:  # two by two: what is handed out beside a process that dies may be tried again
            return {}
        given = {name: tmp_path / name for name in left[:2]}
        del left[:2]
        return given or None

    outcomes = dict(run_each(crash_or_meet, {}, jobs=2, stage="try", report=silent, more=more))
    failed = outcomes.pop("bad")
    assert isinstance(failed, Failed) and outcomes == {name: name for name in names if name != "bad"}
    tries = {name: (tmp_path / name).read_text().count("tried") for name in names}
    assert tries["bad"] == 2 and all(tries[name] == 1 for name in names if name.startswith("later"))


def hang(task: Path, tell: Tell) -> str:
    """`bad` holds the interpreter in native code for as long as it is let: not long, from its last word on."""
    if task.name == "bad":
        with task.open("a") as file:
            file.write("tried\n")
        process_pool._silence_s = 0.3
        tell(1, 1)
        sum(range(10**15))
    return task.name


def count_waits(task: int, tell: Tell) -> int:
    """How often words began the wait for the next anew."""
    waits: list[int] = []
    process_pool._wait_for_a_word = lambda _unheard: waits.append(task)
    for _ in range(task):
        tell(1, 1)
    return len(waits)


def gorge(task: int, tell: Tell) -> int:
    return len(bytearray(task))


@pytest.mark.usefixtures("_workers")
def test_a_task_that_hangs_in_native_code_is_ended_and_takes_no_other_with_it(tmp_path: Path) -> None:
    tasks = {name: tmp_path / name for name in ("bad", "good")}
    limits = Limits(silence_s=120)
    outcomes = dict(run_each(hang, tasks, jobs=2, stage="try", report=silent, limits=limits))
    failed = outcomes.pop("bad")
    assert isinstance(failed, Failed) and isinstance(failed.error, WorkerCrashed)
    assert "died or hung twice" in str(failed.error)
    assert tasks["bad"].read_text() == "tried\n" * 2
    assert outcomes == {"good": "good"}


def test_each_word_of_a_task_begins_the_wait_for_the_next_anew() -> None:
    assert dict(run_each(count_waits, {"a": 5}, jobs=2, stage="try", report=silent)) == {"a": 5}


@pytest.mark.usefixtures("_workers")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux refuses memory to a process")
def test_a_task_that_asks_for_too_much_memory_is_refused_it() -> None:
    limits = Limits(memory_bytes=2**28)
    outcomes = dict(run_each(gorge, {"a": 2**20, "b": 2**29}, jobs=2, stage="try", report=silent, limits=limits))
    failed = outcomes.pop("b")
    assert isinstance(failed, Failed) and isinstance(failed.error, MemoryError)
    assert outcomes == {"a": 2**20}


@pytest.mark.usefixtures("_workers")
@pytest.mark.parametrize("jobs", [1, 2])
def test_stopping_stops_the_work(jobs: int, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        list(run_each(linger, {"a": tmp_path / "turn"}, jobs=jobs, stage="try", report=stop))
    turn = (tmp_path / "turn").read_text()
    time.sleep(0.1)
    assert (tmp_path / "turn").read_text() == turn
    assert int(turn) < 500


@pytest.mark.parametrize("jobs", [1, 2])
def test_further_tasks_are_taken_in_while_others_run(jobs: int) -> None:
    coming = iter(({}, {"b": 3}, {}, {"c": 4, "d": -1}))
    outcomes = dict(
        run_each(square, {"a": 2}, jobs=jobs, stage="try", report=silent, more=lambda *_: next(coming, None))
    )
    assert isinstance(outcomes.pop("d"), Failed)
    assert outcomes == {"a": 4, "b": 9, "c": 16}
    assert not dict(run_each(square, {}, jobs=jobs, stage="try", report=silent, more=lambda *_: None))


def meet(task: Path, tell: Tell) -> str:
    """`b` goes on only once `c` was begun."""
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


def test_a_process_that_is_free_goes_on_before_the_caller_has_taken_in_what_it_gave(tmp_path: Path) -> None:
    left = [tmp_path / name for name in ("b", "c", "d")]
    met: list[tuple[str, int]] = []

    def more(_timeout_s: float, under_way: int) -> dict[str, Path] | None:
        given = {task.name: task for task in left[: 2 - under_way]}
        del left[: len(given)]
        return given if given or left else None

    for key, _ in run_each(meet, {"a": tmp_path / "a"}, jobs=2, stage="try", report=silent, more=more):
        met.append((key, len(left)))
    assert sorted(key for key, _ in met) == ["a", "b", "c", "d"]
    assert met[0] == ("a", 1) and not left, "the third was handed out before the first was told of"


class Dying:
    """Stands in for workers whose fork server the system kills while it starts one."""

    def __init__(self, *_: Any, **__: Any) -> None: ...
    def submit(self, *_: Any) -> Any:
        raise EOFError("unexpected EOF")

    def shutdown(self, **_: Any) -> None: ...


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_the_run_goes_on_where_the_process_that_others_are_forked_off_dies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_pool, "_is_warm", True)
    real = process_pool.ProcessPoolExecutor
    pools = iter((Dying,))
    monkeypatch.setattr(process_pool, "ProcessPoolExecutor", lambda *given, **more: next(pools, real)(*given, **more))
    outcomes = dict(run_each(square, {"a": 2, "b": 3}, jobs=2, stage="try", report=silent))
    assert outcomes == {"a": 4, "b": 9} and not process_pool._is_warm


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_a_task_that_is_tried_alone_has_an_outcome_where_that_process_dies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process_pool, "_is_warm", True)
    real = process_pool.ProcessPoolExecutor
    pools = iter((real, Dying))
    monkeypatch.setattr(process_pool, "ProcessPoolExecutor", lambda *given, **more: next(pools, real)(*given, **more))
    outcomes = dict(run_each(crash, {"bad": tmp_path / "bad"}, jobs=2, stage="try", report=silent))
    assert isinstance(outcomes["bad"], Failed) and isinstance(outcomes["bad"].error, WorkerCrashed)
    assert (tmp_path / "bad").read_text() == "tried\n" * 2 and not process_pool._is_warm


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_ends_while_the_caller_is_busy_reaches_it_when_it_stops_then(
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
def test_what_is_done_reaches_the_caller_who_stops_at_that_moment(jobs: int) -> None:
    asked: list[int] = []

    def more(_timeout_s: float, under_way: int) -> dict[str, int] | None:
        asked.append(under_way)
        if len(asked) == 1:
            return {"a": 2, "b": 10**6}
        if under_way < 2:
            raise Cancelled("enough")
        return {}

    met: dict[str, object] = {}

    def take_in() -> None:
        for key, outcome in run_each(square_or_stay, {}, jobs=jobs, stage="try", report=silent, more=more):
            met[key] = outcome

    with pytest.raises(Cancelled):
        take_in()
    assert met == {"a": 4}


def square_or_stay(task: int, tell: Tell) -> int:
    """A large one stays until it is stopped."""
    last_s = time.monotonic() + (60 if task > 10 else 0)
    while time.monotonic() < last_s:
        time.sleep(0.01)
        tell(0, 1)
    return task * task
