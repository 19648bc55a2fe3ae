"""Answers from a table into the store; doing it twice changes nothing."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import TableError
from pipelines.manifest import read_clips
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.study import Study
from pipelines.units import RaterId
from workbench.errors import StoreError
from workbench.labels import annotation_table
from workbench.labels.annotation_table import Row
from workbench.labels.valid_answers import no_clips
from workbench.store import Event, RaterKind, Store, StoredEvent
from workbench.store.values import to_text


@dataclass(frozen=True)
class Imported:
    """What became of a table's rows. `older`: left out, for the same rater said something else later."""

    rows: int
    added: int
    already_there: int
    older: int
    raters: tuple[RaterId, ...]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rows": self.rows,
            "added": self.added,
            "already_there": self.already_there,
            "older": self.older,
            "raters": list(self.raters),
        }


def import_labels(
    study: Study, store: Store, path: Path, *, kind: RaterKind | None = None, report: ProgressCallback = ignore_progress
) -> Imported:
    """Read `path` (see workbench.labels.annotation_table.read) and record what the store does not hold, all or nothing.

    Answers of one rater to one item keep their order: by time
    where every row has one, else as they stand; a row that is older than what the store holds is left out. `kind` is
    that of raters of whom neither the store nor the table's column says it; people unless given. Raises TableError,
    DataError without clips, StoreError when a known rater is of another kind.
    """
    if not study.clips_csv.is_file():
        raise no_clips(study)
    clip_ids = [clip.clip_id for clip in read_clips(study.clips_csv)]
    rows = annotation_table.read(path, study.scheme, clip_ids, study.manifests)
    kinds = _kinds(store, rows, kind)
    fresh, already, older = _new_events(rows, store.events())
    report(Progress("importing", 0, len(fresh), path.name))
    refused = store.bring_in(kinds, [event for event, _ in fresh])
    if refused is not None:
        row = next(row for event, row in fresh if event.client_id == refused.client_id)
        raise TableError(path.name, f"this answer was refused, and nothing was added: {refused.reason}", row=row.number)
    report(Progress("importing", len(fresh), len(fresh), path.name))
    return Imported(len(rows), len(fresh), already, older, tuple(kinds))


def _kinds(store: Store, rows: Sequence[Row], given: RaterKind | None) -> dict[RaterId, RaterKind]:
    """rater → kind: as the store has it, else as the table says, else as given, else a person."""
    told = {row.rater: row.kind for row in rows if row.kind is not None}
    kinds: dict[RaterId, RaterKind] = {}
    for rater in sorted({row.rater for row in rows}):
        known = store.rater(rater)
        claims = [("here", known and known.kind), ("in the table", told.get(rater)), ("by --kind", given)]
        (where, kind), *others = [(place, claim) for place, claim in claims if claim] or [("", "person")]
        for place, other in others:
            if other != kind:
                raise StoreError(f"rater '{rater}' is a {kind} {where}, not a {other} as {place}: use another rater id")
        kinds[rater] = kind
    return kinds


def _new_events(rows: Sequence[Row], history: Sequence[StoredEvent]) -> tuple[list[tuple[Event, Row]], int, int]:
    """(events to record with their rows, rows that are there already, rows older than what is there)."""
    known = {event.client_id for event in history}
    last = {(event.rater, event.clip_id, event.scheme, event.pass_): event for event in history}
    events: list[tuple[Event, Row]] = []
    already = older = 0
    for row, name in _in_order(rows):
        before = last.get(_item(row))
        if name in known or (before is not None and _says_the_same(row, before)):
            already += 1
        elif before is not None and row.time is not None and row.time <= before.time:
            older += 1
        else:
            events.append((_event(row, name), row))
    return events, already, older


def _event(row: Row, name: str) -> Event:
    return Event(
        client_id=name,
        rater=row.rater,
        clip_id=row.clip_id,
        scheme=row.scheme,
        pass_=row.pass_,
        label=row.label,
        flags=row.flags,
        confidence=row.confidence,
        note=row.note or "",
        heard_ms=row.heard_ms,
        time=row.time,
    )


def _item(row: Row) -> tuple[str, str, str, str]:
    return row.rater, row.clip_id, row.scheme, row.pass_


def _in_order(rows: Sequence[Row]) -> Iterable[tuple[Row, str]]:
    """Rows with a name made of their content, those of one rater and item by time where all of them have one."""
    per_item: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        per_item[_item(row)].append(row)
    for group in per_item.values():
        times = [row.time for row in group if row.time is not None]
        if len(times) == len(group):
            group.sort(key=lambda row: (to_text(row.time) if row.time else "", row.number))
        seen: Counter[str] = Counter()
        for row in group:
            content = _content(row)
            numbered = f"{seen[content]} {content}"
            yield row, f"import-{hashlib.sha256(numbered.encode()).hexdigest()[:32]}"
            seen[content] += 1


def _content(row: Row) -> str:
    time = to_text(row.time) if row.time else None
    parts = [*_item(row), row.label, row.flags, row.confidence, row.heard_ms, row.note, time]
    return json.dumps(parts, ensure_ascii=False)


def _says_the_same(row: Row, event: StoredEvent) -> bool:
    """Whether the row adds nothing to the event; time, note and heard_ms only where the table tells them."""
    told = ((row.time, event.time), (row.note, event.note), (row.heard_ms, event.heard_ms))
    answer = (event.label, event.flags, event.confidence)
    return (
        event.kind == "answer"
        and answer == (row.label, row.flags, row.confidence)
        and all(said is None or said == held for said, held in told)
    )
