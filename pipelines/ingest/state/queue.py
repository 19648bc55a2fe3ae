"""ingest.db: what was done to which source, on this machine. A source is done when one transaction says so.

Everything that changes from run to run lives here and not in the shareable tables: local paths, attempts, file times.
What was heard (scores) and what was decided from it stand in columns of their own: deciding anew rewrites the latter.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

from pipelines.errors import ConfigError
from pipelines.ingest.reproduce.clip_cutting import ClipSlice
from pipelines.ingest.selection.decision import (
    CROSS_SOURCE_REASONS,
    PICKED,
    Arm,
    DecidedWindow,
    Decision,
    ScoredWindow,
    with_clip_ids,
)
from pipelines.ingest.selection.decision import Status as DecisionStatus
from pipelines.ingest.state.probe_cache import Memory, path_text
from pipelines.schema import clip_id
from pipelines.units import ClipId, Hertz, Samples, SourceId

__all__ = ["Item", "Queue", "Status", "open_queue", "path_text"]

Status = Literal["new", "fetched", "done", "failed", "duplicate"]

_TABLES = """
CREATE TABLE IF NOT EXISTS items (
    source_id TEXT PRIMARY KEY, uri TEXT NOT NULL, path TEXT NOT NULL DEFAULT '', sha256 TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    failure TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0, config_hash TEXT NOT NULL DEFAULT '',
    facts TEXT NOT NULL DEFAULT '{}', changed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    decided_by TEXT NOT NULL DEFAULT '', clips_hash TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS candidates (
    source_id TEXT NOT NULL, start_sample INTEGER NOT NULL, n_samples INTEGER NOT NULL, onset_s REAL NOT NULL,
    scores TEXT NOT NULL, reasons TEXT NOT NULL, pcm_sha256 TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT '', arm TEXT NOT NULL DEFAULT '', PRIMARY KEY (source_id, start_sample)
);
CREATE TABLE IF NOT EXISTS picked (
    source_id TEXT NOT NULL, start_sample INTEGER NOT NULL, n_samples INTEGER NOT NULL, scores TEXT NOT NULL,
    pcm_sha256 TEXT NOT NULL, PRIMARY KEY (source_id, start_sample, n_samples)
);
CREATE TABLE IF NOT EXISTS tables (made_of TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS candidate_tables (made_of TEXT NOT NULL);
"""

#: Columns that a database of an earlier version lacks, and how they are filled from what it has.
_ADDED = """
ALTER TABLE items ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN clips_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE candidates ADD COLUMN status TEXT NOT NULL DEFAULT '';
ALTER TABLE candidates ADD COLUMN arm TEXT NOT NULL DEFAULT '';
UPDATE items SET clips_hash = config_hash;
UPDATE candidates SET status = CASE reasons WHEN '' THEN 'keep' ELSE 'reject' END,
    arm = CASE reasons WHEN '' THEN 'model' ELSE '' END;
"""


@dataclass(frozen=True, slots=True)
class Item:
    """The state of one source. `facts` are cells of sources.csv that were measured, plus speech_s.

    `config_hash`: the settings of its analysis (pipelines.ingest.source_analysis.analysis_hash). `decided_by`: those by
    which its windows were decided last, empty for not yet; `clips_hash` is the config_hash of its clips.
    """

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
    decided_by: str = ""
    clips_hash: str = ""

    def clip_id(self, start_sample: Samples) -> ClipId:
        """The id of a clip of it."""
        return clip_id(self.source_id, start_sample, self.rate_hz)

    @property
    def track(self) -> int:
        """The audio track that was heard."""
        return int(self.facts.get("track", "0"))

    @property
    def rate_hz(self) -> Hertz:
        """Of the recording; KeyError for one that was never decoded."""
        return int(self.facts["sample_rate_hz"])


_FIELDS = tuple(Item.__slots__)


class Queue(Memory):
    """The open queue of one study. Paths cross as text that keeps any file name (surrogateescape made readable)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._db.executescript(_TABLES)
        if "arm" not in {row[1] for row in self._db.execute("PRAGMA table_info(candidates)")}:
            self._db.executescript(f"BEGIN; {_ADDED} COMMIT;")

    def items(self) -> dict[SourceId, Item]:
        """All sources ever met, by id."""
        rows = self._db.execute(f"SELECT {', '.join(_FIELDS)} FROM items ORDER BY source_id")
        cells = [dict(zip(_FIELDS, row, strict=True)) for row in rows]
        items = [Item(**{**one, "facts": json.loads(one["facts"])}) for one in cells]
        return {item.source_id: item for item in items}

    def put(
        self,
        item: Item,
        windows: Sequence[ScoredWindow] | None = None,
        decisions: Sequence[Decision] = (),
    ) -> None:
        """Write one item and, where given, all its candidate windows in place of the old ones: one transaction.

        `decisions`: one per window.
        """
        if windows is not None:
            item = replace(item, decided_by="")
        with self._db:
            self._write(item)
            if windows is None:
                return
            self._db.execute("PRAGMA user_version = 1")
            for table in ("candidates", "picked"):
                self._db.execute(f"DELETE FROM {table} WHERE source_id = ?", (item.source_id,))
            self._db.executemany(
                "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        item.source_id, window.start_sample, window.n_samples, window.onset_s,
                        json.dumps(dict(window.scores)), ";".join(one.reasons), window.pcm_sha256, one.status, one.arm,
                    )
                    for window, one in zip(windows, decisions, strict=True)
                ],
            )  # fmt: skip

    def _write(self, item: Item) -> None:
        cells = {name: getattr(item, name) for name in _FIELDS} | {
            "facts": json.dumps(dict(item.facts), sort_keys=True)
        }
        self._db.execute(
            f"INSERT OR REPLACE INTO items ({', '.join(_FIELDS)}) VALUES ({', '.join('?' * len(_FIELDS))})",
            [cells[name] for name in _FIELDS],
        )

    def windows(self, source_id: SourceId) -> tuple[ScoredWindow, ...]:
        """The candidate windows of one source, in order."""
        return tuple(window for window, _ in self._windows(source_id, ""))

    def decided(self, item: Item) -> tuple[DecidedWindow, ...]:
        """The candidate windows of a source that was heard, in order, with what was decided."""
        return _named(item, self._windows(item.source_id, ""))

    def everything(self, item: Item) -> tuple[DecidedWindow, ...]:
        """The candidates and the hand picks that are none, in order."""
        pairs = [*self._windows(item.source_id, ""), *self.picked(item.source_id)]
        return _named(item, pairs)

    def kept(self, item: Item) -> tuple[DecidedWindow, ...]:
        """The windows that are clips, in order; hand picks that are no candidates too. None of one never heard."""
        if "sample_rate_hz" not in item.facts:
            return ()
        return _named(item, [*self._windows(item.source_id, "AND status = 'keep'"), *self.picked(item.source_id)])

    def slices(self, item: Item) -> tuple[ClipSlice, ...]:
        """The same as `kept`, without scores: cheap for many."""
        rows = self._db.execute(
            "SELECT start_sample, n_samples, pcm_sha256 FROM candidates WHERE source_id = ? AND status = 'keep' "
            "UNION ALL SELECT start_sample, n_samples, pcm_sha256 FROM picked WHERE source_id = ? ORDER BY 1",
            (item.source_id, item.source_id),
        )
        return tuple(ClipSlice(item.clip_id(row[0]), *row) for row in rows)

    def reasons(self, item: Item) -> dict[ClipId, tuple[str, ...]]:
        """What speaks against each window of a source, without its scores: nothing against those that are clips."""
        rows = self._db.execute(
            "SELECT start_sample, reasons FROM candidates WHERE source_id = ? "
            "UNION ALL SELECT start_sample, '' FROM picked WHERE source_id = ?",
            (item.source_id, item.source_id),
        )
        return {item.clip_id(start): tuple(filter(None, reasons.split(";"))) for start, reasons in rows}

    def tally(self, source_id: SourceId) -> Sequence[tuple[Decision, int]]:
        """How many windows of a source each decision met."""
        rows = self._db.execute(
            "SELECT status, reasons, arm, COUNT(*) FROM candidates WHERE source_id = ? GROUP BY 1, 2, 3 "
            "UNION ALL SELECT 'keep', '', 'picked', COUNT(*) FROM picked WHERE source_id = ?",
            (source_id, source_id),
        )
        return [(_decision(*row[:3]), row[3]) for row in rows if row[3]]

    def decide(self, item: Item, decisions: Sequence[Decision], before: Sequence[Decision]) -> bool:
        """Write what was decided of the source's windows, in their order, and `item`: one transaction.

        Returns whether anything is another than `before`.
        """
        starts = [row[0] for row in self._db.execute(_STARTS, (item.source_id,))]
        moved = [
            (one.status, ";".join(one.reasons), one.arm, item.source_id, start)
            for start, one, earlier in zip(starts, decisions, before, strict=True)
            if one != earlier
        ]
        with self._db:
            self._write(item)
            if moved:
                self._db.execute("PRAGMA user_version = 1")
                self._db.executemany(
                    "UPDATE candidates SET status = ?, reasons = ?, arm = ? WHERE source_id = ? AND start_sample = ?",
                    moved,
                )
        return bool(moved)

    def rescore(self, source_id: SourceId, windows: Sequence[ScoredWindow], before: Sequence[ScoredWindow]) -> None:
        """Write scores of the source's windows that are others than `before`, in their order: one transaction."""
        moved = [
            (json.dumps(dict(one.scores)), source_id, one.start_sample)
            for one, earlier in zip(windows, before, strict=True)
            if one.scores != earlier.scores
        ]
        if moved:
            with self._db:
                self._db.execute("PRAGMA user_version = 1")
                self._db.executemany("UPDATE candidates SET scores = ? WHERE source_id = ? AND start_sample = ?", moved)

    def picked(self, source_id: SourceId) -> list[tuple[ScoredWindow, Decision]]:
        """Windows of a source that somebody picked and that are no candidates."""
        rows = self._db.execute(
            "SELECT start_sample, n_samples, scores, pcm_sha256 FROM picked WHERE source_id = ? ORDER BY 1",
            (source_id,),
        )
        return [(ScoredWindow(row[0], row[1], 0.0, json.loads(row[2]), row[3]), PICKED) for row in rows]

    def put_picked(self, source_id: SourceId, windows: Sequence[ScoredWindow]) -> None:
        """Write the picked windows of a source in place of the old ones."""
        with self._db:
            self._db.execute("PRAGMA user_version = 1")
            self._db.execute("DELETE FROM picked WHERE source_id = ?", (source_id,))
            self._db.executemany(
                "INSERT INTO picked VALUES (?, ?, ?, ?, ?)",
                [
                    (source_id, one.start_sample, one.n_samples, json.dumps(dict(one.scores)), one.pcm_sha256)
                    for one in windows
                ],
            )

    def with_twins(self) -> frozenset[SourceId]:
        """Sources with a window that is a clip, or left for what stands elsewhere, and has the samples of another such
        one; and all with a window that left so."""
        rows = self._db.execute(_TWINS, CROSS_SOURCE_REASONS * 2)
        return frozenset(row[0] for row in rows)

    def _windows(self, source_id: SourceId, which: str) -> list[tuple[ScoredWindow, Decision]]:
        rows = self._db.execute(
            "SELECT start_sample, n_samples, onset_s, scores, pcm_sha256, status, reasons, arm FROM candidates "
            f"WHERE source_id = ? {which} ORDER BY start_sample",
            (source_id,),
        )
        return [(ScoredWindow(row[0], row[1], row[2], json.loads(row[3]), row[4]), _decision(*row[5:])) for row in rows]

    def status(self, source_id: SourceId) -> Status | None:
        """How far a source is, None where it was never met."""
        row = self._db.execute("SELECT status FROM items WHERE source_id = ?", (source_id,)).fetchone()
        return None if row is None else row[0]

    @property
    def ahead(self) -> bool:
        """Whether windows were written that the study's tables may not hold yet."""
        return bool(self._db.execute("PRAGMA user_version").fetchone()[0])

    @property
    def candidates_made_of(self) -> str:
        """Of which sources the table of candidates was made last; empty where windows were written since."""
        row = self._db.execute("SELECT made_of FROM candidate_tables").fetchone()
        return "" if row is None or self.ahead else str(row[0])

    def made_candidates_of(self, made_of: str) -> None:
        """The table of candidates holds every window of what is kept here as `made_of`."""
        if self.ahead:
            self._db.execute("PRAGMA user_version = 0")
        with self._db:
            self._db.execute("DELETE FROM candidate_tables")
            self._db.execute("INSERT INTO candidate_tables VALUES (?)", (made_of,))

    @property
    def tables_made_of(self) -> str:
        """What the study's tables were made of when they were written last; empty where windows were written since."""
        row = self._db.execute("SELECT made_of FROM tables").fetchone()
        return "" if row is None or self.ahead else str(row[0])

    def made_tables_of(self, made_of: str) -> None:
        """Keep what the tables, which are written now, were made of."""
        with self._db:
            self._db.execute("DELETE FROM tables")
            self._db.execute("INSERT INTO tables VALUES (?)", (made_of,))


_TWINS = """
WITH wanted AS (
    SELECT source_id, pcm_sha256 FROM candidates WHERE (status = 'keep' OR reasons IN (?, ?)) AND pcm_sha256 <> ''
    UNION ALL SELECT source_id, pcm_sha256 FROM picked WHERE pcm_sha256 <> ''
)
SELECT source_id FROM wanted WHERE pcm_sha256 IN (SELECT pcm_sha256 FROM wanted GROUP BY 1 HAVING COUNT(*) > 1)
UNION SELECT source_id FROM candidates WHERE reasons IN (?, ?)
"""

_STARTS = "SELECT start_sample FROM candidates WHERE source_id = ? ORDER BY start_sample"


def _named(item: Item, pairs: Sequence[tuple[ScoredWindow, Decision]]) -> tuple[DecidedWindow, ...]:
    ordered = sorted(pairs, key=lambda pair: (pair[0].start_sample, pair[0].n_samples))
    return with_clip_ids(
        (window for window, _ in ordered), (decision for _, decision in ordered), item.source_id, item.rate_hz
    )


def _decision(status: str, reasons: str, arm: str) -> Decision:
    return Decision(cast(DecisionStatus, status), tuple(filter(None, reasons.split(";"))), cast(Arm, arm))


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
