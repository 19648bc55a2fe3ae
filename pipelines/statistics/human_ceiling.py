"""The human ceiling: how often one rater agrees with the label made from the others; a model by the same targets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.errors import DataError
from pipelines.schema import Estimate, NoEstimate, Vote
from pipelines.statistics import group_intervals
from pipelines.statistics.group_intervals import Scale
from pipelines.statistics.vote_counts import most_frequent
from pipelines.units import ClipId, LabelName, RaterId

RULE = (
    "each rater is scored against the majority of the clip's other raters; where k labels are tied, a guess that is "
    "one of them counts 1/k"
)


@dataclass(frozen=True)
class Target:
    """The label that the others gave: what one rater, or a model, is scored against. More than one label when tied."""

    clip_id: ClipId
    rater: RaterId
    answer: LabelName
    labels: frozenset[LabelName]

    @property
    def is_tied(self) -> bool:
        return len(self.labels) > 1

    def score(self, guess: LabelName) -> float:
        """1 for the target, 1/k for one of k tied labels, else 0."""
        return 1 / len(self.labels) if guess in self.labels else 0.0


@dataclass(frozen=True)
class Ceiling:
    """What raters reach against each other; n of an estimate counts (clip, rater) targets.

    `rater_untied` and `model_untied` leave tied targets out. What is about a model is None without predictions.
    `simulated`: a machine is among the raters; then this is no human ceiling, and whoever shows it says so.
    """

    rater: Estimate | NoEstimate
    rater_untied: Estimate | NoEstimate
    model: Estimate | NoEstimate | None
    model_untied: Estimate | NoEstimate | None
    model_minus_rater: Estimate | NoEstimate | None
    per_rater: Mapping[RaterId, Estimate | NoEstimate]
    clips: int
    targets: int
    tied: int
    simulated: bool

    def document(self) -> dict[str, Any]:
        """For JSON: estimates as fractions, with the rule for ties in words."""
        return {
            "rule": RULE,
            "rater": self.rater,
            "rater_untied": self.rater_untied,
            "model": self.model,
            "model_untied": self.model_untied,
            "model_minus_rater": self.model_minus_rater,
            "per_rater": dict(self.per_rater),
            "clips": self.clips,
            "targets": self.targets,
            "tied": self.tied,
            "simulated": self.simulated,
        }


def targets(
    votes: Iterable[Vote], clip_ids: Collection[ClipId], mapping: Mapping[LabelName, LabelName]
) -> tuple[Target, ...]:
    """One target per vote on `clip_ids` that has at least one other vote beside it, sorted by clip and rater.

    `mapping` takes each label to the view in question (the identity for the scheme itself). The last vote of a rater
    on a clip stands. Raises DataError for a label that `mapping` does not hold.
    """
    wanted = set(clip_ids)
    answers: dict[ClipId, dict[RaterId, LabelName]] = {}
    for vote in votes:
        if vote.clip_id not in wanted:
            continue
        if vote.label not in mapping:
            raise DataError(
                f"rater '{vote.rater}' answered '{vote.label}' to clip '{vote.clip_id}'; "
                f"expected one of {', '.join(mapping)}"
            )
        answers.setdefault(vote.clip_id, {})[vote.rater] = mapping[vote.label]
    given = [
        (clip, rater, answer)
        for clip, labels in sorted(answers.items())
        if len(labels) > 1
        for rater, answer in sorted(labels.items())
    ]
    names = sorted(set(mapping.values()))
    place = {name: code for code, name in enumerate(names)}
    others = np.zeros((len(given), len(names)))
    for row, (clip, rater, _) in enumerate(given):
        for other, label in answers[clip].items():
            others[row, place[label]] += other != rater
    return tuple(
        Target(clip, rater, answer, frozenset(names[code] for code in np.flatnonzero(is_best)))
        for (clip, rater, answer), is_best in zip(given, most_frequent(others), strict=True)
    )


def human_ceiling(
    votes: Iterable[Vote],
    clip_ids: Collection[ClipId],
    mapping: Mapping[LabelName, LabelName],
    groups: Mapping[ClipId, str],
    *,
    predictions: Mapping[ClipId, Sequence[LabelName]] | None = None,
) -> Ceiling:
    """How often a rater agrees with the majority of the other raters, in [0, 1], with intervals over `groups`.

    score(r, c) = [answer of r in T] / |T|, T = most frequent labels among the other raters of clip c; the ceiling is
    the mean over all (r, c). With two raters per clip this is their raw agreement. `groups`: clip id → group.
    `predictions`: clip id → a model's labels (one per seed) in the same view, scored by the same targets; clips it does
    not hold are left out for raters and model alike. Raises DataError for unknown labels.
    """
    votes = tuple(votes)
    machines = {vote.rater for vote in votes if vote.kind == "machine"}
    asked = tuple(
        target for target in targets(votes, clip_ids, mapping) if predictions is None or target.clip_id in predictions
    )
    rater = np.array([target.score(target.answer) for target in asked])
    untied = np.array([not target.is_tied for target in asked], dtype=bool)
    names = [groups[target.clip_id] for target in asked]
    raters = sorted({target.rater for target in asked})

    def estimate(values: np.ndarray, kept: np.ndarray | None = None, scale: Scale = "share") -> Estimate | NoEstimate:
        kept = np.ones(len(asked), dtype=bool) if kept is None else kept
        if not kept.any():
            return {"value": None, "reason": _why_none(asked), "n": 0}
        chosen = [name for name, keep in zip(names, kept, strict=True) if keep]
        return group_intervals.mean(values[kept], chosen, scale)

    model = None
    if predictions is not None:
        model = np.array([np.mean([target.score(guess) for guess in predictions[target.clip_id]]) for target in asked])
    return Ceiling(
        rater=estimate(rater),
        rater_untied=estimate(rater, untied),
        model=None if model is None else estimate(model),
        model_untied=None if model is None else estimate(model, untied),
        model_minus_rater=None if model is None else estimate(model - rater, scale="coefficient"),
        per_rater={
            name: estimate(rater, np.array([target.rater == name for target in asked], dtype=bool)) for name in raters
        },
        clips=len({target.clip_id for target in asked}),
        targets=len(asked),
        tied=int((~untied).sum()),
        simulated=not machines.isdisjoint(raters),
    )


def _why_none(asked: Sequence[Target]) -> str:
    if not asked:
        return "no clip here was answered by two raters"
    return "every target is tied"
