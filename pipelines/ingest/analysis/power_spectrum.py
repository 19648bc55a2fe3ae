"""Power spectrum (short-time) of a stream at 16 kHz, computed once for the fingerprint and the screens."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import soxr

from pipelines.units import Audio, Float32Array, Hertz, Samples

MODEL_HZ: Hertz = 16000
FRAME, STEP = 1024, 500
#: Frames per pass: fixed, so that results do not depend on block boundaries. Fingerprint bits depend on it.
BATCH = 1024
BINS = FRAME // 2 + 1
#: Frames transformed together: they fit the processor cache.
_TOGETHER = 128

WINDOW = np.hanning(FRAME).astype(np.float32)
#: Power of a bin where a full-scale sine stands in it, and more: what powers are divided by to be shares of full scale.
FULL_SCALE = float(np.square(WINDOW).sum())


class SpectrumStream:
    """Takes audio at 16 kHz and gives power spectra in passes of BATCH frames. Frame k is centred on sample 500 * k.

    Power has the shape [BATCH, BINS], float32, and is overwritten by the next pass.
    """

    def __init__(self) -> None:
        self._rest = np.zeros(FRAME // 2, np.float32)  # frame 0 is centred on the first sample
        self._power = np.empty((BATCH, BINS), np.float32)

    def take(self, audio: Audio) -> Iterator[Float32Array]:
        """The passes that `audio`, float32 [n], completes."""
        sound = np.concatenate([self._rest, audio])
        step = BATCH * STEP
        at = 0
        while len(sound) - at >= step + FRAME - STEP:
            yield power_spectra(sound[at : at + step + FRAME - STEP], self._power)
            at += step
        self._rest = sound[at:]

    def finish(self) -> Iterator[Float32Array]:
        """The last passes, followed by silence: at least one whole pass of silence."""
        yield from self.take(np.zeros(BATCH * STEP + FRAME, np.float32))
        yield from self.take(np.zeros(BATCH * STEP, np.float32))


def power_spectra(sound: Audio, out: Float32Array | None = None) -> Float32Array:
    """Power spectra [frames, BINS] of samples [frames * STEP + FRAME - STEP], each frame under a Hann window."""
    from scipy.fft import rfft  # takes 0.3 s to import, and most importers of this module never transform

    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::STEP]
    power = np.empty((len(frames), BINS), np.float32) if out is None else out
    for at in range(0, len(frames), _TOGETHER):
        spectrum: npt.NDArray[np.complex64] = rfft(frames[at : at + _TOGETHER] * WINDOW, axis=1)
        power[at : at + _TOGETHER] = np.square(spectrum.real) + np.square(spectrum.imag)
    return power


class Resampler16k:
    """A stream at any rate to one at 16 kHz (soxr HQ); the output does not depend on block boundaries."""

    def __init__(self, rate_hz: Hertz) -> None:
        self._resampler = None if rate_hz == MODEL_HZ else soxr.ResampleStream(rate_hz, MODEL_HZ, 1, "float32", "HQ")

    def take(self, mono: Audio) -> Audio:
        """Resample a block, float32 [n]; returns the samples available so far, float32 [m]."""
        return mono if self._resampler is None else self._resampler.resample_chunk(mono)

    def finish(self) -> Audio:
        """The rest, float32 [m]."""
        nothing = np.zeros(0, np.float32)
        return nothing if self._resampler is None else self._resampler.resample_chunk(nothing, last=True)


def frame_count(samples: Samples) -> int:
    """How many frames are centred within so many samples at 16 kHz."""
    return -(-samples // STEP)
