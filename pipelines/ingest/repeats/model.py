"""Model of a repeat: its two places and its kind, and the intervals that it masks."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.units import Seconds, SourceId

Kind = Literal["opening", "ending", "recap", "reupload"]

#: Masked in every source: a theme song is not one person speaking. Of other repeats the first airing stays.
MASKED_EVERYWHERE: frozenset[Kind] = frozenset({"opening", "ending"})


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same audio in two places; source a aired earlier (or both are one source and place a is earlier).

    `score` is 1 for equal audio and 0 for unrelated. `speed` is how many seconds of b one second of a takes: 1 except
    for a copy that runs faster or slower. `refined`: the edges come from the audio itself (accurate to about 50 ms),
    not from the fingerprint (about 250 ms).
    """

    source_a: SourceId
    start_a_s: Seconds
    source_b: SourceId
    start_b_s: Seconds
    length_s: Seconds
    kind: Kind
    score: float
    speed: float = 1.0
    refined: bool = False

    @property
    def end_a_s(self) -> Seconds:
        return self.start_a_s + self.length_s

    @property
    def end_b_s(self) -> Seconds:
        return self.start_b_s + self.length_s * self.speed


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start_s` to `end_s` of one source; `end_s` is infinite if it means the rest of the source."""

    start_s: Seconds
    end_s: Seconds


def masked_intervals(repeats: Iterable[Repeat], source: SourceId) -> tuple[Interval, ...]:
    """Intervals of `source` in which no clip may lie, sorted and without overlap.

    The first airing keeps its stretch, every later one is masked; openings and endings are masked everywhere; a
    re-upload is masked whole: (0, infinity).
    """
    held: list[tuple[Seconds, Seconds]] = []
    for repeat in repeats:
        if repeat.source_b == source:
            if repeat.kind == "reupload":
                return (Interval(0.0, math.inf),)
            held.append((repeat.start_b_s, repeat.end_b_s))
        if repeat.source_a == source and repeat.kind in MASKED_EVERYWHERE:
            held.append((repeat.start_a_s, repeat.end_a_s))
    return tuple(Interval(start, end) for start, end in merge_spans(held))


def merge_spans(spans: Iterable[tuple[Seconds, Seconds]]) -> list[tuple[Seconds, Seconds]]:
    """The union of spans, sorted; spans that touch are joined."""
    found: list[tuple[Seconds, Seconds]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


#: A place of a repeat: source (name or number), start, length.
Span = tuple[Hashable, float, float]


def repeat_families(pairs: Sequence[tuple[Span, Span]]) -> list[int]:
    """A family number per repeat, given as its two places; repeats that overlap by half in one source share it."""
    parent = list(range(len(pairs)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    places: dict[Hashable, list[tuple[float, float, int]]] = defaultdict(list)
    for number, pair in enumerate(pairs):
        for source, start, length in pair:
            places[source].append((start, length, number))
    for here in places.values():
        open_ones: list[tuple[float, float, int]] = []
        for start, length, number in sorted(here):
            open_ones = [one for one in open_ones if one[0] + one[1] > start]
            for earlier, other, neighbour in open_ones:
                if min(earlier + other, start + length) - start > max(length, other) / 2:
                    parent[root(number)] = root(neighbour)
            open_ones.append((start, length, number))
    return [root(number) for number in range(len(pairs))]
