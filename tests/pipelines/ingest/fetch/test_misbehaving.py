"""Real yt-dlp against a server that misbehaves: a row with class and sentence each, nothing half-made, others go on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.extractor.common import InfoExtractor

from pipelines.errors import MediaError
from pipelines.ingest.failures import TooManyRequests
from pipelines.ingest.fetch.download import fetch
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.format_selection import sound_formats
from pipelines.ingest.fetch.ytdlp import Site
from pipelines.ingest.report import IngestReport, Row
from pipelines.ingest.run import run
from pipelines.ingest.selection.screens import SCREENS
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.study import Study, create_study
from tests.pipelines.ingest.misbehaving_server import Misbehaving, no_connection_left
from tests.pipelines.ingest.run.test_run import snapshot, speech

#: Made voices are no voices to the screens, which are not looked at here.
SETTINGS = "\n[fetch]\npause_s = 0\nmax_size_gb = 0.003\ntimeout_h = 0.05\nreserve_gb = 0\n" + "".join(
    f"[screen.{name}]\n" for name in SCREENS
)

#: Name on the server, reason code, class, words.
BAD = [
    ("error404", "not_found", "gone", "is not there (the server says 404)"),
    ("error410", "not_found", "gone", "is not there (the server says 410)"),
    ("error403", "refused", "gone", "the server refuses it (it says 403)"),
    ("error500", "server_error", "retry", "could not give it (it says 500)"),
    ("promised", "broken_off", "retry", "broke off before its end"),
    ("drip", "too_slow", "defer", "took longer than a fetch may take"),
    ("endless", "too_big", "fix", "is larger than 0.003 GB"),
    ("huge", "too_big", "fix", "is larger than 0.003 GB"),
    ("html", "not_media", "gone", "what the server gave is not a recording"),
    ("zero", "empty", "gone", "a file of 0 bytes"),
    ("garbage", "unreachable", "retry", "cannot be reached"),
]


@dataclass
class Night:
    """One run over everything that can go wrong, with good recordings before, between and after."""

    study: Study
    site: Misbehaving
    report: IngestReport
    dripping: IngestReport
    body: bytes
    other: bytes

    def row(self, name: str) -> Row:
        rows = (*self.report.sources, *self.dripping.sources)
        return next(row for row in rows if row.given.endswith(f"/{name}.mp4"))


def make_study(root: Path) -> Study:
    study = create_study("night", rights_basis="made for this test", root=root)
    settings = study.settings_file.read_text()
    study.settings_file.write_text(f"allow_private_hosts = true\n{settings}{SETTINGS}")
    return Study(root, "night")


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("bodies")
    for seed in (0, 20):
        audio.encode(folder / f"{seed}.mp4", speech(22050, seed), 22050, "aac")
    return (folder / "0.mp4").read_bytes(), (folder / "20.mp4").read_bytes()


@pytest.fixture
def site(bodies: tuple[bytes, bytes]) -> Iterator[Misbehaving]:
    made = Misbehaving(*bodies)
    yield made
    made.close()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, bodies: tuple[bytes, bytes]) -> Iterator[Night]:
    site = Misbehaving(*bodies)
    study = make_study(tmp_path_factory.mktemp("root"))
    names = ["drop", *(name for name, *_ in BAD if name != "drip"), "edition"]
    report = run.ingest(study, [site.url(name) for name in names], jobs=1)
    hasty = make_study(tmp_path_factory.mktemp("hasty"))  # the drip takes all the patience there is, the others none
    settings = hasty.settings_file.read_text()
    hasty.settings_file.write_text(settings.replace("timeout_h = 0.05", "timeout_h = 0.0003"))
    dripping = run.ingest(hasty, [site.url("drip")], jobs=1)
    yield Night(study, site, report, dripping, *bodies)
    site.close()


@pytest.mark.parametrize(("name", "code", "failure", "words"), BAD)
def test_one_row_with_class_and_sentence(night: Night, name: str, code: str, failure: str, words: str) -> None:
    row = night.row(name)
    assert (row.status, row.reason_code, row.failure, row.clips) == ("failed", code, failure, 0), row.reason
    assert words in row.reason and night.site.url(name) in row.reason and "\n" not in row.reason


def test_the_others_went_on_and_nothing_half_made_is_left(night: Night) -> None:
    assert night.report.exit_code == 3
    assert {row.source_id for row in night.report.sources if row.status == "ingested"} == {"drop", "edition"}
    assert {clip.source_id for clip in read_clips(night.study.clips_csv)} == {"drop", "edition"}
    assert sorted(file.name for file in night.study.media.rglob("*") if file.is_file()) == ["drop.mp4", "edition.mp4"]
    assert {file.name.split("-")[0] for file in night.study.audio.iterdir()} == {"drop", "edition"}


def test_a_drop_in_mid_body_is_continued_by_range(night: Night) -> None:
    assert (night.study.media / "drop.mp4").read_bytes() == night.body
    asked = [(span, mark) for path, span, mark in night.site.asked if path == "/drop.mp4"]
    assert len(asked) == 3 and asked[2][0].startswith("bytes=") and asked[2][1] == '"one"'


def test_a_file_that_changed_between_two_parts_is_begun_anew(night: Night) -> None:
    assert (night.study.media / "edition.mp4").read_bytes() == night.other


def get(site: Misbehaving, name: str, folder: Path, retries: int = 10) -> Path:
    manners = Manners(allow_private=True, pause_s=0, retries=retries)
    return fetch(site.url(name), "x", folder, manners=manners, tell=lambda _done, _total: None).path


def test_a_part_is_continued_by_a_later_run(site: Misbehaving, bodies: tuple[bytes, bytes], tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="broke off before its end"):
        get(site, "drop", tmp_path, retries=0)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.mark", "x.mp4.part"]
    assert get(site, "drop", tmp_path).read_bytes() == bodies[0]
    assert [bool(span) for _, span, _ in site.asked] == [False, False, False, True]
    assert [file.name for file in tmp_path.iterdir()] == ["x.mp4"]


def test_a_server_without_range_is_asked_for_the_whole_and_nothing_is_appended(
    site: Misbehaving, bodies: tuple[bytes, bytes], tmp_path: Path
) -> None:
    assert get(site, "ignored", tmp_path).read_bytes() == bodies[0]
    assert any(span for _, span, _ in site.asked)


def test_a_part_without_a_mark_is_not_continued_by_a_later_run(
    site: Misbehaving, bodies: tuple[bytes, bytes], tmp_path: Path
) -> None:
    with pytest.raises(MediaError):
        get(site, "unmarked", tmp_path, retries=0)
    assert not list(tmp_path.iterdir())
    assert get(site, "unmarked", tmp_path).read_bytes() == bodies[0]
    assert not any(span for _, span, _ in site.asked)


def test_another_edition_is_never_appended_even_where_the_server_would(
    site: Misbehaving, bodies: tuple[bytes, bytes], tmp_path: Path
) -> None:
    with pytest.raises(MediaError) as told:
        get(site, "edition2", tmp_path)
    assert (told.value.reason_code, told.value.failure) == ("changed_within", "retry")
    assert not list(tmp_path.iterdir())
    assert get(site, "edition2", tmp_path).read_bytes() == bodies[1]


class TwoFormatsIE(InfoExtractor):  # type: ignore[misc]  # yt-dlp has no types
    """A site that offers two formats; the second is the better one."""

    _VALID_URL = r"(?P<host>http://127\.0\.0\.1:\d+)/watch/(?P<id>\w+)"

    def _real_extract(self, url: str) -> dict[str, Any]:
        host = self._match_valid_url(url)["host"]
        formats = [
            {"format_id": name, "url": f"{host}/{name}.mp4", "ext": "mp4", "vcodec": "none", "abr": rate}
            for name, rate in (("low-1", 64), ("high-2", 128))
        ]
        return {"id": "x", "title": "A title/../../with %(id)s", "formats": formats}


@pytest.mark.parametrize(
    ("pinned", "taken"), [("", "high-2"), ("low-1", "low-1"), ("no-more", "high-2"), ("a]/b[", "high-2")]
)
def test_the_format_that_was_chosen_before_is_chosen_again(
    site: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: str, taken: str
) -> None:
    monkeypatch.setattr(Site, "extra", (TwoFormatsIE,))
    manners = Manners(allow_private=True, pause_s=0)
    url = site.url("a").replace("/a.mp4", "/watch/a")
    got = fetch(url, "x", tmp_path, manners=manners, tell=lambda _done, _total: None, formats=sound_formats(pinned))
    assert got.facts["format_id"] == taken and [path for path, *_ in site.asked] == [f"/{taken}.mp4"]
    assert got.path == tmp_path / "x.mp4" and got.facts["title"] == "A title/../../with %(id)s"


class TonguesIE(InfoExtractor):  # type: ignore[misc]  # yt-dlp has no types
    """A site that offers a dubbed track of a higher rate beside the original, and tells more than is asked of it."""

    _VALID_URL = r"(?P<host>http://127\.0\.0\.1:\d+)/film/(?P<id>\w+)"

    def _real_extract(self, url: str) -> dict[str, Any]:
        host = self._match_valid_url(url)["host"]
        stream = "clen=1234&dur=6.5&lmt=1700000000000001&ip=203.0.113.9"
        formats = [
            {"format_id": name, "url": f"{host}/{name}.mp4?{stream}", "ext": "mp4", "vcodec": "none", "abr": rate,
             "language": name}
            for name, rate in (("zh-Hant", 64), ("en", 128))
        ]  # fmt: skip
        said = {"uploader": "A  channel\nof theirs", "upload_date": "20260102", "license": "CC BY 4.0"}
        return {
            "id": "x",
            "title": "t",
            "formats": formats,
            "duration": 3600 if self._match_id(url) == "long" else 8,
            **said,
        }


@pytest.mark.parametrize(("language", "taken"), [("zh-Hant-TW", "zh-Hant"), ("ja", "en"), ("", "en"), ("z]/[", "en")])
def test_the_language_of_the_source_is_preferred(
    site: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, taken: str
) -> None:
    monkeypatch.setattr(Site, "extra", (TonguesIE,))
    manners = Manners(allow_private=True, pause_s=0)
    url = site.url("a").replace("/a.mp4", "/film/a")
    formats = sound_formats("", language)
    got = fetch(url, "x", tmp_path, manners=manners, tell=lambda _done, _total: None, formats=formats)
    assert got.facts["format_id"] == taken
    assert {name: got.facts[name] for name in ("uploader", "upload_date", "licence", "bitrate_bps")} == {
        "uploader": "A channel of theirs", "upload_date": "2026-01-02", "licence": "CC BY 4.0",
        "bitrate_bps": {"zh-Hant": "64000", "en": "128000"}[taken],
    }  # fmt: skip
    stream = {name: got.facts[name] for name in ("stream_clen", "stream_dur_s", "stream_lmt_us")}
    assert stream == {"stream_clen": "1234", "stream_dur_s": "6.5", "stream_lmt_us": "1700000000000001"}
    assert not any("203.0.113.9" in cell for cell in got.facts.values())


def test_a_recording_shorter_than_its_site_tells_is_not_the_whole(
    site: Misbehaving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Site, "extra", (TonguesIE,))
    study = make_study(tmp_path)
    (row,) = run.ingest(study, [site.url("a").replace("/a.mp4", "/film/long")], jobs=1).sources
    assert (row.reason_code, row.failure) == ("broken_off", "retry") and "of the 3600 s" in row.reason
    assert not list(study.media.rglob("*.*"))


@pytest.mark.parametrize(
    ("said", "low", "high"),
    [
        ("120", 120, 120), ("9999999", 86400, 86400), ("soon", None, None), ("", None, None),
        ("in +2 h", 7100, 7201), ("in -2 h", 0, 0),
    ],
)  # fmt: skip
def test_a_rest_is_kept_as_the_server_words_it(
    site: Misbehaving, tmp_path: Path, said: str, low: float | None, high: float | None
) -> None:
    if said.endswith(" h"):  # a date, told now: these lines may have been read long ago
        at = datetime.now(UTC) + timedelta(hours=int(said.split()[1]))
        said = format_datetime(at, usegmt=True)
    site.retry_after = said
    with pytest.raises(TooManyRequests) as caught:
        fetch(site.url("error429"), "x", tmp_path, manners=Manners(allow_private=True, pause_s=0), tell=lambda *_: None)
    rest_s = caught.value.rest_s
    assert rest_s == low if low is None or high is None else rest_s is not None and low <= rest_s <= high


def test_less_announced_than_there_is_gives_a_row_not_half_a_recording(site: Misbehaving, tmp_path: Path) -> None:
    study = make_study(tmp_path)
    (row,) = run.ingest(study, [site.url("hidden")], jobs=1).sources
    assert row.status == "failed" and row.reason_code in ("damaged", "cut_short", "not_media", "no_audio"), row.reason
    assert not study.clips_csv.exists() and not list(study.audio.glob("*"))


@pytest.mark.parametrize("moment", ["*/*.part", "*.mp4", "../audio/*.wav"])
def test_killed_while_fetching_and_run_again_gives_the_same_bytes(
    site: Misbehaving, tmp_path: Path, moment: str
) -> None:
    urls = [site.url("slowly1"), site.url("slowly2")]
    whole, study = make_study(tmp_path / "whole"), make_study(tmp_path / "killed")
    assert run.ingest(whole, urls, jobs=1).exit_code == 0
    code = "import sys; from workbench.cli.main import main; main(sys.argv[1:])"
    if moment.endswith(".part"):
        site.gate.clear()  # half of it comes, and the rest after the kill
    running = subprocess.Popen(
        [sys.executable, "-c", code, "ingest", *urls, "--jobs", "1"],
        env={**os.environ, "WORKBENCH_ROOT": str(study.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list(study.media.glob(moment)) and running.poll() is None:
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    assert running.wait() in (-signal.SIGKILL, 0)  # 0: it was quicker than this loop
    site.gate.set()
    assert run.ingest(study, urls, jobs=1).exit_code == 0
    assert snapshot(study) == snapshot(whole)


@pytest.mark.parametrize("name", ["error404", "error500", "promised", "endless"])
def test_no_connection_outlives_its_fetch(site: Misbehaving, tmp_path: Path, name: str) -> None:
    manners = Manners(allow_private=True, pause_s=0, retries=1, largest_bytes=1_000_000)
    with no_connection_left(), pytest.raises(MediaError):
        fetch(site.url(name), "x", tmp_path, manners=manners, tell=lambda *_: None)
