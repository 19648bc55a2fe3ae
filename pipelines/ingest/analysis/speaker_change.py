"""Speaker change score: the probability that the voice changes within a stretch. Weak: see docs/curator.md."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipelines.ingest.analysis.analyzer import BANDS, FeatureTracks
from pipelines.ingest.analysis.music import score_weights
from pipelines.units import Float32Array, Float64Array, Seconds

#: Number of cepstra; more of them need more frames than 3 s have.
CEPSTRA = 8
#: Least frames of either voice (375 ms), and of both together (1.5 s).
_LEAST, _LEAST_OF_BOTH = 12, 48
#: Added to each variance, in dB squared: bands are rounded to 0.5 dB.
_ROUNDING_VARIANCE = 1.0
#: Frames more than 20 dB below the loud ones say nothing about the voice.
_MIN_POWER = 0.01


def speaker_change_p(tracks: FeatureTracks, start_s: Seconds, end_s: Seconds) -> float | None:
    """Probability, 0 to 1, that one voice follows another in a stretch; None for less than 1.5 s of audible frames."""
    gain = bic_gain(tracks, start_s, end_s)
    if gain is None:
        return None
    slope, constant = score_weights(("change_gain",), "voices")
    return float(1 / (1 + np.exp(-(slope * gain + constant))))


def bic_gain(tracks: FeatureTracks, start_s: Seconds, end_s: Seconds) -> float | None:
    """BIC gain per frame of two Gaussians over one for the cepstra of a stretch, split where the gain is largest.

    (N log|S| - n log|S1| - (N - n) log|S2| - (d + d (d + 1) / 2) log N) / 2 N, with S the covariances of d cepstra of
    N audible frames: Chen and Gopalakrishnan (1998), Speaker, environment and channel change detection and clustering
    via the Bayesian information criterion.
    """
    levels = tracks.bands_db(start_s, end_s)
    power = np.exp(levels * np.float32(np.log(10) / 10)).sum(axis=1)
    if len(power) < _LEAST_OF_BOTH:
        return None
    loud = np.partition(power, int(0.9 * (len(power) - 1)))[int(0.9 * (len(power) - 1))]
    cepstra: Float64Array = (levels[power > _MIN_POWER * loud] @ _cosines()).astype(np.float64)
    count = len(cepstra)
    if count < _LEAST_OF_BOTH:
        return None
    cepstra -= cepstra.mean(axis=0)
    sums: Float64Array = np.cumsum(cepstra, axis=0)
    squares: Float64Array = np.cumsum(cepstra[:, :, None] * cepstra[:, None, :], axis=0)
    first = np.arange(_LEAST, count - _LEAST, 2)
    before = _log_spread(sums[first - 1], squares[first - 1], first)
    after = _log_spread(sums[-1] - sums[first - 1], squares[-1] - squares[first - 1], count - first)
    whole = _log_spread(sums[-1:], squares[-1:], np.array([count]))
    penalty = (CEPSTRA + CEPSTRA * (CEPSTRA + 1) / 2) * np.log(count)
    return float(((count * whole - first * before - (count - first) * after).max() - penalty) / (2 * count))


def _log_spread(sums: Float64Array, squares: Float64Array, counts: npt.NDArray[np.int64]) -> Float64Array:
    """Logarithm of the determinant of covariances: of sums [m, d], sums of products [m, d, d], frames [m] -> [m]."""
    means = sums / counts[:, None]
    spread = squares / counts[:, None, None] - means[:, :, None] * means[:, None, :]
    found: Float64Array = np.linalg.slogdet(spread + _ROUNDING_VARIANCE * np.eye(CEPSTRA))[1]
    return found


@lru_cache(maxsize=1)
def _cosines() -> Float32Array:
    """The discrete cosine transform from bands to cepstra 1 to CEPSTRA, [BANDS, CEPSTRA]."""
    angles = np.pi * (np.arange(BANDS)[:, None] + 0.5) * np.arange(1, CEPSTRA + 1) / BANDS
    found: Float32Array = (np.sqrt(2 / BANDS) * np.cos(angles)).astype(np.float32)
    return found
