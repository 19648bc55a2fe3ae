"""Answers from a table into the store; doing it twice changes nothing."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from pipelines.manifest import read_clips
from pipelines.progress import Progress, Report, silent
from pipelines.study import Study
from pipelines.units import RaterId
from workbench import label_table
from workbench.errors import StoreError
from workbench.label_table import Row
from workbench.store import Event, RaterKind, Store, StoredEvent
from workbench.store.values import to_text

_AT_ONCE = 2000


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
    study: Study, store: Store, path: Path, *, kind: RaterKind | None = None, report: Report = silent
) -> Imported:
    """Read `path` (see workbench.label_table.read) and record what the store does not hold yet.

    The whole table is checked before anything is recorded. Answers of one rater to one item keep their order: by time
    where every row has one, else as they stand; a row that is older than what the store holds is left out. `kind` is
    that of raters the store does not know; without it they are people, unless their name says simulated. Raises
    TableError, DataError without clips, StoreError when a known rater is of another kind.
    """
    if not study.clips_csv.is_file():
        raise DataError(
            f"study '{study.name}' has no clips yet: begin with 'workbench ingest FILE --study {study.name}'"
        )
    clip_ids = [clip.clip_id for clip in read_clips(study.clips_csv)]
    rows = label_table.read(path, study.scheme, clip_ids)
    raters = tuple(sorted({row.rater for row in rows}))
    _check_kinds(store, raters, kind)
    events, already, older = _new_events(rows, store.events(), study.scheme.name)
    for rater in raters:
        if store.rater(rater) is None:
            store.ensure_rater(rater, kind=kind or _kind_of(rater))
    for begin in range(0, len(events), _AT_ONCE):
        report(Progress("importing", begin, len(events), path.name))
        refused = store.record(events[begin : begin + _AT_ONCE]).refused
        if refused:
            raise DataError(f"{path.name}: an answer was refused: {refused[0].reason}")
    report(Progress("importing", len(events), len(events), path.name))
    return Imported(len(rows), len(events), already, older, raters)


def _check_kinds(store: Store, raters: Sequence[RaterId], kind: RaterKind | None) -> None:
    for rater in raters:
        known = store.rater(rater)
        if known is not None and kind is not None and known.kind != kind:
            raise StoreError(f"rater '{rater}' is a {known.kind} here, not a {kind}: use another rater id")


def _kind_of(rater: RaterId) -> RaterKind:
    return "machine" if rater.startswith("simulated") else "person"


def _new_events(rows: Sequence[Row], history: Sequence[StoredEvent], scheme: str) -> tuple[list[Event], int, int]:
    """(events to record, rows that are there already, rows older than what is there)."""
    known = {event.client_id for event in history}
    last = {(event.rater, event.clip_id, event.pass_): event for event in history if event.scheme == scheme}
    events: list[Event] = []
    already = older = 0
    for row, name in _in_order(rows):
        before = last.get((row.rater, row.clip_id, row.pass_))
        if name in known or (before is not None and _says_the_same(row, before)):
            already += 1
        elif before is not None and row.time is not None and row.time <= before.time:
            older += 1
        else:
            events.append(
                Event(
                    client_id=name,
                    rater=row.rater,
                    clip_id=row.clip_id,
                    scheme=scheme,
                    pass_=row.pass_,
                    label=row.label,
                    flags=row.flags,
                    confidence=row.confidence,
                    note=row.note,
                    time=row.time,
                )
            )
    return events, already, older


def _in_order(rows: Sequence[Row]) -> Iterable[tuple[Row, str]]:
    """Rows with a name made of their content, those of one rater and item by time where all of them have one."""
    per_item: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        per_item[row.rater, row.clip_id, row.pass_].append(row)
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
    parts = [row.rater, row.clip_id, row.pass_, row.label, row.flags, row.confidence, row.note, time]
    return json.dumps(parts, ensure_ascii=False)


def _says_the_same(row: Row, event: StoredEvent) -> bool:
    same_time = row.time is None or row.time == event.time
    answer = (event.label, event.flags, event.confidence)
    return event.kind == "answer" and same_time and answer == (row.label, row.flags, row.confidence)
