"""95 % bootstrap intervals that resample groups, not clips: clips of one episode or speaker are not independent."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.schema import Estimate, NoEstimate
from pipelines.units import Float64Array

#: Below this many groups a percentile interval is rough, and reports say so.
FEW_GROUPS = 5

_WEIGHTS_AT_ONCE = 4_000_000


def mean(
    values: npt.ArrayLike, groups: Sequence[str], rng: np.random.Generator, *, n_boot: int = 2000
) -> Estimate | NoEstimate:
    """Mean of `values` [n] with an interval over `groups` [n]; weights groups by their size, as the plain mean does."""
    column = np.asarray(values, dtype=np.float64)
    summands = np.stack([column, np.ones_like(column)], axis=1)
    return of_sums(summands, groups, lambda sums: sums[:, 0] / sums[:, 1], rng, n_boot=n_boot)


def of_sums(
    summands: Float64Array,
    groups: Sequence[str],
    statistic: Callable[[Float64Array], Float64Array],
    rng: np.random.Generator,
    *,
    n_boot: int = 2000,
) -> Estimate | NoEstimate:
    """A statistic of sums over items, with a percentile interval from resampling groups with replacement.

    `summands` [n, ...]: what each item adds (a hit and a one; a cell of a confusion matrix). `groups` [n].
    `statistic` maps sums [draws, ...] to values [draws]; NaN where it is undefined. Deterministic for one `rng` state
    and independent of the order of items. With a single group the items themselves are resampled: see `caution`.
    Source: Davison and Hinkley (1997), Bootstrap Methods, section 3.8 (resampling of clusters).
    """
    n = len(summands)
    if n != len(groups):
        raise ValueError(f"{n} items but {len(groups)} groups")
    if n == 0:
        return {"value": None, "reason": "no items", "n": 0}
    value = float(statistic(summands.sum(axis=0, keepdims=True))[0])
    if np.isnan(value):
        return {"value": None, "reason": "undefined for these items", "n": n}
    return spread(value, statistic(resampled(summands, groups, rng, n_boot=n_boot)), n)


def resampled(
    summands: Float64Array, groups: Sequence[str], rng: np.random.Generator, *, n_boot: int = 2000
) -> Float64Array:
    """Sums [n_boot, ...] of `summands` [n, ...] over groups drawn with replacement; many statistics may share them."""
    n = len(summands)
    names, inverse = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if len(names) == 1:
        per_unit = summands[np.lexsort(summands.reshape(n, -1).T)]
    else:
        per_unit = np.zeros((len(names), *summands.shape[1:]))
        np.add.at(per_unit, inverse, summands)
    units = len(per_unit)
    shares = np.full(units, 1 / units)
    drawn = np.empty((n_boot, *summands.shape[1:]))
    at_once = max(1, _WEIGHTS_AT_ONCE // units)
    for begin in range(0, n_boot, at_once):
        weights = rng.multinomial(units, shares, size=min(at_once, n_boot - begin)).astype(np.float64)
        drawn[begin : begin + len(weights)] = np.tensordot(weights, per_unit, axes=1)
    return drawn


def spread(value: float, drawn: Float64Array, n: int) -> Estimate:
    """`value` with the 2.5 and 97.5 percentiles of what the draws [n_boot] gave; undefined draws are left out."""
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return {"value": value, "low": float(low), "high": float(high), "n": n}


def caution(groups: Sequence[str], word: str = "group") -> str:
    """What to say beside intervals over so few groups; empty where there are enough."""
    count = len(set(groups))
    if count == 1:
        return f"only 1 {word} here: intervals resample its clips, which makes them too narrow"
    if count < FEW_GROUPS:
        return f"only {count} {word}s here: intervals over so few are rough"
    return ""
