"""Chance-corrected agreement over annotations, with intervals. Numpy only."""

from workbench.agreement.coefficient import SCALES, Coefficient, Scale
from workbench.agreement.ratings import Ratings, from_counts, from_votes
from workbench.agreement.registry import COEFFICIENTS
from workbench.agreement.report import Agreement, Dispute, Pair, agreement

__all__ = [
    "COEFFICIENTS",
    "SCALES",
    "Agreement",
    "Coefficient",
    "Dispute",
    "Pair",
    "Ratings",
    "Scale",
    "agreement",
    "from_counts",
    "from_votes",
]
