"""One short-time spectrum that every feature of a clip shares."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError
from pipelines.units import Audio, Samples

Spectrum: TypeAlias = npt.NDArray[np.complex64]
Reals: TypeAlias = npt.NDArray[np.float32]


def checked_mono(mono: Audio) -> Audio:
    """`mono` as contiguous float32 if it can be analysed. Raises DataError for the wrong shape, no samples or NaN."""
    if mono.ndim != 1:
        raise DataError(f"features are made of one channel, shape [n]; this audio has shape {list(mono.shape)}")
    if not mono.size:
        raise DataError("features need at least one sample; this audio is empty")
    samples = np.ascontiguousarray(mono, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise DataError("features need finite samples; this audio holds NaN or infinity")
    return samples


@lru_cache(maxsize=16)
def hann(length: Samples, *, symmetric: bool = False) -> Reals:
    """Hann window, float32, shape [length]; periodic unless `symmetric`."""
    from scipy.signal import get_window

    window = np.asarray(get_window("hann", length, fftbins=not symmetric), dtype=np.float32)
    window.setflags(write=False)
    return window


def frames(mono: Audio, length: Samples, hop: Samples) -> Reals:
    """Whole frames of `mono` as a read-only view, shape [1 + (n - length) // hop, length]."""
    return np.lib.stride_tricks.sliding_window_view(mono, length)[::hop]


def stft(mono: Audio, *, n_fft: int, hop: Samples, window: Reals) -> Spectrum:
    """Spectrum of the whole frames of `mono`; pad it first where frames should be centred.

    X[t, k] = sum over m of mono[t*hop + m] * window[m] * exp(-2i*pi*k*m / n_fft); frames are zero-filled to `n_fft`.

    mono: shape [n], float32, n >= len(window). window: shape [<= n_fft].
    Returns complex64, shape [1 + (n - len(window)) // hop, n_fft // 2 + 1]: time first, so that a frame is contiguous.
    """
    import scipy.fft  # unlike numpy's, it stays in float32, at a sixth of the time

    spectrum: Spectrum = scipy.fft.rfft(frames(mono, window.size, hop) * window, n=n_fft, axis=-1)
    return spectrum
