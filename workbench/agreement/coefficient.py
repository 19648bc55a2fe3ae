"""What every coefficient is: something each item adds, and a value made from the sums.

Sums over items are all that is needed, so an interval leaves out sums of groups and never looks at an answer twice.
"""

from typing import Literal, Protocol, TypeAlias

from pipelines.units import Float64Array

Scale: TypeAlias = Literal["nominal", "ordinal", "interval"]
SCALES: tuple[Scale, ...] = ("nominal", "ordinal", "interval")


class Coefficient(Protocol):
    """Agreement over all raters at once. `corrected`: for chance, so that raters who guess come out near 0."""

    title: str
    source: str
    corrected: bool

    def summands(self, counts: Float64Array) -> Float64Array:
        """What each item adds, [items, m], from how many raters gave it each label, [items, labels]."""
        ...

    def value(self, sums: Float64Array, scale: Scale, numbers: Float64Array) -> Float64Array:
        """Values [n] from sums [n, m]; NaN where undefined. `numbers` [labels]: the labels as numbers."""
        ...
