"""Who gave which label to which item, as arrays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError
from pipelines.schema import Vote
from pipelines.units import ClipId, Float64Array, LabelName, RaterId

Codes: TypeAlias = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Ratings:
    """Answers to items, ready for coefficients.

    `codes` [items, raters] holds the place of each answer in `labels`, -1 where there is none; None when only counts
    are known. `counts` [items, labels]: how many raters gave each label. `groups` [items]: what intervals resample,
    called `group_word`.
    """

    items: tuple[ClipId, ...]
    labels: tuple[LabelName, ...]
    counts: Float64Array
    groups: tuple[str, ...]
    group_word: str = "clip"
    raters: tuple[RaterId, ...] = ()
    codes: Codes | None = None

    def collapsed(self, mapping: Mapping[LabelName, LabelName], labels: Sequence[LabelName]) -> "Ratings":
        """The same answers under coarser `labels`; `mapping` takes each label there."""
        place = np.array([labels.index(mapping[label]) for label in self.labels], dtype=np.int16)
        counts = np.zeros((len(self.items), len(labels)))
        for code, target in enumerate(place):
            counts[:, target] += self.counts[:, code]
        codes = None if self.codes is None else np.where(self.codes < 0, np.int16(-1), place[self.codes])
        return Ratings(self.items, tuple(labels), counts, self.groups, self.group_word, self.raters, codes)


def from_votes(
    votes: Iterable[Vote],
    labels: Sequence[LabelName],
    groups: Mapping[ClipId, str] | None = None,
    *,
    group_word: str = "episode",
) -> Ratings:
    """Ratings from one vote per rater and item; the last one stands. Items and raters are sorted.

    `groups`: item → group; with None each item is its own group. Raises DataError for a label not in `labels`, or an
    item without a group.
    """
    place = {label: code for code, label in enumerate(labels)}
    answers: dict[tuple[ClipId, RaterId], int] = {}
    for vote in votes:
        if vote.label not in place:
            raise DataError(
                f"rater '{vote.rater}' answered '{vote.label}' to '{vote.clip_id}'; expected one of {', '.join(labels)}"
            )
        answers[vote.clip_id, vote.rater] = place[vote.label]
    items = sorted({item for item, _ in answers})
    raters = sorted({rater for _, rater in answers})
    row = {item: number for number, item in enumerate(items)}
    column = {rater: number for number, rater in enumerate(raters)}
    codes = np.full((len(items), len(raters)), -1, dtype=np.int16)
    for (item, rater), code in answers.items():
        codes[row[item], column[rater]] = code
    counts = np.stack([(codes == code).sum(axis=1) for code in range(len(labels))], axis=1).astype(np.float64)
    return Ratings(
        tuple(items),
        tuple(labels),
        counts,
        _groups_of(items, groups),
        "clip" if groups is None else group_word,
        tuple(raters),
        codes,
    )


def from_counts(
    items: Sequence[ClipId],
    labels: Sequence[LabelName],
    counts: npt.ArrayLike,
    groups: Mapping[ClipId, str] | None = None,
    *,
    group_word: str = "episode",
) -> Ratings:
    """Ratings from how often each label was given to each item, [items, labels]; who gave it is not known."""
    table = np.asarray(counts, dtype=np.float64).reshape(len(items), len(labels))
    word = "clip" if groups is None else group_word
    return Ratings(tuple(items), tuple(labels), table, _groups_of(items, groups), word)


def _groups_of(items: Sequence[ClipId], groups: Mapping[ClipId, str] | None) -> tuple[str, ...]:
    if groups is None:
        return tuple(f"{number:09d}" for number in range(len(items)))
    for item in items:
        if item not in groups:
            raise DataError(f"'{item}' was answered but is not among the clips: no group is known for it")
    return tuple(groups[item] for item in items)
