"""How likely the voice changes within a stretch. Weak: docs/curator.md says how weak, and raters have the last word."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipelines.ingest.analysis.analyzer import BANDS, Tracks
from pipelines.ingest.analysis.music import weights_of
from pipelines.units import Floats, Reals, Seconds

#: Cepstra that tell voices apart in so short a time; more of them need more frames than 3 s have.
CEPSTRA = 8
#: Frames (375 ms) that either voice has at least, and that both have (1.5 s).
_LEAST, _LEAST_OF_BOTH = 12, 48
#: Added to each variance, in dB squared: of bands rounded to half a dB, less is not known.
_NOT_KNOWN = 1.0
#: Frames more than 20 dB below the loud ones say nothing of the voice.
_HEARD = 0.01


def speaker_change_p(tracks: Tracks, start_s: Seconds, end_s: Seconds) -> float | None:
    """Probability, between 0 and 1, that one voice follows another in a stretch; None for less than 1.5 s of sound."""
    gain = change_gain(tracks, start_s, end_s)
    if gain is None:
        return None
    slope, constant = weights_of(("change_gain",), "voices")
    return float(1 / (1 + np.exp(-(slope * gain + constant))))


def change_gain(tracks: Tracks, start_s: Seconds, end_s: Seconds) -> float | None:
    """What two Gaussians say better than one of the cepstra of a stretch, parted where they say most: BIC, per frame.

    (N log|S| - n log|S1| - (N - n) log|S2| - (d + d (d + 1) / 2) log N) / 2 N, with S the covariances of d cepstra of
    N heard frames: Chen and Gopalakrishnan (1998), Speaker, environment and channel change detection and clustering
    via the Bayesian information criterion.
    """
    levels = tracks.bands_db(start_s, end_s)
    power = np.exp(levels * np.float32(np.log(10) / 10)).sum(axis=1)
    if len(power) < _LEAST_OF_BOTH:
        return None
    loud = np.partition(power, int(0.9 * (len(power) - 1)))[int(0.9 * (len(power) - 1))]
    cepstra: Floats = (levels[power > _HEARD * loud] @ _cosines()).astype(np.float64)
    count = len(cepstra)
    if count < _LEAST_OF_BOTH:
        return None
    cepstra -= cepstra.mean(axis=0)
    sums: Floats = np.cumsum(cepstra, axis=0)
    squares: Floats = np.cumsum(cepstra[:, :, None] * cepstra[:, None, :], axis=0)
    first = np.arange(_LEAST, count - _LEAST, 2)
    before = _log_spread(sums[first - 1], squares[first - 1], first)
    after = _log_spread(sums[-1] - sums[first - 1], squares[-1] - squares[first - 1], count - first)
    whole = _log_spread(sums[-1:], squares[-1:], np.array([count]))
    penalty = (CEPSTRA + CEPSTRA * (CEPSTRA + 1) / 2) * np.log(count)
    return float(((count * whole - first * before - (count - first) * after).max() - penalty) / (2 * count))


def _log_spread(sums: Floats, squares: Floats, counts: npt.NDArray[np.int64]) -> Floats:
    """Logarithm of the determinant of covariances: of sums [m, d], sums of products [m, d, d], frames [m] -> [m]."""
    means = sums / counts[:, None]
    spread = squares / counts[:, None, None] - means[:, :, None] * means[:, None, :]
    found: Floats = np.linalg.slogdet(spread + _NOT_KNOWN * np.eye(CEPSTRA))[1]
    return found


@lru_cache(maxsize=1)
def _cosines() -> Reals:
    """The discrete cosine transform from bands to cepstra 1 to CEPSTRA, [BANDS, CEPSTRA]."""
    angles = np.pi * (np.arange(BANDS)[:, None] + 0.5) * np.arange(1, CEPSTRA + 1) / BANDS
    found: Reals = (np.sqrt(2 / BANDS) * np.cos(angles)).astype(np.float32)
    return found
