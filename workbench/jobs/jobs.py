"""Long work outside the app: a job is a folder, run by a process of its own that outlives page and app.

    study.jobs/<id>/  job.json      what was asked, by which process it is run, and how it ended
                      progress.json the newest step that the command reported; history.jsonl keeps those worth keeping
                      out.json      the command's standard output; log.txt its standard error
                      lock          held for as long as the runner or the command lives

`python -m workbench.jobs.jobs FOLDER` is the runner. Once it has begun, it alone writes job.json: no state is torn.
A job whose lock is free and whose end nobody wrote is `lost`: its processes were killed or the machine went down.
"""

import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, Literal

from pipelines.atomic_write import write_json
from pipelines.errors import UnknownName
from pipelines.progress import Progress

if TYPE_CHECKING:
    from pipelines.study import Study

#: A command that finds this in its environment writes its newest progress to the file it names.
PROGRESS_VARIABLE = "WORKBENCH_PROGRESS_FILE"

#: What a cancelled command is given to stop by itself before it is killed.
GRACE_S = 15.0

#: How long a job may be without a runner before it counts as lost.
START_S = 30.0

State = Literal["waiting", "running", "done", "failed", "cancelled", "lost"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled", "lost")

#: Steps of one stage and item without numbers are kept no closer than this; the newest is always known.
EVERY_S = 2.0

_SOME_ITEMS_FAILED = 3
_WATCH_S = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """One progress report of a job, with the clock time (seconds since 1970) at which it was made."""

    progress: Progress
    time: float


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its folder shows it now. Times are seconds since 1970; `argv` is what follows `workbench`.

    `about` is whatever JSON its starter wanted to find again when the job is looked at.
    """

    folder: Path
    argv: tuple[str, ...]
    title: str
    started: float
    state: State
    program: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    runner: int | None = None
    worker: int | None = None
    exit_code: int | None = None
    ended: float | None = None
    steps: tuple[Step, ...] = field(default=(), repr=False)

    @property
    def job_id(self) -> str:
        return self.folder.name

    @property
    def is_over(self) -> bool:
        return self.state in ENDED

    @property
    def progress(self) -> Progress | None:
        """The newest step, or None before the first."""
        return self.steps[-1].progress if self.steps else None

    @property
    def seconds(self) -> float:
        """How long it has run, or ran."""
        return max(0.0, (self.ended if self.ended is not None else time.time()) - self.started)

    @property
    def eta_s(self) -> float | None:
        """Seconds that the present stage still needs at the pace it has had; None while nothing tells."""
        if self.is_over or not self.steps:
            return None
        now = self.steps[-1]
        begun = next(step for step in self.steps if _same_stage(step.progress, now.progress))
        gone, gained = now.time - begun.time, now.progress.done - begun.progress.done
        if not now.progress.total or gained <= 0 or gone <= 0:
            return None
        return max(0.0, (now.progress.total - now.progress.done) * gone / gained - (time.time() - now.time))

    @property
    def result(self) -> Any:
        """The JSON document that the command printed, or None."""
        try:
            return json.loads((self.folder / "out.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    @property
    def message(self) -> str:
        """The last thing the command said on standard error: for a failed job, the sentence that tells why."""
        try:
            lines = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except FileNotFoundError:
            return ""
        return lines[-1] if lines else ""

    def document(self) -> dict[str, Any]:
        """The job as plain JSON."""
        progress = self.progress
        return {
            "id": self.job_id,
            "title": self.title,
            "argv": list(self.argv),
            "state": self.state,
            "started": self.started,
            "seconds": round(self.seconds, 1),
            "eta_s": None if self.eta_s is None else round(self.eta_s, 1),
            "exit_code": self.exit_code,
            "stage": progress.stage if progress else None,
            "fraction": progress.fraction if progress else None,
            "message": self.message,
        }


def start(
    study: "Study",
    argv: Sequence[str],
    title: str,
    *,
    about: Mapping[str, Any] | None = None,
    program: Sequence[str] = (sys.executable, "-m", "workbench"),
) -> Job:
    """Run `workbench ARGV` for `study` in a detached process and return at once.

    The command sees the study's root as WORKBENCH_ROOT, so it works from any folder.
    """
    job_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    folder = study.jobs / job_id
    folder.mkdir(parents=True)
    asked = Job(folder, tuple(argv), title, time.time(), "waiting", tuple(program), dict(about or {}))
    _write(asked)
    runner = subprocess.Popen(
        [sys.executable, "-m", "workbench.jobs.jobs", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=study.root,
        env={**os.environ, "WORKBENCH_ROOT": str(study.root)},
        start_new_session=True,
    )
    threading.Thread(target=runner.wait, name=f"reap {job_id}", daemon=True).start()
    return asked


def jobs(study: "Study") -> tuple[Job, ...]:
    """All jobs of the study, newest first."""
    return tuple(_read(file.parent) for file in sorted(study.jobs.glob("*/job.json"), reverse=True))


def open_job(study: "Study", job_id: str) -> Job:
    """The job as it stands now. Raises UnknownName."""
    names = [file.parent.name for file in study.jobs.glob("*/job.json")]
    if job_id not in names:
        raise UnknownName("job", job_id, names, hint="(see 'workbench jobs list')")
    return _read(study.jobs / job_id)


def cancel(job: Job) -> Job:
    """Ask the job to stop: SIGTERM now, SIGKILL after GRACE_S. Returns at once; one that is over stays as it is."""
    now = _read(job.folder)
    if now.is_over:
        return now
    (job.folder / "cancel").touch()
    if is_held(job.folder):  # else the numbers below may be other people's processes by now
        for number in (now.runner, now.worker):  # the command too: its runner may have been killed
            if number is not None:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGTERM)
    return _read(job.folder)


def run(folder: Path) -> None:
    """The runner: run the job in `folder` to its end and write how it ended. Called in a process of its own."""
    with _hold(folder) as lock:
        job = _read(folder, watch=False)
        if (folder / "cancel").exists():
            _write(job, state="cancelled", ended=time.time())
            return
        with (folder / "out.json").open("wb") as out, (folder / "log.txt").open("wb") as log:
            worker = subprocess.Popen(
                [*job.program, *job.argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env={**os.environ, PROGRESS_VARIABLE: str(folder / "progress.json")},
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )

        def stop(_number: int, _frame: FrameType | None) -> None:
            (folder / "cancel").touch()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        _write(job, state="running", runner=os.getpid(), worker=worker.pid)
        code = _watch(folder, worker)
        asked_to_stop = (folder / "cancel").exists()
        ended: State = "done" if code in (0, _SOME_ITEMS_FAILED) else "cancelled" if asked_to_stop else "failed"
        _write(job, state=ended, runner=os.getpid(), worker=worker.pid, exit_code=code, ended=time.time())


def _watch(folder: Path, worker: "subprocess.Popen[bytes]") -> int:
    """Wait for the command, keep every progress it writes, pass a cancel on, and kill what does not stop in time."""
    kill_at: float | None = None
    with (folder / "history.jsonl").open("a", encoding="utf-8") as file:
        history = _History(file)
        while True:
            code = worker.poll()
            history.keep(folder / "progress.json")
            if code is not None:
                return code
            if kill_at is None and (folder / "cancel").exists():
                kill_at = time.monotonic() + GRACE_S
                worker.terminate()
            if kill_at is not None and time.monotonic() > kill_at:
                os.killpg(worker.pid, signal.SIGKILL)
            time.sleep(_WATCH_S)


class _History:
    """The steps worth keeping: all that carry numbers, of others one in EVERY_S, so that a night stays small."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._newest = ""
        self._kept: dict[tuple[str, str], float] = {}

    def keep(self, progress: Path) -> None:
        """Look at the newest step, and write it down if it is new and worth it."""
        try:
            step = json.loads(progress.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return
        text = json.dumps(step)
        if text == self._newest:
            return
        self._newest = text
        of = (step["stage"], step["item"])
        is_last = step["total"] is not None and step["done"] >= step["total"]
        if step["numbers"] or is_last or step["time"] - self._kept.get(of, -EVERY_S) >= EVERY_S:
            self._kept[of] = step["time"]
            self._file.write(text + "\n")
            self._file.flush()


def _write(job: Job, **changed: Any) -> None:
    names = ("program", "argv", "title", "about", "started", "state", "runner", "worker", "exit_code", "ended")
    write_json(job.folder / "job.json", {name: getattr(job, name) for name in names} | changed)


def _read(folder: Path, *, watch: bool = True) -> Job:
    """The job in `folder`. The lock is looked at before job.json is read again, so an end just written is seen."""
    facts = _facts(folder)
    if watch and facts["state"] not in ENDED and not is_held(folder):
        facts = _facts(folder)
        young = facts["state"] == "waiting" and time.time() - facts["started"] < START_S
        if facts["state"] not in ENDED and not young:
            facts["state"] = "cancelled" if (folder / "cancel").exists() else "lost"
            facts["ended"] = _last_sign(folder)
    return Job(
        folder=folder,
        argv=tuple(facts["argv"]),
        title=facts["title"],
        started=facts["started"],
        state=facts["state"],
        program=tuple(facts["program"]),
        about=facts["about"],
        runner=facts["runner"],
        worker=facts["worker"],
        exit_code=facts["exit_code"],
        ended=facts["ended"],
        steps=_steps(folder),
    )


def _facts(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    return facts


def _last_sign(folder: Path) -> float:
    return max(file.stat().st_mtime for file in folder.iterdir())


def _steps(folder: Path) -> tuple[Step, ...]:
    """The steps kept, and the newest, which may not have been worth keeping."""
    found = [step for line in _lines(folder / "history.jsonl") if (step := _step(line)) is not None]
    newest = _step("".join(_lines(folder / "progress.json")))
    if newest is not None and (not found or found[-1].time < newest.time):
        found.append(newest)
    return tuple(found)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _step(line: str) -> Step | None:
    try:
        fact: Mapping[str, Any] = json.loads(line)
    except ValueError:  # the line that is being written right now
        return None
    numbers = {name: float("nan") if value is None else value for name, value in fact["numbers"].items()}
    return Step(Progress(fact["stage"], fact["done"], fact["total"], fact["item"], numbers), fact["time"])


def _same_stage(one: Progress, other: Progress) -> bool:
    return (one.stage, one.item) == (other.stage, other.item)


@contextmanager
def _hold(folder: Path) -> Iterator[IO[bytes]]:
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def is_held(folder: Path) -> bool:
    """Whether somebody holds the lock of the job in `folder`: its runner or its command lives."""
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


if __name__ == "__main__":
    run(Path(sys.argv[1]))
