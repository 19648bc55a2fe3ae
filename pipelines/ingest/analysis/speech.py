"""Where speech is: probabilities of a voice-activity model (Silero) over a stream, and spans made from them.

The model hears 16 kHz in hops of 512 samples. Probabilities are all that is kept of a recording: 31 numbers a second.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.ingest.analysis.power_spectrum import MODEL_HZ, To16k
from pipelines.ingest.analysis.silero_vad import BATCH, HOP, Silero
from pipelines.study import PlaceSettings
from pipelines.units import Audio, Hertz, Seconds

HOP_S: Seconds = HOP / MODEL_HZ


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of speech, in seconds from the first sample."""

    start_s: Seconds
    end_s: Seconds

    @property
    def length_s(self) -> Seconds:
        return self.end_s - self.start_s


class SpeechTracker:
    """Feed a recording block by block; get one probability of speech per 32 ms."""

    def __init__(self, rate_hz: Hertz) -> None:
        self._model = Silero()
        self._resampler = To16k(rate_hz)
        self._batch = np.zeros(BATCH * HOP, np.float32)
        self._filled = 0
        self._heard = 0
        self._probabilities: list[npt.NDArray[np.float32]] = []
        self._power: list[npt.NDArray[np.float32]] = []

    def feed(self, mono: Audio) -> None:
        """One block, float32 [n] at the recording's rate."""
        self._take(self._resampler.take(mono))

    def finish(self) -> npt.NDArray[np.float32]:
        """Probabilities [hops] of the whole recording; the last part of a hop is filled up with zeros."""
        self._take(self._resampler.finish())
        hops = -(-self._heard // HOP)
        if self._filled:
            self._batch[self._filled :] = 0
            self._listen()
        return np.concatenate(self._probabilities)[:hops] if hops else np.zeros(0, np.float32)

    @property
    def power(self) -> npt.NDArray[np.float32]:
        """Mean square of each hop [hops], once finished."""
        return np.concatenate(self._power)[: -(-self._heard // HOP)] if self._power else np.zeros(0, np.float32)

    def _take(self, heard: Audio) -> None:
        self._heard += len(heard)
        at = 0
        while at < len(heard):
            taken = min(len(heard) - at, len(self._batch) - self._filled)
            self._batch[self._filled : self._filled + taken] = heard[at : at + taken]
            self._filled += taken
            at += taken
            if self._filled == len(self._batch):
                self._listen()

    def _listen(self) -> None:
        hops = self._batch.reshape(BATCH, HOP)
        self._power.append(np.einsum("ij,ij->i", hops, hops) / np.float32(HOP))
        self._probabilities.append(self._model.process(self._batch))
        self._filled = 0


def spans(probabilities: npt.NDArray[np.float32], settings: PlaceSettings) -> tuple[Span, ...]:
    """Stretches of speech with hysteresis: on at `speech_on`, off below `speech_off` for `min_silence_s` or longer.

    Spans shorter than `min_speech_s` are dropped. Probabilities have shape [hops]. The rule is Silero's own
    (get_speech_timestamps) without padding, which would move the onsets.
    """
    patience = max(1, round(settings.min_silence_s / HOP_S))
    found: list[Span] = []
    start: int | None = None
    quiet = 0
    for hop, probability in enumerate(probabilities.tolist()):
        if start is None:
            if probability >= settings.speech_on:
                start, quiet = hop, 0
        elif probability >= settings.speech_off:
            quiet = 0
        else:
            quiet += 1
            if quiet >= patience:
                found.append(Span(start * HOP_S, (hop + 1 - quiet) * HOP_S))
                start = None
    if start is not None:
        found.append(Span(start * HOP_S, (len(probabilities) - quiet) * HOP_S))
    return tuple(span for span in found if span.length_s >= settings.min_speech_s - 1e-9)


def speech_between(found: Sequence[Span], start_s: Seconds, end_s: Seconds) -> tuple[Span, ...]:
    """The spans, in order and apart, cut to the window [start_s, end_s), in seconds from the window's start."""
    first = bisect_right(found, start_s, key=lambda span: span.end_s)
    inside = found[first : bisect_left(found, end_s, lo=first, key=lambda span: span.start_s)]
    return tuple(Span(max(span.start_s, start_s) - start_s, min(span.end_s, end_s) - start_s) for span in inside)


def edge_power(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What a cut before each hop goes through: the lesser mean power of the two hops before and the two after.

    `power`: [hops] -> [hops + 1].
    """
    padded = np.concatenate([np.zeros(2, np.float32), power, np.zeros(2, np.float32)])
    pairs = (padded[:-1] + padded[1:]) / np.float32(2)
    lesser: npt.NDArray[np.float32] = np.minimum(pairs[:-2], pairs[2:])
    return lesser
