"""Jobs are real processes here: they are started, watched, cancelled and killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.errors import UnknownName
from pipelines.study import Study, create_study
from tests.workbench.command_line import call
from workbench.jobs import jobs
from workbench.jobs.jobs import Job, cancel, open_job, start

STEPS = """
import sys, time
from pipelines.progress import Progress
from workbench.cli.console import reporter
count, pause = int(sys.argv[1]), float(sys.argv[2])
with reporter() as report:
    for number in range(count):
        report(Progress("epoch", number + 1, count, "soap_five", {"loss": 1.0 / (number + 1)}))
        time.sleep(pause)
print('{"ok": true}')
"""
#: Each step waits until the runner has kept it, and the fifth for the file of the first argument.
PACED = """
import os, sys, time
from pathlib import Path
from pipelines.progress import Progress
from workbench.cli.console import reporter

def wait(holds):
    until = time.monotonic() + 240
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)

kept = Path(os.environ["WORKBENCH_PROGRESS_FILE"]).with_name("history.jsonl")
with reporter() as report:
    for number in range(6):
        wait(lambda: number < 4 or Path(sys.argv[1]).exists())
        time.sleep(0.25)  # the reporter tells no more than one step in 0.2 s
        report(Progress("epoch", number + 1, 6, "soap_five", {"loss": 1.0 / (number + 1)}))
        wait(lambda: kept.exists() and len(kept.read_text().splitlines()) > number)
