"""A process beside a server that does what could take the server down: it decodes what other people made.

`Beside` is the server's half: one process, begun when first needed, that stays for a while since the next time is near.
`answer` is the other half. It ends by itself when nobody asks for long, and at once, killed or not, when the server
does: then nobody holds the other end of its standard input any more. It is started by name and not by multiprocessing,
which would run the main module of the server again; Streamlit's is a page.
"""

import faulthandler
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any

from pipelines.execution.process_pool import limit_memory
from pipelines.units import Seconds

IDLE_S: Seconds = 60.0


class Beside:
    """The server's half. Safe to share between threads; one question is answered after the other."""

    def __init__(self, module: str, words: Sequence[str] = ()) -> None:
        self._argv = (sys.executable, "-m", module, *words)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Any = None

    @property
    def pid(self) -> int | None:
        """Of the process that is there now."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def ask(self, question: bytes, tries: int = 2) -> bytes | None:
        """The answer, a line to a line; None where the process died of it so many times.

        It may have left for want of work at this very moment, so once alone tells nothing. Raises OSError where no
        process can be begun.
        """
        with self._lock:
            for _ in range(tries):
                if (said := self._ask(question)) is not None:
                    return said
        return None

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._end is not None:
            self._end()

    def _ask(self, question: bytes) -> bytes | None:
        if self.pid is None:
            self.close()
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            self._end = weakref.finalize(self, _end, self._process)
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return None
        try:
            process.stdin.write(question + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (BrokenPipeError, ValueError):  # ValueError: closed by another thread, since the server stops
            line = b""
        if line.endswith(b"\n"):
            return line[:-1]
        self.close()
        return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # a question that was never read
                pipe.close()


def answer(reply: Callable[[bytes], bytes], *, silence_s: Seconds, memory_bytes: int, idle_s: Seconds = IDLE_S) -> None:
    """The other half, to be called by the module that `Beside` was given: never returns.

    One answer per line of standard input, until none has come for `idle_s` since the last. The process ends where a
    reply takes longer than `silence_s` without a call of `heard`, whatever native code does, or more memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory(memory_bytes)
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as told:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
        _answer(reply, asked, told, silence_s, idle_s)
    os._exit(0)  # a thread waits for standard input still


def heard(silence_s: Seconds) -> None:
    """A sign of life: end this process unless there is another one in time."""
    faulthandler.dump_traceback_later(silence_s, exit=True)


def _answer(
    reply: Callable[[bytes], bytes],
    asked: "queue.SimpleQueue[bytes]",
    told: IO[bytes],
    silence_s: Seconds,
    idle_s: Seconds,
) -> None:
    patience_s = None  # it was begun to be asked
    while True:
        try:
            question = asked.get(timeout=patience_s)
        except queue.Empty:
            return
        heard(silence_s)
        said = reply(question.rstrip(b"\n"))
        faulthandler.cancel_dump_traceback_later()
        told.write(said + b"\n")
        told.flush()
        patience_s = idle_s


def _listen(asked: "queue.SimpleQueue[bytes]") -> None:
    with os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0) as questions:  # a lock would outlive this thread
        for line in questions:
            asked.put(line)
    os._exit(0)  # the server is gone; what is half-made is made good by whoever comes next
