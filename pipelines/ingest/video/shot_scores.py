"""Shot scores: the shot cuts of each source's video, detected once, and the score that they give each audio window.

Video comes after its audio was analysed and decided. A shot score is a score like any other, added to those of the
audio; nothing is analysed or decoded again for it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.errors import Cancelled, MediaError
from pipelines.execution.process_pool import Failed, WorkerCrashed, run_each
from pipelines.ingest.selection.decision import ScoredWindow
from pipelines.ingest.state.queue import Item, Queue
from pipelines.ingest.video.context_video import find_video
from pipelines.ingest.video.shot_detection import ALGORITHM, find_cuts, shot_cut_score
from pipelines.progress import Progress, ProgressCallback
from pipelines.study import Study
from pipelines.units import Hertz, Seconds, SourceId

#: The screen that uses this score.
SHOT_CUT = "shot_cut"


@dataclass(frozen=True, slots=True)
class ShotDetection:
    """The sources whose video was analysed now, and why others could not be, one sentence by source."""

    updated: frozenset[SourceId]
    problems: Mapping[SourceId, str]


@dataclass(frozen=True, slots=True)
class _Video:
    """A video to analyse. `version`: the algorithm and the file's checksum."""

    path: Path
    version: str


def detect_shots(
    study: Study,
    queue: Queue,
    items: Sequence[Item],
    report: ProgressCallback,
    *,
    jobs: int | None = None,
    retry_failed: bool = False,
) -> ShotDetection:
    """Find the cuts of every video of `items` that has not been analysed, in processes of this machine.

    A video that failed is tried again with `retry_failed`, or when it is another file. Raises Cancelled out of
    `report`; cuts found until then are kept.
    """
    videos, problems = _pending_videos(study, queue, items, report, retry_failed=retry_failed)
    workers = jobs or max(2, min(os.cpu_count() or 1, len(videos)))
    paths = {name: video.path for name, video in videos.items()}
    outcomes = run_each(find_cuts, paths, jobs=workers, stage="shots", report=report)
    for done, (name, outcome) in enumerate(outcomes, start=1):
        if isinstance(outcome, Failed):
            queue.put_film(name, videos[name].version, None, _problem(name, outcome.error))
        else:
            queue.put_film(name, videos[name].version, outcome)
        report(Progress("shots", done, len(videos), name))
    wanted = {item.source_id for item in items}
    problems |= {name: film.problem for name, film in queue.films().items() if film.problem and name in wanted}
    return ShotDetection(frozenset(videos), problems)


def _pending_videos(
    study: Study, queue: Queue, items: Sequence[Item], report: ProgressCallback, *, retry_failed: bool
) -> tuple[dict[SourceId, _Video], dict[SourceId, str]]:
    """The videos of `items` that must be analysed, and the problems of those that cannot be read."""
    known = queue.films()
    videos: dict[SourceId, _Video] = {}
    problems: dict[SourceId, str] = {}
    for number, item in enumerate(items):
        report(Progress("shots", number, len(items)))  # reading a long video takes time
        path = find_video(study, item.source_id, Path(item.path) if item.path else None)
        if path is None:
            continue
        try:
            version = f"{ALGORITHM} {queue.sha256(path)}"
        except OSError as error:
            problems[item.source_id] = _problem(item.source_id, error)
            continue
        before = known.get(item.source_id)
        if before is None or before.mark != version or (before.problem and retry_failed):
            videos[item.source_id] = _Video(path, version)
    return videos, problems


def cuts_by_source(
    study: Study, queue: Queue, items: Mapping[SourceId, Item]
) -> Mapping[SourceId, tuple[Seconds, ...]]:
    """The cuts in each source's video, in seconds of its audio; empty where the study fetches no video.

    Sources whose audio has gaps are left out: their audio is joined across gaps, and runs ahead of the video after the
    first.
    """
    if not study.settings.fetch.video:
        return {}
    found = {}
    for name, film in queue.films().items():
        item = items.get(name)
        if item is not None and film.cuts_s is not None and item.reason_code != "gaps":
            first_s = float(item.facts.get("first_pts_s") or 0.0)
            found[name] = tuple(round(cut_s - first_s, 6) for cut_s in film.cuts_s)
    return found


def with_shot_score(window: ScoredWindow, rate_hz: Hertz, cuts_s: Sequence[Seconds] | None) -> ScoredWindow:
    """The window with its shot score; unknown without a video.

    Rounded to 32 bits, as pipelines.ingest.source_analysis does.
    """
    score = None
    if cuts_s is not None:
        score = float(np.float32(shot_cut_score(cuts_s, window.start_sample / rate_hz, window.end_sample / rate_hz)))
    return replace(window, scores={**window.scores, SHOT_CUT: score})


def _problem(name: SourceId, error: BaseException) -> str:
    """Why a video could not be analysed: it is not tried again while it is the same file."""
    if isinstance(error, Cancelled | KeyboardInterrupt):
        raise error
    reason = error.reason if isinstance(error, MediaError) else str(error)
    if not isinstance(error, MediaError | WorkerCrashed | OSError | MemoryError):
        reason = f"an error of this program ({type(error).__name__}: {error}); please report it"
    return f"the video of {name} could not be analysed: {reason or type(error).__name__}"
