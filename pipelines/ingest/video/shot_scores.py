"""What the films of a study show: where they cut, looked for once, and what that says of the windows of the sound.

A film comes after the sound was heard and decided of. What is found in it is a score like any other, put beside those
that were heard: nothing is heard or decoded again for it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.errors import Cancelled, MediaError
from pipelines.execution.process_pool import Failed, WorkerCrashed, run_each
from pipelines.ingest.selection.decision import Scored
from pipelines.ingest.state.queue import Item, Queue
from pipelines.ingest.video.context_video import video_of
from pipelines.ingest.video.shot_detection import ALGORITHM, find_cuts, shot_cut
from pipelines.progress import Progress, Report
from pipelines.study import Study
from pipelines.units import Hertz, Seconds, SourceId

#: The screen that goes by it.
SHOT_CUT = "shot_cut"


@dataclass(frozen=True, slots=True)
class Looked:
    """The sources of which a film was looked at now, and why others could not be, a sentence by source."""

    new: frozenset[SourceId]
    told: Mapping[SourceId, str]


def look(
    study: Study,
    queue: Queue,
    items: Sequence[Item],
    report: Report,
    *,
    jobs: int | None = None,
    retry_failed: bool = False,
) -> Looked:
    """Find the cuts of every film of `items` that has not been looked at, in processes of this machine.

    One that could not be is tried again with `retry_failed`, or when it is another film. Raises Cancelled out of
    `report`; what was found until then is kept.
    """
    known = queue.films()
    films: dict[SourceId, Path] = {}
    marks: dict[SourceId, str] = {}
    told: dict[SourceId, str] = {}
    for number, item in enumerate(items):
        report(Progress("shots", number, len(items)))  # a film may be long to read
        recording = Path(item.path) if item.path else None
        film = video_of(study, item.source_id, recording)
        if film is None:
            continue
        try:
            mark = f"{ALGORITHM} {queue.sha256(film)}"
        except OSError as error:
            told[item.source_id] = _told(item.source_id, error)
            continue
        before = known.get(item.source_id)
        if before is None or before.mark != mark or (before.problem and retry_failed):
            films[item.source_id], marks[item.source_id] = film, mark
    workers = jobs or max(2, min(os.cpu_count() or 1, len(films)))
    looked = run_each(find_cuts, films, jobs=workers, stage="shots", report=report)
    for done, (name, outcome) in enumerate(looked, start=1):
        if isinstance(outcome, Failed):
            queue.put_film(name, marks[name], None, _told(name, outcome.error))
        else:
            queue.put_film(name, marks[name], outcome)
        report(Progress("shots", done, len(films), name))
    wanted = {item.source_id for item in items}
    told |= {name: film.problem for name, film in queue.films().items() if film.problem and name in wanted}
    return Looked(frozenset(films), told)


def cuts_of(study: Study, queue: Queue, items: Mapping[SourceId, Item]) -> Mapping[SourceId, tuple[Seconds, ...]]:
    """Where the film of each source cuts, in seconds of its sound; none of them where the study asks for no films.

    Not of one whose sound has gaps: it is laid end to end, and runs ahead of its film after the first.
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


def seen(window: Scored, rate_hz: Hertz, cuts_s: Sequence[Seconds] | None) -> Scored:
    """The window with the score of what its film shows; not known without a film.

    Rounded to 32 bits, as pipelines.ingest.source_analysis does.
    """
    score = None
    if cuts_s is not None:
        score = float(np.float32(shot_cut(cuts_s, window.start_sample / rate_hz, window.end_sample / rate_hz)))
    return replace(window, scores={**window.scores, SHOT_CUT: score})


def _told(name: SourceId, error: BaseException) -> str:
    """Why a film could not be looked at: it is not tried again while it is the same film."""
    if isinstance(error, Cancelled | KeyboardInterrupt):
        raise error
    said = error.reason if isinstance(error, MediaError) else str(error)
    if not isinstance(error, MediaError | WorkerCrashed | OSError | MemoryError):
        said = f"an error of this program ({type(error).__name__}: {error}); please report it"
    return f"the film of {name} could not be looked at: {said or type(error).__name__}"
