"""Plain agreement between two answers to the same item."""

import numpy as np

from pipelines.units import Float64Array
from workbench.agreement.coefficient import Scale


def pair_agreement(counts: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Share of agreeing pairs of answers per item [items], 0 where there is no pair; and 1 where there is one, else 0.

    P_i = sum_c n_ic (n_ic - 1) / (m_i (m_i - 1)) for m_i answers to item i. Fleiss (1971), equation 2.
    """
    answers = counts.sum(axis=1)
    pairs = answers * (answers - 1)
    agreeing = (counts * (counts - 1)).sum(axis=1)
    return np.where(pairs > 0, agreeing / np.maximum(pairs, 1), 0.0), (pairs > 0).astype(np.float64)


class Percent:
    """Mean over items of the share of agreeing pairs of answers, in [0, 1]; not corrected for chance."""

    title = "Agreement"
    corrected = False
    source = "Fleiss (1971), doi:10.1037/h0031619, equation 3"

    def summands(self, counts: Float64Array) -> Float64Array:
        """[items, 2]: the share, and whether the item counts."""
        return np.stack(pair_agreement(counts), axis=1)

    def value(self, sums: Float64Array, scale: Scale, numbers: Float64Array) -> Float64Array:
        """Mean share [draws]; the scale does not matter, since only equal answers agree."""
        del scale, numbers
        with np.errstate(invalid="ignore"):
            mean: Float64Array = sums[:, 0] / sums[:, 1]
        return mean


PERCENT = Percent()
