"""How far each source of a study is, on this machine: read beside a run, without waiting for it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.ingest.fetch.host_queues import Errand
from pipelines.ingest.sources import Source, called, read_sources
from pipelines.ingest.state.queue import Item, Queue
from pipelines.study import Study
from pipelines.units import Seconds, SourceId

#: `waiting`: nothing was done yet; `fetched`: the file is here and waits to be heard.
SourceState = Literal["waiting", "fetched", "done", "failed", "duplicate", "taken_down"]


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """One source as it stands. `source_id` is empty for a row of sources.csv that no run has met yet.

    `failure`, `reason_code` and `reason` say why it failed (see pipelines.errors.MediaError); `until` is when a source
    that waits, or the host it comes from, is asked again, in seconds since 1970. `listed`: has a row in sources.csv.
    """

    source_id: SourceId
    uri: str
    state: SourceState
    title: str = ""
    failure: str = ""
    reason_code: str = ""
    reason: str = ""
    attempts: int = 0
    seconds: Seconds | None = None
    speech_s: Seconds | None = None
    until: float | None = None
    path: Path | None = None
    listed: bool = True
    rights_basis: str = ""

    @property
    def called(self) -> str:
        """What a person knows it by."""
        return called(self.source_id, self.uri, self.title)


def source_standings(study: Study) -> tuple[SourceStanding, ...]:
    """Every source of sources.csv, in its order, then those that only this machine knows, such as failed addresses.

    Raises TableError where sources.csv does not parse.
    """
    listed = read_sources(study.sources_csv) if study.sources_csv.is_file() else ()
    with opened_beside(study) as queue:
        items = queue.items() if queue else {}
        waits = queue.waits() if queue else {}
        rests = {host: rest.until for host, rest in queue.rests().items()} if queue else {}
    by_uri = {item.uri: item for item in items.values()}
    found = []
    met: set[SourceId] = set()
    for source in listed:
        item = items.get(source.source_id) if source.source_id else by_uri.get(source.uri)
        if item is not None:
            met.add(item.source_id)
        found.append(_standing(source, item, waits, rests))
    for item in items.values():
        if item.source_id not in met:
            found.append(_standing(Source(item.source_id, item.uri), item, waits, rests, is_listed=False))
    return tuple(found)


@contextmanager
def opened_beside(study: Study) -> Iterator[Queue | None]:
    """The queue of a study, to be read while a run may be writing it; None where nothing was ever ingested here."""
    if not study.ingest_db.is_file():
        yield None
        return
    with closing(sqlite3.connect(study.ingest_db, timeout=10)) as connection:
        yield Queue(connection)


def unlisted_inputs(standings: Sequence[SourceStanding]) -> tuple[str, ...]:
    """What has to be named to `workbench ingest` so that sources which no table lists are met again too."""
    left = [one for one in standings if not one.listed and one.state in ("waiting", "fetched", "failed")]
    return tuple(as_argument(str(one.path) if one.path and "://" not in one.uri else one.uri) for one in left)


def as_argument(given: str) -> str:
    """A cell of a table as a word of a command: one that begins as an option does is a path all the same."""
    return f"./{given}" if given.startswith("-") else given


def _standing(
    source: Source, item: Item | None, waits: dict[SourceId, float], rests: dict[str, float], *, is_listed: bool = True
) -> SourceStanding:
    facts = item.facts if item is not None else source.measured
    rate_hz, samples = facts.get("sample_rate_hz", ""), facts.get("decoded_samples", "")
    until = waits.get(source.source_id)
    if source.is_url and item is not None and item.status == "failed" and item.failure == "defer":
        until = max(filter(None, (until, rests.get(Errand(source.source_id, source.uri).host))), default=None)
    return SourceStanding(
        source_id=source.source_id or (item.source_id if item else ""),
        uri=source.uri,
        state=_state(source, item),
        title=facts.get("title", ""),
        failure=item.failure if item else "",
        reason_code=item.reason_code if item else "",
        reason=item.reason if item else "",
        attempts=item.attempts if item else 0,
        seconds=int(samples) / int(rate_hz) if samples and rate_hz else None,
        speech_s=float(facts["speech_s"]) if facts.get("speech_s") else None,
        until=until,
        path=Path(item.path) if item is not None and item.path else None,
        listed=is_listed,
        rights_basis=source.rights_basis,
    )


def _state(source: Source, item: Item | None) -> SourceState:
    if source.is_taken_down:
        return "taken_down"
    if item is None:
        return "done" if source.measured.get("status") == "ok" else "waiting"
    return "waiting" if item.status == "new" else item.status
