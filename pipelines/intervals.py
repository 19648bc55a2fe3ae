"""95 % bootstrap intervals that resample groups, not clips: clips of one episode or speaker are not independent."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from pipelines.schema import Estimate, NoEstimate
from pipelines.units import Floats

#: Below this many groups a percentile interval is rough, and reports say so.
FEW_GROUPS = 5


def mean(
    values: npt.ArrayLike, groups: Sequence[str], rng: np.random.Generator, *, n_boot: int = 2000
) -> Estimate | NoEstimate:
    """Mean of `values` [n] with an interval over `groups` [n]; weights groups by their size, as the plain mean does."""
    column = np.asarray(values, dtype=np.float64)
    summands = np.stack([column, np.ones_like(column)], axis=1)
    return of_sums(summands, groups, lambda sums: sums[:, 0] / sums[:, 1], rng, n_boot=n_boot)


def of_sums(
    summands: Floats,
    groups: Sequence[str],
    statistic: Callable[[Floats], Floats],
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
    names, inverse = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if len(names) == 1:
        per_unit = summands[np.lexsort(summands.reshape(n, -1).T)]
    else:
        per_unit = np.zeros((len(names), *summands.shape[1:]))
        np.add.at(per_unit, inverse, summands)
    units = len(per_unit)
    weights = rng.multinomial(units, np.full(units, 1 / units), size=n_boot).astype(np.float64)
    drawn = statistic(np.tensordot(weights, per_unit, axes=1))
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
