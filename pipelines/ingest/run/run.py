"""From recordings to clips: check, fetch, analyse, write. Stopped or killed anywhere and run again: the same bytes."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.atomic_write import remove_leftovers
from pipelines.errors import ConfigError, DataError, TableError
from pipelines.execution.process_pool import warm_up
from pipelines.ingest import source_analysis
from pipelines.ingest.fetch.fetch_policy import Manners, manners_of
from pipelines.ingest.preflight.inputs import Wanted, fenced, wanted
from pipelines.ingest.preflight.preflight import Preflight
from pipelines.ingest.preflight.progress import CHECK
from pipelines.ingest.report import IngestReport, Row
from pipelines.ingest.run.finalize import Settled, settle
from pipelines.ingest.run.report_rows import copied, counted, heard_row, rehearsed_row
from pipelines.ingest.run.stages import work
from pipelines.ingest.run.tables import Ended, edited_since
from pipelines.ingest.selection.manual_picks import read_picks, read_speakers
from pipelines.ingest.selection.screens import config_hash
from pipelines.ingest.source_analysis import RECIPE, analysis_hash
from pipelines.ingest.sources import Source, read_sources
from pipelines.ingest.state.queue import Queue, open_queue
from pipelines.ingest.state.run_log import Note, written_down
from pipelines.ingest.video.context_video import fetch_videos
from pipelines.ingest.video.shot_scores import detect_shots
from pipelines.manifest import read_clips
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.study import Study
from pipelines.units import Seconds, SourceId

if TYPE_CHECKING:
    from pipelines.execution.dask_cluster import Cluster
    from pipelines.ingest.preflight.dry_run import Rehearsal
    from pipelines.ingest.selection.funnel import Funnel

LONGEST_RIGHTS_BASIS = 500


def ingest(
    study: Study,
    inputs: Sequence[str] = (),
    *,
    rights_basis: str = "",
    report: ProgressCallback = ignore_progress,
    dry_run: bool = False,
    jobs: int | None = None,
    retry_failed: bool = False,
    salvage: bool = False,
    scheduler: str = "",
    within: Sequence[Path] | None = None,
    manners: Manners | None = None,
) -> IngestReport:
    """Make clips of every recording named: files, folders, http(s) addresses, tables of sources; none: sources.csv.

    What is done already is neither read, fetched nor decoded again. One recording that fails is a row with its reason;
    whether a later run tries it again goes by the class of its failure: gone and bug not, defer after a time, retry
    and fix always; with `retry_failed` all. With `salvage`, of a recording that is damaged or cut short, what comes
    before is kept.
    `jobs` processes analyse at once, by default one per core; with a `scheduler` (the address of a Dask cluster, see
    pipelines.ingest.run.cluster_tasks) its workers do, and `jobs` is how many tasks they get at once.
    `within`: folders out of which files may be taken, for somebody who is not this machine's owner; None: all.
    Refuses before any work with ConfigError (no rights basis, nothing to do, another run, no such cluster) or
    TableError. `manners` stand in for those of study.toml. `Cancelled` out of `report` stops; what was done stays done.
    """
    began = time.perf_counter()
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs: expected 1 or more, found {jobs}")
    config_hash(study.settings, RECIPE)
    config = analysis_hash(study.settings)
    rights = _rights_basis(rights_basis or study.settings.rights_basis, given=bool(rights_basis))
    known = _listed(study)
    read_picks(study), read_speakers(study)
    asked = wanted(inputs, study, known, within=within)
    _check_rights(asked, known, rights)
    with (
        open_queue(study.ingest_db) as queue,
        _machines(study, "" if dry_run else scheduler, queue) as cluster,
        written_down(study, "ingest") as note,
    ):
        _sweep(study)
        if within is not None:
            listed = {place for one in known for place in (one.uri, str(study.manifests / one.uri))}
            asked = fenced(asked, within, listed | {item.path for item in queue.items().values() if item.path})
        ended: list[Ended] = []

        def end(one: Ended) -> None:
            ended.append(one)
            if is_long:
                note.lives()
            report(Progress("sources", len(ended), len(plans)))

        manners = manners or manners_of(study.settings)
        if retry_failed:
            queue.forgive()
        preflight = Preflight(
            study, queue, known, config, rights, retry_failed=retry_failed, salvage=salvage, now=manners.clock()
        )
        is_spread = jobs != 1 and not dry_run and cluster is None
        plans = preflight.plan(asked, report, partial(warm_up, source_analysis.__name__) if is_spread else lambda: None)
        report(Progress(CHECK, len(plans), len(plans)))
        is_long = any(plan.asks_for_work for plan in plans)
        rehearsal: Rehearsal | None = None
        films: Mapping[SourceId, str] = {}
        if dry_run:
            from pipelines.ingest.preflight.dry_run import rehearse

            rehearsal = rehearse(
                study, queue, plans, preflight.members, manners, jobs, report, retry_failed=retry_failed
            )
            ended = [rehearsed_row(plan, rehearsal) for plan in plans]
            settled = None
        else:
            note.begin(is_long=is_long)
            try:
                work(
                    study,
                    queue,
                    plans,
                    preflight.members,
                    config,
                    jobs,
                    manners,
                    report,
                    end,
                    salvage=salvage,
                    cluster=cluster,
                )
            except BaseException:
                with suppress(TableError):  # somebody is in the middle of an edit: the next run writes what was done
                    now = _listed(study)
                    settled = settle(study, queue, now, edited_since(ended, known, now), report, stopped=True)
                    _note(note, ended, _rows([end.row for end in ended], queue, settled), settled)
                raise
            finally:
                _sweep(study)
            now = _listed(study)  # a night is long
            met = edited_since(ended, known, now)
            fresh = _now(study)
            note.settings, note.rows = fresh.settings, [end.row for end in ended]
            was = read_clips(study.clips_csv) if study.settings.fetch.video and study.clips_csv.is_file() else ()
            settled = settle(fresh, queue, now, met, report, jobs=jobs, cluster=cluster)
            if study.settings.fetch.video:
                heard = [end.item for end in ended if end.row.status in ("ingested", "unchanged")]
                films = fetch_videos(study, queue, heard, manners, report, retry_failed=retry_failed)
                looked = detect_shots(study, queue, heard, report, jobs=jobs, retry_failed=retry_failed)
                films = {**looked.problems, **films}
                if looked.updated:
                    now = _listed(study)
                    later = settle(_now(study), queue, now, (), report, jobs=jobs, cluster=cluster, was=was)
                    settled = settled.then(later)
        order = {id(plan.wanted): number for number, plan in enumerate(plans)}
        ended.sort(key=lambda end: order[id(end.plan.wanted)])
        rows = _rows([end.row for end in ended], queue, settled)
        rows = tuple(replace(row, video=films[row.source_id]) if row.source_id in films else row for row in rows)
        spoken = _spoken(queue)
        _note(note, ended, rows, settled)
        if not dry_run:
            nothing_worked = bool(rows) and all(row.status == "failed" for row in rows)
            note.is_worth_telling |= nothing_worked or is_long
    return IngestReport(
        study=study.name,
        sources=rows,
        seconds=time.perf_counter() - began,
        changed=settled.changed if settled else False,
        skipped=preflight.skipped,
        dry_run=dry_run,
        disk_needed=rehearsal.disk_needed if rehearsal else None,
        disk_free=rehearsal.disk_free if rehearsal else None,
        estimated_s=rehearsal.estimated_s if rehearsal else None,
        count=(lambda: None) if dry_run else cache(partial(funnel_of, study, spoken)),
    )


def _machines(study: Study, scheduler: str, queue: Queue) -> "AbstractContextManager[Cluster | None]":
    if not scheduler:
        return nullcontext()
    from pipelines.ingest.run.cluster_tasks import (
        machines,  # most runs have one machine, and are over before this has loaded
    )

    return machines(study, scheduler, queue.sha256)


def retable(study: Study, report: ProgressCallback = ignore_progress, *, jobs: int | None = None) -> IngestReport:
    """Bring decisions, clips and tables up to what study.toml, picks.csv and speakers.csv say now.

    Nothing is fetched or heard, and a recording is decoded only where a window that is kept now was never cut.
    Raises ConfigError while an ingest runs, which does the same at its own end; TableError.
    """
    began = time.perf_counter()
    config_hash(study.settings, RECIPE)
    with open_queue(study.ingest_db) as queue, written_down(study, "tables") as note:
        known = _listed(study)  # not before: an ingest that ends at this moment has just written it
        note.begin()
        settled = settle(study, queue, known, (), report, jobs=jobs)
        items = queue.items()
        done = [items[one.source_id] for one in known if one.source_id in items and not one.is_taken_down]
        rows = _rows([heard_row(item) for item in done if item.status == "done"], queue, settled)
        spoken = _spoken(queue)
        _note(note, (), rows, settled)
    seconds = time.perf_counter() - began
    return IngestReport(study.name, rows, seconds, settled.changed, count=cache(partial(funnel_of, study, spoken)))


def funnel_of(study: Study, spoken: Mapping[SourceId, tuple[Seconds, Seconds]]) -> "Funnel | None":
    """From the hours of the whole study to its clips, by its table of candidates; None where there is none.

    `spoken`: seconds of sound and of speech by source.
    """
    from pipelines.ingest.selection.funnel import funnel
    from pipelines.ingest.selection.threshold_preview import read_candidates

    try:
        candidates = read_candidates(study.candidates)
    except DataError:
        return None
    known = {source.source_id for source in _listed(study)}.union(
        candidates.rows_by_source
    )  # some gave no window at all
    there = {name: seconds for name, seconds in spoken.items() if name in known}
    return funnel(candidates, _now(study).settings, there)


def _spoken(queue: Queue) -> dict[SourceId, tuple[Seconds, Seconds]]:
    return {
        name: (int(item.facts["decoded_samples"]) / item.rate_hz, float(item.facts["speech_s"]))
        for name, item in queue.items().items()
        if item.status == "done"
    }


def _listed(study: Study) -> tuple[Source, ...]:
    return read_sources(study.sources_csv) if study.sources_csv.is_file() else ()


def _now(study: Study) -> Study:
    """The study with what its study.toml says by now; as it was where that does not parse at the moment."""
    fresh = Study(study.root, study.name)
    try:
        config_hash(fresh.settings, RECIPE)
    except ConfigError:
        return study
    return fresh


def _rows(rows: Sequence[Row], queue: Queue, settled: Settled | None) -> tuple[Row, ...]:
    if settled is None:
        return tuple(rows)
    told = {row.source_id for row in rows if row.status == "failed"}
    moved = [
        replace(row, status="ingested") if row.status == "unchanged" and row.source_id in settled.redone else row
        for row in rows
    ]
    rows = [copied(counted(row, queue), settled.copies.get(row.source_id)) for row in moved]
    return (*rows, *(row for row in settled.rows if row.source_id not in told))


def _note(note: Note, ended: Sequence[Ended], rows: Sequence[Row], settled: Settled | None) -> None:
    if settled is not None:
        note.rows, note.changed, note.redone = rows, settled.changed, len(settled.redone)
        note.heard = frozenset(end.row.source_id for end in ended if end.row.status == "ingested")
        note.is_worth_telling = settled.changed or bool(settled.redone)


def _sweep(study: Study) -> None:
    """Take away what a killed run left half-made; the lock on the queue says that no other run is making it.

    The workbench may be cutting a pick meanwhile, and does it again then.
    """
    for folder in (study.audio, study.cache / "tracks", study.media, study.media / "partial"):
        remove_leftovers(folder)
    remove_leftovers(study.manifests, "clips.csv", "clips_check.parquet", "sources.csv")
    remove_leftovers(study.private, "candidates.parquet", "repeats.json")


def _rights_basis(text: str, *, given: bool) -> str:
    plain = text.strip()
    if given and not plain:
        raise ConfigError("--rights-basis is blank: say in words on what ground the recordings may be used")
    if not plain.isprintable() or len(plain) > LONGEST_RIGHTS_BASIS:
        raise ConfigError(f"rights basis: expected one line of at most {LONGEST_RIGHTS_BASIS} characters")
    return plain


def _check_rights(asked: Sequence[Wanted], known: Sequence[Source], rights: str) -> None:
    if rights:
        return
    by_uri = {source.uri: source for source in known}
    for one in asked:
        row = one.source or by_uri.get(one.url or (one.path.name if one.path else ""))
        if row is None or not row.rights_basis:
            raise ConfigError(
                f"no rights basis for {one.given}: say on what ground it may be used, with --rights-basis TEXT, in the "
                "rights_basis column of sources.csv, or once for the whole study in study.toml"
            )
