"""Classification of repeats as opening, ending, recap or re-upload, by position and number of recordings."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from pipelines.ingest.analysis.fingerprint import ITEM_S, Fingerprint
from pipelines.ingest.repeats.model import Kind, Repeat, merge_spans, repeat_families
from pipelines.ingest.repeats.search import MatchedStretch, find_stretches
from pipelines.progress import ProgressCallback, ignore_progress
from pipelines.units import Seconds

#: An opening or ending lasts at least this long; its middle lies in the first or last part of both recordings.
#: (Values of intro-skipper, which reads chromaprints of television series.)
SONG_S: Seconds = 15.0
SONG_PART = 0.25
#: A scene quoted once in a later recap is shared by two recordings, a song by most: three, where there are three.
SONG_SOURCES = 3
REUPLOAD_SHARE = 0.8


def find_repeats(
    fingerprints: Sequence[Fingerprint],
    report: ProgressCallback = ignore_progress,
    *,
    series: Sequence[str] | None = None,
) -> tuple[Repeat, ...]:
    """Every stretch of 3 s or more that occurs twice in recordings given in air order.

    Sorted by source b, then place, in that order. Edges are accurate to about 250 ms; `refine` improves them
    where the audio is available. `series` names the series of each recording (none given: all are of one); only
    recordings of one series share an opening or ending. Raises Cancelled out of `report`.
    """
    series = series if series is not None else [""] * len(fingerprints)
    found = find_stretches(fingerprints, report)
    copies = _reuploads(found, fingerprints)
    later_copies = {b for _, b in copies}
    episodes = Counter(name for number, name in enumerate(series) if number not in later_copies)
    sharing: dict[tuple[int, str], set[int]] = defaultdict(set)
    longest: dict[int, Seconds] = defaultdict(float)
    families = repeat_families(
        [
            (
                (stretch.source_a, stretch.start_a, stretch.length),
                (stretch.source_b, stretch.start_b, stretch.length * stretch.speed),
            )
            for stretch in found
        ]
    )
    for stretch, family in zip(found, families, strict=True):
        longest[family] = max(longest[family], stretch.length * ITEM_S)
        for source in {stretch.source_a, stretch.source_b} - later_copies:
            sharing[family, series[source]].add(source)

    def is_song(stretch: MatchedStretch, family: int) -> bool:
        """Judged by its whole family: if speech lies over a song, one pair of episodes shows only a part of it."""
        name = series[stretch.source_a]
        shared = len(sharing[family, name]) >= min(SONG_SOURCES, episodes[name])
        return shared and name == series[stretch.source_b] and longest[family] >= SONG_S

    kinds: list[Kind] = [
        "reupload"
        if (stretch.source_a, stretch.source_b) in copies
        else _kind(stretch, fingerprints, is_song=is_song(stretch, family))
        for stretch, family in zip(found, families, strict=True)
    ]
    order = sorted(range(len(found)), key=lambda i: (found[i].source_b, found[i].start_b, found[i].source_a))
    return tuple(_repeat(found[i], kinds[i], fingerprints) for i in order)


def _repeat(stretch: MatchedStretch, kind: Kind, fingerprints: Sequence[Fingerprint]) -> Repeat:
    a, b = fingerprints[stretch.source_a], fingerprints[stretch.source_b]
    # An item is a point in time, and growing stops on the first that disagrees: either may lie just outside.
    start_a_s = max(0.0, stretch.start_a * ITEM_S)
    start_b_s = max(0.0, stretch.start_b * ITEM_S)
    length_s = min(stretch.length * ITEM_S, a.duration_s - start_a_s, (b.duration_s - start_b_s) / stretch.speed)
    return Repeat(  # rounded, so that further recordings do not change the last digit
        source_a=a.source_id,
        start_a_s=round(start_a_s, 3),
        source_b=b.source_id,
        start_b_s=round(start_b_s, 3),
        length_s=round(length_s, 3),
        kind=kind,
        score=round(1.0 - 2.0 * stretch.error, 4),
        speed=round(stretch.speed, 6),
    )


def _kind(stretch: MatchedStretch, fingerprints: Sequence[Fingerprint], *, is_song: bool) -> Kind:
    if not is_song or stretch.source_a == stretch.source_b:
        return "recap"
    middles = [
        (start + stretch.length / 2) * ITEM_S / fingerprints[source].duration_s
        for source, start in ((stretch.source_a, stretch.start_a), (stretch.source_b, stretch.start_b))
    ]
    if max(middles) <= SONG_PART:
        return "opening"
    if min(middles) >= 1 - SONG_PART:
        return "ending"
    return "recap"


def _reuploads(found: Sequence[MatchedStretch], fingerprints: Sequence[Fingerprint]) -> set[tuple[int, int]]:
    """Pairs where four fifths of the later recording are in the earlier one."""
    covered: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for stretch in found:
        if stretch.source_a != stretch.source_b:
            span = (stretch.start_b, stretch.start_b + stretch.length * stretch.speed)
            covered[stretch.source_a, stretch.source_b].append(span)
    return {
        pair
        for pair, spans in covered.items()
        if sum(end - start for start, end in merge_spans(spans)) * ITEM_S
        >= REUPLOAD_SHARE * fingerprints[pair[1]].duration_s
    }
