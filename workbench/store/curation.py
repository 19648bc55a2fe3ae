"""Curation events in the store: rows in, values out. workbench.curation.picks decides which may be added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from pipelines.units import ClipId, LabelName, RaterId, Samples, SourceId
from workbench.store.tables import CURATION
from workbench.store.values import from_text, to_text

CurationKind: TypeAlias = Literal["pick", "unpick", "nominate", "speaker", "skip", "mined", "undo"]

_CELLS = tuple(column.name for column in CURATION.c if column.name not in ("seq", "time", "received"))


@dataclass(frozen=True, slots=True)
class CurationEvent:
    """One thing that one person did, on its way into the store or out of it.

    pick      the stretch is a clip; with `label` nominated for that emotion, with `speaker` and `gender` said
    unpick    the pick at `start_sample` is none
    nominate  the clip may show `label`, kept for balance and never shown to raters; None takes it back
    speaker   who speaks in the clip; both empty takes it back
    skip      the window proposed at `start_sample` is not wanted
    mined     somebody has listened up to `start_sample`
    undo      the event `undoes` never was

    `client_id` is made by whoever sends it; sending it twice stores it once. `time` is when it was done, None now.
    `seq` is 0 until it is stored.
    """

    client_id: str
    rater: RaterId
    kind: CurationKind
    source_id: SourceId = ""
    clip_id: ClipId = ""
    start_sample: Samples | None = None
    n_samples: Samples | None = None
    scheme: str = ""
    label: LabelName | None = None
    speaker: str = ""
    gender: str = ""
    undoes: str | None = None
    time: datetime | None = None
    seq: int = 0


def curation_events(connection: sa.Connection, *, after: int = 0) -> tuple[CurationEvent, ...]:
    """The history in the order it was stored, from the first number over `after` on."""
    query = sa.select(CURATION).where(CURATION.c.seq > after).order_by(CURATION.c.seq)
    return tuple(_event(row) for row in connection.execute(query).mappings())


def stored_among(connection: sa.Connection, client_ids: Sequence[str]) -> Mapping[str, CurationEvent]:
    """Those of `client_ids` that are stored already."""
    found: dict[str, CurationEvent] = {}
    for begin in range(0, len(client_ids), 500):
        query = sa.select(CURATION).where(CURATION.c.client_id.in_(client_ids[begin : begin + 500]))
        found.update((row["client_id"], _event(row)) for row in connection.execute(query).mappings())
    return found


def add_curation(connection: sa.Connection, event: CurationEvent, received: datetime) -> None:
    """Store one event; to be called within `Store.writing`."""
    row = {name: getattr(event, name) for name in _CELLS}
    times = {"time": to_text(event.time or received), "received": to_text(received)}
    connection.execute(CURATION.insert(), row | times)


def _event(row: Mapping[Any, Any]) -> CurationEvent:
    return CurationEvent(**{name: row[name] for name in _CELLS}, time=from_text(row["time"]), seq=row["seq"])
