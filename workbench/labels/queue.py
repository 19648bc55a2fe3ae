"""Who hears which clip next: each clip goes to k people, to none of them twice, in an order of their own."""

import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from pipelines.manifest import read_clips
from pipelines.study import Study
from pipelines.units import ClipId, RaterId
from workbench.errors import StoreError
from workbench.store import Assignment, Store
from workbench.store.store import as_assignment, assignment_row
from workbench.store.tables import ASSIGNMENTS, RATERS, STANDING
from workbench.store.values import from_text, to_text

LEASE = timedelta(minutes=30)

#: Which clips are given to nobody any more, as the store stands within this transaction.
Withheld = Callable[[sa.Connection], Collection[ClipId]]


@dataclass(frozen=True, slots=True)
class Items:
    """The clips that are asked under one scheme in one pass, each of k people."""

    clip_ids: tuple[ClipId, ...]
    scheme: str
    pass_: str = "audio"
    k: int = 3


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one rater has answered of the items, and how many they could still be given now."""

    answered: int
    left: int


@dataclass(frozen=True, slots=True)
class Claims:
    """How far one clip is taken: by people who answered, and by people who answered or are hearing it now."""

    answers: int
    taken: int


@dataclass(frozen=True, slots=True)
class _Own:
    """A rater's own assignment."""

    assignment: Assignment
    is_answered: bool


def items(study: Study, pass_: str = "audio") -> Items:
    """What this study asks in one pass: its kept clips. Empty before anything is ingested."""
    clips = read_clips(study.clips_csv) if study.clips_csv.is_file() else ()
    settings = study.settings
    return Items(tuple(clip.clip_id for clip in clips), settings.scheme, pass_, settings.labels.raters_per_clip)


def lease(
    store: Store,
    asked: Items,
    rater: RaterId,
    n: int = 3,
    *,
    now: datetime | None = None,
    skip: Collection[str] = (),
    withheld: Withheld | None = None,
) -> list[Assignment]:
    """Up to `n` clips for this person, held for them for 30 minutes.

    What they hold and have not answered comes first (a reloaded page goes on where it was), then new clips: those
    with most answers below k, then the rater's own seeded order. `skip`: tokens that the page holds already or that
    are on their way here with an answer. `withheld` tells, within the same transaction, which clips are given to nobody
    any more. Two processes never give one clip to more than k people: all is decided in
    one transaction that no other writer comes between. Raises StoreError for an unknown rater or a machine.
    """
    now = now or datetime.now(UTC)
    with store.writing() as connection:
        _check_person(connection, rater)
        asked = _without(asked, withheld(connection) if withheld else ())
        own = _own(connection, asked, rater)
        claims = _claims(connection, asked, now)
        chosen = choose(asked, own, claims, rater, n, now, skip)
        until = now + LEASE
        given = [
            replace(own[clip_id].assignment, lease_until=until)
            if clip_id in own
            else Assignment(secrets.token_urlsafe(16), clip_id, asked.scheme, asked.pass_, rater, now, until)
            for clip_id in chosen
        ]
        for assignment in given:
            if assignment.clip_id in own:
                at = ASSIGNMENTS.c.token == assignment.token
                connection.execute(ASSIGNMENTS.update().where(at).values(lease_until=to_text(until)))
            else:
                connection.execute(ASSIGNMENTS.insert(), assignment_row(assignment))
    return given


def outlook(
    store: Store, asked: Items, rater: RaterId, *, now: datetime | None = None, withheld: Withheld | None = None
) -> Outlook:
    """How far this rater is, for the line above the clip: answered, and still to be had."""
    now = now or datetime.now(UTC)
    with store.reading() as connection:
        asked = _without(asked, withheld(connection) if withheld else ())
        own = _own(connection, asked, rater)
        claims = _claims(connection, asked, now)
    known = set(asked.clip_ids)
    answered = sum(one.is_answered for clip_id, one in own.items() if clip_id in known)
    return Outlook(answered, len(choose(asked, own, claims, rater, len(known), now, ())))


