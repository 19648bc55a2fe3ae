"""One short-time spectrum that every feature of a clip shares."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError
from pipelines.units import Audio, Float64Array, Samples

Spectrum: TypeAlias = npt.NDArray[np.complex64]

#: Frames transformed at once: scratch memory stays in the cache, a third of the time of all frames at once.
BLOCK_FRAMES = 32


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
def hann(length: Samples, *, symmetric: bool = False) -> Float64Array:
    """Hann window, float64, shape [length]; periodic unless `symmetric`."""
    from scipy.signal import get_window

    window = np.asarray(get_window("hann", length, fftbins=not symmetric), dtype=np.float64)
    window.setflags(write=False)
    return window


def stft(mono: Audio, *, n_fft: int, hop: Samples, window: Float64Array) -> Spectrum:
    """Spectrum of the whole frames of `mono`; pad it first where frames should be centred.

    X[t, k] = sum over m of mono[t*hop + m] * window[m] * exp(-2i*pi*k*m / n_fft); frames are zero-filled to `n_fft`.
    Computed in double precision and rounded once, as librosa does: equal to its stft to the last bit.

    mono: float32, shape [n], n >= len(window). window: float64, shape [<= n_fft].
    Returns complex64, shape [1 + (n - len(window)) // hop, n_fft // 2 + 1]: time first, so that a frame is contiguous.
    """
    import scipy.fft

    frames = np.lib.stride_tricks.sliding_window_view(mono, window.size)[::hop]
    spectrum = np.empty((len(frames), n_fft // 2 + 1), dtype=np.complex64)
    for first in range(0, len(frames), BLOCK_FRAMES):
        block = slice(first, first + BLOCK_FRAMES)
        spectrum[block] = scipy.fft.rfft(frames[block] * window, n=n_fft, axis=-1)
    return spectrum
