"""Features that are one vector per clip."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from pipelines.errors import DataError
from pipelines.features.stft import checked_mono, hann, stft
from pipelines.features.tuning import estimate_tuning
from pipelines.units import Audio, Float32Array, Hertz

N_FFT, HOP = 2048, 512
N_CHROMA, N_MFCC, N_MELS = 12, 20, 128
ZERO = np.float32(1e-10)
AMIN, TOP_DB = np.float32(1e-10), np.float32(80)


class Mean162:
    """162 means over time: zero-crossing rate 1, chroma 12, MFCC 20, RMS 1, mel power 128.

    Equal to librosa's zero_crossing_rate(y), chroma_stft(S=|STFT|), mfcc(y), rms(y), melspectrogram(y) with their
    defaults at 22,050 Hz (n_fft 2,048, hop 512, centred), each averaged over its frames, in that order; one spectrum
    serves them all. The mean commutes with the MFCC's cosine transform, so that is taken once.

    Source: "Taiwanese Soap Opera Speech Emotion Recognition"; the order is that of the public recipe it follows.
    """

    name: ClassVar[str] = "mean_162"
    version: ClassVar[str] = "1"
    rate_hz: ClassVar[Hertz | None] = 22_050
    shape: ClassVar[tuple[int, ...]] = (162,)

    def __call__(self, mono: Audio, rate_hz: Hertz) -> Float32Array:
        """mono: shape [n], float32, n >= 1; rate_hz: 22,050. Returns float32, shape [162].

        Raises DataError for another rate or shape, for no samples, for NaN.
        """
        if rate_hz != self.rate_hz:
            raise DataError(f"{self.name} is defined at {self.rate_hz} Hz; resample this audio from {rate_hz} Hz first")
        samples = checked_mono(mono)
        padded = np.pad(samples, N_FFT // 2)
        spectrum = stft(padded, n_fft=N_FFT, hop=HOP, window=hann(N_FFT))
        magnitude = np.abs(spectrum)
        mel = _mel_bank(rate_hz) @ np.square(magnitude.T)
        return np.concatenate(
            [
                [zero_crossing_rate(samples)],
                _mean_chroma(magnitude, rate_hz),
                _mean_mfcc(mel),
                [_mean_rms(padded)],
                mel.mean(axis=1),
            ],
            dtype=np.float32,
        )


def zero_crossing_rate(mono: Audio) -> float:
    """Mean over centred frames of the share of samples whose sign differs from the sample before (edges repeated)."""
    padded = np.pad(mono, N_FFT // 2, mode="edge")
    negative = padded < -ZERO
    crossings = np.concatenate([[0, 0], np.cumsum(negative[1:] != negative[:-1])])
    starts = np.arange(0, padded.size - N_FFT + 1, HOP)
    return float((crossings[starts + N_FFT] - crossings[starts + 1]).mean() / N_FFT)


def _mean_chroma(magnitude: Float32Array, rate_hz: Hertz) -> Float32Array:
    tuning = estimate_tuning(magnitude, rate_hz, N_FFT, N_CHROMA)
    raw = magnitude @ _chroma_bank(rate_hz, tuning)
    largest = raw.max(axis=1, keepdims=True)
    largest[largest < np.finfo(np.float32).tiny] = 1
    return np.asarray((raw / largest).mean(axis=0))


def _mean_mfcc(mel: Float32Array) -> Float32Array:
    import scipy.fft

    decibel = np.float32(10) * np.log10(np.maximum(AMIN, mel))
    np.maximum(decibel, decibel.max() - TOP_DB, out=decibel)
    return np.asarray(scipy.fft.dct(decibel.mean(axis=1, dtype=np.float64), type=2, norm="ortho")[:N_MFCC])


def _mean_rms(padded: Audio) -> float:
    blocks = np.square(padded[: padded.size // HOP * HOP], dtype=np.float64).reshape(-1, HOP).sum(axis=1)
    energy = np.lib.stride_tricks.sliding_window_view(blocks, N_FFT // HOP).sum(axis=1)
    return float(np.sqrt(energy / N_FFT).mean())


@lru_cache(maxsize=2)
def _mel_bank(rate_hz: Hertz) -> Any:
    """Mel filters as a sparse matrix [128, 1025]: a frequency bin feeds two filters at most."""
    from librosa.filters import mel
    from scipy.sparse import csr_array

    return csr_array(mel(sr=rate_hz, n_fft=N_FFT, n_mels=N_MELS))


@lru_cache(maxsize=128)
def _chroma_bank(rate_hz: Hertz, tuning: float) -> Float32Array:
    """Chroma filters, transposed, [1025, 12]; there are a hundred possible tunings."""
    from librosa.filters import chroma

    return np.ascontiguousarray(chroma(sr=rate_hz, n_fft=N_FFT, n_chroma=N_CHROMA, tuning=tuning).T)
