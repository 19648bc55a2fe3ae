"""Level scores of a clip: peak, clipping, dropouts, loudness, bandwidth. Each maps 16-bit samples to one number."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipelines.media.audio import Pcm16
from pipelines.units import Audio, Decibels, Hertz, Seconds

#: Shorter runs of one value occur in undamaged quiet or loud audio.
DROPOUT_S: Seconds = 0.005
CLIPPED_RUN = 3


def peak_dbfs(pcm: Pcm16) -> Decibels | None:
    """The largest magnitude in dB below full scale; None for digital silence. `pcm`: [n]."""
    peak = int(np.abs(pcm.astype(np.int32)).max())
    return None if peak == 0 else float(20 * np.log10(peak / 32768))


def clip_ratio(pcm: Pcm16) -> float:
    """Share of samples in runs of 3 or more equal samples at the window's own peak, where that is above -6 dBFS.

    Clipping done upstream and turned down later stands below full scale, so the peak itself is the ceiling.
    """
    magnitude = np.abs(pcm.astype(np.int32))
    ceiling = int(magnitude.max())
    if ceiling < 16384:
        return 0.0
    return _share_in_runs(magnitude >= min(ceiling, 32767), CLIPPED_RUN)


def zero_ratio(pcm: Pcm16, rate_hz: Hertz) -> float:
    """Share of samples in runs of exact zeros of 5 ms or more: a dropout where somebody speaks."""
    return _share_in_runs(pcm == 0, max(2, round(DROPOUT_S * rate_hz)))


def spectra_100ms(pcm: Pcm16, rate_hz: Hertz) -> npt.NDArray[np.complex64]:
    """Spectra of each whole 100 ms, [tenths, bins], without a window. Samples [n] are scaled to -1 to 1."""
    from scipy.fft import rfft  # several times as fast as numpy's; 0.3 s to import

    step = round(0.1 * rate_hz)
    steps = len(pcm) // step
    parts = pcm[: steps * step].reshape(steps, step).astype(np.float32) / np.float32(32768)
    found: npt.NDArray[np.complex64] = rfft(parts, n=_smooth(step), axis=1)
    return found


def loudness_lufs(pcm: Pcm16, rate_hz: Hertz, spectra: npt.NDArray[np.complex64] | None = None) -> Decibels | None:
    """Integrated loudness of mono audio, gated (ITU-R BS.1770-4: 400 ms blocks, 75 % overlap, -70 LUFS, -10 LU).

    `pcm`: [n] at `rate_hz`; `spectra`: its `spectra_100ms`, if known. None where nothing passes the gates or less than
    one block is there. A full-scale sine of 997 Hz gives -3.01. The K weighting is applied to the power spectrum of
    each 100 ms, which needs no scipy.signal (1.2 s to import) and agrees with the filters to 0.1 LU.
    """
    step = round(0.1 * rate_hz)
    if len(pcm) // step < 4:
        return None
    parts = spectra_100ms(pcm, rate_hz) if spectra is None else spectra
    spectrum = parts.view(np.float32)  # real and imaginary parts in turn
    energy = (np.square(spectrum) @ _k_weighting(rate_hz, _smooth(step))).astype(np.float64) / step
    blocks = np.convolve(energy, np.full(4, 0.25), "valid")
    gated = blocks[blocks > 10 ** ((-70.0 + 0.691) / 10)]
    if len(gated):
        gated = gated[gated > gated.mean() * 10**-1.0]
    return float(-0.691 + 10 * np.log10(gated.mean())) if len(gated) else None


def bandwidth_hz(spectra: npt.NDArray[np.complex64], rate_hz: Hertz) -> float | None:
    """Up to where, in steps of 100 Hz, the mean spectrum is within 50 dB of its loudest 100 Hz; None for silence.

    `spectra`: `spectra_100ms` of the audio. Differences of neighbouring bins make them those of a Hann window.
    """
    windowed = spectra[:, 1:-1] - np.float32(0.5) * (spectra[:, :-2] + spectra[:, 2:])
    power = np.square(windowed.view(np.float32)).mean(axis=0)
    size = 2 * round(100 * _smooth(round(0.1 * rate_hz)) / rate_hz)
    bands = power[: len(power) // size * size].reshape(-1, size).mean(axis=1)
    loudest = float(bands.max()) if len(bands) else 0.0
    if loudest <= 0:
        return None
    return 100.0 * (int(np.flatnonzero(bands > loudest * 1e-5)[-1]) + 1)


@lru_cache(maxsize=16)
def _smooth(least: int) -> int:
    """The next length from `least` on that is a product of 2, 3, 5, 7: FFTs of prime lengths are slow."""
    for size in range(least, 2 * least + 1):
        rest = size
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
    return 2 * least


@lru_cache(maxsize=16)
def _k_weighting(rate_hz: Hertz, size: int) -> Audio:
    """Power gain of K weighting for the real and the imaginary part of each bin; doubled where a bin stands for two."""
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    gain = np.ones(len(z))
    for b0, b1, b2, a1, a2 in k_weighting_biquads(rate_hz):
        gain *= np.abs((b0 + b1 * z + b2 * z**2) / (1 + a1 * z + a2 * z**2)) ** 2
    gain[1:-1] *= 2
    return np.repeat(gain / size, 2).astype(np.float32)


def k_weighting_biquads(rate_hz: Hertz) -> tuple[tuple[float, float, float, float, float], ...]:
    """The shelf and the high pass of BS.1770 as (b0, b1, b2, a1, a2), for any rate (bilinear transform)."""
    k, q, high = math.tan(math.pi * 1681.974450955533 / rate_hz), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    mid = high**0.4996667741545416
    a0 = 1 + k / q + k**2
    shelf = (
        (high + mid * k / q + k**2) / a0,
        2 * (k**2 - high) / a0,
        (high - mid * k / q + k**2) / a0,
        2 * (k**2 - 1) / a0,
        (1 - k / q + k**2) / a0,
    )
    k, q = math.tan(math.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    a0 = 1 + k / q + k**2
    return shelf, (1.0, -2.0, 1.0, 2 * (k**2 - 1) / a0, (1 - k / q + k**2) / a0)


def _share_in_runs(mask: npt.NDArray[np.bool_], shortest: int) -> float:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= shortest].sum() / len(mask))
