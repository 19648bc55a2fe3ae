"""One short-time spectrum per clip, and every frame-wise feature made of it: mel, MFCC, chroma, RMS, zero crossings."""

from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from pipelines.errors import DataError
from pipelines.features.stft import checked_mono, stft
from pipelines.features.tuning import estimate_tuning
from pipelines.toml_config import StrictModel
from pipelines.units import Audio, Float32Array, Float64Array, Hertz, Samples

ZERO = np.float32(1e-10)
AMIN, TOP_DB = np.float32(1e-10), np.float32(80)
N_CHROMA = 12

Count = Annotated[int, Field(ge=1)]
PartName = Literal["zcr", "rms", "chroma", "mfcc", "mel", "log_mel"]


class SpectralSettings(StrictModel):
    """Frames and bands, with librosa's defaults. `window_length` defaults to `n_fft`; frames are centred."""

    n_fft: Count = 2048
    hop: Count = 512
    window_length: Count | None = None
    window: Literal["hann", "hamming"] = "hann"
    n_mels: Count = 128
    fmax_hz: Annotated[float, Field(gt=0)] | None = None
    n_mfcc: Count = 20
    log_reference: Literal["one", "max"] = "one"

    def widths(self) -> dict[PartName, int]:
        """Numbers per frame that each part has."""
        return {
            "zcr": 1,
            "rms": 1,
            "chroma": N_CHROMA,
            "mfcc": self.n_mfcc,
            "mel": self.n_mels,
            "log_mel": self.n_mels,
        }


class SpectralAnalysis:
    """The parts of one clip, each [frames, width] float32 and computed once, when it is first asked for.

    Equal to librosa's zero_crossing_rate(y), rms(y), chroma_stft(S=|STFT|), mfcc(y), melspectrogram(y) and
    power_to_db of it, with the same settings, transposed.
    """

    def __init__(self, mono: Audio, rate_hz: Hertz, settings: SpectralSettings) -> None:
        """mono: float32 [n], n >= 1. Raises DataError for another shape, no samples, NaN."""
        self.samples = checked_mono(mono)
        self.rate_hz = rate_hz
        self.settings = settings

    def part(self, name: PartName) -> Float32Array:
        """One part by its name in a recipe, [frames, width]."""
        found: Float32Array = getattr(self, name)
        return found

    def mean(self, name: PartName) -> Float32Array:
        """Mean over frames of a part, [width]. The mean commutes with the cosine transform of MFCCs."""
        if name == "mfcc":
            return np.asarray(_cosine(self.log_mel_one.mean(axis=0, dtype=np.float64)[None], self.settings.n_mfcc)[0])
        return np.asarray(self.part(name).mean(axis=0, dtype=np.float64), dtype=np.float32)

    @cached_property
    def zcr(self) -> Float32Array:
        """Share of samples per frame whose sign differs from the sample before, edges repeated."""
        n_fft, hop = self.settings.n_fft, self.settings.hop
        padded = np.pad(self.samples, n_fft // 2, mode="edge")
        negative = padded < -ZERO
        crossings = np.concatenate([[0, 0], np.cumsum(negative[1:] != negative[:-1])])
        starts = np.arange(0, padded.size - n_fft + 1, hop)
        return np.asarray((crossings[starts + n_fft] - crossings[starts + 1]) / n_fft, dtype=np.float32)[:, None]

    @cached_property
    def rms(self) -> Float32Array:
        """Root mean square per frame of `n_fft` samples."""
        n_fft, hop = self.settings.n_fft, self.settings.hop
        squares = np.concatenate([[0.0], np.cumsum(np.square(self._padded, dtype=np.float64))])
        starts = np.arange(0, self._padded.size - n_fft + 1, hop)
        energy = np.maximum(squares[starts + n_fft] - squares[starts], 0.0)
        return np.asarray(np.sqrt(energy / n_fft), dtype=np.float32)[:, None]

    @cached_property
    def chroma(self) -> Float32Array:
        """Twelve pitch classes, each frame divided by its largest; the tuning is estimated as librosa does."""
        tuning = estimate_tuning(self._magnitude, self.rate_hz, self.settings.n_fft, N_CHROMA)
        raw = self._magnitude @ _chroma_bank(self.rate_hz, self.settings.n_fft, tuning)
        largest = raw.max(axis=1, keepdims=True)
        largest[largest < np.finfo(np.float32).tiny] = 1
        return np.asarray(raw / largest)

    @cached_property
    def mel(self) -> Float32Array:
        """Mel power."""
        settings = self.settings
        bank = _mel_bank(self.rate_hz, settings.n_fft, settings.n_mels, settings.fmax_hz)
        return np.ascontiguousarray((bank @ np.square(self._magnitude.T)).T)

    @cached_property
    def log_mel_one(self) -> Float32Array:
        """Mel power in decibel, reference 1, at most 80 dB below the loudest."""
        decibel = np.float32(10) * np.log10(np.maximum(AMIN, self.mel))
        return np.asarray(np.maximum(decibel, decibel.max() - TOP_DB))

    @cached_property
    def log_mel(self) -> Float32Array:
        """Mel power in decibel by the settings' reference."""
        decibel = self.log_mel_one
        if self.settings.log_reference == "one":
            return decibel
        return np.asarray(decibel - np.float32(10) * np.log10(np.maximum(AMIN, self.mel.max())))

    @cached_property
    def mfcc(self) -> Float32Array:
        """Mel-frequency cepstral coefficients."""
        return _cosine(self.log_mel_one, self.settings.n_mfcc)

    @cached_property
    def _padded(self) -> Audio:
        return np.pad(self.samples, self.settings.n_fft // 2)

    @cached_property
    def _magnitude(self) -> Float32Array:
        """|STFT| [frames, bins]."""
        settings = self.settings
        window = _window(settings.window, settings.window_length or settings.n_fft, settings.n_fft)
        return np.abs(stft(self._padded, n_fft=settings.n_fft, hop=settings.hop, window=window))


def _cosine(decibel: Float32Array | Float64Array, n_mfcc: int) -> Float32Array:
    import scipy.fft

    return np.asarray(scipy.fft.dct(decibel, type=2, norm="ortho", axis=-1)[:, :n_mfcc], dtype=np.float32)


@lru_cache(maxsize=16)
def _window(name: str, length: Samples, n_fft: Samples) -> Float64Array:
    """A periodic window of `length`, zero on both sides up to `n_fft`."""
    from scipy.signal import get_window

    if length > n_fft:
        raise DataError(f"a window of {length} samples does not fit into an FFT of {n_fft}")
    before = (n_fft - length) // 2
    window = np.pad(np.asarray(get_window(name, length), dtype=np.float64), (before, n_fft - length - before))
    window.setflags(write=False)
    return window


@lru_cache(maxsize=16)
def _mel_bank(rate_hz: Hertz, n_fft: Samples, n_mels: int, fmax_hz: float | None) -> Any:
    """Mel filters as a sparse matrix [n_mels, bins]: a frequency bin feeds two filters at most."""
    from librosa.filters import mel
    from scipy.sparse import csr_array

    return csr_array(mel(sr=rate_hz, n_fft=n_fft, n_mels=n_mels, fmax=fmax_hz))


@lru_cache(maxsize=256)
def _chroma_bank(rate_hz: Hertz, n_fft: Samples, tuning: float) -> Float32Array:
    """Chroma filters, transposed, [bins, 12]; there are a hundred possible tunings."""
    from librosa.filters import chroma

    return np.ascontiguousarray(chroma(sr=rate_hz, n_fft=n_fft, n_chroma=N_CHROMA, tuning=tuning).T)
