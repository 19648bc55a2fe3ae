"""What every rule gives: for each clip one label or none, and a distribution."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.units import Float64Array
from workbench.agreement.ratings import Ratings


@dataclass(frozen=True)
class Aggregated:
    """What a rule made of counts [items, labels].

    `codes` [items]: the place of each item's label, -1 where the rule gives none. `shares` [items, labels]: the
    distribution, summing to 1; zeros where nobody gave a label. `parameters` repeat the rule exactly.
    """

    codes: npt.NDArray[np.int16]
    shares: Float64Array
    parameters: Mapping[str, float | str] = field(default_factory=dict)


class Rule(Protocol):
    """From who gave which label to which item to one label per item.

    `ratings.counts` [items, labels] is always there; `ratings.codes` [items, raters] for rules that weigh raters.
    """

    sentence: str

    def __call__(self, ratings: Ratings) -> Aggregated: ...
