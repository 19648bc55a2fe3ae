"""The label most raters gave."""

from pipelines.statistics.vote_counts import shares, single_best
from workbench.aggregation.rule import Aggregated
from workbench.agreement.ratings import Ratings


class Majority:
    """The most frequent label; a clip where two are equally frequent gets none. Shares are those of the raters."""

    sentence = "the label most raters gave; a clip whose most frequent labels are tied has none"

    def __call__(self, ratings: Ratings) -> Aggregated:
        """Labels from the counts alone: all raters weigh the same."""
        return Aggregated(single_best(ratings.counts), shares(ratings.counts), {"ties": "no label"})


MAJORITY = Majority()
