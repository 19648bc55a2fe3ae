"""The row of a report for each plan: as it ended, or as it would in a dry run."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.ingest.fetch.probe import refused
from pipelines.ingest.preflight.plan import Need, Plan
from pipelines.ingest.report import Row, RowStatus, tally
from pipelines.ingest.run.tables import Ended
from pipelines.ingest.series.repeat_masks import SourceCopy
from pipelines.ingest.state.queue import Item, Queue

if TYPE_CHECKING:
    from pipelines.ingest.preflight.dry_run import Rehearsal


def ended_row(plan: Plan, status: RowStatus | None = None, checks: str = "") -> Ended:
    """How a plan ended, by its need or as `status`; without counts, since what is kept is decided at the end.

    `checks`: of the clips that were cut.
    """
    by_need: Mapping[Need, RowStatus] = {
        "nothing": "unchanged", "duplicate": "duplicate", "failed": "failed", "paused": "paused"
    }  # fmt: skip
    status = status or by_need[plan.need]
    facts = plan.item.facts
    measured = status in ("ingested", "unchanged")
    duration_s = int(facts["decoded_samples"]) / int(facts["sample_rate_hz"]) if measured else plan.duration_s
    row = Row(
        given=plan.wanted.given,
        status=status,
        source_id=plan.source.source_id,
        reason_code=plan.problem.reason_code if plan.problem else plan.item.reason_code if measured else "",
        reason=plan.problem.reason if plan.problem else plan.item.reason if measured else "",
        failure=plan.problem.failure if plan.problem and status in ("failed", "paused") else "",
        duration_s=duration_s,
        speech_s=float(facts["speech_s"]) if measured else None,
    )
    return Ended(plan, row, plan.source, plan.item, checks)


def heard_row(item: Item) -> Row:
    """The row of a source that was ingested before."""
    facts = item.facts
    return Row(
        given=item.uri,
        status="unchanged",
        source_id=item.source_id,
        reason_code=item.reason_code,
        reason=item.reason,
        duration_s=int(facts["decoded_samples"]) / item.rate_hz,
        speech_s=float(facts["speech_s"]),
    )


def counted(row: Row, queue: Queue) -> Row:
    """The row of an ingested source with what is kept of it and what is not, as the queue has it now."""
    if row.status not in ("ingested", "unchanged"):
        return row
    kept, rejected, arms = tally(queue.tally(row.source_id))
    return replace(row, clips=kept, rejected=rejected, arms=arms)


def copied(row: Row, copy: SourceCopy | None) -> Row:
    """The row of an ingested source with a word that it is a re-upload, where nothing else is said of it."""
    if copy is None or row.reason or row.status not in ("ingested", "unchanged"):
        return row
    told = f"{copy.overlap:.0%} of it is in '{copy.dup_of}', which aired earlier: no clip is made of it twice"
    return replace(row, reason_code="reupload", reason=told)


def rehearsed_row(plan: Plan, rehearsal: "Rehearsal") -> Ended:
    """How a plan would end, in a dry run."""
    if not plan.asks_for_work:
        end = ended_row(plan)
        failed = end.row.status in ("failed", "paused")
        verdict = refused(plan.problem).verdict if failed and plan.problem else "reject" if plan.problem else "accept"
        return replace(end, row=replace(end.row, verdict=verdict))
    one = rehearsal.outlooks[plan.source.source_id]
    status: RowStatus = (
        "planned" if one.verdict == "accept" else "duplicate" if one.reason_code == "duplicate" else "failed"
    )
    end = ended_row(plan, status)
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
