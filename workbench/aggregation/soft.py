"""A distribution per clip that does not trust three raters blindly."""

from pipelines.statistics.vote_counts import single_best
from pipelines.units import Float64Array
from workbench.aggregation.rule import Aggregated
from workbench.agreement.ratings import Ratings

WEIGHT = 1.0


class Soft:
    """The mean of a Dirichlet posterior whose prior is how often each label was given over all clips.

    p_ic = (n_ic + w p_c) / (m_i + w), with n_ic of the m_i raters of clip i saying c, p_c the share of c among all
    answers, and the prior weighing as much as w = 1 rater. The label is the most probable one, so that a tie goes to
    the label that is more common; only labels that are equally common stay tied.
    Source: Gelman et al. (2013), Bayesian Data Analysis, section 3.4 (multinomial with conjugate prior).
    """

    sentence = "the most probable label, with the shares of all labels weighing as much as one rater"

    def __call__(self, ratings: Ratings) -> Aggregated:
        """Labels from the counts alone: all raters weigh the same."""
        counts = ratings.counts
        answers = counts.sum(axis=1, keepdims=True)
        total = counts.sum()
        prior = counts.sum(axis=0) / (total if total else 1)
        shares: Float64Array = (counts + WEIGHT * prior) / (answers + WEIGHT)
        shares[answers[:, 0] == 0] = 0
        return Aggregated(single_best(shares), shares, {"prior_weight": WEIGHT, "prior": "shares over all clips"})


SOFT = Soft()
