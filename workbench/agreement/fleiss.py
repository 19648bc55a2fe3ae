"""Fleiss's kappa."""

import numpy as np

from pipelines.units import Float64Array
from workbench.agreement.coefficient import Scale
from workbench.agreement.percent import pair_agreement


class FleissKappa:
    """Agreement of many raters corrected for chance; raters may differ from item to item, and so may their number.

    kappa = (P - P_e) / (1 - P_e); P: mean over items of the share of agreeing pairs; P_e = sum_c p_c², p_c: share of
    label c among all answers to items that have two or more.
    Source: Fleiss (1971), Measuring nominal scale agreement among many raters, doi:10.1037/h0031619.
    """

    title = "Fleiss's kappa"
    corrected = True
    source = "Fleiss (1971), doi:10.1037/h0031619"

    def summands(self, counts: Float64Array) -> Float64Array:
        """[items, 2 + labels]: the share of agreeing pairs, whether the item counts, its answers."""
        share, is_paired = pair_agreement(counts)
        return np.concatenate([share[:, None], is_paired[:, None], counts * is_paired[:, None]], axis=1)

    def value(self, sums: Float64Array, scale: Scale, numbers: Float64Array) -> Float64Array:
        """Kappa [draws]; nominal whatever the scale. NaN where only one label was given."""
        del scale, numbers
        with np.errstate(divide="ignore", invalid="ignore"):
            observed = sums[:, 0] / sums[:, 1]
            shares = sums[:, 2:] / sums[:, 2:].sum(axis=1, keepdims=True)
            expected = (shares**2).sum(axis=1)
            kappa: Float64Array = (observed - expected) / (1 - expected)
        return np.where(1 - expected > 1e-12, kappa, np.nan)


FLEISS_KAPPA = FleissKappa()
