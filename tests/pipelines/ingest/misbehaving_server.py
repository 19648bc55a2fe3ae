"""An HTTP server on loopback that does everything a server should not do, each under a name of its own."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

PAGE = b"<!doctype html><html><head><title>A page</title></head><body><p>Nothing to hear.</p></body></html>"


class Handler(BaseHTTPRequestHandler):
    """One request; a server sets `site` on a class of its own."""

    site: ClassVar["Misbehaving"]

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.lstrip("/").split(".")[0].split("?")[0]
        with self.site.lock:
            self.site.asked.append((self.path, self.headers.get("Range", ""), self.headers.get("If-Range", "")))
            time_number = self.site.times[name] = self.site.times.get(name, 0) + 1
            self.counted = 1
            self.site.at_once += 1
            self.site.most_at_once = max(self.site.most_at_once, self.site.at_once)
        self.close_connection = True
        try:
            self.misbehave(name, time_number)
        except OSError:
            return  # the other end has seen enough
        finally:
            self.leave()

    def leave(self) -> None:
        """Count this request no more: the other end may ask for the next."""
        with self.site.lock:
            self.site.at_once -= self.counted
            self.counted = 0

    def head(self, status: int, length: int | None, kind: str = "video/mp4", **fields: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def ranged(self, content: bytes, etag: str) -> None:
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        if not asked:
            self.head(200, len(content), ETag=etag)
        else:
            where = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.head(206, len(content) - start, ETag=etag, Content_Range=where)
        self.wfile.write(content[start:])

    def misbehave(self, name: str, number: int) -> None:
        if name.startswith("error"):
            self.error(int(name.removeprefix("error")[:3]))
        elif name.startswith("slowly"):
            self.slowly(name, self.site.other if name.endswith("2") else self.site.body)
        elif hasattr(self, f"serve_{name}"):
            getattr(self, f"serve_{name}")(number)
        else:
            self.serve_well(number)

    def whole(self, content: bytes, length: int | None = None, **fields: str) -> None:
        """`content` under a head that announces `length` bytes."""
        self.head(200, len(content) if length is None else length, **fields)
        self.wfile.write(content)

    def error(self, status: int) -> None:
        rest = {"Retry_After": self.site.retry_after} if status == 429 else {}
        self.head(status, 0, **rest)

    def slowly(self, name: str, content: bytes) -> None:
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        where = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}
        self.head(206 if asked else 200, len(content) - start, ETag=f'"{name}"', **where)
        for at in range(start, len(content), 8192):
            self.wfile.write(content[at : at + 8192])
            time.sleep(0.02)
            if at > len(content) / 2:
                self.site.gate.wait(120)

    def serve_leaving(self, number: int) -> None:
        """There for one fetch, gone afterwards."""
        if number > 2:
            self.head(404, 0)
        else:
            self.serve_well(number)

    def serve_drop(self, number: int) -> None:
        if number <= 2:
            self.whole(self.site.half, len(self.site.body), ETag='"one"')
        else:
            self.ranged(self.site.body, '"one"')

    def serve_edition(self, number: int) -> None:
        if number <= 2:
            self.whole(self.site.half, len(self.site.body), ETag='"one"')
        elif self.headers.get("If-Range") == '"one"':
            self.whole(self.site.other, ETag='"two"')
        else:
            self.ranged(self.site.other, '"two"')

    def serve_edition2(self, number: int) -> None:
        """Ignores If-Range."""
        if number <= 2:
            self.whole(self.site.half, len(self.site.body), ETag='"one"')
        else:
            self.ranged(self.site.other, '"two"')

    def serve_unmarked(self, number: int) -> None:
        self.whole(self.site.half if number <= 2 else self.site.body, len(self.site.body))

    def serve_ignored(self, number: int) -> None:
        """Ignores Range."""
        self.whole(self.site.half if number <= 2 else self.site.body, len(self.site.body), ETag='"one"')

    def serve_promised(self, _: int) -> None:
        """Less than announced, always."""
        self.whole(self.site.body, len(self.site.body) + 5000)

    def serve_hidden(self, _: int) -> None:
        """More than announced."""
        self.whole(self.site.body, len(self.site.half))

    def serve_other(self, _: int) -> None:
        self.whole(self.site.other)

    def serve_drip(self, _: int) -> None:
        self.head(200, len(self.site.body))
        while True:
            self.wfile.write(b"\0")
            self.wfile.flush()
            time.sleep(0.05)

    def serve_mutters(self, _: int) -> None:
        """A head without end."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Said: ")
        while not self.site.closed.wait(0.02):
            self.wfile.write(b"m")
            self.wfile.flush()

    def serve_endless(self, _: int) -> None:
        self.head(200, None)
        while True:
            self.wfile.write(bytes(65536))

    def serve_huge(self, _: int) -> None:
        self.whole(self.site.half, 10**12)

    def serve_html(self, _: int) -> None:
        self.whole(PAGE)

    def serve_zero(self, _: int) -> None:
        self.head(200, 0)

    def serve_garbage(self, _: int) -> None:
        self.wfile.write(b"\0\1\2 not http at all\r\n\r\n")

    def serve_well(self, number: int) -> None:
        self.site.gate.wait(120)
        if number == 1:
            self.leave()  # who looks at the head of a file goes on at its first bytes,
        self.head(200, len(self.site.body), ETag='"one"')
        self.wfile.write(self.site.body[:-1])
        self.leave()  # and who fetches it at its last
        self.wfile.write(self.site.body[-1:])

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None: ...


class Misbehaving:
    """Serves `body`, and `other` as its later edition. `asked` holds (path, Range, If-Range) of every request.

    `times` counts the requests for each name: the first looks at the head of a file, the second fetches it.
    """

    def __init__(self, body: bytes, other: bytes = b"", address: str = "127.0.0.1") -> None:
        self.body = body
        self.asked: list[tuple[str, str, str]] = []
        self.times: dict[str, int] = {}
        self.retry_after = "7200"
        self.at_once = 0
        self.most_at_once = 0
        self.gate = threading.Event()
        self.gate.set()
        self.closed = threading.Event()
        self.lock = threading.Lock()
        self.other = other
        self.half = body[: len(body) // 2]

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None: ...

        self.server = Server((address, 0), type("HandlerOfThisSite", (Handler,), {"site": self}))
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server.server_port}/{name}.mp4"

    def close(self) -> None:
        self.gate.set()
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@contextmanager
def no_connection_left() -> Iterator[None]:
    """Fails where a connection made inside is still open after it, though it be garbage: a night of refusals would run
    out of open files."""
    gc.collect()
    gc.disable()
    try:
        before = _connected()
        yield
        until = time.monotonic() + 10
        while _connected() - before and time.monotonic() < until:  # the server's own ends close a moment later
            time.sleep(0.01)
        assert not _connected() - before
    finally:
        gc.enable()


def _connected() -> set[socket.socket]:
    # By its type: to ask a dead weak reference for its class is an error.
    sockets = (one for one in gc.get_objects() if issubclass(type(one), socket.socket))
    return {one for one in sockets if one.fileno() != -1}