def choose(
    asked: Items,
    own: Mapping[ClipId, _Own],
    claims: Mapping[ClipId, Claims],
    rater: RaterId,
    n: int,
    now: datetime,
    skip: Collection[str],
) -> Sequence[ClipId]:
    """Which clips, in which order: a plain function of what is held and answered."""
    nobody = Claims(0, 0)

    def is_free(clip_id: ClipId) -> bool:
        return claims.get(clip_id, nobody).taken < asked.k

    known = set(asked.clip_ids)
    skipped = set(skip)
    held = [
        clip_id
        for clip_id, one in own.items()
        if clip_id in known
        and not one.is_answered
        and one.assignment.token not in skipped
        and (one.assignment.lease_until > now or is_free(clip_id))
    ]
    if len(held) >= n:
        return held[:n]
    free = [clip_id for clip_id in asked.clip_ids if clip_id not in own and is_free(clip_id)]
    free.sort(key=lambda clip_id: (-claims.get(clip_id, nobody).answers, _place(rater, clip_id)))
    return [*held, *free[: n - len(held)]]


def _without(asked: Items, gone: Collection[ClipId]) -> Items:
    return replace(asked, clip_ids=tuple(name for name in asked.clip_ids if name not in gone)) if gone else asked


def _place(rater: RaterId, clip_id: ClipId) -> bytes:
    """Where a clip stands in this rater's own order: fixed, and without any trace of the order in the episode."""
    return hashlib.sha256(f"{rater}\n{clip_id}".encode()).digest()


def _check_person(connection: sa.Connection, rater: RaterId) -> None:
    kind = connection.scalar(sa.select(RATERS.c.kind).where(RATERS.c.rater == rater))
    if kind is None:
        raise StoreError(f"there is no rater '{rater}' in this study: add them with 'workbench user add'")
    if kind != "person":
        raise StoreError(f"rater '{rater}' is a {kind}: only people are given clips")


def _own(connection: sa.Connection, asked: Items, rater: RaterId) -> dict[ClipId, _Own]:
    """Every clip this rater was given or has answered, in the order given."""
    here = ASSIGNMENTS.c
    answered = sa.select(STANDING.c.clip_id).where(
        STANDING.c.scheme == asked.scheme, STANDING.c["pass"] == asked.pass_, STANDING.c.rater == rater
    )
    done = set(connection.scalars(answered))
    given = (
        sa.select(ASSIGNMENTS)
        .where(here.scheme == asked.scheme, here["pass"] == asked.pass_, here.rater == rater)
        .order_by(here.assigned, here.token)
    )
    own = {
        row["clip_id"]: _Own(as_assignment(row), row["clip_id"] in done) for row in connection.execute(given).mappings()
    }
    for clip_id in done - own.keys():  # answered in an imported table
        long_ago = from_text("1970-01-01T00:00:00.000Z")
        own[clip_id] = _Own(Assignment("", clip_id, asked.scheme, asked.pass_, rater, long_ago, long_ago), True)
    return own


def _claims(connection: sa.Connection, asked: Items, now: datetime) -> dict[ClipId, Claims]:
    """clip → claims of people; machines and references never use up a place."""
    people = sa.select(RATERS.c.rater).where(RATERS.c.kind == "person")
    standing = sa.select(STANDING.c.clip_id, STANDING.c.rater, sa.literal(1).label("answered")).where(
        STANDING.c.scheme == asked.scheme, STANDING.c["pass"] == asked.pass_, STANDING.c.rater.in_(people)
    )
    leased = sa.select(ASSIGNMENTS.c.clip_id, ASSIGNMENTS.c.rater, sa.literal(0)).where(
        ASSIGNMENTS.c.scheme == asked.scheme,
        ASSIGNMENTS.c["pass"] == asked.pass_,
        ASSIGNMENTS.c.lease_until > to_text(now),
        ASSIGNMENTS.c.rater.in_(people),
    )
    both = sa.union_all(standing, leased).subquery()
    per_person = (
        sa.select(both.c.clip_id, sa.func.max(both.c.answered).label("answered"))
        .group_by(both.c.clip_id, both.c.rater)
        .subquery()
    )
    query = sa.select(per_person.c.clip_id, sa.func.sum(per_person.c.answered), sa.func.count()).group_by(
        per_person.c.clip_id
    )
    return {clip_id: Claims(int(answers), int(taken)) for clip_id, answers, taken in connection.execute(query)}
