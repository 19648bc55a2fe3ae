"""pipelines.ingest.fetch.filtering_proxy and hosts: every hop and every answer of the name service is looked at."""

import base64
import http.client
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipelines.errors import MediaError
from pipelines.ingest.fetch import filtering_proxy as filtering
from pipelines.ingest.fetch.allowed_hosts import Private, addresses, check_host
from pipelines.ingest.fetch.download import fetch
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.filtering_proxy import FilteringProxy


class Server:
    """Answers on one loopback address; redirects where told, keeps what was asked for."""

    def __init__(self, address: str, redirects: dict[str, str] | None = None) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.command, self.path, dict(self.headers)))
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size) if size else b"hello"
                if redirects and self.path in redirects:
                    self.send_response(302)
                    self.send_header("Location", redirects[self.path])
                    body = b""
                else:
                    self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.port = self.server.server_port
        self.url = f"http://{address}:{self.port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def secret() -> Iterator[Server]:
    server = Server("127.0.0.2")
    yield server
    server.close()


@pytest.fixture
def front(secret: Server) -> Iterator[Server]:
    redirects = {
        "/to-secret.mp4": f"{secret.url}/metadata.mp4",
        "/twice.mp4": "/to-secret.mp4",
        "/to-file.mp4": "file:///etc/passwd",
        "/to-ftp.mp4": f"ftp://127.0.0.2:{secret.port}/a.mp4",
        "/to-data.mp4": "data:video/mp4;base64,AAAA",
    }
    server = Server("127.0.0.1", redirects)
    yield server
    server.close()


def through(
    proxy: FilteringProxy,
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    token: str = "",
    timeout_s: float = 60,
) -> Any:
    """Ask through the proxy with the standard library; (status, body)."""
    place = urlsplit(proxy.url)
    connection = http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=timeout_s)
    word = base64.b64encode(f"{place.username}:{token or place.password}".encode()).decode()
    try:
        connection.request(method, url, body=body, headers={"Proxy-Authorization": f"Basic {word}", "Te": "gzip"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def get(url: str, folder: Path, allow_private: Private) -> None:
    manners = Manners(allow_private=allow_private, pause_s=0, retries=2)
    fetch(url, "x", folder, manners=manners, tell=lambda _done, _total: None)


def test_requests_pass_whole_and_one_at_a_time(front: Server) -> None:
    with FilteringProxy(["127.0.0.1"]) as proxy:
        assert through(proxy, f"{front.url}/a?b=c") == (200, b"hello")
        assert through(proxy, f"{front.url}/post", method="POST", body=b"x" * 200_000) == (200, b"x" * 200_000)
        assert [(method, path) for method, path, _ in front.asked] == [("GET", "/a?b=c"), ("POST", "/post")]
        headers = {name.lower(): value for name, value in front.asked[0][2].items()}
        assert headers["host"] == f"127.0.0.1:{front.port}" and headers["connection"] == "close"
        assert "proxy-authorization" not in headers and "te" not in headers
        assert proxy.refused is None and proxy.carried > 200_000


def test_another_program_on_this_machine_cannot_use_it(front: Server) -> None:
    with FilteringProxy(allow_private=True) as proxy:
        assert through(proxy, front.url, token="guess")[0] == 407
    assert front.asked == []


def test_tunnels_pass_unread_and_only_to_hosts_that_may_be_asked(front: Server, secret: Server) -> None:
    def tunnel(proxy: FilteringProxy, port: int, host: str) -> bytes:
        place = urlsplit(proxy.url)
        connection = http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=60)
        word = base64.b64encode(f"{place.username}:{place.password}".encode()).decode()
        connection.set_tunnel(host, port, headers={"Proxy-Authorization": f"Basic {word}"})
        try:
            connection.request("GET", "/inside")
            return connection.getresponse().read()
        finally:
            connection.close()

    with FilteringProxy(["127.0.0.1"]) as proxy:
        assert tunnel(proxy, front.port, "127.0.0.1") == b"hello"
        with pytest.raises(OSError, match="403"):
            tunnel(proxy, secret.port, "127.0.0.2")
        assert proxy.refused is not None and proxy.refused.reason_code == "private_host"
        assert through(proxy, front.url)[0] == 403  # nothing passes after a refusal
    assert secret.asked == []


@pytest.mark.parametrize("name", ["to-secret.mp4", "twice.mp4"])
def test_a_redirect_to_a_private_host_never_reaches_it(
    front: Server, secret: Server, tmp_path: Path, name: str
) -> None:
    with pytest.raises(MediaError, match=r"127\.0\.0\.2 is in a private network") as told:
        get(f"{front.url}/{name}", tmp_path, ["127.0.0.1"])
    assert told.value.reason_code == "private_host" and front.url in told.value.reason
    assert secret.asked == [] and len(front.asked) >= 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["to-file.mp4", "to-ftp.mp4", "to-data.mp4"])
def test_a_redirect_to_another_scheme_is_refused(front: Server, secret: Server, tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaError) as told:
        get(f"{front.url}/{name}", tmp_path, allow_private=True)
    assert told.value.reason_code == "bad_address" and "http" in told.value.reason
    assert secret.asked == [] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a.mp4", "data:video/mp4;base64,AAAA"])
def test_other_schemes_are_refused_outright(tmp_path: Path, url: str) -> None:
    with pytest.raises(MediaError):
        get(url, tmp_path, allow_private=True)
    assert not list(tmp_path.iterdir())


