"""Edge refinement: start and end of a repeat from the audio, where two aligned recordings stop correlating."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr

from pipelines.ingest.analysis.track_reader import open_track
from pipelines.ingest.repeats.model import Interval, Repeat, merge_spans
from pipelines.media.audio import probe
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.units import Audio, Float64Array, Hertz, Seconds, SourceId

EDGE_HZ: Hertz = 8000
#: Reads intervals of one source, float32 [n] at `EDGE_HZ` each; shorter where the source ends.
ReadIntervals = Callable[[SourceId, Sequence[Interval]], Sequence[Audio]]

_OUTSIDE_S: Seconds = 4.0
_INSIDE_S: Seconds = 4.0
_SLACK_S: Seconds = 0.4  # how far the lag of a fingerprint may be off
_WINDOW_S: Seconds = 0.06
#: Recordings that share audio correlate above this even under speech; unrelated ones scatter around 0.
_MIN_CORRELATION = 0.25
_QUIET = 1e-3  # power against the loudest moment below which there is nothing to compare
#: The inner part has to correlate this well for its lag to count: else speech lies over it, or the speed differs.
_MIN_LAG_CORRELATION = 0.3
#: Fingerprints match by chance for 3 s about twice in 50 hours; a repeat shorter than this needs proof from the audio.
_NEEDS_AUDIO_S: Seconds = 6.0


@dataclass(frozen=True, slots=True)
class _Edge:
    """One edge: its places in a and b, and how far inside the audio is known to be the same."""

    a_s: Seconds
    b_s: Seconds
    inside_s: Seconds
    is_start: bool

    def span(self, *, in_b: bool) -> Interval:
        middle, slack = (self.b_s, _SLACK_S) if in_b else (self.a_s, 0.0)
        before, after = (_OUTSIDE_S, self.inside_s) if self.is_start else (self.inside_s, _OUTSIDE_S)
        return Interval(middle - before - slack, middle + after + slack)


def refine(
    repeats: Sequence[Repeat], read_intervals: ReadIntervals, report: ProgressCallback = ignore_progress
) -> tuple[Repeat, ...]:
    """`repeats` with edges accurate to about 50 ms where the audio allows it; calls `read_intervals` once per source.

    Re-uploads stay as they are (they are masked whole). So do repeats that cannot be aligned, such as a copy that runs
    at another speed; but below 6 s and at equal speed such a repeat is a chance match and is left out. Raises what
    `read_intervals` raises, and Cancelled out of `report`.
    """
    return tuple(repeat for repeat in refine_each(repeats, read_intervals, report) if repeat is not None)


def refine_each(
    repeats: Sequence[Repeat], read_intervals: ReadIntervals, report: ProgressCallback = ignore_progress
) -> tuple[Repeat | None, ...]:
    """Each repeat refined, in the given order; None for a chance match."""
    found: list[Repeat | None] = []
    wanted = intervals_to_read(repeats)
    audio: dict[SourceId, IntervalAudio] = {}
    for number, (source, spans) in enumerate(wanted.items()):
        report(Progress("refining repeats", number, len(wanted) + 1, source))
        audio[source] = IntervalAudio(spans, read_intervals(source, spans))
    for number, repeat in enumerate(repeats):
        if number % 50 == 0:
            report(Progress("refining repeats", len(wanted) + number / len(repeats), len(wanted) + 1))
        refined = _refined(repeat, audio) if repeat.kind != "reupload" else repeat
        found.append(None if _is_chance_match(refined) else refined)
    return tuple(found)


def intervals_to_read(repeats: Iterable[Repeat]) -> dict[SourceId, tuple[Interval, ...]]:
    """The intervals that `refine` reads from each source, sorted and without overlap.

    The spans of a song that fifty episodes share almost coincide; read pair by pair they would take gigabytes.
    """
    held: dict[SourceId, list[tuple[Seconds, Seconds]]] = defaultdict(list)
    for repeat in repeats:
        for edge in _edges(repeat):
            for source, span in (
                (repeat.source_a, edge.span(in_b=False)),
                (repeat.source_b, edge.span(in_b=True)),
            ):
                held[source].append((max(0.0, span.start_s), max(0.0, span.end_s)))
    return {source: tuple(Interval(*span) for span in merge_spans(spans)) for source, spans in held.items()}


def interval_reader(
    paths: Mapping[SourceId, Path], on_progress: Callable[[Seconds], None] = lambda _: None, *, track: int = 0
) -> ReadIntervals:
    """Reads intervals by one linear decode of the file. MediaError as `open_track`, and what `on_progress` raises."""

    def read_intervals(source: SourceId, spans: Sequence[Interval]) -> Sequence[Audio]:
        path = paths[source]
        resampler = soxr.ResampleStream(probe(path, track).rate_hz, EDGE_HZ, 1, "float32", "HQ")
        parts: list[list[Audio]] = [[] for _ in spans]
        at = 0

        def take(block: Audio) -> None:
            nonlocal at
            for span, held in zip(spans, parts, strict=True):
                low, high = round(span.start_s * EDGE_HZ) - at, round(span.end_s * EDGE_HZ) - at
                if low < len(block) and high > 0:
                    held.append(block[max(0, low) : high].copy())
            at += len(block)

        last = max(round(span.end_s * EDGE_HZ) for span in spans)
        with open_track(path, track=track, salvage=True) as reading:  # the wanted intervals lie before any damage
            for block in reading.mono(lambda *_: None):
                take(resampler.resample_chunk(block))
                on_progress(at / EDGE_HZ)
                if at >= last:  # an opening costs no more than the beginning of a file
                    break
            else:
                take(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        return [np.concatenate(held) if held else np.zeros(0, np.float32) for held in parts]

    return read_intervals


def _edges(repeat: Repeat) -> tuple[_Edge, ...]:
    if repeat.kind == "reupload":
        return ()
    inside = min(_INSIDE_S, repeat.length_s / 2)
    return (
        _Edge(repeat.start_a_s, repeat.start_b_s, inside, True),
        _Edge(repeat.end_a_s, repeat.end_b_s, inside, False),
    )


class IntervalAudio:
    """Audio of some intervals of one source."""

    def __init__(self, spans: Sequence[Interval], parts: Sequence[Audio]) -> None:
        self._parts = [(round(span.start_s * EDGE_HZ), part) for span, part in zip(spans, parts, strict=True)]

    def of(self, span: Interval) -> Audio:
        """Audio of a span within these intervals, zero-padded where it reaches beyond the source."""
        low, high = round(span.start_s * EDGE_HZ), round(span.end_s * EDGE_HZ)
        whole = np.zeros(high - low, np.float32)
        for start, part in self._parts:
            begin, end = max(low, start), min(high, start + len(part))
            if begin < end:
                whole[begin - low : end - low] = part[begin - start : end - start]
        return whole


def _is_chance_match(repeat: Repeat) -> bool:
    short = repeat.kind != "reupload" and repeat.length_s < _NEEDS_AUDIO_S
    return short and not repeat.refined and repeat.speed == 1.0


def _refined(repeat: Repeat, audio: Mapping[SourceId, IntervalAudio]) -> Repeat:
    edges = _edges(repeat)
    in_a, in_b = audio[repeat.source_a], audio[repeat.source_b]
    pairs = [
        (_differenced(in_a.of(edge.span(in_b=False))), _differenced(in_b.of(edge.span(in_b=True)))) for edge in edges
    ]
    lags = [_lag(edge, *pair) for edge, pair in zip(edges, pairs, strict=True)]
    known = next((lag for lag in lags if lag is not None), None)
    if known is None:
        return repeat
    # Speech over one edge hides its own lag; at equal speed the other edge's is the same.
    (start_a, start_b), (end_a, end_b) = (
        _refined_edge(edge, *pair, known if lag is None else lag)
        for edge, pair, lag in zip(edges, pairs, lags, strict=True)
    )
    if end_a <= start_a or end_b <= start_b:
        return repeat
    return replace(
        repeat,
        start_a_s=max(0.0, start_a),
        start_b_s=max(0.0, start_b),
        length_s=end_a - start_a,
        speed=round((end_b - start_b) / (end_a - start_a), 6),
        refined=True,
    )


def _differenced(audio: Audio) -> Float64Array:
    """First differences: speech and music lie mostly below 500 Hz, and low notes alone fit at many lags."""
    return np.diff(audio.astype(np.float64), prepend=0.0)


def _lag(edge: _Edge, x: Float64Array, y: Float64Array) -> int | None:
    """How many samples b is later than a's span in b's longer one; None where the inner parts do not correlate."""
    import scipy.signal  # takes a second to import, and pages that only read results do not need it

    inside, slack = round(edge.inside_s * EDGE_HZ), round(_SLACK_S * EDGE_HZ)
    anchor = slice(len(x) - inside, len(x)) if edge.is_start else slice(0, inside)
    searched = y[anchor.start : anchor.stop + 2 * slack]
    so_far = np.cumsum(np.square(np.concatenate([[0.0], searched])))
    energy = so_far[inside:] - so_far[:-inside]
    match = scipy.signal.correlate(searched, x[anchor], "valid", "fft")
    n = min(len(match), len(energy))
    likeness = match[:n] / np.sqrt(np.maximum(energy[:n] * np.square(x[anchor]).sum(), 1e-20))
    best = int(likeness.argmax())
    return best if likeness[best] >= _MIN_LAG_CORRELATION else None


def _refined_edge(edge: _Edge, x: Float64Array, y: Float64Array, lag: int) -> tuple[Seconds, Seconds]:
    """The edge in a and in b: where the correlation, summed from the inside outwards, is largest."""
    gain = _correlation_gain(x, np.pad(y[lag : lag + len(x)], (0, max(0, lag + len(x) - len(y)))))
    if edge.is_start:
        place = len(gain) - 1 - int(np.cumsum(gain[::-1]).argmax())
    else:
        place = int(np.cumsum(gain).argmax()) + 1
    at_a = round(edge.span(in_b=False).start_s * EDGE_HZ) + place
    at_b = round(edge.span(in_b=True).start_s * EDGE_HZ) + place + lag
    return at_a / EDGE_HZ, at_b / EDGE_HZ


def _correlation_gain(x: Float64Array, y: Float64Array) -> Float64Array:
    """Correlation within 60 ms of every sample, minus _MIN_CORRELATION; 0 where both are quiet."""
    import scipy.signal

    bell = np.hanning(round(_WINDOW_S * EDGE_HZ))
    xy, xx, yy = (scipy.signal.fftconvolve(product, bell, "same") for product in (x * y, x * x, y * y))
    xx, yy = np.maximum(xx, 0.0), np.maximum(yy, 0.0)
    quiet = (xx <= _QUIET * xx.max(initial=0.0)) & (yy <= _QUIET * yy.max(initial=0.0))
    gain: Float64Array = xy / np.sqrt(xx * yy + 1e-20) - _MIN_CORRELATION
    gain[quiet] = 0.0
    return gain
