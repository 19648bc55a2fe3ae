"""What every rule gives: for each clip one label or none, and a distribution."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.units import Floats


@dataclass(frozen=True)
class Aggregated:
    """What a rule made of counts [items, labels].

    `codes` [items]: the place of each item's label, -1 where the rule gives none. `shares` [items, labels]: the
    distribution, summing to 1; zeros where nobody gave a label. `parameters` repeat the rule exactly.
    """

    codes: npt.NDArray[np.int16]
    shares: Floats
    parameters: Mapping[str, float | str] = field(default_factory=dict)


class Rule(Protocol):
    """From how many raters gave each label, [items, labels], to one label per item."""

    sentence: str

    def __call__(self, counts: Floats) -> Aggregated: ...


def vote_shares(counts: Floats) -> Floats:
    """Share of answers per label, [items, labels]; zeros where there is none."""
    answers = counts.sum(axis=1, keepdims=True)
    shares: Floats = counts / np.maximum(answers, 1)
    return shares


def single_best(weights: Floats) -> npt.NDArray[np.int16]:
    """The place of the greatest weight of each row, -1 where two are equally great or all are 0."""
    best = weights.max(axis=1, initial=0.0)
    is_best = np.isclose(weights, best[:, None], rtol=0, atol=1e-12)
    is_single = (is_best.sum(axis=1) == 1) & (best > 0)
    return np.where(is_single, is_best.argmax(axis=1) if weights.size else 0, -1).astype(np.int16)
