"""Sketch of a clip: 64 numbers that measure how far it is from its original when the original is no longer available.

Each is the sum of all samples under one fixed pattern of +1 and -1. Such sums are linear, so the difference of two
sketches is the sketch of the difference, and the mean of its squares is the energy of the difference, give or take
0.8 dB (a chi-square of 64). 256 bytes a clip; no audio can be recovered from them.

The patterns are the rows of a Hadamard matrix over 64 random groups of samples with random signs (the count sketch of
Charikar, Chen and Farach-Colton 2002, rotated), which makes all 64 sums in one pass over the samples. Sums of whole
numbers are exact, so the same samples give the same bytes on any machine.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipelines.media.audio import Pcm16
from pipelines.units import Decibels, Samples

Sketch = npt.NDArray[np.float32]

#: Name of the patterns, saved in tables: any change of the patterns needs a new name.
ALGORITHM = "signs-1"
SIZE = 64
_SEED = 20261121


def sketch(pcm: Pcm16) -> Sketch:
    """The sketch of s16 samples [n]: float32 [64], in units of one s16 step."""
    mixed = _hadamard() @ group_sums(pcm)
    return mixed.astype(np.float32)


def snr_db(original: Sketch, pcm: Pcm16) -> Decibels:
    """Signal-to-noise ratio of `pcm` [n] against the samples that `original` was made from; exact to 2 dB.

    10 log10(|x|^2 / |x - y|^2): infinite for equal sketches, minus infinite against digital silence. |x|^2 is the
    energy of `pcm`, which is known, corrected by the ratio of the two sketches.
    """
    new = sketch(pcm).astype(np.float64)
    old = original.astype(np.float64)
    noise = float(np.square(new - old).mean())
    if noise == 0:
        return math.inf
    old_energy, new_energy = float(np.square(old).mean()), float(np.square(new).mean())
    if old_energy == 0:
        return -math.inf
    exact = float(np.square(pcm.astype(np.float64)).sum())
    is_scaled = new_energy > 0 and old_energy < 2 * new_energy
    energy = exact * old_energy / new_energy if is_scaled else old_energy
    return 10 * math.log10(energy / noise)


def group_sums(pcm: Pcm16) -> npt.NDArray[np.float64]:
    """Sums of the signed samples of each of the 64 groups, whole numbers, float64 [64]."""
    if len(pcm) == 0:
        return np.zeros(SIZE)
    order, signs, starts, is_empty = _group_order(len(pcm))
    sums = np.add.reduceat(pcm[order] * signs, starts, dtype=np.int64)
    return np.where(is_empty, 0.0, sums.astype(np.float64))


def recover_group_sums(original: Sketch) -> npt.NDArray[np.float64]:
    """The group sums that a sketch was mixed from: float64 [64]."""
    return _hadamard() @ original.astype(np.float64) / SIZE


@lru_cache(maxsize=4)
def sign_patterns(n_samples: Samples) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """For each sample its group (0 to 63) and its sign (+1 or -1), the same for all clips of a length."""
    raw = np.random.PCG64(_SEED).random_raw(n_samples)
    groups = (raw >> np.uint64(58)).astype(np.uint8)
    signs = 1.0 - 2.0 * ((raw >> np.uint64(20)) & np.uint64(1)).astype(np.float64)
    return groups, signs


@lru_cache(maxsize=4)
def _group_order(
    n_samples: Samples,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """The samples group by group and one more of sign 0, their signs, where each group starts, and which are empty."""
    groups, signs = sign_patterns(n_samples)
    order = np.append(np.argsort(groups, kind="stable"), 0).astype(np.int32)
    counts = np.bincount(groups, minlength=SIZE)
    ordered_signs = signs[order].astype(np.int32)
    ordered_signs[-1] = 0
    return order, ordered_signs, np.cumsum(counts) - counts, counts == 0


@lru_cache(maxsize=1)
def _hadamard() -> npt.NDArray[np.float64]:
    """Sylvester's matrix of +1 and -1, [64, 64]; its own inverse but for a factor of 64."""
    rows = np.arange(SIZE)
    matrix: npt.NDArray[np.float64] = 1.0 - 2.0 * (np.bitwise_count(rows[:, None] & rows[None, :]) & 1)
    return matrix
