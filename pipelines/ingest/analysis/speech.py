"""Speech detection: probabilities of a voice-activity model (Silero) over a stream, and speech spans from them.

The model takes 16 kHz audio in hops of 512 samples and gives 31 probabilities per second.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.ingest.analysis.power_spectrum import MODEL_HZ, Resampler16k
from pipelines.ingest.analysis.silero_vad import BATCH, HOP, Silero
from pipelines.study import PlacementSettings
from pipelines.units import Audio, Hertz, Seconds

HOP_S: Seconds = HOP / MODEL_HZ


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """A stretch of speech, in seconds from the first sample."""

    start_s: Seconds
    end_s: Seconds

    @property
    def length_s(self) -> Seconds:
        return self.end_s - self.start_s


class SpeechTracker:
    """Takes a recording block by block and gives one probability of speech per 32 ms."""

    def __init__(self, rate_hz: Hertz) -> None:
        self._model = Silero()
        self._resampler = Resampler16k(rate_hz)
        self._batch = np.zeros(BATCH * HOP, np.float32)
        self._filled = 0
        self._n_samples = 0
        self._probabilities: list[npt.NDArray[np.float32]] = []
        self._power: list[npt.NDArray[np.float32]] = []

    def feed(self, mono: Audio) -> None:
        """One block, float32 [n] at the recording's rate."""
        self._take(self._resampler.take(mono))

    def finish(self) -> npt.NDArray[np.float32]:
        """Probabilities [hops] of the whole recording; the last hop is zero-padded."""
        self._take(self._resampler.finish())
        hops = -(-self._n_samples // HOP)
        if self._filled:
            self._batch[self._filled :] = 0
            self._run_model()
        return np.concatenate(self._probabilities)[:hops] if hops else np.zeros(0, np.float32)

    @property
    def power(self) -> npt.NDArray[np.float32]:
        """Mean square of each hop [hops], once finished."""
        return np.concatenate(self._power)[: -(-self._n_samples // HOP)] if self._power else np.zeros(0, np.float32)

    def _take(self, audio: Audio) -> None:
        self._n_samples += len(audio)
        at = 0
        while at < len(audio):
            taken = min(len(audio) - at, len(self._batch) - self._filled)
            self._batch[self._filled : self._filled + taken] = audio[at : at + taken]
            self._filled += taken
            at += taken
            if self._filled == len(self._batch):
                self._run_model()

    def _run_model(self) -> None:
        hops = self._batch.reshape(BATCH, HOP)
        self._power.append(np.einsum("ij,ij->i", hops, hops) / np.float32(HOP))
        self._probabilities.append(self._model.process(self._batch))
        self._filled = 0


def speech_spans(probabilities: npt.NDArray[np.float32], settings: PlacementSettings) -> tuple[SpeechSpan, ...]:
    """Stretches of speech with hysteresis: on at `speech_on`, off below `speech_off` for `min_silence_s` or longer.

    Spans shorter than `min_speech_s` are dropped. Probabilities have shape [hops]. The rule is Silero's own
    (get_speech_timestamps) without padding, which would move the onsets.
    """
    patience = max(1, round(settings.min_silence_s / HOP_S))
    found: list[SpeechSpan] = []
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
                found.append(SpeechSpan(start * HOP_S, (hop + 1 - quiet) * HOP_S))
                start = None
    if start is not None:
        found.append(SpeechSpan(start * HOP_S, (len(probabilities) - quiet) * HOP_S))
    return tuple(span for span in found if span.length_s >= settings.min_speech_s - 1e-9)


def spans_between(found: Sequence[SpeechSpan], start_s: Seconds, end_s: Seconds) -> tuple[SpeechSpan, ...]:
    """Spans (sorted, without overlap) clipped to the window [start_s, end_s), in seconds from its start."""
    first = bisect_right(found, start_s, key=lambda span: span.end_s)
    inside = found[first : bisect_left(found, end_s, lo=first, key=lambda span: span.start_s)]
    return tuple(SpeechSpan(max(span.start_s, start_s) - start_s, min(span.end_s, end_s) - start_s) for span in inside)


def edge_power(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Power at a cut before each hop: the smaller of the mean powers of the two hops before and the two after.

    `power`: [hops] -> [hops + 1].
    """
    padded = np.concatenate([np.zeros(2, np.float32), power, np.zeros(2, np.float32)])
    pairs = (padded[:-1] + padded[1:]) / np.float32(2)
    lesser: npt.NDArray[np.float32] = np.minimum(pairs[:-2], pairs[2:])
    return lesser
