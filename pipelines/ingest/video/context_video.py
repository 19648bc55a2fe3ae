"""Context video: a small copy (360p) of a source's video for the context pass, fetched after all audio.

A study asks for it with `[fetch] video = true`. The copy is never merged with the audio. A recording that contains
video itself, such as a local mp4, needs none. A video that cannot be fetched is reported and retried by the class of
its failure; the audio is not affected.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipelines.atomic_write import move_into_place, remove_leftovers
from pipelines.errors import MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.failures import problem_of
from pipelines.ingest.fetch.disk_space import check_room
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.format_selection import PICTURE
from pipelines.ingest.fetch.host_queues import Done, Errand, Lanes, Rested, Told
from pipelines.ingest.sources import is_url
from pipelines.ingest.state.queue import Item, Queue
from pipelines.media.recording import has_video
from pipelines.progress import Progress, ProgressCallback, ProgressReporter
from pipelines.study import Study
from pipelines.units import SourceId


def find_video(study: Study, source_id: SourceId, recording: Path | None = None) -> Path | None:
    """The video of a source on this machine: the downloaded copy, else `recording` where it contains video."""
    kept = sorted(study.video.glob(f"{source_id}.*"))
    if kept:
        return kept[0]
    return recording if recording is not None and has_video(recording) else None


def fetch_videos(
    study: Study,
    queue: Queue,
    items: Sequence[Item],
    manners: Manners,
    report: ProgressCallback,
    *,
    retry_failed: bool = False,
) -> Mapping[SourceId, str]:
    """Download the video of every source in `items` that has a URL and no video yet.

    Returns the problems, one sentence by source. Raises Cancelled out of `report`.
    """
    failed = {} if retry_failed else queue.videos_failed()
    problems = {name: error for name, error in failed.items() if error.failure in ("gone", "bug")}
    errands = [Errand(item.source_id, item.uri) for item in items if _needs_video(study, item, problems)]
    if errands:
        remove_leftovers(study.video)
        _VideoDownloads(study, queue, manners, report, problems).run(errands)
    return {name: error.reason for name, error in problems.items()}


def _needs_video(study: Study, item: Item, problems: Mapping[SourceId, MediaError]) -> bool:
    recording = Path(item.path) if item.path else None
    return is_url(item.uri) and item.source_id not in problems and find_video(study, item.source_id, recording) is None


class _VideoDownloads:
    """The downloads of one call of `fetch_videos`. Each failure is added to `problems`."""

    def __init__(
        self,
        study: Study,
        queue: Queue,
        manners: Manners,
        report: ProgressCallback,
        problems: dict[SourceId, MediaError],
    ) -> None:
        self._study, self._queue, self._manners, self._problems = study, queue, manners, problems
        self._report = ProgressReporter(report)
        self._ended = 0
        self._total = 0

    def run(self, errands: Sequence[Errand]) -> None:
        """Download all, host by host. Raises Cancelled; a download that is complete by then is kept."""
        self._total = len(errands)
        lanes = Lanes(errands, _downloader(self._study, self._manners), self._manners, self._queue.rests())
        try:
            with lanes:
                while not lanes.ended:
                    for news in lanes.news(0.1):
                        self._handle(news)
                    self._report.report_if_due(Progress("videos", self._ended, self._total))
        finally:
            for news in lanes.news(0.0):  # downloads that completed while the queues stopped
                if isinstance(news, Rested) or (isinstance(news, Done) and news.result is not None):
                    self._handle(news)

    def _handle(self, news: Told | Rested | Done[Path]) -> None:
        if isinstance(news, Told):
            with self._report.cancellation_deferred():
                self._report(Progress("fetch video", news.done, news.total, news.key))
        elif isinstance(news, Rested):
            self._queue.rest(news.host, news.rest)
        else:
            self._finish(news)

    def _finish(self, done: Done[Path]) -> None:
        self._ended += 1
        error = _store(self._study, done)
        self._queue.put_video(done.key, error)
        if error is not None:
            self._problems[done.key] = error
        with self._report.cancellation_deferred():
            self._report(Progress("videos", self._ended, self._total, done.key))


def _store(study: Study, done: Done[Path]) -> MediaError | None:
    """Move a finished download to the study's videos; the error where there is none."""
    if done.result is None:
        error = problem_of(done.key, done.error or RuntimeError("the download ended without a result"))
        if error.reason_code == "no_audio":  # what the download reports where no format matches
            return MediaError("no_picture", f"{done.key}: its site offers no video of 360 lines or fewer", "gone")
        return error
    try:
        move_into_place(done.result, study.video / f"{done.key}{done.result.suffix}")
    except OSError as error:
        return problem_of(done.key, error)
    return None


def _downloader(study: Study, manners: Manners) -> Callable[[Errand, OnProgress, threading.Event], Path]:
    def download(errand: Errand, on_progress: OnProgress, stop: threading.Event) -> Path:
        from pipelines.ingest.fetch.download import fetch

        study.video.mkdir(parents=True, exist_ok=True)
        check_room(errand.url, study.video, 0, manners)
        partial = study.media / "partial" / "video"
        got = fetch(errand.url, errand.key, partial, manners=manners, tell=on_progress, formats=PICTURE, stop=stop)
        if not has_video(got.path):
            got.path.unlink()
            raise MediaError("no_picture", f"{errand.url}: what the server sent contains no video", "gone")
        return got.path

    return download
