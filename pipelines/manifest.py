"""Manifest (clips.csv): an ordered table of clips with a schema version and a digest; text, shareable without audio."""

import csv
import hashlib
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipelines.atomic_write import write_text
from pipelines.errors import TableError
from pipelines.schema import Clip

FIXED_COLUMNS = (
    "clip_id", "source_id", "track", "start_sample", "n_samples", "rate_hz", "start_s", "end_s",
    "recipe", "pcm_sha256", "group_id",
)  # fmt: skip
OPTIONAL_COLUMNS = ("text", "speaker", "gender", "arm", "config_hash")

#: Python's own limit is 131,072; the fingerprint of ten hours has ten times as many.
MAX_CELL_CHARS = 2**26


def clips_to_csv(clips: Iterable[Clip]) -> str:
    """The table as text: sorted by source and start, metric columns in the middle; same clips, same bytes."""
    ordered = sorted(clips, key=lambda clip: (clip.source_id, clip.track, clip.start_sample, clip.clip_id))
    metrics = list(dict.fromkeys(name for clip in ordered for name in clip.metrics))
    rows = [_row(clip, metrics) for clip in ordered]
    return table_to_csv((*FIXED_COLUMNS, *metrics, *OPTIONAL_COLUMNS), rows)


def write_clips(path: Path, clips: Iterable[Clip]) -> bool:
    """Write the manifest atomically; returns whether a byte changed."""
    return write_text(path, clips_to_csv(clips))


def read_clips(path: Path) -> tuple[Clip, ...]:
    """The clips in `path`. Raises TableError that names row and column."""
    rows = read_table(path, required=FIXED_COLUMNS)
    if not rows:
        return ()
    metrics = [column for column in rows[0] if column not in FIXED_COLUMNS and column not in OPTIONAL_COLUMNS]
    return tuple(_clip(path.name, number, row, metrics) for number, row in enumerate(rows, start=1))


def digest(text: str) -> str:
    """Hex SHA-256 of a table's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def table_to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """RFC 4180 text in NFC with `\\n` line ends; None is an empty cell; a float keeps six significant digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return unicodedata.normalize("NFC", out.getvalue())


def read_table(path: Path, *, required: Sequence[str] = ()) -> list[dict[str, str]]:
    """Rows of a CSV (UTF-8, with or without a byte order mark). Raises TableError for what does not parse."""
    text = _read_text(path)
    try:
        if csv.field_size_limit() < MAX_CELL_CHARS:  # a limit of the whole process, so it is only ever raised
            csv.field_size_limit(MAX_CELL_CHARS)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = _checked_header(path.name, next(reader, None), required)
        rows = []
        for number, cells in enumerate(filter(any, reader), start=1):
            if len(cells) != len(header):
                raise TableError(path.name, f"expected {len(header)} cells, found {len(cells)}", row=number)
            rows.append(dict(zip(header, cells, strict=True)))
        return rows
    except csv.Error as error:
        raise TableError(path.name, f"is not a CSV table ({error})") from None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TableError(path.name, f"there is no such file in {path.parent}") from None
    except UnicodeDecodeError:
        raise TableError(path.name, "is not UTF-8 text; save it as CSV UTF-8") from None


def _checked_header(file: str, cells: Sequence[str] | None, required: Sequence[str]) -> list[str]:
    if cells is None:
        raise TableError(file, f"is empty; expected a header with {', '.join(required) or 'column names'}")
    header = [name.strip() for name in cells]
    duplicate = next((name for name in header if header.count(name) > 1), None)
    if duplicate is not None:
        raise TableError(file, "appears twice in the header", column=duplicate)
    for name in required:
        if name not in header:
            raise TableError(file, f"expected a column '{name}'; found {', '.join(header)}", column=name)
    return header


def _row(clip: Clip, metrics: Sequence[str]) -> dict[str, object]:
    row: dict[str, object] = {
        name: getattr(clip, name) for name in (*FIXED_COLUMNS, *OPTIONAL_COLUMNS) if name not in ("start_s", "end_s")
    }
    row |= {"start_s": f"{clip.start_s:.6f}", "end_s": f"{clip.end_s:.6f}"}
    row |= {name: clip.metrics.get(name) for name in metrics}
    return row


def _clip(file: str, number: int, row: Mapping[str, str], metrics: Sequence[str]) -> Clip:
    def whole(column: str) -> int:
        try:
            return int(row[column])
        except ValueError:
            raise TableError(
                file, f"expected a whole number, found '{row[column]}'", row=number, column=column
            ) from None

    def real(column: str) -> float | None:
        if row[column] == "":
            return None
        try:
            return float(row[column])
        except ValueError:
            raise TableError(file, f"expected a number, found '{row[column]}'", row=number, column=column) from None

    if not row["clip_id"]:
        raise TableError(file, "expected a clip id, found an empty cell", row=number, column="clip_id")
    return Clip(
        clip_id=row["clip_id"],
        source_id=row["source_id"],
        start_sample=whole("start_sample"),
        n_samples=whole("n_samples"),
        rate_hz=whole("rate_hz"),
        group_id=row["group_id"],
        pcm_sha256=row["pcm_sha256"],
        track=whole("track"),
        recipe=row["recipe"],
        metrics={name: real(name) for name in metrics},
        **{name: row.get(name, "") for name in OPTIONAL_COLUMNS},
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
