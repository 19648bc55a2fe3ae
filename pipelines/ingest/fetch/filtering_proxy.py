"""A filtering HTTP proxy on loopback, through which everything that yt-dlp asks for must go.

yt-dlp follows redirects and opens connections by itself. Here each of them is seen: the host is resolved once, every
answer is checked, and the connection goes to the very address that was checked, so that a name which changes its answer
in between (DNS rebinding) gains nothing. https passes through unread (CONNECT). Bytes, time and speed are capped.
"""

import base64
import secrets
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from pipelines.errors import MediaError
from pipelines.ingest.fetch.allowed_hosts import Private, Resolve, addresses
from pipelines.units import Seconds

Connect = Callable[[socket.socket, tuple[str, int]], None]

_HEAD = 65536
_BLOCK = 65536
_CONNECT_S = 20.0
_HEAD_S = 60.0
_HOP = frozenset(("connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer", "upgrade"))


class FilteringProxy:
    """Open for the length of a `with`. `url` is what yt-dlp takes as its proxy; nobody else on this machine knows it.

    `refused` is the first thing that was refused or cut off; after it nothing passes any more.
    """

    def __init__(
        self,
        allow_private: Private,
        *,
        stop: threading.Event | None = None,
        resolve: Resolve = socket.getaddrinfo,
        connect: Connect = socket.socket.connect,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allow_private = allow_private
        self._stop = stop or threading.Event()
        self._resolve = resolve
        self._connect = connect
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._ended = threading.Event()
        self._token = secrets.token_urlsafe(16)
        self._largest: float = float("inf")
        self._ends: float = float("inf")
        self._slow_s: Seconds = 0.0
        self._least: float = 0.0
        self._window: tuple[float, int] = (0.0, 0)
        self.carried = 0
        self.refused: MediaError | None = None
        self.unreachable: MediaError | None = None

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="ingest-proxy", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._cut()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://ingest:{self._token}@127.0.0.1:{self._server.server_address[1]}"

    def allow(self, *, largest: float, seconds: Seconds, slow_s: Seconds = 0.0, least: float = 0.0) -> None:
        """From now on at most `largest` bytes in `seconds`; not under `least` bytes/s over `slow_s` (0: any speed)."""
        with self._lock:
            self.carried = 0
            self._largest, self._ends = largest, self._clock() + seconds
            self._slow_s, self._least = slow_s, least
            self._window = (self._clock(), 0)

    def resting(self, seconds: Seconds) -> None:
        """The caller will not ask for anything for so long: that is not slowness."""
        with self._lock:
            self._window = (self._clock() + seconds, self.carried)

    def refuse(self, error: MediaError, *, cut: bool = False) -> None:
        """Let nothing new pass from here on; with `cut`, end what is passing too."""
        with self._lock:
            self.refused = self.refused or error
        if cut:
            self._cut()

    def watch(self) -> None:
        """Cut what takes too long, and everything once `stop` is set; called all the time."""
        if self._stop.is_set() and self.refused is None:
            self.refuse(MediaError("stopped", "was stopped; ingest again to go on", "retry"), cut=True)
        now = self._clock()
        with self._lock:
            late = now > self._ends
            began, before = self._window
            whole = bool(self._slow_s) and now - began >= self._slow_s
            slow = whole and self.carried - before < self._least * self._slow_s
            if whole and not slow:
                self._window = (now, self.carried)
        if (late or slow) and self.refused is None:
            what = "took longer than a fetch may take" if late else "came too slowly to ever end"
            self.refuse(MediaError("too_slow", f"the server's answer {what}; try again later", "defer"), cut=True)

    def passes(self, authorization: str) -> bool:
        expected = "Basic " + base64.b64encode(f"ingest:{self._token}".encode()).decode()
        return secrets.compare_digest(authorization.encode(), expected.encode())

    def count(self, size: int) -> None:
        """Bytes came from a server."""
        with self._lock:
            self.carried += size
            over = self.carried > self._largest
        if over:
            self.refuse(
                MediaError("too_big", "the server sends more than a recording may have; see max_size_gb in study.toml"),
                cut=True,
            )

    def reach(self, host: str, port: int) -> socket.socket:
        """A connection to one of the addresses that were checked. Raises MediaError."""
        if self.refused is not None:
            raise self.refused
        try:
            numeric = addresses(host, port, self._allow_private, self._resolve)
        except MediaError as error:
            if error.reason_code == "private_host":
                self.refuse(error)
            else:
                self.unreachable = error
            raise
        for address in numeric:
            if self._ended.is_set():
                break
            try:
                return self._connected(address, port)
            except OSError:
                continue
        self.unreachable = MediaError(
            "unreachable", f"{host}: does not answer on port {port}; check the address, or try again later", "retry"
        )
        raise self.unreachable

    def _connected(self, address: str, port: int) -> socket.socket:
        """Kept from the first, so that what ends all ends also the waiting for a host that says nothing (Linux)."""
        server = self.keep(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM))
        try:
            server.settimeout(_CONNECT_S)
            self._connect(server, (address, port))
            if self._ended.is_set():  # meanwhile: nobody would end this one any more
                raise ConnectionAbortedError("came about too late")
        except BaseException:
            self.drop(server)
            raise
        return server

    def keep(self, one: socket.socket) -> socket.socket:
        with self._lock:
            self._open.add(one)
        return one

    def drop(self, one: socket.socket) -> None:
        with self._lock:
            self._open.discard(one)
        one.close()

    def _cut(self) -> None:
        with self._lock:
            self._ended.set()
            still = list(self._open)
        for one in still:
            _end(one)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64
    proxy: FilteringProxy

    def service_actions(self) -> None:
        self.proxy.watch()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is the business of its two ends."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        client: socket.socket = self.request
        proxy = self.server.proxy
        proxy.keep(client)
        server: socket.socket | None = None
        try:
            client.settimeout(_HEAD_S)
            head, rest = _head(client)
            method, target, headers = _parsed(head)
            if not proxy.passes(dict(_lower(headers)).get("proxy-authorization", "")):
                _answer(client, 407, "this proxy serves one program only")
                return
            if method == "CONNECT":
                host, port = _host_and_port(f"//{target}", 443)
                server = proxy.reach(host, port)
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                server.sendall(rest)
                self._both_ways(client, server)
                return
            if not target.lower().startswith("http://"):
                proxy.refuse(MediaError("bad_address", f"'{target[:200]}': only http and https are fetched", "gone"))
                _answer(client, 403, "only http and https")
                return
            host, port = _host_and_port(target, 80)
            server = proxy.reach(host, port)
            self._one_request(client, server, method, target, headers, rest)
        except MediaError as error:
            if error is not proxy.unreachable:
                _answer(client, 403, error.reason_code)
        except (OSError, ValueError):
            return
        finally:
            if server is not None:
                proxy.drop(server)
            proxy.drop(client)

    def _one_request(
        self,
        client: socket.socket,
        server: socket.socket,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        rest: bytes,
    ) -> None:
        """One request and its answer; the connection ends with it, so the next request is looked at again."""
        parts = urlsplit(target)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = [(name, value) for name, value in headers if name.lower() not in _HOP]
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in kept), "Connection: close"]
        server.settimeout(None)
        server.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        size = int(dict(_lower(headers)).get("content-length", "0"))
        while True:
            rest = rest[:size]
            server.sendall(rest)
            size -= len(rest)
            if size <= 0:
                break
            rest = client.recv(_BLOCK)
            if not rest:
                return
        answer, body = _head(server)
        self.server.proxy.count(len(answer) + len(body))
        status, *fields = answer.decode("latin-1").split("\r\n")
        fields = [line for line in fields if line.split(":")[0].strip().lower() not in _HOP]
        client.sendall("\r\n".join((status, *fields, "Connection: close")).encode("latin-1") + b"\r\n\r\n" + body)
        while block := server.recv(_BLOCK):
            self.server.proxy.count(len(block))
            client.sendall(block)

    def _both_ways(self, client: socket.socket, server: socket.socket) -> None:
        client.settimeout(None)
        server.settimeout(None)
        while True:
            for one in select.select([client, server], [], [])[0]:
                block = one.recv(_BLOCK)
                if not block:
                    return
                if one is server:
                    self.server.proxy.count(len(block))
                (client if one is server else server).sendall(block)


def _end(one: socket.socket) -> None:
    with suppress(OSError):  # it was closed already
        one.shutdown(socket.SHUT_RDWR)


def _head(one: socket.socket) -> tuple[bytes, bytes]:
    """Bytes up to the empty line, without it, and what had come after it already."""
    got = b""
    while b"\r\n\r\n" not in got:
        block = one.recv(_BLOCK)
        if not block or len(got) > _HEAD:
            raise ValueError("no head of a message")
        got += block
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


def _parsed(head: bytes) -> tuple[str, str, list[tuple[str, str]]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ")
    return method, target, [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def _lower(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers]


def _host_and_port(target: str, usual: int) -> tuple[str, int]:
    parts = urlsplit(target)
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname, parts.port or usual


def _answer(client: socket.socket, status: int, words: str) -> None:
    body = words.encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    client.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)
