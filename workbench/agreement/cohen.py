"""Cohen's kappa between two raters."""

import numpy as np

from pipelines.units import Float64Array
from workbench.agreement.ratings import Codes


def confusions(one: Codes, other: Codes, labels: int) -> Float64Array:
    """What each item adds to the table of two raters' answers, [items, labels²]; zeros where either gave none."""
    cells = np.zeros((len(one), labels * labels))
    shared = np.flatnonzero((one >= 0) & (other >= 0))
    cells[shared, one[shared].astype(np.intp) * labels + other[shared]] = 1
    return cells


def kappa(sums: Float64Array) -> Float64Array:
    """Cohen's kappa [draws] from tables of two raters' answers [draws, labels²]; NaN where undefined.

    kappa = (p_o - p_e) / (1 - p_e); p_o: share on the diagonal; p_e: sum of products of the margins.
    Source: Cohen (1960), A coefficient of agreement for nominal scales, doi:10.1177/001316446002000104.
    """
    labels = round(sums.shape[1] ** 0.5)
    table = sums.reshape(len(sums), labels, labels)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = table / table.sum(axis=(1, 2), keepdims=True)
        observed = np.trace(shares, axis1=1, axis2=2)
        expected = (shares.sum(axis=1) * shares.sum(axis=2)).sum(axis=1)
        found: Float64Array = (observed - expected) / (1 - expected)
    return np.where(1 - expected > 1e-12, found, np.nan)
