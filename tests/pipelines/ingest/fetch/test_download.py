"""pipelines.ingest.fetch.download: real yt-dlp against a real HTTP server on loopback."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipelines.errors import Cancelled, MediaError
from pipelines.ingest.fetch.allowed_hosts import check_host
from pipelines.ingest.fetch.download import fetch
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import run
from pipelines.ingest.sources import canonical_url
from pipelines.manifest import read_clips, read_table
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.study import Study, create_study
from tests.pipelines.ingest.run.test_run import speech
from tests.synthetic_audio import video_without_sound

# yt-dlp leaves some sockets of refused answers to the garbage collector.
PAGE = b"<!doctype html><html><head><title>A page</title></head><body><p>Nothing to hear.</p></body></html>"


class Site:
    """A loopback server. Keeps every path that was asked for; while `gate` is cleared it sends the half of a body."""

    def __init__(self, files: dict[str, tuple[str, bytes]]) -> None:
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        asked, gate = self.asked, self.gate

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                name = self.path.split("?")[0].lstrip("/")
                if name == "moved.mp4":
                    self.send_response(302)
                    self.send_header("Location", "/play.mp4")
                    self.end_headers()
                    return
                if name.isdecimal():
                    self.send_error(int(name))
                    return
                if name not in files:
                    self.send_error(404)
                    return
                kind, body = files[name]
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body[: len(body) // 2])
                    gate.wait(60)
                    if name != "short.mp4":
                        self.wfile.write(body[len(body) // 2 :])

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def __getitem__(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{name}"

    def close(self) -> None:
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    audio.encode(folder / "play.mp4", speech(22050), 22050, "aac")
    audio.encode(folder / "play.webm", speech(48000, 3), 48000, "opus")
    play = (folder / "play.mp4").read_bytes()
    made = Site(
        {
            "play.mp4": ("video/mp4", play),
            "again.mp4": ("video/mp4", play),
            "play.webm": ("video/webm", (folder / "play.webm").read_bytes()),
            "page.html": ("text/html", PAGE),
            "page.mp4": ("video/mp4", PAGE),
            "short.mp4": ("video/mp4", play),
            "silent.mp4": ("video/mp4", video_without_sound(folder / "silent.mp4").read_bytes()),
        }
    )
    yield made
    made.close()


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = create_study("web", rights_basis="made for this test", root=tmp_path)
    settings = made.settings_file.read_text()
    made.settings_file.write_text(f"allow_private_hosts = true\n{settings}\n[fetch]\npause_s = 0\n")
    return made


def ingest(study: Study, *inputs: str) -> IngestReport:
    return run.ingest(Study(study.root, study.name), inputs, jobs=1)


def test_addresses_become_clips_and_are_fetched_once(study: Study, site: Site) -> None:
    urls = (site["play.mp4?token=1#start"], site["play.webm"])
    report = ingest(study, *urls)
    assert [(row.source_id, row.status) for row in report.sources] == [
        ("play", "ingested"),
        (report.sources[1].source_id, "ingested"),
    ]
    assert report.sources[1].source_id.startswith("play-")
    rows = {row["source_id"]: row for row in read_table(study.sources_csv)}
    assert rows["play"]["uri"] == urls[0].removesuffix("#start")
    assert (rows["play"]["kind"], rows["play"]["extractor"], rows["play"]["acodec"]) == ("url", "generic", "aac")
    assert (study.media / "play.mp4").is_file()
    tables = study.sources_csv.read_bytes(), study.clips_csv.read_bytes()
    site.asked.clear()
    for inputs in (urls, ()):
        again = ingest(study, *inputs)
        assert (again.changed, again.exit_code, site.asked) == (False, 0, [])
        assert {row.status for row in again.sources} == {"unchanged"}
    assert (study.sources_csv.read_bytes(), study.clips_csv.read_bytes()) == tables


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("none.mp4", "not_found", "is not there (the server says 404)"),
        ("page.html", "web_page", "is a web page, not a recording"),
        ("page.mp4", "not_media", "what the server gave is not a recording"),
        ("silent.mp4", "no_audio", "what the server gave has no audio track"),
        ("403", "refused", "the server refuses it (it says 403)"),
    ],
)
def test_an_address_that_gives_no_recording_is_one_row(
    study: Study, site: Site, name: str, code: str, words: str
) -> None:
    report = ingest(study, site[name])
    (row,) = report.sources
    assert (row.status, row.reason_code, report.exit_code) == ("failed", code, 1)
    assert words in row.reason and site[name] in row.reason and "\n" not in row.reason
    assert not study.sources_csv.exists() and not study.clips_csv.exists()
    assert not [file for file in study.media.glob("*") if file.is_file()]
    both = ingest(study, site[name], site["play.mp4"])
    assert (both.exit_code, [row.status for row in both.sources]) == (3, ["failed", "ingested"])


def test_a_body_that_breaks_off_is_never_taken_for_the_whole(study: Study, site: Site) -> None:
    (row,) = ingest(study, site["short.mp4"]).sources
    assert (row.status, row.clips) == ("failed", 0)
    assert row.reason_code in ("broken_off", "unreachable", "site_error"), row.reason
    assert not [file for file in study.media.glob("*") if file.is_file()]


def test_the_same_recording_under_two_addresses_is_taken_once(study: Study, site: Site) -> None:
    report = ingest(study, site["play.mp4"], site["again.mp4"], site["moved.mp4"])
    assert [row.status for row in report.sources] == ["ingested", "duplicate", "duplicate"]
    assert report.exit_code == 0 and {clip.source_id for clip in read_clips(study.clips_csv)} == {"play"}
    site.asked.clear()
    assert ingest(study, site["play.mp4"], site["again.mp4"]).changed is False
    assert site.asked == []


def test_private_hosts_are_refused_unless_the_study_allows_them(study: Study, site: Site) -> None:
    study.settings_file.write_text(study.settings_file.read_text().replace("allow_private_hosts = true\n", ""))
    site.asked.clear()
    (row,) = ingest(study, site["play.mp4"]).sources
    assert (row.reason_code, site.asked) == ("private_host", [])
    assert "127.0.0.1 is in a private network; to allow it, set allow_private_hosts = true" in row.reason


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.1.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_private_addresses(host: str) -> None:
    with pytest.raises(MediaError, match="private network"):
        check_host(f"http://{host}/x", allow_private=False)
    check_host(f"http://{host}/x", allow_private=True)
    check_host("http://93.184.216.34/x", allow_private=False)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.org/a.mp4", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("http://me:secret@example.org/a.mp4", "user name or password"),
        ("http:///a.mp4", "names no host"),
        ("http://example.org:x/a.mp4", "is not an address"),
    ],
)
def test_odd_addresses_are_refused_and_told_without_a_password(study: Study, url: str, words: str) -> None:
    (row,) = ingest(study, url).sources
    assert row.reason_code == "bad_address" and words in row.reason and "secret" not in row.reason


def test_canonical_urls() -> None:
    assert canonical_url(" HTTP://Example.ORG:80/A?b=C#d ") == "http://example.org:80/A?b=C"
    assert canonical_url("https://example.org") == "https://example.org/"


def test_a_folder_with_signs_that_yt_dlp_reads_is_only_a_folder(study: Study, site: Site, tmp_path: Path) -> None:
    odd = tmp_path / "100%(id)s $HOME ~"
    got = fetch(site["play.mp4"], "x", odd, manners=Manners(allow_private=True), tell=lambda done, total: None)
    assert got.path == odd / "x.mp4" and got.path.is_file()


def test_stopping_a_fetch_is_cancelled_and_goes_on_later(study: Study, site: Site) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage == "fetch":
            raise Cancelled("enough")

    site.gate.clear()  # what came whole would be kept
    with pytest.raises(Cancelled):
        run.ingest(study, [site["play.mp4"]], report=stop, jobs=1)
    site.gate.set()
    assert not [file for file in study.media.glob("*") if file.is_file()]
    assert ingest(study, site["play.mp4"]).sources[0].status == "ingested"
