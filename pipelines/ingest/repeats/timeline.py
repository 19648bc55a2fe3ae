"""Timeline of repeats, as numbers to draw: a row per recording in air order, and groups of repeated stretches.

Screens and figure files draw the same numbers: see workbench.app.charts.repeats_chart and
pipelines.ingest.repeats.figure_files.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.ingest.repeats.model import Interval, Kind, Repeat, merge_spans, repeat_families
from pipelines.units import Seconds, SourceId

#: With more recordings than this, those without a repeat are counted and not drawn.
MAX_ROWS = 60
#: Outline of every bar: sand on white is hard to see.
OUTLINE_COLOR = "#6B6B6B"

#: How each kind is shown: the word, a sign, a colour (Paul Tol's muted, which colour-blind people tell apart and no
#: emotion has), and the pattern over it as plotly and as matplotlib write it.
STYLES: Mapping[Kind, tuple[str, str, str, str, str]] = {
    "opening": ("opening", "O", "#332288", "/", "////"),
    "ending": ("ending", "E", "#44AA99", "\\", "\\\\\\\\"),
    "recap": ("recap", "R", "#DDCC77", ".", "...."),
    "reupload": ("re-upload", "=", "#88CCEE", "x", "xxxx"),
}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a repeated stretch; clips may lie in it only if it is not masked."""

    source_id: SourceId
    start_s: Seconds
    end_s: Seconds
    is_masked: bool


@dataclass(frozen=True, slots=True)
class RepeatGroup:
    """A repeated stretch with its occurrences in air order. `name` is unique: `opening 2`."""

    name: str
    kind: Kind
    occurrences: tuple[Occurrence, ...]


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One recording: its duration and its masked seconds."""

    source_id: SourceId
    seconds: Seconds
    masked_s: Seconds


@dataclass(frozen=True, slots=True)
class RepeatTimeline:
    """Everything that is drawn. `others` counts recordings without a repeat that have no row."""

    rows: tuple[TimelineRow, ...]
    groups: tuple[RepeatGroup, ...]
    others: int = 0


def repeat_timeline(
    order: Sequence[SourceId],
    seconds: Mapping[SourceId, Seconds],
    repeats: Sequence[Repeat],
    masks: Mapping[SourceId, Sequence[Interval]],
) -> RepeatTimeline:
    """The timeline of `repeats` among the recordings in `order`; those of unknown duration are left out.

    What a re-upload shares with further recordings is left out too: it is one re-upload.
    """
    shown = _shown(repeats, seconds)
    place = {source: number for number, source in enumerate(order)}
    groups = _named([*_reuploads(shown, seconds, masks), *_shared(shown, masks, place)], place)
    rows = [
        TimelineRow(name, seconds[name], _masked_s(masks.get(name, ()), seconds[name]))
        for name in order
        if name in seconds
    ]
    touched = {one.source_id for group in groups for one in group.occurrences}
    drawn = rows if len(rows) <= MAX_ROWS else [row for row in rows if row.source_id in touched]
    return RepeatTimeline(tuple(drawn), groups, others=len(rows) - len(drawn))


def _shown(repeats: Sequence[Repeat], seconds: Mapping[SourceId, Seconds]) -> list[Repeat]:
    copies = {repeat.source_b for repeat in repeats if repeat.kind == "reupload"}
    return [
        repeat
        for repeat in repeats
        if repeat.source_a in seconds
        and repeat.source_b in seconds
        and (repeat.kind == "reupload" or copies.isdisjoint((repeat.source_a, repeat.source_b)))
    ]


_Unnamed = tuple[Kind, tuple[Occurrence, ...]]


def _named(found: Sequence[_Unnamed], place: Mapping[SourceId, int]) -> tuple[RepeatGroup, ...]:
    """Groups by kind, then by first occurrence, numbered within each kind."""
    counts: Counter[Kind] = Counter()
    groups = []
    for kind, occurrences in sorted(found, key=lambda one: (tuple(STYLES).index(one[0]), *_first(one[1], place))):
        counts[kind] += 1
        groups.append(RepeatGroup(f"{STYLES[kind][0]} {counts[kind]}", kind, occurrences))
    return tuple(groups)


def hover_lines(group: RepeatGroup, here: Occurrence, *, most: int = 8) -> tuple[str, ...]:
    """Hover text of one occurrence, in lines: name, start and end, masked or kept, other occurrences."""
    fate = "no clip is made here" if here.is_masked else "kept here: the earliest place"
    lines = [f"{group.name} in {here.source_id}", f"{clock(here.start_s)} to {clock(here.end_s)}: {fate}"]
    others = [one for one in group.occurrences if one != here]
    lines += [f"also {one.source_id} at {clock(one.start_s)}" for one in others[:most]]
    if len(others) > most:
        lines.append(f"and {len(others) - most} more")
    return tuple(lines)


def clock(seconds: Seconds) -> str:
    """A time in a recording as text: 0:07, 1:02:03."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _first(places: Sequence[Occurrence], place: Mapping[SourceId, int]) -> tuple[int, Seconds]:
    return place[places[0].source_id], places[0].start_s


def _reuploads(
    repeats: Sequence[Repeat], seconds: Mapping[SourceId, Seconds], masks: Mapping[SourceId, Sequence[Interval]]
) -> list[_Unnamed]:
    """One group per re-upload: the stretch of the earlier recording that it copies, and the whole re-upload."""
    pairs: dict[SourceId, dict[SourceId, list[Repeat]]] = defaultdict(lambda: defaultdict(list))
    for repeat in repeats:
        if repeat.kind == "reupload":
            pairs[repeat.source_b][repeat.source_a].append(repeat)
    found: list[_Unnamed] = []
    for copy, originals in pairs.items():
        original = min(originals, key=lambda one: one in pairs)  # the earliest that is no re-upload itself
        start_s = min(repeat.start_a_s for repeat in originals[original])
        end_s = max(repeat.end_a_s for repeat in originals[original])
        first = _occurrence(original, start_s, end_s, masks)
        found.append(("reupload", (first, Occurrence(copy, 0.0, seconds[copy], is_masked=True))))
    return found


def _shared(
    repeats: Sequence[Repeat], masks: Mapping[SourceId, Sequence[Interval]], place: Mapping[SourceId, int]
) -> list[_Unnamed]:
    rest = [repeat for repeat in repeats if repeat.kind != "reupload"]
    families = repeat_families(
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
                _occurrence(source, start_s, end_s, masks)
                for source in sorted(by_source, key=lambda name: place[name])
                for start_s, end_s in merge_spans(by_source[source])
            ),
        )
        for family, by_source in spans.items()
    ]


def _occurrence(
    source: SourceId, start_s: Seconds, end_s: Seconds, masks: Mapping[SourceId, Sequence[Interval]]
) -> Occurrence:
    covered_s = sum(max(0.0, min(end_s, one.end_s) - max(start_s, one.start_s)) for one in masks.get(source, ()))
    return Occurrence(source, start_s, end_s, is_masked=covered_s > (end_s - start_s) / 2)


def _masked_s(mask: Sequence[Interval], seconds: Seconds) -> Seconds:
    return sum(min(one.end_s, seconds) - min(one.start_s, seconds) for one in mask)