def test_a_name_that_changes_its_answer_gains_nothing(secret: Server) -> None:
    answers = iter((["93.184.216.34"], ["127.0.0.2"], ["127.0.0.2"]))
    reached: list[str] = []

    def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in next(answers)]

    def connect(_one: socket.socket, place: tuple[str, int]) -> None:
        reached.append(place[0])
        raise OSError("nobody there")

    with FilteringProxy(allow_private=False, resolve=resolve, connect=connect) as proxy:
        with pytest.raises(OSError):
            through(proxy, f"http://rebind.example:{secret.port}/x")
        assert reached == ["93.184.216.34"]  # the checked address itself, not the name again
        assert through(proxy, f"http://rebind.example:{secret.port}/x")[0] == 403
    assert reached == ["93.184.216.34"] and secret.asked == []


def test_one_private_answer_among_public_ones_refuses_the_host() -> None:
    def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(0, 0, 0, "", (one, port)) for one in ("93.184.216.34", "10.0.0.1")]

    with pytest.raises(MediaError, match="private network"):
        addresses("both.example", 443, False, resolve)
    assert addresses("both.example", 443, ["Both.Example"], resolve) == ("93.184.216.34", "10.0.0.1")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1",
        "255.255.255.255", "168.63.129.16", "[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]", "[ff02::1]",
        "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(host: str) -> None:
    with pytest.raises(MediaError, match="private network"):
        check_host(f"http://{host}/x", allow_private=False)
    check_host(f"http://{host}/x", allow_private=[host.strip("[]")])


def test_public_addresses_pass_and_metadata_never_by_a_general_leave() -> None:
    check_host("http://93.184.216.34/x", allow_private=False)
    check_host("http://[2606:2800:220:1:248:1893:25c8:1946]/x", allow_private=False)
    check_host("http://192.168.0.1/x", allow_private=True)
    with pytest.raises(MediaError, match=r'to allow it, name it in study.toml: .* = \["169.254.169.254"\]'):
        check_host("http://169.254.169.254/latest", allow_private=True)


def test_no_more_than_allowed_in_bytes_time_and_slowness(front: Server) -> None:
    now = [0.0]
    with FilteringProxy(allow_private=True, clock=lambda: now[0]) as proxy:
        proxy.allow(largest=1_000_000, seconds=100, slow_s=10, least=1000)
        assert through(proxy, f"{front.url}/post", method="POST", body=b"x" * 50_000)[0] == 200
        now[0] = 11.0
        proxy.watch()
        assert proxy.refused is None  # 50 kB in 11 s
        proxy.resting(60)
        now[0] = 50.0
        proxy.watch()
        assert proxy.refused is None  # a pause of ours
        now[0] = 82.0
        proxy.watch()
        assert proxy.refused is not None and proxy.refused.reason_code == "too_slow"
        assert through(proxy, front.url)[0] == 403
    with FilteringProxy(allow_private=True) as proxy:
        proxy.allow(largest=100_000, seconds=100)
        with pytest.raises((OSError, http.client.HTTPException)):
            through(proxy, f"{front.url}/post", method="POST", body=b"x" * 2_000_000)
        assert proxy.refused is not None and proxy.refused.reason_code == "too_big"


def test_it_ends_with_its_block_whatever_hangs() -> None:
    left, cut = threading.Event(), threading.Event()

    def ask(proxy: FilteringProxy) -> None:
        with pytest.raises((OSError, http.client.HTTPException)):
            through(proxy, f"http://127.0.0.1:{mute.getsockname()[1]}/never", timeout_s=300)
        cut.set()

    def hold() -> None:
        with FilteringProxy(allow_private=True) as proxy:
            place = urlsplit(proxy.url)
            with socket.create_connection(("127.0.0.1", place.port or 0)):  # says nothing
                threading.Thread(target=ask, args=(proxy,), daemon=True).start()
                taken.append(mute.accept()[0])
        left.set()

    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(60)
        threading.Thread(target=hold, daemon=True).start()
        assert left.wait(60) and cut.wait(60)
        taken[0].close()


def test_it_ends_with_its_block_though_a_server_that_hangs_answers_only_then() -> None:
    connecting, is_cut, ended = threading.Event(), threading.Event(), threading.Event()

    class Late(FilteringProxy):
        def _cut(self) -> None:
            super()._cut()
            is_cut.set()

    def connect(one: socket.socket, place: tuple[str, int]) -> None:
        connecting.set()
        is_cut.wait(60)
        one.connect(place)

    def ask(proxy: FilteringProxy) -> None:
        with suppress(OSError, http.client.HTTPException):
            through(proxy, f"http://127.0.0.1:{mute.getsockname()[1]}/never")

    def hold() -> None:
        with Late(allow_private=True, connect=connect) as proxy:
            threading.Thread(target=ask, args=(proxy,)).start()
            connecting.wait(60)
        ended.set()

    with socket.create_server(("127.0.0.1", 0)) as mute:
        threading.Thread(target=hold, daemon=True).start()
        assert ended.wait(60)


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_it_ends_with_its_block_though_a_host_does_not_let_itself_be_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtering, "_CONNECT_S", 3600.0)
    ended = threading.Event()

    def is_connecting() -> bool:
        """In the state SYN_SENT, as the system tells: asked for, and not answered."""
        return f":{full.getsockname()[1]:04X} 02 " in Path("/proc/net/tcp").read_text()

    def ask(proxy: FilteringProxy) -> None:
        with suppress(OSError, http.client.HTTPException):
            through(proxy, f"http://127.0.0.1:{full.getsockname()[1]}/never")

    def hold() -> None:
        with FilteringProxy(allow_private=True) as proxy:
            threading.Thread(target=ask, args=(proxy,)).start()
            while not is_connecting():
                time.sleep(0.01)
        ended.set()

    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):  # takes the only place: whoever comes next is not answered
            threading.Thread(target=hold, daemon=True).start()
            assert ended.wait(60)
