"""Krippendorff's alpha, for any number of raters and missing answers."""

import numpy as np

from pipelines.units import Float64Array
from workbench.agreement.coefficient import Scale


class Alpha:
    """Agreement corrected for chance, 1 at best, 0 at chance; items with one answer are left out.

    alpha = 1 - (n - 1) sum_ck o_ck d²_ck / sum_ck n_c n_k d²_ck

    o_ck: coincidences, to which an item with m answers, n_c of them c, adds n_c n_k / (m - 1) for c ≠ k and
    n_c (n_c - 1) / (m - 1) on the diagonal; n_c = sum_k o_ck, n = sum_c n_c. d²: 1 between any two labels (nominal);
    (sum of n_g from c to k - (n_c + n_k) / 2)² (ordinal); the squared difference of the numbers (interval).
    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability,
    https://repository.upenn.edu/asc_papers/43
    """

    title = "Krippendorff's alpha"
    corrected = True
    source = "Krippendorff (2011), Computing Krippendorff's Alpha-Reliability"

    def summands(self, counts: Float64Array) -> Float64Array:
        """Coincidences of each item, [items, labels²], from counts [items, labels]."""
        answers = counts.sum(axis=1)
        share = np.where(answers > 1, 1 / np.maximum(answers - 1, 1), 0.0)
        pairs = counts[:, :, None] * counts[:, None, :]
        diagonal = np.arange(counts.shape[1])
        pairs[:, diagonal, diagonal] -= counts
        coincidences: Float64Array = pairs * share[:, None, None]
        return coincidences.reshape(len(counts), counts.shape[1] ** 2)

    def value(self, sums: Float64Array, scale: Scale, numbers: Float64Array) -> Float64Array:
        """Alpha [draws] from coincidences [draws, labels²]; NaN where only one label was ever given."""
        labels = len(numbers)
        observed = sums.reshape(len(sums), labels, labels)
        margins = observed.sum(axis=2)
        total = margins.sum(axis=1)
        distance = _distances(margins, scale, numbers)
        disagreed = (observed * distance).sum(axis=(1, 2))
        expected = np.einsum("di,dij,dj->d", margins, distance, margins)
        with np.errstate(divide="ignore", invalid="ignore"):
            alpha: Float64Array = 1 - (total - 1) * disagreed / expected
        return np.where(expected > 0, alpha, np.nan)


def _distances(margins: Float64Array, scale: Scale, numbers: Float64Array) -> Float64Array:
    """Squared differences between labels, [draws or 1, labels, labels]."""
    labels = len(numbers)
    if scale == "nominal":
        return (1 - np.eye(labels))[None]
    if scale == "interval":
        between: Float64Array = (numbers[:, None] - numbers[None, :]) ** 2
        return between[None]
    upto = margins.cumsum(axis=1)
    middle = upto - margins / 2  # the mean rank of each label
    ranks: Float64Array = (middle[:, :, None] - middle[:, None, :]) ** 2
    return ranks


ALPHA = Alpha()
