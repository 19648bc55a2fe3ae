"""Can these labels be trusted? Coefficients with intervals, pairs of raters, and the clips they differ on most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from pipelines.schema import Estimate, NoEstimate
from pipelines.statistics import group_intervals
from pipelines.statistics.vote_counts import entropy_bits
from pipelines.units import ClipId, Float64Array, LabelName, RaterId
from workbench.agreement import cohen
from workbench.agreement.coefficient import Scale
from workbench.agreement.ratings import Ratings
from workbench.agreement.registry import COEFFICIENTS

DISPUTED = 10

_MAX_CELLS = 50_000_000


@dataclass(frozen=True)
class Pair:
    """Two raters. `n`: items both answered; `table` [labels, labels]: a's answer by b's."""

    a: RaterId
    b: RaterId
    n: int
    kappa: Estimate | NoEstimate
    table: Float64Array

    def document(self) -> dict[str, Any]:
        return {"a": self.a, "b": self.b, "n": self.n, "kappa": self.kappa}


@dataclass(frozen=True)
class Dispute:
    """An item that raters differ on. `entropy` of its answers in bits."""

    clip_id: ClipId
    entropy: float
    votes: Mapping[LabelName, int]

    def document(self) -> dict[str, Any]:
        return {"clip_id": self.clip_id, "entropy": round(self.entropy, 4), "votes": dict(self.votes)}


@dataclass(frozen=True)
class Agreement:
    """One view of the answers. `items` have an answer, `paired` two or more. `raters`: answers of each, if known.

    `coefficients` are those of COEFFICIENTS, by name. `pairs_left_out`: pairs of raters not reported, for there are
    too many; those that share most items are.
    """

    view: str
    labels: tuple[LabelName, ...]
    scale: Scale
    items: int
    paired: int
    answers: int
    raters: Mapping[RaterId, int]
    counts: Mapping[LabelName, int]
    coefficients: Mapping[str, Estimate | NoEstimate]
    pairs: tuple[Pair, ...]
    pairs_left_out: int
    disputed: tuple[Dispute, ...]
    groups: int
    group_word: str
    caution: str

    def document(self) -> dict[str, Any]:
        """For JSON: coefficients by name beside the counts."""
        return {
            "view": self.view,
            "labels": list(self.labels),
            "scale": self.scale,
            **self.coefficients,
            "items": self.items,
            "paired_items": self.paired,
            "answers": self.answers,
            "raters": dict(self.raters),
            "counts": dict(self.counts),
            "pairs": [pair.document() for pair in self.pairs],
            "pairs_left_out": self.pairs_left_out,
            "disputed": [dispute.document() for dispute in self.disputed],
            "resampled": {"by": self.group_word, "groups": self.groups},
            "caution": self.caution,
        }


def agreement(
    ratings: Ratings,
    view: str,
    *,
    scale: Scale = "nominal",
    disputed: int = DISPUTED,
) -> Agreement:
    """Every coefficient over `ratings`, each with n and a 95 % interval over its groups.

    On the interval scale labels that read as numbers count as those, others by their place.
    """
    answers = ratings.counts.sum(axis=1)
    is_paired = answers > 1
    numbers = _numbers(ratings.labels)
    blocks: dict[str, Float64Array] = {name: each.summands(ratings.counts) for name, each in COEFFICIENTS.items()}
    pairs, left_out = _pairs(ratings)
    tables = [cohen.confusions(_column(ratings, a), _column(ratings, b), len(ratings.labels)) for a, b, _ in pairs]
    found, sizes = _sums([*blocks.values(), *tables], ratings.groups)
    n = int(is_paired.sum())
    coefficients = {
        name: _estimate(
            each.value(total, scale, numbers),
            each.value(without, scale, numbers),
            sizes,
            n,
            "coefficient" if each.corrected else "share",
        )
        for (name, each), (total, without) in zip(COEFFICIENTS.items(), found, strict=False)
    }
    return Agreement(
        view=view,
        labels=ratings.labels,
        scale=scale,
        items=int((answers > 0).sum()),
        paired=n,
        answers=int(answers.sum()),
        raters={rater: int((_column(ratings, number) >= 0).sum()) for number, rater in enumerate(ratings.raters)},
        counts={label: int(ratings.counts[:, code].sum()) for code, label in enumerate(ratings.labels)},
        coefficients=coefficients,
        pairs=tuple(
            Pair(
                ratings.raters[a],
                ratings.raters[b],
                shared,
                _estimate(cohen.kappa(total), cohen.kappa(without), sizes, shared, "coefficient"),
                total.reshape(len(ratings.labels), -1),
            )
            for (a, b, shared), (total, without) in zip(pairs, found[len(blocks) :], strict=True)
        ),
        pairs_left_out=left_out,
        disputed=_disputed(ratings, disputed),
        groups=len(set(ratings.groups)),
        group_word=ratings.group_word,
        caution=group_intervals.caution(ratings.groups, ratings.group_word) if ratings.groups else "",
    )


def _sums(
    blocks: Sequence[Float64Array], groups: Sequence[str]
) -> tuple[list[tuple[Float64Array, Float64Array]], Float64Array]:
    """(sums [1, m], sums without each group [g, m]) of each block, and the size of each group [g]."""
    ends = np.cumsum([block.shape[1] for block in blocks])[:-1]
    stacked = np.concatenate(blocks, axis=1)
    without, sizes = group_intervals.left_out(stacked, groups)
    totals = stacked.sum(axis=0, keepdims=True)
    return list(zip(np.split(totals, ends, axis=1), np.split(without, ends, axis=1), strict=True)), sizes


def _estimate(
    value: Float64Array, without: Float64Array, sizes: Float64Array, n: int, scale: group_intervals.Scale
) -> Estimate | NoEstimate:
    if n == 0:
        return {"value": None, "reason": "no item was answered by two raters", "n": 0}
    if np.isnan(value[0]):
        return {"value": None, "reason": "only one label was ever given, so chance cannot be told from skill", "n": n}
    return group_intervals.estimate(float(value[0]), without, sizes, n, scale)


def _pairs(ratings: Ratings) -> tuple[list[tuple[int, int, int]], int]:
    """(a, b, shared items) of the raters that share any, those who share most if memory does not hold all."""
    if ratings.codes is None:
        return [], 0
    given = (ratings.codes >= 0).astype(np.float32)
    together = given.T @ given
    pairs = [(a, b, int(together[a, b])) for a, b in combinations(range(len(ratings.raters)), 2) if together[a, b]]
    most = max(10, min(500, _MAX_CELLS // max(1, len(ratings.items) * len(ratings.labels) ** 2)))
    kept = sorted(sorted(pairs, key=lambda pair: -pair[2])[:most])
    return kept, len(pairs) - len(kept)


def _column(ratings: Ratings, rater: int) -> Any:
    if ratings.codes is None:
        raise ValueError("counts do not say who answered")
    return ratings.codes[:, rater]


def _disputed(ratings: Ratings, count: int) -> tuple[Dispute, ...]:
    answers = ratings.counts.sum(axis=1)
    entropy = entropy_bits(ratings.counts)
    order = sorted(
        np.flatnonzero(entropy > 0), key=lambda row: (-round(float(entropy[row]), 9), -answers[row], ratings.items[row])
    )
    return tuple(
        Dispute(
            ratings.items[row],
            float(entropy[row]),
            {label: int(given) for label, given in zip(ratings.labels, ratings.counts[row], strict=True) if given},
        )
        for row in order[:count]
    )


def _numbers(labels: Sequence[LabelName]) -> Float64Array:
    try:
        return np.array([float(label) for label in labels])
    except ValueError:
        return np.arange(len(labels), dtype=np.float64)
