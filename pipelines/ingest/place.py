"""Where clips may stand: a window begins just before speech sets in, and the chosen ones never overlap."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.ingest.speech import HOP_S, Span, spans
from pipelines.study import ClipSettings, PlaceSettings
from pipelines.units import Hertz, Samples, Seconds

#: A clip begins at least so long before its onset where the study asks for any lead: an attack is not cut off.
LEAST_LEAD_S: Seconds = 0.05
#: Within a stretch without a gap, a further window begins at the quietest moment of so long after the one before.
SEARCH_S: Seconds = 1.0
#: It is laid only where so much of it is in the stretch; what is kept is for the screens to say.
LEAST_INSIDE = 0.6


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
    place: PlaceSettings,
) -> tuple[Candidate, ...]:
    """Windows that begin at onsets, in order. `probabilities` and `power`: [hops]; `n_samples`: of the recording.

    An onset is where speech begins after a gap of two hops (64 ms) or more, which finds the breaths within a longer
    span too. The window leads it by `lead_s`, less where the gap before it is shorter, but never by less than 50 ms.
    Speech that goes on for longer than the window gets further ones, each from a quiet moment after the one before.
    """
    finer = place.model_copy(update={"min_silence_s": min(place.min_silence_s, 2 * HOP_S)})
    length = round(clip.length_s * rate_hz)
    found: list[Candidate] = []
    before_s = 0.0
    for span in spans(probabilities, finer):
        lead_s = min(place.lead_s, max(span.start_s - before_s, LEAST_LEAD_S))
        least_s = min(place.lead_s, LEAST_LEAD_S)
        onsets = [(span.start_s, lead_s)]
        onsets += [(onset_s, least_s) for onset_s in _quiet_onsets(span, lead_s, least_s, power, clip.length_s)]
        for onset_s, ahead_s in onsets:
            start = round((onset_s - ahead_s) * rate_hz)
            if start >= 0 and start + length <= n_samples:
                found.append(Candidate(start, length, onset_s))
        before_s = span.end_s
    return tuple(found)


def _quiet_onsets(
    span: Span, lead_s: Seconds, least_s: Seconds, power: npt.NDArray[np.float32], length_s: Seconds
) -> Iterator[Seconds]:
    """The ends of the quietest hops from which further windows without overlap fit a span. `power`: [hops]."""
    start_s = span.start_s - lead_s
    while True:
        first = math.ceil((start_s + length_s + least_s) / HOP_S + 1e-6)
        latest_s = min(span.end_s - LEAST_INSIDE * length_s, start_s + length_s + SEARCH_S)
        last = math.floor((latest_s + least_s) / HOP_S)
        if last < first:
            return
        onset_s = (first + int(np.argmin(power[first - 1 : last]))) * HOP_S
        yield onset_s
        start_s = onset_s - least_s


def best_coverage(windows: Sequence[Candidate], worth: Sequence[float]) -> tuple[int, ...]:
    """Indices of the windows without overlap whose `worth` adds up to most; of equals, the earlier ones.

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
