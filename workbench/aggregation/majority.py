"""The label most raters gave."""

from pipelines.units import Floats
from workbench.aggregation.rule import Aggregated, single_best, vote_shares


class Majority:
    """The most frequent label; a clip where two are equally frequent gets none. Shares are those of the raters."""

    sentence = "the label most raters gave; a clip whose most frequent labels are tied has none"

    def __call__(self, counts: Floats) -> Aggregated:
        """Labels from counts [items, labels]."""
        return Aggregated(single_best(counts), vote_shares(counts), {"ties": "no label"})


MAJORITY = Majority()
