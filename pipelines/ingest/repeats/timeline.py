"""Which stretch repeats where, as numbers for a picture: a row per recording in order of airing, groups of stretches.

Screens and files draw the same numbers: see workbench.app.charts.repeats_chart and pipelines.ingest.repeats.figure_files.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.ingest.repeats.model import Interval, Kind, Repeat, families_of, united
from pipelines.units import Seconds, SourceId

#: Above so many rows, recordings without any repeat are counted and not drawn.
MOST_ROWS = 60
#: Around every bar: sand on white is hard to see for anybody.
EDGE = "#6B6B6B"

#: How each kind is shown: the word, a sign, a colour (Paul Tol's muted, which colour-blind people tell apart and no
#: emotion has), and the pattern over it as plotly and as matplotlib write it.
STYLES: Mapping[Kind, tuple[str, str, str, str, str]] = {
    "opening": ("opening", "O", "#332288", "/", "////"),
    "ending": ("ending", "E", "#44AA99", "\\", "\\\\\\\\"),
    "recap": ("recap", "R", "#DDCC77", ".", "...."),
    "reupload": ("re-upload", "=", "#88CCEE", "x", "xxxx"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places of a repeated stretch; clips may stand there only where it is not masked."""

    source_id: SourceId
    start_s: Seconds
    end_s: Seconds
    is_masked: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A stretch that sounds in several places, in order of airing. `name` tells it from others: `opening 2`."""

    name: str
    kind: Kind
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One recording: how long it is, and how much of it is masked."""

    source_id: SourceId
    seconds: Seconds
    masked_s: Seconds


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn. `others` counts recordings without a repeat that have no row."""

    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    others: int = 0


def picture_of(
    order: Sequence[SourceId],
    seconds: Mapping[SourceId, Seconds],
    repeats: Sequence[Repeat],
    masks: Mapping[SourceId, Sequence[Interval]],
) -> Picture:
    """The picture of `repeats` among the recordings in `order`; those of unknown length are left out.

    What a re-upload shares with further recordings is left out too: it is one re-upload.
    """
    copies = {repeat.source_b for repeat in repeats if repeat.kind == "reupload"}
    shown = [
        repeat
        for repeat in repeats
        if repeat.source_a in seconds
        and repeat.source_b in seconds
        and (repeat.kind == "reupload" or copies.isdisjoint((repeat.source_a, repeat.source_b)))
    ]
    place = {source: number for number, source in enumerate(order)}
    found = [*_copied(shown, seconds, masks), *_shared(shown, masks, place)]
    found.sort(key=lambda one: (tuple(STYLES).index(one[0]), *_first(one[1], place)))
    counts: Counter[Kind] = Counter()
    groups = []
    for kind, places in found:
        counts[kind] += 1
        groups.append(Group(f"{STYLES[kind][0]} {counts[kind]}", kind, places))
    rows = [
        Row(name, seconds[name], _masked_s(masks.get(name, ()), seconds[name])) for name in order if name in seconds
    ]
    touched = {one.source_id for group in groups for one in group.places}
    drawn = rows if len(rows) <= MOST_ROWS else [row for row in rows if row.source_id in touched]
    return Picture(tuple(drawn), tuple(groups), others=len(rows) - len(drawn))


def hover(group: Group, here: Place, *, most: int = 8) -> tuple[str, ...]:
    """What is said of one place, in lines: what it is, from when to when, what becomes of it, where else it sounds."""
    fate = "no clip stands here" if here.is_masked else "kept here: the earliest place"
    lines = [f"{group.name} in {here.source_id}", f"{clock(here.start_s)} to {clock(here.end_s)}: {fate}"]
    others = [one for one in group.places if one != here]
    lines += [f"also {one.source_id} at {clock(one.start_s)}" for one in others[:most]]
    if len(others) > most:
        lines.append(f"and {len(others) - most} more")
    return tuple(lines)


def clock(seconds: Seconds) -> str:
    """A place in a recording, as people say it: 0:07, 1:02:03."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _first(places: Sequence[Place], place: Mapping[SourceId, int]) -> tuple[int, Seconds]:
    return place[places[0].source_id], places[0].start_s


def _copied(
    repeats: Sequence[Repeat], seconds: Mapping[SourceId, Seconds], masks: Mapping[SourceId, Sequence[Interval]]
) -> list[tuple[Kind, tuple[Place, ...]]]:
    """One group per re-upload: where its recording stands in the earlier one, and the whole of itself."""
    pairs: dict[SourceId, dict[SourceId, list[Repeat]]] = defaultdict(lambda: defaultdict(list))
    for repeat in repeats:
        if repeat.kind == "reupload":
            pairs[repeat.source_b][repeat.source_a].append(repeat)
    found: list[tuple[Kind, tuple[Place, ...]]] = []
    for copy, originals in pairs.items():
        original = min(originals, key=lambda one: one in pairs)  # the earliest that is no copy itself
        start_s = min(repeat.start_a_s for repeat in originals[original])
        end_s = max(repeat.end_a_s for repeat in originals[original])
        first = _place(original, start_s, end_s, masks)
        found.append(("reupload", (first, Place(copy, 0.0, seconds[copy], is_masked=True))))
    return found


def _shared(
    repeats: Sequence[Repeat], masks: Mapping[SourceId, Sequence[Interval]], place: Mapping[SourceId, int]
) -> list[tuple[Kind, tuple[Place, ...]]]:
    rest = [repeat for repeat in repeats if repeat.kind != "reupload"]
    families = families_of(
        [
            (
                (one.source_a, one.start_a_s, one.length_s),
                (one.source_b, one.start_b_s, one.end_b_s - one.start_b_s),
            )
            for one in rest
        ]
    )
    spans: dict[int, dict[SourceId, list[tuple[Seconds, Seconds]]]] = defaultdict(lambda: defaultdict(list))
    kinds: dict[int, Counter[Kind]] = defaultdict(Counter)
    for repeat, family in zip(rest, families, strict=True):
        spans[family][repeat.source_a].append((repeat.start_a_s, repeat.end_a_s))
        spans[family][repeat.source_b].append((repeat.start_b_s, repeat.end_b_s))
        kinds[family][repeat.kind] += 1
    return [
        (
            kinds[family].most_common(1)[0][0],
            tuple(
                _place(source, start_s, end_s, masks)
                for source in sorted(by_source, key=lambda name: place[name])
                for start_s, end_s in united(by_source[source])
            ),
        )
        for family, by_source in spans.items()
    ]


def _place(source: SourceId, start_s: Seconds, end_s: Seconds, masks: Mapping[SourceId, Sequence[Interval]]) -> Place:
    covered_s = sum(max(0.0, min(end_s, one.end_s) - max(start_s, one.start_s)) for one in masks.get(source, ()))
    return Place(source, start_s, end_s, is_masked=covered_s > (end_s - start_s) / 2)


def _masked_s(mask: Sequence[Interval], seconds: Seconds) -> Seconds:
    return sum(min(one.end_s, seconds) - min(one.start_s, seconds) for one in mask)
