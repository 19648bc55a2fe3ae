"""Air order of the sources of a study."""

from collections.abc import Iterable, Mapping

from pipelines.ingest.sources import Source, slug
from pipelines.ingest.state.queue import Item
from pipelines.units import SourceId

#: Sort key of a source without season or episode.
LAST = 10**9


def in_air_order(sources: Iterable[Source], items: Mapping[SourceId, Item] | None = None) -> tuple[Source, ...]:
    """Sources with an id in the order in which they aired: a total order, the same for the same sources.

    Series follow one another by name, then come sources without a series. Within a series: season and episode, sources
    without an episode last; then upload_date, sources without one last; then source_id.
    """

    def key(source: Source) -> tuple[bool, str, int, int, str, str]:
        item = (items or {}).get(source.source_id)
        date = (item.facts.get("upload_date") if item else "") or source.measured.get("upload_date") or "9999"
        series = slug(source.series)
        if source.episode is None:
            return not series, series, LAST, LAST, date, source.source_id
        return not series, series, source.season or 0, source.episode, date, source.source_id

    return tuple(sorted((source for source in sources if source.source_id), key=key))
