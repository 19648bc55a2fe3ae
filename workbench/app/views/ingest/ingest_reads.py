"""What the Ingest page reads, cached by content: a page drawn again costs nothing while nothing has changed."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pipelines.errors import DataError, TableError
from pipelines.study import Study
from pipelines.units import ClipId, SourceId
from workbench.app.page.cached_reads import Stamp, stamp
from workbench.app.server import served_study
from workbench.jobs import jobs
from workbench.jobs.jobs import Job
from workbench.status.ingest_status import State, state_of

if TYPE_CHECKING:
    from pipelines.ingest.selection.funnel import Funnel
    from pipelines.ingest.selection.threshold_preview import Candidates
    from pipelines.ingest.state.run_log import PastRun
    from pipelines.ingest.state.status import SourceStanding
    from workbench.status.past_runs import PastRow

#: Commands whose jobs this page watches.
WATCHED = (("ingest",), ("clips", "screen"))
#: So many of the last runs are told.
MOST_RUNS = 12


@dataclass(frozen=True, slots=True)
class Now:
    """The recordings as they stand now, each with how that is said, its clips by id, and the jobs, newest first."""

    standings: "tuple[SourceStanding, ...]"
    states: tuple[State, ...]
    clips: Mapping[SourceId, int]
    jobs: tuple[Job, ...]

    @property
    def running(self) -> Job | None:
        """The ingest that runs now."""
        return next((job for job in self.jobs if not job.is_over), None)


def now(study: Study) -> Now:
    """Read all once. Raises TableError for a sources.csv that does not parse, ConfigError for unreadable requests."""
    found = ingest_jobs(study)
    known = standings(study)
    known += _turned_away(known, found)
    return Now(known, _states(study, known), clips_by_source(study), tuple(found))


def counts(study: Study) -> Counter[State]:
    """How many recordings stand how, while a run goes on."""
    return Counter(_states(study, standings(study)))


def _states(study: Study, known: "tuple[SourceStanding, ...]") -> tuple[State, ...]:
    from pipelines.ingest.state.operator_requests import read_requests

    paused = frozenset(name for name, wanted in read_requests(study).items() if wanted == "pause")
    return tuple(state_of(one, paused) for one in known)


def _turned_away(known: "tuple[SourceStanding, ...]", found: list[Job]) -> "tuple[SourceStanding, ...]":
    """What the newest ingest could not even take in, such as a file that is no recording: no table holds it."""
    from pipelines.ingest.state.status import SourceStanding

    job = next((job for job in found if job.is_over and job.argv[0] == "ingest" and not is_rehearsal(job)), None)
    told = job.result if job is not None else None
    rows = told.get("sources", ()) if isinstance(told, dict) else ()
    ids = {one.source_id for one in known}
    return tuple(
        SourceStanding(
            row["source_id"],
            row["input"],
            "failed",
            failure=row["failure"],
            reason_code=row["reason_code"],
            reason=row["reason"],
            listed=False,
        )
        for row in rows
        if row["status"] == "failed" and row["source_id"] not in ids
    )


def standings(study: Study) -> "tuple[SourceStanding, ...]":
    """How far each source is. Raises TableError where sources.csv does not parse."""
    wal = study.ingest_db.with_name(study.ingest_db.name + "-wal")
    files = (study.sources_csv, study.ingest_db, wal)
    return _standings(study, (str(study.private), *(stamp(file) for file in files)))


def names(study: Study) -> Mapping[SourceId, str]:
    """What a person knows each source by; nothing where sources.csv does not parse, which the page Ingest says."""
    try:
        return {one.source_id: one.called for one in standings(study)}
    except TableError:
        return {}


def told_apart(study: Study) -> Callable[[SourceId], str]:
    """What to call a source where all are named at once: by its name, with its id where two have the same."""
    by_id = names(study)
    often = Counter(by_id.values())

    def name(source_id: SourceId) -> str:
        called = by_id.get(source_id, source_id)
        return called if often[called] < 2 or called == source_id else f"{called} ({source_id})"

    return name


def candidates(study: Study) -> "Candidates | None":
    """All candidates with their scores; None where there are none on this machine, or of an older version only."""
    try:
        return _candidates(str(study.candidates), stamp(study.candidates))
    except DataError:
        return None


def funnel(study: Study) -> "Funnel | None":
    """From hours to clips; None where there are no candidates."""
    found = candidates(study)
    if found is None:
        return None
    spoken = {
        one.source_id: (one.seconds or 0.0, one.speech_s or 0.0)
        for one in standings(study)
        if one.source_id in found.rows_by_source or one.state == "done"
    }
    files = (study.candidates, study.settings_file)
    return _funnel(study, found, spoken, (str(study.candidates), *(stamp(file) for file in files)))


def clips_by_source(study: Study) -> Mapping[SourceId, int]:
    """Kept clips of each source."""
    return _clips_by_source(study, (str(study.clips_csv), stamp(study.clips_csv)))


def answered(study: Study) -> frozenset[ClipId]:
    """Clips that people have answered, in the study or outside it."""
    return _answered(study, (str(study.private), served_study.store().counts().events))


def answered_outside(study: Study) -> Mapping[str, int]:
    """How many clips with answers are not in the study now, by the reason."""
    from workbench.labels.answered_clips import outside

    return outside(study, answered(study), candidates(study))


def past(study: Study) -> "tuple[PastRow, ...]":
    """What the last runs did, the newest first."""
    from pipelines.ingest.state.run_log import runs_file
    from workbench.status.past_runs import past_rows

    runs = _past(study, (str(study.private), stamp(runs_file(study))))
    return past_rows(runs, MOST_RUNS, called=names(study))


def ingest_jobs(study: Study) -> list[Job]:
    """Ingests and moved screens, newest first."""
    return [job for job in jobs.jobs(study) if any(job.argv[: len(words)] == words for words in WATCHED)]


def is_rehearsal(job: Job) -> bool:
    """Whether a job only looks at what an ingest would do."""
    return "--dry-run" in job.argv


def eta_s(job: Job) -> float | None:
    """Seconds that an ingest may still need, by the recordings that have ended and how far the others are."""
    done, total = ended(job)
    begun = next((step.time for step in job.steps if step.progress.stage in ("fetch", "analyse")), None)
    if not total or begun is None:
        return None
    gone = done + sum(share for _, share in under_way(job).values())
    if not 0.03 * total < gone < total:
        return None
    return (time.time() - begun) * (total - gone) / gone


def ended(job: Job) -> tuple[int, int]:
    """Recordings of a running ingest that have ended, and all of them; zeros before it knows."""
    told, total = 0, 0
    for step in job.steps:
        progress = step.progress
        if progress.stage == "sources" or (progress.stage == "check" and progress.fraction == 1.0):
            told, total = int(progress.done) if progress.stage == "sources" else 0, int(progress.total or 0)
    heard = {
        step.progress.item for step in job.steps if step.progress.stage == "analyse" and step.progress.fraction == 1.0
    }
    return min(max(told, len(heard)), total), total  # of steps that follow each other at once, some are never told


def under_way(job: Job) -> dict[SourceId, tuple[str, float]]:
    """Recordings that a running ingest is at: the stage, and the share of the whole way that lies behind each.

    Where a recording is fetched, that counts as the first half of the way.
    """
    found: dict[SourceId, tuple[str, float]] = {}
    fetched: set[SourceId] = set()
    for step in job.steps:
        progress = step.progress
        name, share = progress.item, progress.fraction or 0.0
        if name and progress.stage == "fetch":
            fetched.add(name)
            found[name] = ("fetch", share / 2)
        elif name and progress.stage == "analyse":
            found[name] = ("analyse", (1 + share) / 2 if name in fetched else share)
    return {name: (stage, share) for name, (stage, share) in found.items() if share < 1.0}


def fetched_bytes(job: Job) -> int:
    """Bytes that a running ingest has fetched so far, as far as its steps tell."""
    by_item: dict[str, float] = {}
    for step in job.steps:
        if step.progress.stage == "fetch" and step.progress.item:
            by_item[step.progress.item] = step.progress.done
    return int(sum(by_item.values()))


@st.cache_resource(show_spinner=False, max_entries=4)
def _standings(_study: Study, changed: object) -> "tuple[SourceStanding, ...]":  # noqa: ARG001
    from pipelines.ingest.state.status import source_standings

    return source_standings(_study)


@st.cache_resource(show_spinner="Reading the scores …", max_entries=2)
def _candidates(path: str, changed: Stamp) -> "Candidates":  # noqa: ARG001
    from pipelines.ingest.selection.threshold_preview import read_candidates

    return read_candidates(Path(path))


@st.cache_resource(show_spinner=False, max_entries=4)
def _funnel(
    _study: Study,
    _candidates: "Candidates",
    spoken: dict[SourceId, tuple[float, float]],
    changed: object,  # noqa: ARG001
) -> "Funnel":
    from pipelines.ingest.selection.funnel import funnel

    return funnel(_candidates, _study.settings, spoken)


@st.cache_resource(show_spinner=False, max_entries=4)
def _answered(_study: Study, changed: object) -> frozenset[ClipId]:  # noqa: ARG001
    from workbench.labels.answered_clips import answered

    return answered(served_study.store())


@st.cache_resource(show_spinner=False, max_entries=4)
def _past(_study: Study, changed: object) -> "tuple[PastRun, ...]":  # noqa: ARG001
    from pipelines.ingest.state.run_log import read_runs

    return read_runs(_study)


@st.cache_resource(show_spinner=False, max_entries=4)
def _clips_by_source(_study: Study, changed: object) -> Mapping[SourceId, int]:  # noqa: ARG001
    from pipelines.manifest import read_clips

    return Counter(clip.source_id for clip in read_clips(_study.clips_csv)) if _study.clips_csv.is_file() else {}
