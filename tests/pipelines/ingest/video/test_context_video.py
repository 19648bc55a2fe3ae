"""The film beside the sound: fetched where the study asks for it, never merged, never in the way of the sound."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from yt_dlp.extractor.common import InfoExtractor

from pipelines.errors import Cancelled
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.failures import TooManyRequests
from pipelines.ingest.fetch.fetch_policy import manners_of
from pipelines.ingest.fetch.host_queues import Done, Errand
from pipelines.ingest.fetch.ytdlp import Site as Downloader
from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import run
from pipelines.ingest.state.queue import Item, open_queue
from pipelines.ingest.video import context_video
from pipelines.ingest.video.context_video import fetch_videos, find_video
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.media.recording import has_video
from pipelines.progress import Progress
from pipelines.study import Study, create_study
from tests.pipelines.ingest.fetch.test_download import Site
from tests.pipelines.ingest.run.test_run import speech
from tests.synthetic_audio import video_without_sound


class FilmIE(InfoExtractor):  # type: ignore[misc]  # yt-dlp has no types
    """A site with the sound alone and the picture alone in three sizes; `radio` has no picture."""

    _VALID_URL = r"(?P<host>http://127\.0\.0\.1:\d+)/film/(?P<id>\w+)"

    def _real_extract(self, url: str) -> dict[str, Any]:
        host, name = self._match_valid_url(url).group("host", "id")
        formats = [{"format_id": "sound", "url": f"{host}/sound.m4a", "ext": "m4a", "vcodec": "none"}]
        if name != "radio":
            address = f"{host}/500" if name == "broken" else f"{host}/silent.mp4"
            formats += [
                {"format_id": f"p{height}", "url": address, "ext": "mp4", "acodec": "none", "height": height}
                for height in (144, 360, 1080)
            ]
        return {"id": name, "title": name, "formats": formats}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(Downloader, "extra", (FilmIE,))
    audio.encode(tmp_path / "sound.m4a", speech(22050), 22050, "aac")
    silent = video_without_sound(tmp_path / "silent.mp4").read_bytes()
    made = Site(
        {"sound.m4a": ("audio/mp4", (tmp_path / "sound.m4a").read_bytes()), "silent.mp4": ("video/mp4", silent)}
    )
    yield made
    made.close()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create_study("films", rights_basis="made for this test", root=tmp_path / "root")
    settings = made.settings_file.read_text()
    made.settings_file.write_text(f"allow_private_hosts = true\n{settings}\n[fetch]\npause_s = 0\nvideo = true\n")
    return made


def ingest(study: Study, *inputs: str, retry_failed: bool = False) -> IngestReport:
    return run.ingest(Study(study.root, study.name), inputs, jobs=1, retry_failed=retry_failed)


def test_the_video_is_kept_separately_and_fetched_once(site: Site, study: Study) -> None:
    (row,) = ingest(study, site["film/drama"]).sources
    assert row.status == "ingested", row.reason
    film = find_video(study, row.source_id)
    assert film == study.video / f"{row.source_id}.mp4" and film is not None and has_video(film)
    assert site.asked.count("/silent.mp4") == 1
    sound = next(study.media.glob("*.m4a"))
    assert not has_video(sound) and read_clips(study.clips_csv)
    assert not [file for file in (study.media / "partial").rglob("*") if file.is_file()]
    asked = len(site.asked)
    assert not ingest(study).changed and len(site.asked) == asked


def test_a_video_that_cannot_be_fetched_does_not_affect_the_audio(site: Site, study: Study) -> None:
    radio, broken = ingest(study, site["film/radio"], site["film/broken"]).sources
    assert (radio.status, radio.video) == ("ingested", "radio: its site offers no video of 360 lines or fewer")
    assert broken.status in ("ingested", "duplicate") and (broken.status == "duplicate" or "500" in broken.video)
    asked = len(site.asked)
    (radio, *_) = ingest(study).sources
    assert "no video" in radio.video and len(site.asked) - asked <= 4  # the one that may come back is asked again


def test_no_video_is_fetched_without_the_setting(site: Site, study: Study) -> None:
    study.settings_file.write_text(study.settings_file.read_text().replace("video = true", "video = false"))
    (row,) = ingest(study, site["film/drama"]).sources
    assert (row.status, row.video) == ("ingested", "") and not study.video.exists()
    study.settings_file.write_text(study.settings_file.read_text().replace("video = false", "video = true"))
    ingest(study)
    assert find_video(study, row.source_id), "it is fetched when the setting changes later"


def test_cancelling_works_while_a_server_does_not_respond_and_complete_downloads_are_kept(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()

    def download(errand: Errand, on_progress: OnProgress, stop: threading.Event) -> Path:
        asked.set()
        assert stop.wait(60), "it is stopped at the end of its fetch"
        study.video.mkdir(parents=True)
        film = tmp_path / "came.mp4"
        film.write_text("whole")
        return film

    def stop(_: Progress) -> None:
        if asked.is_set():
            raise Cancelled("enough")

    monkeypatch.setattr(context_video, "_downloader", lambda *_: download)
    with open_queue(study.ingest_db) as queue, pytest.raises(Cancelled):
        fetch_videos(study, queue, [Item("one", "http://127.0.0.1/one")], manners_of(study.settings), stop)
    assert (study.video / "one.mp4").read_text() == "whole"


def test_a_host_pause_requested_during_cancellation_is_kept(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def download(errand: Errand, on_progress: OnProgress, stop: threading.Event) -> Path:
        asked.set()
        assert stop.wait(60), "the host answers while the run is stopped"
        raise TooManyRequests("too_many_requests", "429", 7200.0)

    def stop(_: Progress) -> None:
        if asked.is_set():
            raise Cancelled("enough")

    monkeypatch.setattr(context_video, "_downloader", lambda *_: download)
    with open_queue(study.ingest_db) as queue:
        with pytest.raises(Cancelled):
            fetch_videos(study, queue, [Item("one", "http://127.0.0.1/one")], manners_of(study.settings), stop)
        assert queue.rests()["127.0.0.1"].strikes == 1


def test_a_missing_disk_does_not_affect_the_audio(site: Site, study: Study) -> None:
    study.video.parent.mkdir(parents=True, exist_ok=True)
    study.video.symlink_to("/nowhere/mounted")
    (row,) = ingest(study, site["film/drama"]).sources
    assert row.status == "ingested" and row.video.endswith("see to the disk and ingest again")
    study.video.unlink()
    ingest(study)
    assert find_video(study, row.source_id), "tried again by itself"


def test_a_video_that_cannot_be_moved_is_reported(study: Study, tmp_path: Path) -> None:
    (tmp_path / "one.mp4").touch()
    error = context_video._store(study, Done("one", tmp_path / "one.mp4", None, 1))  # there is no folder for films
    assert error is not None and (error.reason_code, error.failure) == ("disk", "fix")


def test_a_recording_with_video_needs_no_download(study: Study, tmp_path: Path) -> None:
    film = film_with_sound(tmp_path / "film.mp4")
    cover = tmp_path / "song.m4a"
    audio.encode(cover, speech(22050), 22050, "aac")
    (row,) = ingest(study, str(film)).sources
    assert row.status == "ingested" and row.video == ""
    assert find_video(study, row.source_id, film) == film and find_video(study, row.source_id, cover) is None
    assert find_video(study, row.source_id, tmp_path / "missing.mp4") is None


def film_with_sound(path: Path) -> Path:
    sound = speech(22050)
    with av.open(str(path), "w") as container:
        voice = container.add_stream("aac", rate=22050, layout="mono")
        picture = container.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        for number in range(len(sound) * 10 // 22050):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        for start in range(0, len(sound), 1024):
            block = np.ascontiguousarray(sound[None, start : start + 1024], np.float32)
            heard = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            heard.sample_rate, heard.pts = 22050, start
            container.mux(voice.encode(heard))
        container.mux(voice.encode(None))
    return path
