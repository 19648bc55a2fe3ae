"""Placement of candidate windows: each begins just before an onset of speech; selected ones never overlap."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.ingest.analysis.speech import HOP_S, SpeechSpan, edge_power, speech_spans
from pipelines.study import ClipSettings, PlacementSettings
from pipelines.units import Hertz, Samples, Seconds

#: Least time between the start of a clip and its onset, if the study asks for a lead: no attack is cut off.
LEAST_LEAD_S: Seconds = 0.05
#: Within speech without a gap, the next window begins at the quietest moment of this long after the previous one.
SEARCH_S: Seconds = 1.0
#: It is placed only if this share of it is in the speech; the screens decide whether it is kept.
LEAST_INSIDE = 0.6
#: If a clip would end in speech, it may begin this long before its onset, or (to end in a pause only) this much longer
#: than `lead_s`, if that time is silent and the clip then ends in a pause or at a moment this much quieter.
LONGER_LEAD_S: Seconds = 0.2
PAUSE_REACH_S: Seconds = 0.3
QUIETER_DB = 6.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A window that begins just before an onset of speech, or at a quiet moment within. In samples of the recording."""

    start_sample: Samples
    n_samples: Samples
    onset_s: Seconds


def candidates(
    probabilities: npt.NDArray[np.float32],
    power: npt.NDArray[np.float32],
    n_samples: Samples,
    rate_hz: Hertz,
    clip: ClipSettings,
    place: PlacementSettings,
) -> tuple[Candidate, ...]:
    """Windows that begin at onsets, sorted. `probabilities` and `power`: [hops]; `n_samples`: of the recording.

    An onset is where speech begins after a gap of two hops (64 ms) or more, which finds the breaths within a longer
    span too. The window leads it by `lead_s`, less where the gap before it is shorter, but never by less than 50 ms;
    where it would end in speech, by up to 200 ms, or by up to 300 ms more than `lead_s` to end in a pause.
    Speech that goes on for longer than the window gets further ones, each from a quiet moment after the one before.
    """
    finer = place.model_copy(update={"min_silence_s": min(place.min_silence_s, 2 * HOP_S)})
    length = round(clip.length_s * rate_hz)
    ends = _Ends(edge_power(power), probabilities < place.speech_off, clip.length_s)
    found: list[Candidate] = []
    before_s = 0.0
    for span in speech_spans(probabilities, finer):
        silence_s = max(span.start_s - before_s, LEAST_LEAD_S)
        least_s = min(place.lead_s, LEAST_LEAD_S)
        lead_s = ends.best_lead(span.start_s, min(place.lead_s, silence_s), least_s, silence_s)
        onsets = [(span.start_s, lead_s)]
        onsets += [(onset_s, least_s) for onset_s in _quiet_onsets(span, lead_s, least_s, power, ends)]
        for onset_s, ahead_s in onsets:
            start = round((onset_s - ahead_s) * rate_hz)
            if start >= 0 and start + length <= n_samples:
                found.append(Candidate(start, length, onset_s))
        before_s = span.end_s
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Ends:
    """Possible ends of windows of one length. `edges`: [hops + 1]; `silent`: [hops]."""

    edges: npt.NDArray[np.float32]
    silent: npt.NDArray[np.bool_]
    length_s: Seconds

    def best_lead(self, onset_s: Seconds, lead_s: Seconds, least_s: Seconds, silence_s: Seconds) -> Seconds:
        """`lead_s`, or the nearest to it that ends the window better; `silence_s`: silence before the onset."""
        if lead_s <= 0 or self._is_pause(onset_s - lead_s):
            return lead_s
        longest_s = min(silence_s, onset_s, max(LONGER_LEAD_S, lead_s))
        near = [lead_s + k * HOP_S for k in range(-10, 11)]
        near = [x for x in near if min(lead_s, least_s) - 1e-9 <= x <= longest_s + 1e-9]
        far = [lead_s + k * HOP_S for k in range(1, round(PAUSE_REACH_S / HOP_S) + 1)]
        far = [x for x in far if longest_s < x <= min(silence_s, onset_s)]
        for options in (sorted(near, key=lambda x: abs(x - lead_s)), far):
            for option_s in options:
                if self._is_pause(onset_s - option_s):
                    return option_s
        quietest_s = min(near, key=lambda x: (self._edge(onset_s - x), abs(x - lead_s)), default=lead_s)
        much = 10 ** (-QUIETER_DB / 10)
        return quietest_s if self._edge(onset_s - quietest_s) < much * self._edge(onset_s - lead_s) else lead_s

    def _is_pause(self, start_s: Seconds) -> bool:
        hop = self._hop(start_s)
        return bool(self.silent[max(0, hop - 1) : hop + 1].all())

    def _edge(self, start_s: Seconds) -> float:
        return float(self.edges[min(self._hop(start_s), len(self.edges) - 1)])

    def _hop(self, start_s: Seconds) -> int:
        return round((start_s + self.length_s) / HOP_S)


def _quiet_onsets(
    span: SpeechSpan, lead_s: Seconds, least_s: Seconds, power: npt.NDArray[np.float32], ends: _Ends
) -> Iterator[Seconds]:
    """The ends of the hops from which further windows without overlap fit a span and begin and end most quietly.

    `power`: [hops].
    """
    start_s, length_s = span.start_s - lead_s, ends.length_s
    shift = round((length_s - least_s) / HOP_S)
    while True:
        first = math.ceil((start_s + length_s + least_s) / HOP_S + 1e-6)
        latest_s = min(span.end_s - LEAST_INSIDE * length_s, start_s + length_s + SEARCH_S)
        last = math.floor((latest_s + least_s) / HOP_S)
        if last < first:
            return
        begins = power[first - 1 : last]
        finishes = np.zeros(len(begins), np.float32)  # past the end of the recording: nothing to cut through
        finishes[: max(0, len(ends.edges) - first - shift)] = ends.edges[first + shift : last + shift + 1]
        onset_s = (first + int(np.argmin(np.log(begins + 1e-9) + np.log(finishes + 1e-9)))) * HOP_S
        yield onset_s
        start_s = onset_s - least_s


def best_coverage(windows: Sequence[Candidate], worth: Sequence[float]) -> tuple[int, ...]:
    """Indices of the windows without overlap with the largest sum of `worth`; of equal sums, the earlier windows.

    Weighted interval scheduling (Kleinberg and Tardos, Algorithm Design, section 6.1), O(n log n). Windows with a worth
    of 0 or less are never taken.
    """
    order = sorted((i for i in range(len(windows)) if worth[i] > 0), key=lambda i: (_end(windows[i]), i))
    ends = [_end(windows[i]) for i in order]
    best = [0.0]
    taken: list[bool] = []
    for place, index in enumerate(order):
        with_it = worth[index] + best[bisect_right(ends, windows[index].start_sample, hi=place)]
        taken.append(with_it > best[place] + 1e-12)
        best.append(max(with_it, best[place]))
    chosen: list[int] = []
    place = len(order)
    while place:
        if not taken[place - 1]:
            place -= 1
            continue
        chosen.append(order[place - 1])
        place = bisect_right(ends, windows[order[place - 1]].start_sample, hi=place - 1)
    return tuple(sorted(chosen))


def _end(window: Candidate) -> Samples:
    return window.start_sample + window.n_samples
