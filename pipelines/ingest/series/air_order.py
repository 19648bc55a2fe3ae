"""Which of two sources aired first."""

from collections.abc import Iterable, Mapping

from pipelines.ingest.sources import Source, slug
from pipelines.ingest.state.queue import Item
from pipelines.units import SourceId

#: Season and episode of what has none.
LAST = 10**9


def airing(sources: Iterable[Source], items: Mapping[SourceId, Item] | None = None) -> tuple[Source, ...]:
    """Sources with an id in the order in which they aired: a total order, the same for the same sources.

    Series stand one after another by name, then what belongs to none. Within one: season and episode, those without
    an episode last; then upload_date, those without one last; then source_id.
    """

    def key(source: Source) -> tuple[bool, str, int, int, str, str]:
        item = (items or {}).get(source.source_id)
        date = (item.facts.get("upload_date") if item else "") or source.measured.get("upload_date") or "9999"
        series = slug(source.series)
        if source.episode is None:
            return not series, series, LAST, LAST, date, source.source_id
        return not series, series, source.season or 0, source.episode, date, source.source_id

    return tuple(sorted((source for source in sources if source.source_id), key=key))
