"""Takedowns (takedowns.csv): what was withdrawn from a study, when and why. Append-only; earlier releases never change.

date        UTC, ISO 8601
source_id   the recording
clips       ids of its clips at that time, joined by ';'
reason      free text, may be empty
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.atomic_write import write_text
from pipelines.manifest import read_table, table_to_csv
from pipelines.study import Study
from pipelines.units import ClipId, SourceId

COLUMNS = ("date", "source_id", "clips", "reason")


@dataclass(frozen=True, slots=True)
class Takedown:
    """One row."""

    date: str
    source_id: SourceId
    clips: tuple[ClipId, ...]
    reason: str


def read_takedowns(study: Study) -> tuple[Takedown, ...]:
    """All takedowns, oldest first; empty where there is no table. Raises TableError."""
    path = study.takedowns_csv
    if not path.is_file():
        return ()
    return tuple(
        Takedown(row["date"], row["source_id"], tuple(filter(None, row["clips"].split(";"))), row["reason"])
        for row in read_table(path, required=COLUMNS)
    )


def write_takedowns(study: Study, rows: Sequence[Takedown]) -> bool:
    """Write the table atomically; returns whether a byte changed."""
    cells = [
        {"date": row.date, "source_id": row.source_id, "clips": ";".join(row.clips), "reason": row.reason}
        for row in rows
    ]
    return write_text(study.takedowns_csv, table_to_csv(COLUMNS, cells))


def takedowns_of_clips(study: Study, clips: Sequence[ClipId]) -> tuple[Takedown, ...]:
    """The takedowns that touch `clips`, each with those of its clips that are among them."""
    asked = frozenset(clips)
    found = [
        Takedown(row.date, row.source_id, tuple(clip for clip in row.clips if clip in asked), row.reason)
        for row in read_takedowns(study)
    ]
    return tuple(row for row in found if row.clips)
