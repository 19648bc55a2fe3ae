"""Isolated process: a server's helper process for work that could crash the server, such as decoding foreign files.

`IsolatedProcess` is the server's half: one process, started when first needed, that stays for a while for the next
request. `serve_requests` is the other half. The process ends by itself after a while without requests, and at once when
the server ends or is killed, because its standard input closes. It is started as a module and not by multiprocessing,
which would run the server's main module again; Streamlit's is a page.
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


class IsolatedProcess:
    """The server's half. Safe to share between threads; requests are answered one after the other."""

    def __init__(self, module: str, arguments: Sequence[str] = ()) -> None:
        self._argv = (sys.executable, "-m", module, *arguments)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._terminate: Any = None

    @property
    def pid(self) -> int | None:
        """The id of the running process, None without one."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def request(self, request: bytes, tries: int = 2) -> bytes | None:
        """The reply, one line to one line; None where the process died that many times.

        It may have been ending idle at that very moment, so a single failure proves nothing. Raises OSError where no
        process can be started.
        """
        with self._lock:
            for _ in range(tries):
                if (reply := self._request(request)) is not None:
                    return reply
        return None

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._terminate is not None:
            self._terminate()

    def _request(self, request: bytes) -> bytes | None:
        if self.pid is None:
            self.close()
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            self._terminate = weakref.finalize(self, _terminate, self._process)
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return None
        try:
            process.stdin.write(request + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (BrokenPipeError, ValueError):  # ValueError: closed by another thread, since the server stops
            line = b""
        if line.endswith(b"\n"):
            return line[:-1]
        self.close()
        return None


def _terminate(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # a request that was never read
                pipe.close()


def serve_requests(
    handle: Callable[[bytes], bytes], *, timeout_s: Seconds, memory_bytes: int, idle_s: Seconds = IDLE_S
) -> None:
    """The other half, called by the module that `IsolatedProcess` starts: never returns.

    One reply per line of standard input, until none has come for `idle_s` since the last. The process ends where a
    reply takes longer than `timeout_s` without a `heartbeat`, whatever native code does, or needs more memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory(memory_bytes)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as replies:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no reply
        _reply_to_all(handle, requests, replies, timeout_s, idle_s)
    os._exit(0)  # a thread still waits for standard input


def heartbeat(timeout_s: Seconds) -> None:
    """End this process unless the next heartbeat comes in time."""
    faulthandler.dump_traceback_later(timeout_s, exit=True)


def _reply_to_all(
    handle: Callable[[bytes], bytes],
    requests: "queue.SimpleQueue[bytes]",
    replies: IO[bytes],
    timeout_s: Seconds,
    idle_s: Seconds,
) -> None:
    wait_s = None  # it was started for a request
    while True:
        try:
            request = requests.get(timeout=wait_s)
        except queue.Empty:
            return
        heartbeat(timeout_s)
        reply = handle(request.rstrip(b"\n"))
        faulthandler.cancel_dump_traceback_later()
        replies.write(reply + b"\n")
        replies.flush()
        wait_s = idle_s


def _read_requests(requests: "queue.SimpleQueue[bytes]") -> None:
    with os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0) as lines:  # a lock would outlive this thread
        for line in lines:
            requests.put(line)
    os._exit(0)  # the server has ended; the next process repairs unfinished work
