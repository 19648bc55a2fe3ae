"""https through the filtering proxy: a real certificate authority, made for the test, and a real TLS server."""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import certifi
import pytest

from pipelines.ingest.run import run
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.study import Study, create_study
from tests.pipelines.ingest.run.test_run import speech


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None: ...


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that does not trust the certificate hangs up, which is the point of one test."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of `localhost` in one file."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(made), "-days", "2", "-subj", "/CN=localhost"]
    try:
        subprocess.run([*command, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl program here to make a certificate with")
    whole = folder / "both.pem"
    whole.write_text(key.read_text() + made.read_text())
    return whole


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    audio.encode(folder / "play.mp4", speech(22050), 22050, "aac")
    server = _Server(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"https://localhost:{server.server_port}/play.mp4"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create_study("tls", rights_basis="made for this test", root=tmp_path)
    settings = made.settings_file.read_text()
    made.settings_file.write_text(f'allow_private_hosts = ["localhost"]\n{settings}\n[fetch]\npause_s = 0\n')
    return Study(made.root, made.name)


def test_https_comes_through_unread(
    study: Study, address: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certifi, "where", lambda: str(certificate))
    (row,) = run.ingest(study, [address], jobs=1).sources
    assert row.status == "ingested", row.reason
    assert len(read_clips(study.clips_csv)) == row.clips > 0


def test_a_certificate_that_nobody_vouches_for_is_a_row(study: Study, address: str) -> None:
    (row,) = run.ingest(study, [address], jobs=1).sources
    assert (row.status, row.reason_code, row.failure) == ("failed", "bad_certificate", "fix"), row.reason
    assert "certificate" in row.reason and not list(study.media.rglob("*.*"))


def test_a_private_host_is_refused_under_https_too(study: Study, address: str) -> None:
    settings = study.settings_file.read_text()
    study.settings_file.write_text(settings.replace('["localhost"]', "false"))
    (row,) = run.ingest(Study(study.root, study.name), [address], jobs=1).sources
    assert row.reason_code == "private_host", row.reason
