"""The label store: raters, assignments and append-only annotation events on SQLite or PostgreSQL."""

from pipelines.units import RaterKind
from workbench.store.store import Store, open_store
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
)

__all__ = [
    "Annotation",
    "Assignment",
    "Counts",
    "Event",
    "EventKind",
    "Progress",
    "Rater",
    "RaterKind",
    "RaterRole",
    "Recorded",
    "Refused",
    "Store",
    "StoredEvent",
    "open_store",
]
