"""Named rules from annotations to one label per clip: a value, and a distribution. Numpy only."""

from collections.abc import Mapping

from workbench.aggregation.majority import MAJORITY
from workbench.aggregation.rule import Aggregated, Rule
from workbench.aggregation.soft import SOFT

#: Rules by name; names are promises, since releases hold them.
RULES: Mapping[str, Rule] = {
    "majority": MAJORITY,
    "soft": SOFT,
}

__all__ = ["RULES", "Aggregated", "Rule"]
