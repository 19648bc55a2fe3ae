"""Runs of ingest that die at a chosen moment: a process that has imported everything and forks a child for each run.

A moment is a number: how many things the run has done that a power cut may come before or after. Those are: a file
opened, synced, renamed or taken away, an SQL statement begun, a connection made, a word of progress.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Life:
    """How a run ended: by `killed`, or standing still (`pid` is there), or with `rows` of (source_id, status) or words
    of refusal. `moments`: everything it did, in order, where it came to an end."""

    pid: int
    killed: bool
    stopped: bool
    rows: tuple[tuple[str, str], ...] = ()
    refused: str = ""
    moments: tuple[str, ...] = ()


class Runs:
    """The forking process, for the length of a `with`. One run at a time."""

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.ingest.killed_runs"],
            cwd=ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe(self._server.stdin).close()
        self._server.wait(30)
        self._pipe(self._server.stdout).close()

    def run(
        self, root: Path, inputs: Sequence[str], at: int | None = None, how: Literal["kill", "stop", "warm"] = "kill"
    ) -> Life:
        """Ingest `inputs` into the study `night` under `root`; die, or stand still, when moment `at` has come.

        `warm`: in the forking process itself, so that its children need not import what a run imports late.
        """
        request = {"root": str(root), "inputs": list(inputs), "at": at, "how": how}
        to, back = self._pipe(self._server.stdin), self._pipe(self._server.stdout)
        to.write(json.dumps(request) + "\n")
        to.flush()
        line = back.readline()
        if not line:
            raise RuntimeError("the process that forks has died")
        answer: dict[str, Any] = json.loads(line)
        answer["rows"] = tuple((name, status) for name, status in answer["rows"])
        answer["moments"] = tuple(answer["moments"])
        return Life(**answer)

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise RuntimeError("the process that forks was given no pipe")
        return pipe


def _watch(at: int | None, how: str) -> list[str]:
    """Count what this process does from now on, and end or stop it at the moment `at`."""
    import sqlite3
    import threading

    done: list[str] = []
    lock = threading.Lock()
    connect, fsync = sqlite3.connect, os.fsync

    def moment(what: str) -> None:
        with lock:
            done.append(what)
            if at is not None and len(done) == at:
                os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGSTOP)

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            writes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            if writes and str(arguments[0]) != os.devnull:
                moment("open")
        elif event in ("os.rename", "os.remove", "os.mkdir", "socket.connect"):
            moment(event)

    def synced(descriptor: int) -> None:
        moment("before fsync")
        fsync(descriptor)
        moment("after fsync")

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(lambda statement: moment(f"sql {statement.split()[0]}"))
        return connection

    sys.addaudithook(heard)
    os.fsync = synced
    sqlite3.connect = connected
    done.append("begin")
    return done


def _live(request: dict[str, Any], answer: int) -> None:
    """The child: one ingest, then its story down the pipe `answer`."""
    from pipelines.errors import PipelineError
    from pipelines.ingest.fetch.fetch_policy import Manners
    from pipelines.ingest.run import run
    from pipelines.study import Study

    moments = _watch(request["at"], request["how"]) if request["how"] != "warm" else []
    story: dict[str, Any] = {"rows": (), "refused": ""}
    manners = Manners(allow_private=True, pause_s=0, reserve_bytes=0)
    try:
        report = run.ingest(
            Study(Path(request["root"]), "night"),
            request["inputs"],
            jobs=1,
            manners=manners,
            report=lambda progress: moments.append(progress.stage),
        )
        story["rows"] = [(row.source_id, row.status) for row in report.sources]
    except PipelineError as error:
        story["refused"] = str(error)
    os.write(answer, json.dumps({**story, "moments": list(moments)}).encode())


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        reading, writing = os.pipe()
        if request["how"] == "warm":
            _live(request, writing)
            answers.write(_answer(Life(0, False, False, **json.loads(os.read(reading, 65536)))))
            continue
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                _live(request, writing)
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        _, status = os.waitpid(pid, os.WUNTRACED)
        stopped = os.WIFSTOPPED(status)
        story = b""
        if not stopped:
            while part := os.read(reading, 65536):
                story += part
            if not os.WIFSIGNALED(status) and not story:
                raise SystemExit(f"the run at {request} broke")
        os.close(reading)
        answers.write(_answer(Life(pid, os.WIFSIGNALED(status), stopped, **json.loads(story or "{}"))))


def _answer(life: Life) -> str:
    return json.dumps(asdict(life)) + "\n"


if __name__ == "__main__":
    _serve()
