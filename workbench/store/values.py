"""What goes into the label store and what comes out of it. Plain and frozen."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from pipelines.units import ClipId, LabelName, RaterId, RaterKind

RaterRole: TypeAlias = Literal["annotator", "curator", "researcher"]
EventKind: TypeAlias = Literal["answer", "undo"]

RATER_KINDS: tuple[RaterKind, ...] = ("person", "machine", "reference")


@dataclass(frozen=True, slots=True)
class Rater:
    """Who answers. `rater` is the id that annotations carry; `name` is for people's eyes."""

    rater: RaterId
    name: str
    kind: RaterKind
    role: RaterRole
    language: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Assignment:
    """A clip given to one rater. `token` is all that the rater's browser ever learns of the clip."""

    token: str
    clip_id: ClipId
    scheme: str
    pass_: str
    rater: RaterId
    assigned: datetime
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One answer, or one undo, on its way into the store.

    `client_id` is made by whoever sends it; sending it twice stores it once. With a `token` the clip, scheme and pass
    are those of the assignment; without one they are given here. An answer has a label, or flags that say why not.
    `time` is when the key was pressed; None means now. `heard_ms`: how long the clip had sounded by then.
    """

    client_id: str
    rater: RaterId
    kind: EventKind = "answer"
    token: str | None = None
    clip_id: ClipId = ""
    scheme: str = ""
    pass_: str = "audio"
    label: LabelName | None = None
    flags: tuple[str, ...] = ()
    confidence: float | None = None
    note: str = ""
    heard_ms: int | None = None
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """What stands: the last answer of a rater to an item, unless undone. `label` is None where only flags were given.

    `seq` grows with every event of the store. `rater_kind` tells people from machines.
    """

    clip_id: ClipId
    rater: RaterId
    rater_kind: RaterKind
    scheme: str
    pass_: str
    label: LabelName | None
    flags: tuple[str, ...]
    confidence: float | None
    note: str
    heard_ms: int | None
    time: datetime
    seq: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row of the history, exactly as recorded."""

    seq: int
    client_id: str
    kind: EventKind
    token: str | None
    clip_id: ClipId
    scheme: str
    pass_: str
    rater: RaterId
    label: LabelName | None
    flags: tuple[str, ...]
    confidence: float | None
    note: str
    heard_ms: int | None
    time: datetime
    received: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that was not stored, and why; sending it again would not help."""

    client_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch. `acked` are safely stored (now or before), in the order given."""

    acked: tuple[str, ...]
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the store holds. Answers are standing ones, of all kinds of raters together."""

    answers: int
    labelled: int
    clips: int
    people: int
    machines: int
    events: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How much one rater has done: standing answers, and those of them with a label."""

    answered: int
    labelled: int


def to_text(time: datetime) -> str:
    """UTC with milliseconds, such as `2026-05-04T10:15:00.123Z`; texts sort as the times do. Naive means UTC."""
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return aware.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def from_text(text: str) -> datetime:
    """`to_text` backwards."""
    return datetime.fromisoformat(text)


def plain(text: str) -> str:
    """Text as every database and table can hold it: NFC, `\\n` line ends, no NUL, no half characters."""
    whole = text.encode("utf-8", "replace").decode().replace("\x00", "")
    return unicodedata.normalize("NFC", whole).replace("\r\n", "\n").replace("\r", "\n")
