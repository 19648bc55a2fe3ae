"""Answers from a table that somebody else made: one row per answer, or one column of counts per label."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pipelines.errors import ConfigError, TableError, UnknownName
from pipelines.manifest import read_table
from pipelines.schema import Vote
from pipelines.schemes import LabelScheme
from pipelines.units import LabelName
from workbench.agreement.coefficient import SCALES, Scale
from workbench.agreement.ratings import Ratings, from_counts, from_votes
from workbench.labels import annotation_table

ITEM_COLUMNS = ("clip_id", "item")
GROUP_COLUMNS = ("group_id", "group")

#: The view of answers whose labels belong to no scheme.
OWN = "own"


def checked_scale(given: str) -> Scale:
    """A scale of measurement by name. Raises UnknownName."""
    for scale in SCALES:
        if scale == given:
            return scale
    raise UnknownName("scale", given, SCALES)


def conditions(where: Sequence[str]) -> dict[str, str]:
    """`column=value` as a mapping; `*`, `?` and `[...]` in a value match as in file names. Raises ConfigError."""
    wanted = {}
    for condition in where:
        column, equals, value = condition.partition("=")
        if not equals:
            raise ConfigError(f"--where '{condition}': expected column=value, such as presented=voice")
        wanted[column.strip()] = value.strip()
    return wanted


def read_votes(
    path: Path,
    scheme: LabelScheme,
    *,
    labels: Sequence[LabelName] = (),
    where: Mapping[str, str] | None = None,
    strict: bool = False,
) -> Ratings:
    """Ratings from a long table: clip_id (or item), rater, label; a row with an empty label counts as no answer.

    `labels` in order; with none given those of `scheme` where the table holds no others (or `strict` asks for them),
    else those found. A column group_id says what intervals are over. Where the table has passes, those of sound alone
    are read unless `where` says otherwise. The last answer of a rater to an item stands: by time where every row has
    one, else by row. Raises TableError for row and column.
    """
    table = chosen(path, read_table(path, required=("rater", "label")), where or {})
    table = _by_time(path, table if "pass" in (where or {}) else _of_sound(path, table))
    item = _column(path, table, ITEM_COLUMNS)
    given = [(number, row[item].strip(), row["rater"].strip(), row["label"].strip()) for number, row in table]
    found = {label for _, _, _, label in given if label}
    if not labels:
        labels = scheme.label_names if strict or found <= set(scheme.label_names) else _in_order(found)
    for number, clip_id, rater, label in given:
        if not clip_id or not rater:
            raise TableError(
                path.name, "expected a name, found an empty cell", row=number, column=item if not clip_id else "rater"
            )
        if label and label not in labels:
            raise annotation_table.unknown_label(path.name, number, label, labels)
    votes = [Vote(clip_id, rater, label) for _, clip_id, rater, label in given if label]
    return from_votes(votes, labels, _groups(table, item), group_word="group")


def read_counts(
    path: Path, scheme: LabelScheme, *, labels: Sequence[LabelName] = (), where: Mapping[str, str] | None = None
) -> Ratings:
    """Ratings from a table with one column of counts per label, one row per item.

    `labels` names the columns; with none given those of `scheme` that are there. Raises TableError, ConfigError.
    """
    table = chosen(path, read_table(path), where or {})
    columns = list(table[0][1])
    labels = labels or [label for label in scheme.label_names if label in columns]
    if len(labels) < 2:
        raise ConfigError(f"{path.name}: say which columns hold the counts, such as --labels A,D,F,H,N,S")
    for label in labels:
        if label not in columns:
            raise TableError(path.name, f"expected a column of counts; found {', '.join(columns)}", column=label)
    item = next((name for name in ITEM_COLUMNS if name in columns), None)
    items = [row[item] if item else f"row {number}" for number, row in table]
    counts = [[_count(path, number, row, label) for label in labels] for number, row in table]
    groups = _groups(table, item) if item else None
    return from_counts(items, labels, counts, groups, group_word="group")


def chosen(path: Path, rows: Sequence[dict[str, str]], where: Mapping[str, str]) -> list[tuple[int, dict[str, str]]]:
    """The rows that meet every condition, with their numbers from 1. Raises TableError when none does."""
    for column in where:
        if rows and column not in rows[0]:
            raise TableError(
                path.name, f"there is no such column to select by; found {', '.join(rows[0])}", column=column
            )
    kept = [
        (number, row)
        for number, row in enumerate(rows, start=1)
        if all(fnmatchcase(row[column].strip(), value) for column, value in where.items())
    ]
    if not kept:
        met = " and ".join(f"{column}={value}" for column, value in where.items())
        raise TableError(path.name, f"no row has {met}" if rows else "has a header but no rows")
    return kept


def _of_sound(path: Path, table: list[tuple[int, dict[str, str]]]) -> list[tuple[int, dict[str, str]]]:
    kept = [(number, row) for number, row in table if row.get("pass", "").strip() in ("", "audio")]
    if not kept:
        raise TableError(path.name, "no row has pass=audio; choose another with --where pass=context", column="pass")
    return kept


def _by_time(path: Path, table: list[tuple[int, dict[str, str]]]) -> list[tuple[int, dict[str, str]]]:
    times = {number: annotation_table.moment(path.name, number, row.get("time", "").strip()) for number, row in table}
    known = {number: time for number, time in times.items() if time is not None}
    return sorted(table, key=lambda numbered: known[numbered[0]]) if len(known) == len(times) else table


def _column(path: Path, table: Sequence[tuple[int, dict[str, str]]], names: Sequence[str]) -> str:
    columns = list(table[0][1])
    for name in names:
        if name in columns:
            return name
    raise TableError(path.name, f"expected a column '{names[0]}'; found {', '.join(columns)}", column=names[0])


def _groups(table: Sequence[tuple[int, dict[str, str]]], item: str) -> dict[str, str] | None:
    column = next((name for name in GROUP_COLUMNS if name in table[0][1]), None)
    return None if column is None else {row[item].strip(): row[column].strip() for _, row in table}


def _count(path: Path, number: int, row: Mapping[str, str], column: str) -> int:
    text = row[column].strip()
    if not text.isascii() or not text.isdigit():
        raise TableError(path.name, f"expected a count such as 0 or 3, found '{text}'", row=number, column=column)
    return int(text)


def _in_order(labels: set[LabelName]) -> tuple[LabelName, ...]:
    try:
        return tuple(sorted(labels, key=float))
    except ValueError:
        return tuple(sorted(labels))
