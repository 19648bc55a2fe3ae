"""sources.csv: one row per recording. The curator writes what a person knows; ingest completes what was measured."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePath
from urllib.parse import urlsplit, urlunsplit

from pipelines.errors import MediaError, TableError
from pipelines.manifest import read_table, table_to_csv
from pipelines.schema import NAME
from pipelines.units import SourceId

#: What a person writes. Only `uri` is needed: a file's name or path, or an http(s) address.
CURATED = ("source_id", "uri", "rights_basis", "series", "season", "episode", "language", "speakers", "notes")

#: What ingest adds. No times, attempts or local paths: those are private and change.
MEASURED = (
    "kind", "title", "uploader", "uploader_id", "upload_date", "licence", "extractor", "extractor_id", "availability",
    "live_status", "ytdlp_version", "format_id", "bitrate_bps", "stream_clen", "stream_dur_s", "stream_lmt_us",
    "container", "acodec", "sample_rate_hz", "channels", "bytes", "sha256", "decoded_samples", "first_pts_s",
    "pcm_sha256", "decoder", "group_id", "status", "reason_code",
    "dup_of", "dup_overlap", "fp_algo", "fp_b64",
)  # fmt: skip

#: The cells that hold a recording's fingerprint and the name of its form.
FINGERPRINT = ("fp_algo", "fp_b64")

TAKEN_DOWN = "taken_down"

_SLUG_LENGTH = 48
#: On Windows a file so named, with whatever suffix, is a device.
_DEVICES = frozenset(("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))))


@dataclass(frozen=True, slots=True)
class Source:
    """One row. `measured` holds cells of MEASURED by column; `extra` the curator's own further columns."""

    source_id: SourceId
    uri: str
    rights_basis: str = ""
    series: str = ""
    season: int | None = None
    episode: int | None = None
    language: str = ""
    speakers: str = ""
    notes: str = ""
    measured: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def group_id(self) -> str:
        """What splits keep together: what the table says, else what follows from series and episode."""
        return self.measured.get("group_id") or self.derived_group_id

    @property
    def derived_group_id(self) -> str:
        """Series, season and episode where the episode is known, else the source."""
        series = slug(self.series)
        if not series or self.episode is None:
            return self.source_id
        season = "" if self.season is None else f"s{self.season:02d}"
        return f"{series}-{season}e{self.episode:02d}"

    @property
    def is_taken_down(self) -> bool:
        """Whether the row is the tombstone that `workbench takedown` leaves."""
        return self.measured.get("status") == TAKEN_DOWN

    @property
    def is_url(self) -> bool:
        return is_url(self.uri)


def read_sources(path: Path) -> tuple[Source, ...]:
    """The rows of a sources.csv; source_id may be empty. Raises TableError with row, column and what was expected."""
    rows = read_table(path, required=("uri",))
    known = (*CURATED, *MEASURED)
    for name in rows[0] if rows else ():
        near = [] if name in known else get_close_matches(name, known, n=1, cutoff=0.8)
        if near:
            raise TableError(path.name, f"is not a column of this table; did you mean '{near[0]}'?", column=name)
    found: list[Source] = []
    for number, row in enumerate(rows, start=1):
        source = _source(path.name, number, row)
        for earlier, other in enumerate(found, start=1):
            if source.source_id and source.source_id == other.source_id:
                raise TableError(
                    path.name,
                    f"expected an id of its own, found '{source.source_id}' of row {earlier} again",
                    row=number,
                    column="source_id",
                )
        found.append(source)
    return tuple(found)


def sources_to_csv(sources: Iterable[Source]) -> str:
    """The table as text, sorted by source_id: same sources, same bytes."""
    ordered = sorted(sources, key=lambda source: source.source_id)
    extra = list(dict.fromkeys(name for source in ordered for name in source.extra))
    rows = [
        {name: getattr(source, name) for name in CURATED} | dict(source.measured) | dict(source.extra)
        for source in ordered
    ]
    return table_to_csv((*CURATED, *MEASURED, *extra), rows)


def slug(text: str) -> str:
    """Text as a name for files: a-z, 0-9 and _, at most 48; empty where nothing of it can be written so."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().replace("'", "")
    return re.sub(r"[^a-z0-9-]+", "_", plain).strip("_-")[:_SLUG_LENGTH].rstrip("_-")


def new_source_id(text: str, mark: str, taken: Iterable[SourceId]) -> SourceId:
    """An id from a file's stem or a site's id. Where it is taken or nothing is left of it, `mark` tells apart."""
    used = frozenset(taken) | _DEVICES
    base = slug(text)
    if base and base not in used:
        return base
    base = base or "source"
    return next(name for size in range(6, 65) if (name := f"{base}-{mark[:size]}"[:64]) not in used)


def called(source_id: SourceId, uri: str, title: str = "") -> str:
    """What a person knows a recording by: its title, else its id, else its file's name or address.

    An id holds a-z, 0-9 and _ alone: where it was made from a file's name in another script, that name says more.
    """
    if title or is_url(uri):
        return title or source_id or uri
    file = PurePath(uri)
    if source_id and (file.stem.isascii() or not source_id.startswith(slug(file.stem) or "source-")):
        return source_id
    return file.stem if source_id else file.name


def is_url(uri: str) -> bool:
    """Whether `uri` is an address with a scheme, rather than a path. A single letter before the colon is a drive."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", uri) is not None


def canonical_url(url: str) -> str:
    """The address under which a source is known: scheme and host in lower case, no fragment.

    Raises MediaError for anything but http and https, without a host, or with a user name or password in it.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise MediaError("bad_address", f"'{url[:200]}' is not an address that can be read; check it") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise MediaError(
            "bad_address", f"'{url[:200]}': only http and https addresses are fetched; for a file give its path"
        )
    if parts.username or parts.password:
        raise MediaError(
            "bad_address", f"the address at {parts.hostname} has a user name or password in it; take it out"
        )
    if not parts.hostname:
        raise MediaError("bad_address", f"'{url[:200]}' names no host; check it")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme.lower(), place, parts.path or "/", parts.query, ""))


def address_of(row: Source) -> str:
    """The canonical address of a row, however somebody wrote it; empty for a file, or where it is none."""
    try:
        return canonical_url(row.uri) if row.is_url else ""
    except MediaError:
        return ""


def url_mark(url: str) -> str:
    """Hex digits that tell one address from another."""
    return hashlib.sha256(url.encode()).hexdigest()


def _source(file: str, number: int, row: Mapping[str, str]) -> Source:
    def whole(column: str) -> int | None:
        text = row.get(column, "").strip()
        if not text:
            return None
        if not text.isdecimal():
            raise TableError(file, f"expected a whole number or nothing, found '{text}'", row=number, column=column)
        return int(text)

    uri = row["uri"].strip()
    if not uri:
        raise TableError(
            file, "expected a file's path or an http(s) address, found an empty cell", row=number, column="uri"
        )
    given = row.get("source_id", "").strip()
    if given and not NAME.fullmatch(given):
        raise TableError(
            file,
            f"expected 1 to 64 lower-case letters, digits, '-' or '_' (or nothing), found '{given}'",
            row=number,
            column="source_id",
        )
    cells: Sequence[str] = ("rights_basis", "series", "language", "speakers", "notes")
    return Source(
        source_id=given,
        uri=uri,
        season=whole("season"),
        episode=whole("episode"),
        measured={name: row[name] for name in MEASURED if row.get(name)},
        extra={name: cell for name, cell in row.items() if name not in CURATED and name not in MEASURED},
        **{name: row.get(name, "").strip() for name in cells},
    )
