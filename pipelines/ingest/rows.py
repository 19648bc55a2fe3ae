"""The row of a report for each plan: as it ended, or as it would in a dry run."""

from collections.abc import Mapping
from dataclasses import replace

from pipelines.ingest.outlook import refused
from pipelines.ingest.preflight import Need, Plan
from pipelines.ingest.queue import Queue
from pipelines.ingest.rehearse import Rehearsal
from pipelines.ingest.report import Row, RowStatus, tally
from pipelines.ingest.tables import Ended


def ended_row(plan: Plan, queue: Queue, status: RowStatus | None = None) -> Ended:
    """How a plan ended, by its need or as `status`."""
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


def rehearsed_row(plan: Plan, queue: Queue, rehearsal: Rehearsal) -> Ended:
    """How a plan would end, in a dry run."""
    if plan.need not in ("fetch", "analyse"):
        end = ended_row(plan, queue)
        failed = end.row.status == "failed"
        verdict = refused(plan.problem).verdict if failed and plan.problem else "reject" if plan.problem else "accept"
        return replace(end, row=replace(end.row, verdict=verdict))
    one = rehearsal.outlooks[plan.source.source_id]
    status: RowStatus = (
        "planned" if one.verdict == "accept" else "duplicate" if one.reason_code == "duplicate" else "failed"
    )
    end = ended_row(plan, queue, status)
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
