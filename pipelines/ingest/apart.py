"""Tables and clips brought up to date in a process of its own, for a server that must outlive any recording.

`Apart` is the server's half: one process, begun when first needed, that stays for a while since the next time is near.
Run as a module this is the other half. It ends by itself when nobody asks for long, and at once, killed or not, when
the server does: then nobody holds the other end of its standard input any more. It is started by name and not by
multiprocessing, which would run the main module of the server again; Streamlit's is a page.
"""

import faulthandler
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipelines.errors import ConfigError, PipelineError
from pipelines.execution import Limits, limit_memory
from pipelines.units import Seconds

#: What is decoded is decoded in further processes: one at a time would be in this one.
JOBS = 2
IDLE_S: Seconds = 60.0
#: Rows that stay so until a person does something elsewhere, and that no page need repeat.
_WAITING = ("no_recording", "away")


@dataclass(frozen=True, slots=True)
class Told:
    """`is_over`: done, or not to be done now by trying again; `problem`: what was in the way, in a sentence."""

    is_over: bool
    problem: str = ""


class Apart:
    """The server's half. For one thread at a time."""

    def __init__(self, root: Path, name: str, limits: Limits = Limits(), idle_s: Seconds = IDLE_S) -> None:
        words = (str(root), name, str(limits.silence_s), str(limits.memory_bytes), str(idle_s))
        self._argv = (sys.executable, "-m", __name__, *words)
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Any = None

    def retable(self) -> Told:
        """Do what `pipelines.ingest.run.retable` does, there. Raises nothing but OSError where no process can begin."""
        for _ in range(2):  # it may have left for want of work at this very moment
            if (told := self._ask()) is not None:
                return told
        return Told(True, "the process that cuts clips died twice; the picks are kept, and the next one tries again")

    @property
    def pid(self) -> int | None:
        """Of the process that is there now."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._end is not None:
            self._end()
        self._process = None

    def _ask(self) -> Told | None:
        if self.pid is None:
            self._begin()
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return None
        try:
            process.stdin.write(b"retable\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (BrokenPipeError, ValueError):  # ValueError: closed by another thread, since the server stops
            line = b""
        if not line.endswith(b"\n"):
            self.close()
            return None
        return Told(**json.loads(line))

    def _begin(self) -> None:
        self.close()
        self._process = subprocess.Popen(
            self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._end = weakref.finalize(self, _end, self._process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # a question that was never read
                pipe.close()


def answer(root: Path, name: str, limits: Limits, idle_s: Seconds, told: IO[bytes]) -> None:
    """The other half: one answer per line of standard input, until there is none for `idle_s`."""
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    while True:
        try:
            asked.get(timeout=idle_s)
        except queue.Empty:
            return
        found = _retabled(root, name, limits)
        told.write(json.dumps({"is_over": found.is_over, "problem": found.problem}).encode() + b"\n")
        told.flush()


def _listen(asked: "queue.SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        asked.put(line)
    os._exit(0)  # the server is gone; what is half-made is made good by whoever comes next


def _retabled(root: Path, name: str, limits: Limits) -> Told:
    from pipelines.ingest.run import retable
    from pipelines.study import Study

    def heard(_: object = None) -> None:
        faulthandler.dump_traceback_later(2 * limits.silence_s + 60, exit=True)  # a worker may fall silent twice

    heard()
    try:
        report = retable(Study(root, name), heard, jobs=JOBS)
    except ConfigError as error:
        return Told(False, str(error))
    except PipelineError as error:
        return Told(True, str(error))
    except OSError as error:
        told = error.strerror or type(error).__name__
        return Told(True, f"the study's tables could not be written ({told}); the picks are kept")
    finally:
        faulthandler.cancel_dump_traceback_later()
    failed = [row.reason for row in report.sources if row.status == "failed" and row.reason_code not in _WAITING]
    return Told(True, failed[0] if failed else "")


def _main(root: str, name: str, silence_s: str, memory_bytes: str, idle_s: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limits = Limits(float(silence_s), int(memory_bytes))
    limit_memory(limits.memory_bytes)
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as told:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
        answer(Path(root), name, limits, float(idle_s), told)
    os._exit(0)  # Python cannot end in good order while a thread waits for standard input


if __name__ == "__main__":
    _main(*sys.argv[1:])
