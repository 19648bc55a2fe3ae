"""Clips that people have labelled or are hearing just now: those stay as they are, and no pick stands over them."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from pipelines.ingest.selection.manual_picks import Pick
from pipelines.schema import Clip
from pipelines.units import ClipId, Hertz, Samples, SourceId
from workbench.store.tables import ASSIGNMENTS, RATERS, STANDING
from workbench.store.values import to_text

Taken = Literal["labelled", "heard"]
_TAKEN: Mapping[Taken, str] = {
    "labelled": "somebody has labelled the clip at {at} s already",
    "heard": "somebody is labelling the clip at {at} s just now",
}
#: A clip that clips.csv no longer lists is known by the milliseconds in its id alone.
_ROUNDED = timedelta(milliseconds=1)


def taken_of(connection: sa.Connection, source_id: SourceId, now: datetime) -> dict[ClipId, Taken]:
    """Such clips of one source, whether or not clips.csv lists them still."""
    own = re.compile(rf"{re.escape(source_id)}-\d{{9}}")
    people = sa.select(RATERS.c.rater).where(RATERS.c.kind != "machine")
    answered = sa.select(STANDING.c.clip_id).where(
        STANDING.c.clip_id.startswith(f"{source_id}-", autoescape=True), STANDING.c.rater.in_(people)
    )
    heard = sa.select(ASSIGNMENTS.c.clip_id).where(
        ASSIGNMENTS.c.clip_id.startswith(f"{source_id}-", autoescape=True),
        ASSIGNMENTS.c.lease_until > to_text(now),
        ASSIGNMENTS.c.rater.in_(people),
    )
    taken: dict[ClipId, Taken] = {name: "heard" for name in connection.scalars(heard) if own.fullmatch(name)}
    taken |= {name: "labelled" for name in connection.scalars(answered) if own.fullmatch(name)}
    return taken


def kept(source_id: SourceId, name: ClipId, connection: sa.Connection, now: datetime) -> str | None:
    """Why a clip must stay as it is; None where it may go."""
    how = taken_of(connection, source_id, now).get(name)
    if how is None:
        return None
    return (
        "somebody has labelled this clip already: it stays"
        if how == "labelled"
        else ("somebody is labelling this clip just now: it stays")
    )


def stretches(
    taken: Mapping[ClipId, Taken], clips: Sequence[Clip], rate_hz: Hertz, length: Samples
) -> list[tuple[Pick, Taken]]:
    """Where they stand, in order; one that is listed no more as near as its id tells."""
    listed = {clip.clip_id: Pick(clip.start_sample, clip.n_samples) for clip in clips}
    slack = round(_ROUNDED.total_seconds() * rate_hz)
    found = []
    for name, how in taken.items():
        about = round(int(name[-9:]) * rate_hz / 1000)
        found.append((listed.get(name) or Pick(about + slack, max(1, length - 2 * slack)), how))
    return sorted(found)


def overlap(pick: Pick, picks: Sequence[Pick], fixed: Sequence[tuple[Pick, Taken]], rate_hz: Hertz) -> str | None:
    """Why `pick` cannot stand beside other picks and beside clips that must stay; None where it can."""
    for other in picks:
        if meet(pick, other):
            return f"overlaps the clip picked at {other.start_sample / rate_hz:.3f} s"
    for other, how in fixed:
        if meet(pick, other):
            why = _TAKEN[how].format(at=f"{other.start_sample / rate_hz:.3f}")
            return f"{why}, and it stays as it is: nominate that one, or pick beside it"
    return None


def meet(one: Pick, other: Pick) -> bool:
    """Whether they share a sample."""
    return one.start_sample < other.end_sample and other.start_sample < one.end_sample
