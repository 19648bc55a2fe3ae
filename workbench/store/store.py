"""The label store: raters, assignments, and a history of answers that only grows."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import Any, Self, get_args

import sqlalchemy as sa

from pipelines.errors import ConfigError
from pipelines.schemes import LabelScheme, load_scheme
from pipelines.study import Study
from pipelines.units import ClipId, RaterId, RaterKind
from workbench.errors import StoreError
from workbench.store import connection as database
from workbench.store.tables import ASSIGNMENTS, EVENTS, RATERS, STANDING
from workbench.store.values import (
    Annotation,
    Assignment,
    Counts,
    Event,
    EventKind,
    Progress,
    Rater,
    RaterRole,
    Recorded,
    Refused,
    StoredEvent,
    from_text,
    plain,
    to_text,
)


def open_store(study: Study) -> "Store":
    """The study's label store, made or brought up to date where needed. Raises StoreError, ConfigError."""
    return Store(database.connect(study), study)


class Store:
    """One study's labels. Safe to share between threads; many processes may have it open at once."""

    def __init__(self, engine: sa.Engine, study: Study) -> None:
        self._engine = engine
        self._study = study
        self._scheme_named = cache(lambda name: load_scheme(name, study.manifests))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; the store opens new ones if it is used again."""
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One short transaction that no other writer can come between; committed on a clean exit."""
        with database.writing(self._engine) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One consistent look."""
        with self._engine.connect() as connection:
            yield connection

    # Raters

    def add_rater(
        self,
        rater: RaterId,
        name: str = "",
        *,
        kind: RaterKind = "person",
        role: RaterRole = "annotator",
        language: str = "",
    ) -> Rater:
        """Make a rater known; `name` defaults to the id. Raises StoreError when the id is empty or taken."""
        rater = _checked_rater(rater)
        with self.writing() as connection:
            if _rater(connection, rater) is not None:
                raise StoreError(f"there is already a rater '{rater}': choose another id")
            return _add_rater(connection, rater, name, kind, role, language)

    def ensure_rater(self, rater: RaterId, name: str = "", *, kind: RaterKind = "person") -> Rater:
        """The rater, made known first where needed. Raises StoreError when known as another kind."""
        known = self.rater(rater) or self._add_unless_there(rater, name, kind)
        if known.kind != kind:
            raise StoreError(f"rater '{rater}' is a {known.kind} here, not a {kind}: use another rater id")
        return known

    def change_rater(
        self, rater: RaterId, *, name: str | None = None, role: RaterRole | None = None, language: str | None = None
    ) -> Rater:
        """Change what is given. Raises StoreError for an unknown rater."""
        given = {"name": name, "role": role, "language": language}
        with self.writing() as connection:
            known = _rater(connection, rater)
            if known is None:
                raise StoreError(f"there is no rater '{rater}' in this study")
            changed = replace(known, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
            connection.execute(RATERS.update().where(RATERS.c.rater == rater), _rater_row(changed))
        return changed

    def rater(self, rater: RaterId) -> Rater | None:
        """The rater of that id, or None."""
        with self.reading() as connection:
            return _rater(connection, rater)

    def raters(self, *, kind: RaterKind | None = None) -> list[Rater]:
        """All raters, or those of one kind, in the order they came."""
        query = sa.select(RATERS).order_by(RATERS.c.created, RATERS.c.rater)
        if kind is not None:
            query = query.where(RATERS.c.kind == kind)
        with self.reading() as connection:
            return [_as_rater(row) for row in connection.execute(query).mappings()]

    # Assignments (chosen by workbench.labels.queue)

    def assignment(self, token: str) -> Assignment | None:
        """The assignment of a token, or None."""
        with self.reading() as connection:
            return _assignment(connection, token)

    # Answers

    def record(self, events: Sequence[Event]) -> Recorded:
        """Add events in the order given, in one short transaction; what is acknowledged survives a power cut.

        Idempotent by client id. An event that cannot be stored (wrong token, unknown label) is refused by itself,
        with its reason; the others are stored.
        """
        with self.writing() as connection:
            return self._record(connection, events)

    def bring_in(self, raters: Mapping[RaterId, RaterKind], events: Sequence[Event]) -> Refused | None:
        """Add events and the raters that are new, all in one transaction or nothing; returns the first refusal."""
        with self.writing() as connection:
            for rater, kind in raters.items():
                if _rater(connection, rater) is None:
                    _add_rater(connection, _checked_rater(rater), "", kind, "annotator", "")
            refused = self._record(connection, events).refused
            if refused:
                connection.rollback()
        return refused[0] if refused else None

    def standing(
        self,
        scheme: str | None = None,
        pass_: str | None = None,
        kinds: Collection[RaterKind] | None = None,
        *,
        rater: RaterId | None = None,
        clip_id: ClipId | None = None,
    ) -> list[Annotation]:
        """The last answer of each rater to each item, undone ones left out, in the order given; filters are joined."""
        query = sa.select(STANDING, RATERS.c.kind.label("rater_kind")).join(RATERS, RATERS.c.rater == STANDING.c.rater)
        wanted = {"scheme": scheme, "pass": pass_, "rater": rater, "clip_id": clip_id}
        for column, value in wanted.items():
            if value is not None:
                query = query.where(STANDING.c[column] == value)
        if kinds is not None:
            query = query.where(RATERS.c.kind.in_(list(kinds)))
        with self.reading() as connection:
            rows = connection.execute(query.order_by(STANDING.c.seq)).mappings()
            return [Annotation(rater_kind=row["rater_kind"], **_shared(row)) for row in rows]

    def events(self, *, clip_id: ClipId | None = None) -> list[StoredEvent]:
        """The whole history, or that of one clip, in the order it was stored."""
        query = sa.select(EVENTS).order_by(EVENTS.c.seq)
        if clip_id is not None:
            query = query.where(EVENTS.c.clip_id == clip_id)
        with self.reading() as connection:
            return [
                StoredEvent(
                    client_id=row["client_id"],
                    kind=row["kind"],
                    token=row["token"],
                    received=from_text(row["received"]),
                    **_shared(row),
                )
                for row in connection.execute(query).mappings()
            ]

    def counts(self) -> Counts:
        """How much the store holds."""
        answers = sa.select(
            sa.func.count(), sa.func.count(STANDING.c.label), sa.func.count(sa.distinct(STANDING.c.clip_id))
        ).select_from(STANDING)
        of_kind = sa.select(sa.func.count()).select_from(RATERS)
        with self.reading() as connection:
            total, labelled, clips = connection.execute(answers).one()
            return Counts(
                answers=total,
                labelled=labelled,
                clips=clips,
                people=connection.scalar(of_kind.where(RATERS.c.kind == "person")) or 0,
                machines=connection.scalar(of_kind.where(RATERS.c.kind == "machine")) or 0,
                events=connection.scalar(sa.select(sa.func.count()).select_from(EVENTS)) or 0,
            )

    def progress(self, rater: RaterId) -> Progress:
        """How much this rater has done."""
        query = sa.select(sa.func.count(), sa.func.count(STANDING.c.label)).where(STANDING.c.rater == rater)
        with self.reading() as connection:
            answered, labelled = connection.execute(query).one()
        return Progress(answered, labelled)

    def _add_unless_there(self, rater: RaterId, name: str, kind: RaterKind) -> Rater:
        try:
            return self.add_rater(rater, name, kind=kind)
        except StoreError:
            known = self.rater(rater)
            if known is None:
                raise
            return known

    def _record(self, connection: sa.Connection, events: Sequence[Event]) -> Recorded:
        acked: list[str] = []
        refused: list[Refused] = []
        received = datetime.now(UTC)
        known = _owners(connection, [event.client_id for event in events])
        for event in events:
            problem = None
            if event.client_id not in known:
                event, problem = self._settle(connection, event)
                if problem is None:
                    connection.execute(EVENTS.insert(), _event_row(event, received))
                    known[event.client_id] = event.rater
            elif known[event.client_id] != event.rater:
                problem = "another rater's answer has this id"
            if problem is None:
                acked.append(event.client_id)
            else:
                refused.append(Refused(event.client_id, problem))
        return Recorded(tuple(dict.fromkeys(acked)), tuple(refused))

    def _settle(self, connection: sa.Connection, event: Event) -> tuple[Event, str | None]:
        """The event with clip, scheme and pass of its assignment filled in, and what is wrong with it, if anything."""
        if not event.client_id or len(event.client_id) > 200 or not event.client_id.isprintable():
            return event, "it needs an id of 1 to 200 printable characters"
        if _rater(connection, event.rater) is None:
            return event, f"there is no rater '{event.rater}' in this study"
        if event.token is not None:
            assignment = _assignment(connection, event.token)
            if assignment is None or assignment.rater != event.rater:
                return event, "no clip was given to this rater under this token"
            event = replace(event, clip_id=assignment.clip_id, scheme=assignment.scheme, pass_=assignment.pass_)
        elif not event.clip_id:
            return event, "it names no clip"
        event = replace(event, scheme=event.scheme or self._study.settings.scheme, note=plain(event.note))
        try:
            scheme = self._scheme_named(event.scheme)
        except ConfigError as error:
            return event, str(error)
        return event, _unfit(event, scheme)


def _unfit(event: Event, scheme: LabelScheme) -> str | None:
    if event.kind not in get_args(EventKind):  # it may have come over a wire
        return f"'{event.kind}' is no kind of event; expected answer or undo"
    if event.kind == "undo":
        return None
    if event.label is None and not event.flags:
        return "an answer needs a label, or a flag that says why there is none"
    if event.label is not None and event.label not in scheme.label_names:
        return f"unknown label '{event.label}'; known: {', '.join(scheme.label_names)}"
    for flag in event.flags:
        if flag not in scheme.flag_names:
            return f"unknown flag '{flag}'; known: {', '.join(scheme.flag_names)}"
    return None


def _checked_rater(rater: RaterId) -> RaterId:
    rater = plain(rater).strip()
    if not rater or len(rater) > 200 or not rater.isprintable():
        raise StoreError(f"rater id {rater[:40]!r} will not do: use 1 to 200 printable characters")
    return rater


def _add_rater(
    connection: sa.Connection, rater: RaterId, name: str, kind: RaterKind, role: RaterRole, language: str
) -> Rater:
    made = Rater(rater, plain(name) or rater, kind, role, language, datetime.now(UTC))
    connection.execute(RATERS.insert(), _rater_row(made))
    return made


def _rater(connection: sa.Connection, rater: RaterId) -> Rater | None:
    row = connection.execute(sa.select(RATERS).where(RATERS.c.rater == rater)).mappings().first()
    return None if row is None else _as_rater(row)


def _as_rater(row: Mapping[Any, Any]) -> Rater:
    return Rater(row["rater"], row["name"], row["kind"], row["role"], row["language"], from_text(row["created"]))


def _rater_row(rater: Rater) -> dict[str, str]:
    return {
        "rater": rater.rater,
        "name": rater.name,
        "kind": rater.kind,
        "role": rater.role,
        "language": rater.language,
        "created": to_text(rater.created),
    }


def _assignment(connection: sa.Connection, token: str) -> Assignment | None:
    row = connection.execute(sa.select(ASSIGNMENTS).where(ASSIGNMENTS.c.token == token)).mappings().first()
    return None if row is None else as_assignment(row)


def as_assignment(row: Mapping[Any, Any]) -> Assignment:
    """A row of the assignments table as a value."""
    return Assignment(
        token=row["token"],
        clip_id=row["clip_id"],
        scheme=row["scheme"],
        pass_=row["pass"],
        rater=row["rater"],
        assigned=from_text(row["assigned"]),
        lease_until=from_text(row["lease_until"]),
    )


def assignment_row(assignment: Assignment) -> dict[str, str]:
    """`as_assignment` backwards."""
    return {
        "token": assignment.token,
        "clip_id": assignment.clip_id,
        "scheme": assignment.scheme,
        "pass": assignment.pass_,
        "rater": assignment.rater,
        "assigned": to_text(assignment.assigned),
        "lease_until": to_text(assignment.lease_until),
    }


def _owners(connection: sa.Connection, client_ids: Sequence[str]) -> dict[str, RaterId]:
    """client id → rater, of those that are stored already."""
    owners: dict[str, RaterId] = {}
    for begin in range(0, len(client_ids), 500):
        query = sa.select(EVENTS.c.client_id, EVENTS.c.rater).where(
            EVENTS.c.client_id.in_(client_ids[begin : begin + 500])
        )
        owners.update((row.client_id, row.rater) for row in connection.execute(query))
    return owners


def _event_row(event: Event, received: datetime) -> dict[str, Any]:
    is_answer = event.kind == "answer"
    return {
        "client_id": event.client_id,
        "kind": event.kind,
        "token": event.token,
        "clip_id": event.clip_id,
        "scheme": event.scheme,
        "pass": event.pass_,
        "rater": event.rater,
        "label": event.label if is_answer else None,
        "flags": json.dumps(event.flags if is_answer else (), separators=(",", ":")),
        "confidence": event.confidence if is_answer else None,
        "note": event.note,
        "heard_ms": event.heard_ms,
        "time": to_text(event.time or received),
        "received": to_text(received),
    }


def _shared(row: Mapping[Any, Any]) -> dict[str, Any]:
    """What an annotation and an event have in common."""
    return {
        "seq": row["seq"],
        "clip_id": row["clip_id"],
        "scheme": row["scheme"],
        "pass_": row["pass"],
        "rater": row["rater"],
        "label": row["label"],
        "flags": tuple(json.loads(row["flags"])),
        "confidence": row["confidence"],
        "note": row["note"],
        "heard_ms": row["heard_ms"],
        "time": from_text(row["time"]),
    }
