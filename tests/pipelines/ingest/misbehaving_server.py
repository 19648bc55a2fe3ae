"""An HTTP server on loopback that does everything a server should not do, each under a name of its own."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!doctype html><html><head><title>A page</title></head><body><p>Nothing to hear.</p></body></html>"


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
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.path.lstrip("/").split(".")[0].split("?")[0]
                with site.lock:
                    site.asked.append((self.path, self.headers.get("Range", ""), self.headers.get("If-Range", "")))
                    time_number = site.times[name] = site.times.get(name, 0) + 1
                    self.counted = 1
                    site.at_once += 1
                    site.most_at_once = max(site.most_at_once, site.at_once)
                self.close_connection = True
                try:
                    self.misbehave(name, time_number)
                except OSError:
                    return  # the other end has seen enough
                finally:
                    self.leave()

            def leave(self) -> None:
                """Count this request no more: the other end may ask for the next."""
                with site.lock:
                    site.at_once -= self.counted
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
                half = body[: len(body) // 2]
                if name.startswith("error"):
                    status = int(name.removeprefix("error")[:3])
                    rest = {"Retry_After": site.retry_after} if status == 429 else {}
                    self.head(status, 0, **rest)
                elif name == "leaving" and number > 2:  # there for one fetch, gone afterwards
                    self.head(404, 0)
                elif name == "drop" or (name == "edition" and number <= 2) or (name == "edition2" and number <= 2):
                    if number <= 2:
                        self.head(200, len(body), ETag='"one"')
                        self.wfile.write(half)
                    else:
                        self.ranged(body, '"one"')
                elif name == "edition":
                    if self.headers.get("If-Range") == '"one"':
                        self.head(200, len(other), ETag='"two"')
                        self.wfile.write(other)
                    else:
                        self.ranged(other, '"two"')
                elif name == "edition2":  # knows nothing of If-Range
                    self.ranged(other, '"two"')
                elif name == "unmarked":
                    self.head(200, len(body))
                    self.wfile.write(half if number <= 2 else body)
                elif name == "ignored":  # knows nothing of Range
                    self.head(200, len(body), ETag='"one"')
                    self.wfile.write(half if number <= 2 else body)
                elif name == "promised":  # less than announced, always
                    self.head(200, len(body) + 5000)
                    self.wfile.write(body)
                elif name == "hidden":  # more than announced
                    self.head(200, len(half))
                    self.wfile.write(body)
                elif name.startswith("slowly"):
                    content = other if name.endswith("2") else body
                    asked = self.headers.get("Range", "")
                    start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
                    where = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}
                    self.head(206 if asked else 200, len(content) - start, ETag=f'"{name}"', **where)
                    for at in range(start, len(content), 8192):
                        self.wfile.write(content[at : at + 8192])
                        time.sleep(0.02)
                        if at > len(content) / 2:
                            site.gate.wait(120)
                elif name == "other":
                    self.head(200, len(other))
                    self.wfile.write(other)
                elif name == "drip":
                    self.head(200, len(body))
                    while True:
                        self.wfile.write(b"\0")
                        self.wfile.flush()
                        time.sleep(0.05)
                elif name == "mutters":  # a head without end
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Said: ")
                    while not site.closed.wait(0.02):
                        self.wfile.write(b"m")
                        self.wfile.flush()
                elif name == "endless":
                    self.head(200, None)
                    while True:
                        self.wfile.write(bytes(65536))
                elif name == "huge":
                    self.head(200, 10**12)
                    self.wfile.write(half)
                elif name == "html":
                    self.head(200, len(PAGE))
                    self.wfile.write(PAGE)
                elif name == "zero":
                    self.head(200, 0)
                elif name == "garbage":
                    self.wfile.write(b"\0\1\2 not http at all\r\n\r\n")
                else:
                    site.gate.wait(120)
                    if number == 1:
                        self.leave()  # who looks at the head of a file goes on at its first bytes,
                    self.head(200, len(body), ETag='"one"')
                    self.wfile.write(body[:-1])
                    self.leave()  # and who fetches it at its last
                    self.wfile.write(body[-1:])

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None: ...

        self.server = Server((address, 0), Handler)
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
