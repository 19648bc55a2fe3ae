"""The film for the context pass: a small copy (360p) beside the sound, never merged with it, fetched after all sound.

A study asks for it with `[fetch] video = true`. A recording that holds its own picture, such as a local mp4, needs
none. What cannot be had is told and tried again by the class of its failure, and takes nothing from the sound.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipelines.atomic_write import move_into_place, sweep
from pipelines.errors import MediaError
from pipelines.execution.process_pool import Tell
from pipelines.ingest.failures import problem_of
from pipelines.ingest.fetch.disk_space import check_room
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.format_selection import PICTURE
from pipelines.ingest.fetch.host_queues import Done, Errand, Lanes, Rested, Told
from pipelines.ingest.sources import is_url
from pipelines.ingest.state.queue import Item, Queue
from pipelines.media.recording import has_picture
from pipelines.progress import Listener, Progress, Report
from pipelines.study import Study
from pipelines.units import SourceId


def video_of(study: Study, source_id: SourceId, recording: Path | None = None) -> Path | None:
    """The film of a source on this machine: the copy that was fetched, else `recording` where it has a picture."""
    kept = sorted(study.video.glob(f"{source_id}.*"))
    if kept:
        return kept[0]
    return recording if recording is not None and has_picture(recording) else None


def fetch_videos(
    study: Study, queue: Queue, items: Sequence[Item], manners: Manners, report: Report, *, retry_failed: bool = False
) -> Mapping[SourceId, str]:
    """Bring the film of every source in `items` that has an address and none yet.

    Returns why there is none, a sentence by source. Raises Cancelled out of `report`.
    """
    failed = {} if retry_failed else queue.videos_failed()
    told = {name: error for name, error in failed.items() if error.failure in ("gone", "bug")}
    errands = [
        Errand(item.source_id, item.uri)
        for item in items
        if is_url(item.uri)
        and item.source_id not in told
        and video_of(study, item.source_id, Path(item.path) if item.path else None) is None
    ]
    if not errands:
        return _sentences(told)
    sweep(study.video)
    listener = Listener(report)
    ended = 0
    lanes = Lanes(errands, _bringing(study, manners), manners, queue.rests())

    def over(done: Done[Path]) -> None:
        nonlocal ended
        ended += 1
        error = _kept(study, done)
        queue.put_video(done.key, error)
        if error is not None:
            told[done.key] = error
        with listener.held():
            listener(Progress("videos", ended, len(errands), done.key))

    try:
        with lanes:
            while not lanes.ended:
                for news in lanes.news(0.1):
                    if isinstance(news, Told):
                        with listener.held():
                            listener(Progress("fetch video", news.done, news.total, news.key))
                    elif isinstance(news, Rested):
                        queue.rest(news.host, news.rest)
                    else:
                        over(news)
                listener.ask(Progress("videos", ended, len(errands)))
    finally:
        for news in lanes.news(0.0):  # what came whole while the lanes were stopped need not be fetched again
            if isinstance(news, Rested):
                queue.rest(news.host, news.rest)
            elif isinstance(news, Done) and news.result is not None:
                over(news)
    return _sentences(told)


def _sentences(told: Mapping[SourceId, MediaError]) -> Mapping[SourceId, str]:
    return {name: error.reason for name, error in told.items()}


def _kept(study: Study, done: Done[Path]) -> MediaError | None:
    """Put what came in its place; else the error that says why nothing did."""
    if done.result is None:
        error = problem_of(done.key, done.error or RuntimeError("it ended without a word"))
        if error.reason_code == "no_audio":  # the words for a choice of formats that is empty
            return MediaError("no_picture", f"{done.key}: its site offers no picture of 360 lines or fewer", "gone")
        return error
    try:
        move_into_place(done.result, study.video / f"{done.key}{done.result.suffix}")
    except OSError as error:
        return problem_of(done.key, error)
    return None


def _bringing(study: Study, manners: Manners) -> Callable[[Errand, Tell, threading.Event], Path]:
    def bring(errand: Errand, tell: Tell, stop: threading.Event) -> Path:
        from pipelines.ingest.fetch.download import fetch

        study.video.mkdir(parents=True, exist_ok=True)
        check_room(errand.url, study.video, 0, manners)
        partial = study.media / "partial" / "video"
        got = fetch(errand.url, errand.key, partial, manners=manners, tell=tell, formats=PICTURE, stop=stop)
        if not has_picture(got.path):
            got.path.unlink()
            raise MediaError("no_picture", f"{errand.url}: what the server gave has no picture", "gone")
        return got.path

    return bring
