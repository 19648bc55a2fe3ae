"""Annotations as a table in long form: one row per answer, as import, export and releases use it."""

import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from pipelines.errors import TableError, UnknownName
from pipelines.manifest import read_table, table_to_csv
from pipelines.schemes import LabelScheme, load_scheme
from pipelines.units import ClipId, LabelName, RaterId, RaterKind
from workbench.store.values import RATER_KINDS, Annotation, from_text, plain, to_text

COLUMNS = ("clip_id", "rater", "kind", "label", "pass", "scheme", "time", "flags", "confidence", "heard_ms", "note")
PASSES = ("audio", "context")

#: Makes the error for a column of the row in hand.
Problem = Callable[[str, str], TableError]


@dataclass(frozen=True, slots=True)
class Row:
    """One answer as a table holds it; `number` is its row, from 1. `kind`, `heard_ms` and `note`: None where unsaid."""

    number: int
    clip_id: ClipId
    rater: RaterId
    kind: RaterKind | None
    label: LabelName | None
    scheme: str
    pass_: str
    time: datetime | None
    flags: tuple[str, ...]
    confidence: float | None
    heard_ms: int | None
    note: str | None


def to_csv(annotations: Iterable[Annotation]) -> str:
    """The table as text, sorted by clip, pass and rater; the same answers give the same bytes."""
    ordered = sorted(annotations, key=lambda one: (one.clip_id, one.scheme, one.pass_, one.rater))
    return table_to_csv(
        COLUMNS,
        (
            {
                "clip_id": one.clip_id,
                "rater": one.rater,
                "kind": one.rater_kind,
                "label": one.label,
                "pass": one.pass_,
                "scheme": one.scheme,
                "time": to_text(one.time),
                "flags": ";".join(one.flags),
                "confidence": None if one.confidence is None else repr(one.confidence),
                "heard_ms": one.heard_ms,
                "note": one.note,
            }
            for one in ordered
        ),
    )


def read(path: Path, scheme: LabelScheme, clip_ids: Iterable[ClipId], folder: Path | None = None) -> tuple[Row, ...]:
    """The rows of a table of answers to `clip_ids`, under `scheme` unless a row names another of `folder` or built in.

    Columns clip_id (or item), rater, label, and if wanted kind (of the rater), pass, scheme, time (ISO 8601, UTC
    unless it says otherwise), flags (joined by `;`), confidence (a number), heard_ms, note; others are not read. Raises
    TableError that names row, column and, for an unknown label, flag or clip, the nearest that is known.
    """
    rows = read_table(path, required=("rater", "label"))
    item = "clip_id"
    if rows and item not in rows[0]:
        item = "item"
        if item not in rows[0]:
            raise TableError(path.name, f"expected a column 'clip_id'; found {', '.join(rows[0])}", column="clip_id")
    known = set(clip_ids)
    schemes = {name: _scheme(name, scheme, folder) for name in {row.get("scheme", "").strip() for row in rows}}
    found = tuple(_row(path.name, number, row, item, schemes, known) for number, row in enumerate(rows, start=1))
    kinds: dict[RaterId, RaterKind] = {}
    for one in found:
        if one.kind is not None and kinds.setdefault(one.rater, one.kind) != one.kind:
            before = f"expected '{kinds[one.rater]}' as in the rows before for rater '{one.rater}', found '{one.kind}'"
            raise TableError(path.name, before, row=one.number, column="kind")
    return found


def _scheme(name: str, own: LabelScheme, folder: Path | None) -> LabelScheme | None:
    """The scheme a row names; the study's own for none. None where there is no such scheme."""
    if name in ("", own.name):
        return own
    try:
        return load_scheme(name, folder)
    except UnknownName:
        return None


def unknown_label(file: str, row: int, given: str, known: Sequence[str], column: str = "label") -> TableError:
    """The error for something that is not in a scheme, with the nearest that is."""
    near = get_close_matches(given, known, n=1, cutoff=0.5) or get_close_matches(given.lower(), known, n=1, cutoff=0.5)
    tail = f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(known)}"
    return TableError(file, f"unknown {column.removesuffix('s')} '{given}'; {tail}", row=row, column=column)


def moment(file: str, row: int, text: str) -> datetime | None:
    """The time in a cell, to the millisecond; None for an empty one. Raises TableError."""
    if not text:
        return None
    try:
        return from_text(to_text(datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        expected = f"expected a time such as 2026-05-04T10:15:00Z, found '{text}'"
        raise TableError(file, expected, row=row, column="time") from None


def _row(
    file: str,
    number: int,
    cells: dict[str, str],
    item: str,
    schemes: Mapping[str, LabelScheme | None],
    known: set[ClipId],
) -> Row:
    def text(column: str) -> str:
        return unicodedata.normalize("NFC", cells.get(column, "").strip())

    def problem(column: str, expected: str) -> TableError:
        return TableError(file, expected, row=number, column=column)

    clip_id, rater, label = text(item), text("rater"), text("label")
    for column, value in ((item, clip_id), ("rater", rater)):
        if not value:
            raise problem(column, "expected a name, found an empty cell")
    if clip_id not in known:
        near = get_close_matches(clip_id, known, n=1, cutoff=0.5)
        tail = f"; did you mean '{near[0]}'?" if near else " among the clips of this study"
        raise problem(item, f"there is no clip '{clip_id}'{tail}")
    scheme = schemes[cells.get("scheme", "").strip()]
    if scheme is None:
        raise problem("scheme", f"there is no scheme '{text('scheme')}' here: leave the cell empty for the study's own")
    if label and label not in scheme.label_names:
        raise unknown_label(file, number, label, scheme.label_names)
    flags = tuple(flag for part in text("flags").split(";") for flag in part.replace(",", " ").split())
    for flag in flags:
        if flag not in scheme.flag_names:
            raise unknown_label(file, number, flag, scheme.flag_names, "flags")
    if not label and not flags:
        raise problem("label", "expected a label, or a flag that says why there is none")
    pass_ = text("pass") or "audio"
    if pass_ not in PASSES:
        raise problem("pass", f"expected {' or '.join(PASSES)}, found '{pass_}'")
    kind = next((each for each in RATER_KINDS if each == text("kind")), None)
    if text("kind") and kind is None:
        raise problem("kind", f"expected {', '.join(RATER_KINDS[:-1])} or {RATER_KINDS[-1]}, found '{text('kind')}'")
    return Row(
        number=number,
        clip_id=clip_id,
        rater=rater,
        kind=kind,
        label=label or None,
        scheme=scheme.name,
        pass_=pass_,
        time=moment(file, number, text("time")),
        flags=flags,
        confidence=_confidence(text("confidence"), problem),
        heard_ms=_milliseconds(text("heard_ms"), problem),
        note=plain(cells["note"]) if "note" in cells else None,
    )


def _confidence(text: str, problem: Problem) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise problem("confidence", f"expected a number, found '{text}'")
    return number


def _milliseconds(text: str, problem: Problem) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise problem("heard_ms", f"expected whole milliseconds such as 1800, found '{text}'")
    return int(text)
