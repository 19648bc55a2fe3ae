"""Which sources make up the study while a run goes on: those that are listed, and those that the run is about."""

from collections.abc import Collection, Iterable, Sequence

from pipelines.ingest.sources import Source
from pipelines.ingest.state.queue import Item
from pipelines.units import SourceId


class Members:
    """A recording is taken once: another with the same bytes is a duplicate, while the first is a member.

    The queue remembers more than these: whoever was taken out of sources.csv keeps nobody else out.
    """

    def __init__(self, known: Sequence[Source], withdrawn: Collection[SourceId]) -> None:
        self._ids = {row.source_id for row in known if row.source_id}
        self._withdrawn = {*withdrawn, *(row.source_id for row in known if row.is_taken_down)}
        self._tombstones = {row.measured.get("sha256", ""): row.source_id for row in known if row.is_taken_down}

    def add(self, names: Iterable[SourceId]) -> None:
        """Sources that the run is about."""
        self._ids.update(names)

    def has(self, item: Item) -> bool:
        """Whether the recording is in the study, or will be after this run."""
        is_in = item.source_id in self._ids and item.source_id not in self._withdrawn
        return is_in and item.status not in ("failed", "duplicate")

    def taken_down(self, sha256: str) -> SourceId | None:
        """The source that was taken down and had these bytes: its tombstone keeps their checksum."""
        return self._tombstones.get(sha256) if sha256 else None
