"""What ingest remembers beside its queue: how files, hosts and sites were when it last met them."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.atomic_write import sha256_file
from pipelines.errors import MediaError
from pipelines.ingest.analysis.track_reader import FileState, file_state
from pipelines.ingest.fetch.fetch_policy import Rest
from pipelines.ingest.fetch.probe import Outlook, outlook_of
from pipelines.units import Seconds, SourceId

_TABLES = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS hosts (host TEXT PRIMARY KEY, until REAL NOT NULL, strikes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS waits (source_id TEXT PRIMARY KEY, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS videos (
    source_id TEXT PRIMARY KEY, reason_code TEXT NOT NULL, reason TEXT NOT NULL, failure TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS films (
    source_id TEXT PRIMARY KEY, mark TEXT NOT NULL, cuts TEXT NOT NULL, problem TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS outlooks (uri TEXT PRIMARY KEY, asked REAL NOT NULL, outlook TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Film:
    """What was seen of a film: where it cuts, in seconds by its own clock; None where it could not be looked at.

    `mark` says of which film, and what looked; `problem` why it could not be.
    """

    mark: str
    cuts_s: tuple[Seconds, ...] | None
    problem: str = ""


class Memory:
    """The part of ingest.db that could be lost without losing a clip: checksums, rests, waits, what sites said."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._db.executescript(_TABLES)

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

    def films(self) -> dict[SourceId, Film]:
        """What was seen of the film of each source, by id."""
        rows = self._db.execute("SELECT source_id, mark, cuts, problem FROM films ORDER BY source_id")
        return {
            name: Film(mark, None if problem else tuple(json.loads(cuts)), problem)
            for name, mark, cuts, problem in rows
        }

    def put_film(self, source_id: SourceId, mark: str, cuts_s: Sequence[Seconds] | None, problem: str = "") -> None:
        """Keep what was seen of the film of a source."""
        row = (source_id, mark, json.dumps(cuts_s or []), problem)
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO films VALUES (?, ?, ?, ?)", row)

    def outlook(self, uri: str, *, since: float) -> Outlook | None:
        """What the site said of an address, where it was asked after `since` (seconds since 1970)."""
        row = self._db.execute("SELECT outlook FROM outlooks WHERE uri = ? AND asked >= ?", (uri, since)).fetchone()
        return None if row is None else outlook_of(str(row[0]))

    def keep_outlook(self, uri: str, outlook: Outlook, asked: float) -> None:
        """Remember what a site said."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO outlooks VALUES (?, ?, ?)", (uri, asked, outlook.text()))

    def forget(self, source_id: SourceId, uris: Iterable[str], path: str) -> None:
        """Forget all of a source that was withdrawn; `path` is that of its recording.

        What is deleted and written over from here on is gone from the disk when the database is closed.
        """
        self._db.execute("PRAGMA secure_delete = ON")
        with self._db:
            for uri in uris:
                self._db.execute("DELETE FROM outlooks WHERE uri = ?", (uri,))
            for table in ("waits", "videos", "films"):
                self._db.execute(f"DELETE FROM {table} WHERE source_id = ?", (source_id,))
            self._db.execute("DELETE FROM files WHERE path = ?", (path,))

    def is_as_it_was(self, path: Path) -> bool:
        """Whether the file has the size and time of change that it had when its checksum was taken."""
        return self._remembered(path) is not None

    def sha256(self, path: Path, tell: Callable[[int], None] | None = None) -> str:
        """The file's checksum, read again only where size or time of change differ from the last time.

        `tell` hears how many bytes were read, and may raise to stop.
        """
        remembered = self._remembered(path)
        if remembered is not None:
            return remembered
        before = file_state(path)  # a file that grows meanwhile must not pass for what was read of it
        found = sha256_file(path, tell)
        self.remember(path, found, before)
        return found

    def remember(self, path: Path, sha256: str, state: FileState | None = None) -> None:
        """Keep a file's checksum with its state, by default that of now."""
        state = state or file_state(path)
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
                (path_text(path), state.size, state.mtime_ns, sha256),
            )

    def state(self, path: Path) -> FileState | None:
        """The state in which the file's checksum was taken."""
        row = self._db.execute("SELECT bytes, mtime_ns FROM files WHERE path = ?", (path_text(path),)).fetchone()
        return None if row is None else FileState(*row)

    def _remembered(self, path: Path) -> str | None:
        try:
            state = file_state(path)
        except OSError:
            return None
        row = self._db.execute(
            "SELECT sha256 FROM files WHERE path = ? AND bytes = ? AND mtime_ns = ?",
            (path_text(path), state.size, state.mtime_ns),
        ).fetchone()
        return None if row is None else str(row[0])


def path_text(path: Path) -> str:
    """A path as text that SQLite and JSON take, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode()
