"""pipelines.execution: outcomes for all, whatever one task does."""

import os
import time
from pathlib import Path

import pytest

from pipelines.errors import Cancelled, MediaError
from pipelines.execution import Failed, Tell, WorkerCrashed, run_each
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


def linger(task: Path, tell: Tell) -> None:
    for turn in range(1000):
        task.write_text(str(turn))
        time.sleep(0.01)
        tell(turn, 1000)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_has_an_outcome_and_tells_where_it_is(jobs: int) -> None:
    told: list[Progress] = []
    outcomes = dict(run_each(square, {"a": 2, "b": -1, "c": 3}, jobs=jobs, stage="try", report=told.append))
    failed = outcomes.pop("b")
    assert outcomes == {"a": 4, "c": 9}
    assert isinstance(failed, Failed) and isinstance(failed.error, MediaError) and failed.error.failure == "gone"
    assert {(p.stage, p.item, p.fraction) for p in told} <= {("try", key, 0.5) for key in "abc"}
    assert list(run_each(square, {}, jobs=jobs, stage="try", report=silent)) == []


def test_a_dying_process_takes_no_other_task_with_it(tmp_path: Path) -> None:
    names = ("bad", "good", "well", "fine")
    tasks = {name: tmp_path / name for name in names}
    outcomes = dict(run_each(crash, tasks, jobs=2, stage="try", report=silent))
    failed = outcomes.pop("bad")
    assert isinstance(failed, Failed) and isinstance(failed.error, WorkerCrashed)
    assert outcomes == {name: name for name in names if name != "bad"}
    assert tasks["bad"].read_text() == "tried\n" * 2


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
        run_each(square, {"a": 2}, jobs=jobs, stage="try", report=silent, more=lambda _timeout_s: next(coming, None))
    )
    assert isinstance(outcomes.pop("d"), Failed)
    assert outcomes == {"a": 4, "b": 9, "c": 16}
    assert not dict(run_each(square, {}, jobs=jobs, stage="try", report=silent, more=lambda _timeout_s: None))
