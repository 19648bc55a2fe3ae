"""Which of two sources aired first, and which of two clips of the same samples stays."""

from collections.abc import Iterable, Mapping, Sequence

from pipelines.ingest.queue import Item
from pipelines.ingest.sources import Source, slug
from pipelines.schema import Clip
from pipelines.units import ClipId, SourceId

#: Why a clip left whose samples are, one by one, those of another clip.
SAME_CLIP = "same_clip"
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


def twins(clips: Iterable[Clip], order: Sequence[SourceId]) -> dict[ClipId, ClipId]:
    """Clips whose samples are those of another clip, each with that other one, which stays.

    It is one that somebody picked by hand if there is one, else the earliest by `order` and place. Sources that
    `order` does not name come after it, by id.
    """
    place = {source: number for number, source in enumerate(order)}
    first: dict[tuple[str, int], ClipId] = {}
    found: dict[ClipId, ClipId] = {}
    ordered = sorted(
        (clip for clip in clips if clip.pcm_sha256),
        key=lambda clip: (
            clip.arm != "picked", place.get(clip.source_id, len(place)), clip.source_id, clip.start_sample
        ),
    )  # fmt: skip
    for clip in ordered:
        earlier = first.setdefault((clip.pcm_sha256, clip.rate_hz), clip.clip_id)
        if earlier != clip.clip_id:
            found[clip.clip_id] = earlier
    return found