print('{"ok": true}')
"""
FAILS = "import sys; sys.stderr.write('first line\\nthe release has no labels\\n'); sys.exit(2)"
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _a_runner_may_be_slow_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "START_S", 600.0)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study("night", root=tmp_path)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def wait_for(study: Study, job: Job, holds: Callable[[Job], bool], seconds: float = 120) -> Job:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = open_job(study, job.job_id)
        if holds(now):
            return now
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain: {now}")


def is_over(job: Job) -> bool:
    return job.is_over


def killed(process: int) -> None:
    """Kill it, and wait until it is gone."""
    os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + 60
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(process, 0)
            time.sleep(0.02)
        raise AssertionError(f"process {process} outlives SIGKILL")


def test_a_real_command_runs_and_its_document_is_kept(study: Study) -> None:
    job = start(study, ("init", "other", "--json"), "Make another study")
    assert job.state == "waiting"
    over = wait_for(study, job, is_over)
    assert (over.state, over.exit_code) == ("done", 0)
    assert over.result["study"] == "other"
    assert (study.root / "data_manifests" / "other" / "study.toml").is_file(), "it worked on the study's own root"


def test_progress_is_kept_step_by_step_and_tells_when_it_will_be_done(study: Study) -> None:
    job = start(study, (str(study.root / "go on"),), "Train", program=python(PACED))
    midway = wait_for(study, job, lambda now: len(now.steps) == 4)
    assert midway.state == "running" and midway.eta_s is not None
    (study.root / "go on").touch()
    over = wait_for(study, job, is_over)
    assert over.state == "done" and over.result == {"ok": True} and over.eta_s is None
    losses = [step.progress.numbers["loss"] for step in over.steps]
    assert losses == [1 / (number + 1) for number in range(6)], "curves need every step"
    assert over.progress is not None and over.progress.fraction == 1.0


def test_what_is_left_is_reckoned_from_the_pace_of_the_stage(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study.jobs / "20260101-000000-eeee"
    folder.mkdir(parents=True)
    steps = [("load", 1, 2, 900.0), ("epoch", 2, 12, 1000.0), ("epoch", 4, 12, 1010.0)]
    lines = [
        {"stage": stage, "item": "", "done": done, "total": total, "numbers": {}, "time": at}
        for stage, done, total, at in steps
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    jobs._write(Job(folder, (), "Train", 890.0, "waiting"))
    for now, left in ((1010.0, 40.0), (1030.0, 20.0), (1400.0, 0.0)):
        monkeypatch.setattr(jobs, "time", SimpleNamespace(time=lambda now=now: now))
        assert open_job(study, folder.name).eta_s == left


def test_a_night_of_steps_stays_small_and_the_newest_is_always_known(tmp_path: Path) -> None:
    """Two recordings heard at once, a step every tenth of a second for a minute; then one of a training."""
    folder = tmp_path / "job"
    folder.mkdir()
    with (folder / "history.jsonl").open("a") as file:
        history = jobs._History(file)
        for tenth in range(600):
            step = {"stage": "analyse", "item": f"ep{tenth % 2}", "done": tenth, "total": 599, "numbers": {}}
            (folder / "progress.json").write_text(json.dumps(step | {"time": 1000 + tenth / 10}))
            history.keep(folder / "progress.json")
            history.keep(folder / "progress.json")
        assert jobs._steps(folder)[-1].progress.done == 599
        for epoch in range(5):
            step = {
                "stage": "train",
                "item": "",
                "done": epoch,
                "total": 9,
                "numbers": {"loss": 1.0},
                "time": 2000 + epoch / 9,
            }
            (folder / "progress.json").write_text(json.dumps(step))
            history.keep(folder / "progress.json")
    steps = jobs._steps(folder)
    heard = [step for step in steps if step.progress.stage == "analyse"]
    assert 55 <= len(heard) <= 65 and len(steps) - len(heard) == 5, "curves need every epoch"
    (folder / "progress.json").write_text(json.dumps(step | {"done": 7, "numbers": {}, "time": 2001.0}))
    assert jobs._steps(folder)[-1].progress.done == 7, "known before it was worth keeping"


def test_a_failure_keeps_its_sentence(study: Study) -> None:
    job = start(study, (), "Train", program=python(FAILS))
    over = wait_for(study, job, is_over)
    assert (over.state, over.exit_code, over.message) == ("failed", 2, "the release has no labels")


def test_some_failed_items_are_still_a_job_done(study: Study) -> None:
    job = start(study, (), "Ingest", program=python("raise SystemExit(3)"))
    over = wait_for(study, job, is_over)
    assert (over.state, over.exit_code) == ("done", 3)


def test_cancel_lets_the_command_stop_by_itself(study: Study) -> None:
    job = start(study, ("4000", "0.1"), "Train", program=python(STEPS))
    running = wait_for(study, job, lambda now: bool(now.steps))
    cancel(running)
    over = wait_for(study, job, is_over)
    assert over.state == "cancelled"
    assert "Cancelled" in (over.folder / "log.txt").read_text(), "the command saw the signal and unwound"
    assert cancel(over).state == "cancelled", "cancelling twice is no error"


def test_a_command_that_will_not_stop_is_killed(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study.jobs / "20260101-000000-aaaa"
    folder.mkdir(parents=True)
    jobs._write(Job(folder, (), "Stubborn", time.time(), "waiting", python(STUBBORN)))
    runner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import workbench.jobs.jobs as j, pathlib; j.GRACE_S = 0.3; j.run(pathlib.Path({str(folder)!r}))",
        ]
    )
    wait_for(
        study, open_job(study, folder.name), lambda now: (folder / "out.json").is_file() and now.state == "running"
    )
    while not (folder / "out.json").read_text():
        time.sleep(0.05)
    cancel(open_job(study, folder.name))
    assert runner.wait(120) == 0
    over = open_job(study, folder.name)
    assert (over.state, over.exit_code) == ("cancelled", -signal.SIGKILL)


def test_a_job_cancelled_before_it_began_never_runs(study: Study) -> None:
    folder = study.jobs / "20260101-000000-bbbb"
    folder.mkdir(parents=True)
    jobs._write(Job(folder, (), "Never", time.time(), "waiting", python("open('ran', 'w')")))
    assert cancel(open_job(study, folder.name)).state == "waiting"
    jobs.run(folder)
    assert open_job(study, folder.name).state == "cancelled"
    assert not (folder / "out.json").exists()


def test_killed_processes_leave_a_lost_job_never_a_running_one(study: Study) -> None:
    job = start(study, ("4000", "0.1"), "Train", program=python(STEPS))
    running = wait_for(study, job, lambda now: bool(now.steps))
    assert running.runner is not None and running.worker is not None
    killed(running.runner)
    assert open_job(study, job.job_id).state == "running", "the command itself still lives"
    os.kill(running.worker, signal.SIGKILL)
    lost = wait_for(study, job, is_over)
    assert lost.state == "lost" and lost.ended is not None
    assert lost.seconds == pytest.approx(lost.ended - lost.started)


def test_a_command_left_without_its_runner_can_still_be_cancelled(study: Study) -> None:
    job = start(study, ("4000", "0.1"), "Train", program=python(STEPS))
    running = wait_for(study, job, lambda now: bool(now.steps))
    assert running.runner is not None
    killed(running.runner)
    cancel(open_job(study, job.job_id))
    assert wait_for(study, job, is_over).state == "cancelled"


def test_a_job_outlives_the_process_that_started_it(study: Study) -> None:
    starter = (
        "import sys; from pathlib import Path; from pipelines.study import Study;"
        "from workbench.jobs.jobs import start;"
        f"print(start(Study(Path({str(study.root)!r}), 'night'), ('5', '0.2'), 'Train',"
        f" program=(sys.executable, '-c', {STEPS!r})).job_id)"
    )
    done = subprocess.run([sys.executable, "-c", starter], capture_output=True, text=True, check=True)
    job = open_job(study, done.stdout.strip())
    assert wait_for(study, job, is_over).state == "done"


def test_a_job_whose_runner_never_came_is_lost(study: Study) -> None:
    folder = study.jobs / "20260101-000000-cccc"
    folder.mkdir(parents=True)
    jobs._write(Job(folder, ("train",), "Old", time.time() - jobs.START_S - 1, "waiting"))
    assert open_job(study, folder.name).state == "lost"


def test_newest_first_and_a_wrong_name_suggests(study: Study) -> None:
    for name in ("20260101-000000-aaaa", "20260202-000000-aaaa"):
        (study.jobs / name).mkdir(parents=True)
        jobs._write(Job(study.jobs / name, (), name, time.time(), "done", ended=time.time()))
    assert [job.job_id[:6] for job in jobs.jobs(study)] == ["202602", "202601"]
    with pytest.raises(UnknownName, match="did you mean '20260202-000000-aaaa'"):
        open_job(study, "20260202-000000-aaab")


def test_a_half_written_step_is_left_for_the_next_look(study: Study) -> None:
    folder = study.jobs / "20260101-000000-dddd"
    folder.mkdir(parents=True)
    jobs._write(Job(folder, (), "x", time.time(), "done", ended=time.time()))
    step = {"stage": "epoch", "item": "", "done": 1, "total": 3, "numbers": {"loss": None}, "time": 1.0}
    (folder / "history.jsonl").write_text(json.dumps(step) + "\n" + json.dumps(step)[:20])
    (only,) = open_job(study, folder.name).steps
    assert only.progress.numbers["loss"] != only.progress.numbers["loss"], "a null number is not a number"


def test_the_shell_lists_and_cancels(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = start(study, ("4000", "0.1"), "Train soap_five", program=python(STEPS))
    wait_for(study, job, lambda now: bool(now.steps))

    monkeypatch.setenv("WORKBENCH_ROOT", str(study.root))
    listed = json.loads(call(capsys, "jobs", "--json")[1])
    assert [row["state"] for row in listed["jobs"]] == ["running"]
    assert "Train soap_five" in call(capsys, "jobs", "list")[1]
    assert "told to stop" in call(capsys, "jobs", "cancel", job.job_id)[1]
    wait_for(study, job, is_over)
    code, out, _ = call(capsys, "jobs", "cancel", "nothing-like-it", "--json")
    assert code == 2 and "unknown job" in json.loads(out)["error"]
