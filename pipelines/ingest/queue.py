"""ingest.db: what was done to which source, on this machine. A source is done when one transaction says so.

Everything that changes from run to run lives here and not in the shareable tables: local paths, attempts, file times.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipelines.atomic import sha256_file
from pipelines.errors import ConfigError, MediaError
from pipelines.ingest.analyse import Scored
from pipelines.ingest.manners import Rest
from pipelines.ingest.outlook import Outlook, outlook_of
from pipelines.units import SourceId

Status = Literal["new", "fetched", "done", "failed", "duplicate"]

_TABLES = """
CREATE TABLE IF NOT EXISTS items (
    source_id TEXT PRIMARY KEY, uri TEXT NOT NULL, path TEXT NOT NULL DEFAULT '', sha256 TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    failure TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0, config_hash TEXT NOT NULL DEFAULT '',
    facts TEXT NOT NULL DEFAULT '{}', changed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS candidates (
    source_id TEXT NOT NULL, start_sample INTEGER NOT NULL, n_samples INTEGER NOT NULL, onset_s REAL NOT NULL,
    scores TEXT NOT NULL, reasons TEXT NOT NULL, pcm_sha256 TEXT NOT NULL, PRIMARY KEY (source_id, start_sample)
);
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS hosts (host TEXT PRIMARY KEY, until REAL NOT NULL, strikes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS waits (source_id TEXT PRIMARY KEY, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS videos (
    source_id TEXT PRIMARY KEY, reason_code TEXT NOT NULL, reason TEXT NOT NULL, failure TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS outlooks (uri TEXT PRIMARY KEY, asked REAL NOT NULL, outlook TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Item:
    """The state of one source. `facts` are cells of sources.csv that were measured, plus speech_s and rate_hz."""

    source_id: SourceId
    uri: str
    path: str = ""
    sha256: str = ""
    status: Status = "new"
    reason_code: str = ""
    reason: str = ""
    failure: str = ""
    attempts: int = 0
    config_hash: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


_FIELDS = tuple(Item.__slots__)


class Queue:
    """The open queue of one study. Paths cross as text that keeps any file name (surrogateescape made readable)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._db.executescript(_TABLES)

    def items(self) -> dict[SourceId, Item]:
        """All sources ever met, by id."""
        rows = self._db.execute(f"SELECT {', '.join(_FIELDS)} FROM items ORDER BY source_id")
        items = [Item(**{**dict(zip(_FIELDS, row, strict=True)), "facts": json.loads(row[-1])}) for row in rows]
        return {item.source_id: item for item in items}

    def put(self, item: Item, windows: tuple[Scored, ...] | None = None) -> None:
        """Write one item and, where given, all its candidate windows in place of the old ones: one transaction."""
        cells = {name: getattr(item, name) for name in _FIELDS} | {
            "facts": json.dumps(dict(item.facts), sort_keys=True)
        }
        with self._db:
            self._db.execute(
                f"INSERT OR REPLACE INTO items ({', '.join(_FIELDS)}) VALUES ({', '.join('?' * len(_FIELDS))})",
                [cells[name] for name in _FIELDS],
            )
            if windows is None:
                return
            self._db.execute("PRAGMA user_version = 1")
            self._db.execute("DELETE FROM candidates WHERE source_id = ?", (item.source_id,))
            self._db.executemany(
                "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        item.source_id, window.start_sample, window.n_samples, window.onset_s,
                        json.dumps(window.scores), ";".join(window.reasons), window.pcm_sha256,
                    )
                    for window in windows
                ],
            )  # fmt: skip

    def windows(self, source_id: SourceId) -> tuple[Scored, ...]:
        """The candidate windows of one source, in order."""
        rows = self._db.execute(
            "SELECT start_sample, n_samples, onset_s, scores, reasons, pcm_sha256 FROM candidates "
            "WHERE source_id = ? ORDER BY start_sample",
            (source_id,),
        )
        return tuple(
            Scored(start, count, onset_s, json.loads(scores), tuple(filter(None, reasons.split(";"))), pcm)
            for start, count, onset_s, scores, reasons, pcm in rows
        )

    def rests(self) -> dict[str, Rest]:
        """Hosts that asked to be left alone."""
        return {host: Rest(until, strikes) for host, until, strikes in self._db.execute("SELECT * FROM hosts")}

    def forgive(self) -> None:
        """Let hosts that were given up be asked once more, when the rest that they asked for is over."""
        with self._db:
            self._db.execute("UPDATE hosts SET strikes = 1 WHERE strikes > 1")

    def rest(self, host: str, rest: Rest) -> None:
        """Keep a host's rest."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO hosts VALUES (?, ?, ?)", (host, rest.until, rest.strikes))

    def waits(self) -> dict[SourceId, float]:
        """Sources that are not asked again before a time (seconds since 1970)."""
        return dict(self._db.execute("SELECT source_id, until FROM waits"))

    def wait(self, source_id: SourceId, until: float) -> None:
        """Keep until when a source is left alone."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO waits VALUES (?, ?)", (source_id, until))

    def videos_failed(self) -> dict[SourceId, MediaError]:
        """Sources whose film could not be had, and why."""
        rows = self._db.execute("SELECT source_id, reason_code, reason, failure FROM videos ORDER BY source_id")
        return {name: MediaError(code, reason, failure) for name, code, reason, failure in rows}

    def put_video(self, source_id: SourceId, error: MediaError | None) -> None:
        """Keep why a film could not be had; None where it was."""
        with self._db:
            self._db.execute("DELETE FROM videos WHERE source_id = ?", (source_id,))
            if error is not None:
                row = (source_id, error.reason_code, error.reason, error.failure)
                self._db.execute("INSERT INTO videos VALUES (?, ?, ?, ?)", row)

    def status(self, source_id: SourceId) -> Status | None:
        """How far a source is, None where it was never met."""
        row = self._db.execute("SELECT status FROM items WHERE source_id = ?", (source_id,)).fetchone()
        return None if row is None else row[0]

    def outlook(self, uri: str, *, since: float) -> Outlook | None:
        """What the site said of an address, where it was asked after `since` (seconds since 1970)."""
        row = self._db.execute("SELECT outlook FROM outlooks WHERE uri = ? AND asked >= ?", (uri, since)).fetchone()
        return None if row is None else outlook_of(str(row[0]))

    def keep_outlook(self, uri: str, outlook: Outlook, asked: float) -> None:
        """Remember what a site said."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO outlooks VALUES (?, ?, ?)", (uri, asked, outlook.text()))

    @property
    def ahead(self) -> bool:
        """Whether windows were written that the study's tables may not hold yet."""
        return bool(self._db.execute("PRAGMA user_version").fetchone()[0])

    def tables_written(self) -> None:
        """The study's tables hold everything that is here."""
        if self.ahead:
            self._db.execute("PRAGMA user_version = 0")

    def is_as_it_was(self, path: Path) -> bool:
        """Whether the file has the size and time of change that it had when its checksum was taken."""
        return self._remembered(path) is not None

    def sha256(self, path: Path) -> str:
        """The file's checksum, read again only where size or time of change differ from the last time."""
        remembered = self._remembered(path)
        if remembered is not None:
            return remembered
        found = sha256_file(path)
        self.remember(path, found)
        return found

    def remember(self, path: Path, sha256: str) -> None:
        """Keep a file's checksum with its size and time of change."""
        state = path.stat()
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
                (path_text(path), state.st_size, state.st_mtime_ns, sha256),
            )

    def _remembered(self, path: Path) -> str | None:
        try:
            state = path.stat()
        except OSError:
            return None
        row = self._db.execute(
            "SELECT sha256 FROM files WHERE path = ? AND bytes = ? AND mtime_ns = ?",
            (path_text(path), state.st_size, state.st_mtime_ns),
        ).fetchone()
        return None if row is None else str(row[0])


def path_text(path: Path) -> str:
    """A path as text that SQLite and JSON take, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode()


@contextmanager
def open_queue(file: Path) -> Iterator[Queue]:
    """The queue in `file`, for one run at a time: a second one is refused (ConfigError)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file.with_suffix(".lock"), timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise ConfigError("another ingest of this study is running; wait until it has ended") from None
        with closing(sqlite3.connect(file, timeout=10)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            yield Queue(connection)
