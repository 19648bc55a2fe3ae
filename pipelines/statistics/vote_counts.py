"""Counts of answers per label, [items, labels]: their shares, what is most frequent, and how far they are spread."""

import numpy as np
import numpy.typing as npt

from pipelines.units import Float64Array


def shares(counts: Float64Array) -> Float64Array:
    """Share of answers per label, [items, labels]; zeros where there is none."""
    found: Float64Array = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return found


def most_frequent(weights: Float64Array) -> npt.NDArray[np.bool_]:
    """Whether each label is the weightiest of its item, [items, labels]; several are where they are tied, none at 0."""
    best = weights.max(axis=1, initial=0.0, keepdims=True)
    found: npt.NDArray[np.bool_] = np.isclose(weights, best, rtol=0, atol=1e-12) & (best > 0)
    return found


def single_best(weights: Float64Array) -> npt.NDArray[np.int16]:
    """The place of the greatest weight of each item, [items]; -1 where two are equally great or all are 0."""
    is_best = most_frequent(weights)
    if not is_best.size:
        return np.full(len(weights), -1, dtype=np.int16)
    return np.where(is_best.sum(axis=1) == 1, is_best.argmax(axis=1), -1).astype(np.int16)


def entropy_bits(counts: Float64Array) -> Float64Array:
    """Entropy of the answers to each item in bits, [items]: -sum_c p_c log2 p_c, 0 where all are alike or none is.

    Source: Shannon (1948), A Mathematical Theory of Communication, doi:10.1002/j.1538-7305.1948.tb01338.x.
    """
    share = shares(counts)
    bits: Float64Array = np.abs((share * np.log2(np.where(share > 0, share, 1))).sum(axis=1))
    return bits
