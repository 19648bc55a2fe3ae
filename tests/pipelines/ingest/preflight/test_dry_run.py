"""`ingest --dry-run`: a verdict with a sentence per source from one request each, and what it all needs.

What sites say (private, geo, live, DRM, age) comes from an extractor of our own that raises yt-dlp's exceptions in the
words of its extractors; none of it was ever seen against a live site.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError, GeoRestrictedError, UserNotLive

from pipelines.errors import Cancelled
from pipelines.ingest.fetch import ytdlp as fetching
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.ytdlp import Site
from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import run
from pipelines.ingest.state.queue import Item, open_queue
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.study import Study
from tests.pipelines.ingest.fetch.test_misbehaving import bodies, make_study, site
from tests.pipelines.ingest.misbehaving_server import Misbehaving
from tests.pipelines.ingest.run.test_run import speech

__all__ = ["bodies", "site"]

QUICK = Manners(allow_private=True, pause_s=0, reserve_bytes=0)

Case = Callable[[Any], dict[str, Any]]


def says(**said: Any) -> Case:
    return lambda _ie: said


def fails(error: Callable[[], Exception]) -> Case:
    def case(_ie: Any) -> dict[str, Any]:
        raise error()

    return case


def drm(**said: Any) -> dict[str, Any]:
    return {"formats": [{"format_id": "1", "url": "http://127.0.0.1:1/a.mp4", "ext": "mp4", "has_drm": True}], **said}


def silent_formats() -> dict[str, Any]:
    return {"formats": [{"format_id": "v", "url": "http://127.0.0.1:1/a.mp4", "ext": "mp4", "acodec": "none"}]}


def storyboards_only(ie: Any) -> dict[str, Any]:
    ie.report_warning("No supported JavaScript runtime could be found. Only deno is enabled by default")
    return {"formats": []}


CASES: dict[str, tuple[Case, str, str, str]] = {
    "private": (fails(lambda: ExtractorError("Private video. Sign in if you've been granted access to this video",
                                             expected=True)), "private", "reject", "is private"),
    "closed": (says(availability="private"), "private", "reject", "is private"),
    "login": (lambda ie: ie.raise_login_required(), "needs_account", "reject", "with an account"),
    "auth": (says(availability="needs_auth"), "needs_account", "reject", "with an account"),
    "members": (says(availability="subscriber_only"), "members_only", "reject", "for subscribers"),
    "geo": (fails(lambda: GeoRestrictedError("not here", countries=["TW", "JP"])),
            "geo_blocked", "reject", "it may be in TW, JP; nothing here goes round that"),
    "geotext": (fails(lambda: ExtractorError("The uploader has not made this video available in your country",
                                             expected=True)), "geo_blocked", "reject", "from this country"),
    "live": (says(live_status="is_live"), "live", "defer", "is a live stream that is running"),
    "upcoming": (says(live_status="is_upcoming"), "live", "defer", "has not begun"),
    "premiere": (fails(lambda: ExtractorError("Premieres in 3 hours", expected=True)), "live", "defer", "not begun"),
    "offline": (fails(lambda: UserNotLive()), "not_live", "defer", "is not running"),
    "drm": (lambda _ie: drm(), "drm", "reject", "DRM, which is never gone round"),
    "drmtext": (lambda ie: ie.report_drm("x"), "drm", "reject", "DRM, which is never gone round"),
    "age": (fails(lambda: ExtractorError("Sign in to confirm your age. This video may be inappropriate for some users",
                                         expected=True)), "age_gate", "reject", "behind an age gate"),
    "silent": (lambda _ie: silent_formats(), "no_audio", "reject", "no sound"),
    "none": (says(formats=[]), "no_audio", "reject", "no sound"),
    "runtime": (storyboards_only, "runtime_missing", "reject", "JavaScript runtime"),
    "deleted": (fails(lambda: ExtractorError("This video has been removed by the uploader", expected=True)),
                "not_found", "reject", "no longer there"),
    "short": (says(duration=2.0), "too_short", "reject", "lasts 2 s; one clip needs 3 s"),
    "long": (says(duration=36000), "too_long", "reject", "lasts 10.0 h, more than 4 h"),
    "big": (says(filesize=9 * 10**9), "too_big", "reject", "has 9 GB, more than 8 GB"),
    "list": (says(_type="playlist", entries=[], formats=None), "playlist", "reject", "is a list of recordings"),
    "fine": (says(duration=600.0, filesize=9_600_000), "", "accept", "can be fetched (10.0 min, 9.6 MB)"),
    "untold": (says(), "", "accept", "length not told, size not told"),
}  # fmt: skip


class TestSiteIE(InfoExtractor):  # type: ignore[misc]  # yt-dlp has no types
    """A site that says of each recording what its name asks for."""

    __test__ = False
    _VALID_URL = r"https?://127\.0\.0\.1:1/watch/(?P<id>\w+)"

    def _real_extract(self, url: str) -> dict[str, Any]:
        name = self._match_id(url)
        plain = {"id": name, "title": name, "url": f"http://127.0.0.1:1/{name}.mp4", "ext": "mp4"}
        said = CASES[name.removesuffix("2")][0](self)
        if "formats" in said and said["formats"] is not None:
            plain.pop("url")
        return {**plain, **said}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Site, "extra", (TestSiteIE,))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path / "root")


def dry(study: Study, *inputs: str, manners: Manners = QUICK) -> IngestReport:
    return run.ingest(Study(study.root, study.name), inputs, jobs=1, dry_run=True, manners=manners)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_verdict_and_a_sentence_for_what_sites_say(study: Study, name: str) -> None:
    _, code, verdict, words = CASES[name]
    url = f"http://127.0.0.1:1/watch/{name}"
    report = dry(study, url)
    (row,) = report.sources
    assert (row.reason_code, row.verdict) == (code, verdict), row.reason
    assert words in row.reason and url in row.reason and "\n" not in row.reason and "VPN" not in row.reason
    assert (row.status == "planned") == (verdict == "accept") == (report.exit_code == 0)
    assert not study.sources_csv.exists() and not study.media.exists()


@pytest.mark.usefixtures("watched")
def test_a_fetch_holds_to_the_same_verdict_before_the_body_is_asked_for(study: Study) -> None:
    names = ["live", "long", "auth", "big"]
    report = run.ingest(study, [f"http://127.0.0.1:1/watch/{name}" for name in names], jobs=1, manners=QUICK)
    assert [row.reason_code for row in report.sources] == [CASES[name][1] for name in names]


def test_one_request_each_and_none_for_a_week(study: Study, site: Misbehaving) -> None:
    now = [1_000_000.0]
    manners = replace(QUICK, clock=lambda: now[0])
    urls = (site.url("good"), site.url("error404"))
    for _ in range(2):
        good, gone = dry(study, *urls, manners=manners).sources
        assert (good.verdict, good.size_bytes) == ("accept", len(site.body)) and "length not told" in good.reason
        assert (gone.verdict, gone.reason_code) == ("reject", "not_found")
        assert sorted(path for path, *_ in site.asked) == ["/error404.mp4", "/good.mp4"]
    now[0] += 8 * 24 * 3600
    dry(study, *urls, manners=manners)
    assert len(site.asked) == 4
    assert not study.sources_csv.exists() and not list(study.private.rglob("*.mp4*"))


@pytest.mark.usefixtures("watched")
def test_what_it_all_needs(study: Study, tmp_path: Path) -> None:
    audio.encode(tmp_path / "here.wav", speech(), 16000, "pcm16")
    inputs = (str(tmp_path / "here.wav"), "http://127.0.0.1:1/watch/fine")
    report = dry(study, *inputs)
    here, fine = report.sources
    assert (fine.duration_s, fine.size_bytes) == (600.0, 9_600_000)
    assert fine.disk_bytes == 9_600_000 + 600 * 192_000
    assert here.verdict == "accept" and here.size_bytes == (tmp_path / "here.wav").stat().st_size
    assert report.disk_needed == fine.disk_bytes + (here.disk_bytes or 0) - (here.size_bytes or 0)
    assert report.disk_free and report.estimated_s == pytest.approx(612 / 100, rel=0.01)
    document = report.document()
    assert document["disk_needed_bytes"] == report.disk_needed and document["sources"][1]["verdict"] == "accept"
    full = dry(study, *inputs, manners=replace(QUICK, reserve_bytes=10**15))
    assert {(row.verdict, row.reason_code) for row in full.sources} == {("defer", "disk_full")}
    assert "there is no room for it" in full.sources[1].reason


@pytest.mark.usefixtures("watched")
def test_a_recording_under_two_addresses_of_one_site_is_told_as_a_repeat(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CASES, "fine", (says(id="same"), "", "", ""))
    first, second = dry(study, "http://127.0.0.1:1/watch/fine", "http://127.0.0.1:1/watch/fine2").sources
    assert (first.verdict, second.verdict, second.status) == ("accept", "reject", "duplicate")
    assert "the same recording as source 'fine'" in second.reason


@pytest.mark.usefixtures("watched")
def test_a_repeat_of_what_is_no_longer_in_the_study_is_none(study: Study) -> None:
    url = "http://127.0.0.1:1/watch/fine"
    facts = {"extractor": "TestSite", "extractor_id": "fine"}
    with open_queue(study.ingest_db) as queue:
        queue.put(Item("before", f"{url}2", status="fetched", facts=facts))
    (row,) = dry(study, url).sources
    assert (row.verdict, row.status) == ("accept", "planned")
    study.sources_csv.write_text(f"source_id,uri\nbefore,{url}2\n")
    (row,) = dry(study, url).sources
    assert (row.status, row.reason_code) == ("duplicate", "duplicate") and "source 'before'" in row.reason


def test_a_dry_run_hears_429_too_and_later_runs_keep_to_it(study: Study, site: Misbehaving) -> None:
    now = datetime(2030, 1, 1, 12, tzinfo=UTC).timestamp()
    manners = replace(QUICK, clock=lambda: now)
    rows = dry(study, site.url("error429"), site.url("good"), manners=manners).sources
    assert [(row.verdict, row.reason_code) for row in rows] == [("defer", "too_many_requests")] * 2
    assert "is left alone until 2030-01-01 14:00 UTC" in rows[1].reason
    asked = len(site.asked)
    again = run.ingest(study, [site.url("good")], jobs=1, manners=manners)
    assert again.sources[0].failure == "defer" and len(site.asked) == asked


def test_a_dry_run_that_is_stopped_waits_for_no_answer(
    study: Study, site: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetching._OPTIONS, "socket_timeout", 3600)  # type: ignore[arg-type]

    def stop(progress: Progress) -> None:
        if progress.stage == "look" and site.at_once:
            raise Cancelled("enough")

    ended: list[bool] = []

    def rehearse() -> None:
        patient = replace(QUICK, metadata_s=3600)
        with pytest.raises(Cancelled):
            run.ingest(study, [site.url("mutters")], jobs=1, dry_run=True, manners=patient, report=stop)
        ended.append(True)

    running = threading.Thread(target=rehearse)
    running.start()
    running.join(60)
    in_time = list(ended)
    site.closed.set()
    running.join()
    assert in_time
