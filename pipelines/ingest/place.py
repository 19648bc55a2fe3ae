"""Where clips may stand: a window begins just before speech sets in, and the chosen ones never overlap."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.ingest.speech import HOP_S, spans
from pipelines.study import ClipSettings, PlaceSettings
from pipelines.units import Hertz, Samples, Seconds

#: A clip begins at least so long before its onset where the study asks for any lead: an attack is not cut off.
LEAST_LEAD_S: Seconds = 0.05


@dataclass(frozen=True, slots=True)
class Candidate:
    """A window that begins just before an onset of speech. Positions in samples of the recording."""

    start_sample: Samples
    n_samples: Samples
    onset_s: Seconds


def candidates(
    probabilities: npt.NDArray[np.float32],
    n_samples: Samples,
    rate_hz: Hertz,
    clip: ClipSettings,
    place: PlaceSettings,
) -> tuple[Candidate, ...]:
    """One window per onset, in order. `probabilities` have shape [hops]; `n_samples` is the recording's length.

    An onset is where speech begins after a gap of two hops (64 ms) or more, which finds the breaths within a longer
    span too. The window leads it by `lead_s`, less where the gap before it is shorter, but never by less than 50 ms.
    """
    finer = place.model_copy(update={"min_silence_s": min(place.min_silence_s, 2 * HOP_S)})
    length = round(clip.length_s * rate_hz)
    found: list[Candidate] = []
    before_s = 0.0
    for span in spans(probabilities, finer):
        lead_s = min(place.lead_s, max(span.start_s - before_s, LEAST_LEAD_S))
        start = round((span.start_s - lead_s) * rate_hz)
        if start >= 0 and start + length <= n_samples:
            found.append(Candidate(start, length, span.start_s))
        before_s = span.end_s
    return tuple(found)


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
