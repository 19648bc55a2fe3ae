"""Which part each row of a training table belongs to, by a named rule, and whether test material is known to training.

A row is a clip or a changed copy of one. Every rule is deterministic under its seed and ignores the order of rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

import numpy as np
from pydantic import Field, model_validator

from pipelines.errors import DataError, UnknownName
from pipelines.toml_config import StrictModel, parse
from pipelines.training.augmentation import CLEAN
from pipelines.units import ClipId, LabelName

Part = Literal["train", "valid", "test", ""]
PARTS: tuple[Part, ...] = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a training table: a clip (`copy` "clean") or a changed copy. `audio`: hash of the clip's samples."""

    clip_id: ClipId
    group_id: str
    label: LabelName
    copy: str = CLEAN
    audio: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return (self.clip_id, self.copy)


class SplitRule(Protocol):
    """Assigns a part to every row. `has_valid` is False where validation is the test part, as some papers had it."""

    @property
    def least_groups(self) -> int: ...

    @property
    def has_valid(self) -> bool: ...

    def assign(self, rows: Sequence[Row], seed: int) -> tuple[Part, ...]: ...


class ByGroup(StrictModel):
    """Whole groups to one part each, class shares kept as near as a search from `draws` random deals finds.

    Groups that hold the same audio under two names are kept together. Every part gets at least one group.
    """

    least_groups: ClassVar[int] = 3
    has_valid: ClassVar[bool] = True

    train: Annotated[float, Field(gt=0, lt=1)] = 0.6
    valid: Annotated[float, Field(gt=0, lt=1)] = 0.2
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    draws: Annotated[int, Field(ge=1, le=100_000)] = 1000

    @model_validator(mode="after")
    def _check(self) -> Self:
        _shares_make_one(self.train + self.valid + self.test)
        return self

    def assign(self, rows: Sequence[Row], seed: int) -> tuple[Part, ...]:
        """Part of each row, in the order of `rows`. Raises DataError with fewer than three separate groups."""
        _refuse_doubles(rows)
        bundle_of = _bundles(rows)
        bundles = sorted(set(bundle_of.values()))
        place = {bundle: number for number, bundle in enumerate(bundles)}
        if len(bundles) < self.least_groups:
            raise DataError(
                f"{len(bundles)} separate group{'s' if len(bundles) != 1 else ''} cannot make "
                "train, validation and test parts that share none: at least 3 are needed"
            )
        labels = sorted({row.label for row in rows})
        counts = np.zeros((len(bundles), len(labels)))
        for row in rows:
            counts[place[bundle_of[row.group_id]], labels.index(row.label)] += 1
        best = _best_assignment(counts, np.array([self.train, self.valid, self.test]), self.draws, seed)
        return tuple(PARTS[best[place[bundle_of[row.group_id]]]] for row in rows)


class RandomRows(StrictModel):
    """Rows dealt at random after copies were made, as published: copies of one clip land on both sides.

    There is no validation part of its own: the curves' validation is the test part.
    """

    least_groups: ClassVar[int] = 1
    has_valid: ClassVar[bool] = False

    train: Annotated[float, Field(gt=0, lt=1)] = 0.8
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2

    @model_validator(mode="after")
    def _check(self) -> Self:
        _shares_make_one(self.train + self.test)
        return self

    def assign(self, rows: Sequence[Row], seed: int) -> tuple[Part, ...]:
        """Part of each row, in the order of `rows`: ceil(test · n) rows are test, as scikit-learn's split has it."""
        _refuse_doubles(rows)
        ordered = sorted(row.key for row in rows)
        dealt = np.random.default_rng(seed).permutation(len(ordered))
        chosen = {ordered[number] for number in dealt[: int(np.ceil(round(self.test * len(ordered), 9)))]}
        return tuple("test" if row.key in chosen else "train" for row in rows)


SPLITS: Mapping[str, type[StrictModel]] = {
    "by_group": ByGroup,
    "random_rows": RandomRows,
}


def split_rule(name: str, settings: Mapping[str, Any]) -> SplitRule:
    """The rule called `name` with its settings. Raises UnknownName, ConfigError."""
    if name not in SPLITS:
        raise UnknownName("split rule", name, SPLITS)
    return parse(SPLITS[name], dict(settings), "split.settings")  # type: ignore[return-value]


def without_copies(rows: Sequence[Row], parts: Sequence[Part]) -> tuple[Part, ...]:
    """`parts` with the changed copies outside training left out (part "")."""
    return tuple(part if part == "train" or row.copy == CLEAN else "" for row, part in zip(rows, parts, strict=True))


@dataclass(frozen=True)
class Leak:
    """What test rows and rows that training saw (train and validation parts) have in common."""

    test_rows: int
    rows_with_copy: int
    clips: tuple[ClipId, ...]
    test_clips: int
    groups: tuple[str, ...]
    test_groups: int
    audio: int

    @property
    def found(self) -> bool:
        """Whether a test group, clip or sound is known to training."""
        return bool(self.groups or self.clips or self.audio)

    def sentence(self, word: str = "group") -> str:
        """The verdict in words; `word` is what a group is, such as "episode" or "speaker"."""
        if not self.found:
            return (
                f"No leak found: of {self.test_clips} test clips in {self.test_groups} test {word}"
                f"{'s' if self.test_groups != 1 else ''}, no {word}, clip or sound is in training or validation."
            )
        twins = f" {self.audio} test clips are identical to training clips of another name." if self.audio else ""
        return (
            f"LEAK: {self.rows_with_copy} of {self.test_rows} test rows have their clip, or a copy of it, in training "
            f"({len(self.clips)} of {self.test_clips} test clips), and {len(self.groups)} of {self.test_groups} test "
            f"{word}s are in training too.{twins} This accuracy does not tell how the model does on anything new."
        )

    def document(self, word: str = "group") -> dict[str, Any]:
        """For JSON."""
        return {
            "found": self.found,
            "sentence": self.sentence(word),
            "test_rows": self.test_rows,
            "test_rows_with_copy_in_training": self.rows_with_copy,
            "test_clips": self.test_clips,
            "clips_shared": len(self.clips),
            "test_groups": self.test_groups,
            "groups_shared": list(self.groups),
            "same_audio_other_name": self.audio,
        }


def find_leak(rows: Sequence[Row], parts: Sequence[Part]) -> Leak:
    """Compare the test part with what training saw, whatever rule made the parts."""
    test = [row for row, part in zip(rows, parts, strict=True) if part == "test"]
    seen = [row for row, part in zip(rows, parts, strict=True) if part in ("train", "valid")]
    clips = {row.clip_id for row in seen}
    groups = {row.group_id for row in seen}
    audio = {row.audio for row in seen if row.audio}
    return Leak(
        test_rows=len(test),
        rows_with_copy=sum(row.clip_id in clips for row in test),
        clips=tuple(sorted({row.clip_id for row in test} & clips)),
        test_clips=len({row.clip_id for row in test}),
        groups=tuple(sorted({row.group_id for row in test} & groups)),
        test_groups=len({row.group_id for row in test}),
        audio=len({row.clip_id for row in test if row.audio in audio and row.clip_id not in clips}),
    )


#: Above this many groups a random deal is near its shares already, and trying every move would be slow.
_FEW_ENOUGH_TO_MOVE = 300

#: Moving never takes a part below this many groups (or below its dealt number): intervals are over groups.
_GROUPS_TO_KEEP = 3


def _best_assignment(counts: np.ndarray, shares: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Part number of each group [G]: the best of `draws` random deals, bettered by moving one group at a time."""
    total = len(counts)
    sizes = np.maximum(1, np.floor(shares * total + 0.5).astype(int))
    sizes[0] = total - sizes[1:].sum()
    while sizes[0] < 1:
        sizes[1 + int(np.argmax(sizes[1:]))] -= 1
        sizes[0] += 1
    least_groups = np.minimum(sizes, _GROUPS_TO_KEEP)
    rng = np.random.default_rng(seed)
    template = np.repeat(np.arange(len(shares)), sizes)
    drawn = np.stack([rng.permutation(template) for _ in range(draws)])
    cost = _imbalance(drawn, counts, shares, least_groups)
    best, least = drawn[int(np.argmin(cost))], cost.min()
    while total <= _FEW_ENOUGH_TO_MOVE:
        moves = np.repeat(best[None], total * len(shares), axis=0)
        moves[np.arange(len(moves)), np.repeat(np.arange(total), len(shares))] = np.tile(np.arange(len(shares)), total)
        cost = _imbalance(moves, counts, shares, least_groups)
        if cost.min() >= least - 1e-9:
            break
        best, least = moves[int(np.argmin(cost))], cost.min()
    return np.asarray(best)


def _imbalance(assignments: np.ndarray, counts: np.ndarray, shares: np.ndarray, least_groups: np.ndarray) -> np.ndarray:
    """How far counts per part and label [G, labels] are from their shares, for each row of `assignments` [A, G].

    A label that a part lacks costs more than any imbalance, most of all training; a part with too few
    groups is out of the question.
    """
    cost = np.zeros(len(assignments))
    target = shares[:, None] * counts.sum(axis=0)
    for part in range(len(shares)):
        inside = assignments == part
        held = inside.astype(float) @ counts
        cost += np.abs(held - target[part]).sum(axis=1)
        cost += (held == 0).sum(axis=1) * 2 * counts.sum() * (3 if part == 0 else 1)
        cost[inside.sum(axis=1) < least_groups[part]] = np.inf
    return cost


def _bundles(rows: Sequence[Row]) -> dict[str, str]:
    """group id → name of its bundle: groups joined by identical audio, each bundle named by its first group."""
    parent = {row.group_id: row.group_id for row in rows}

    def root(group: str) -> str:
        while parent[group] != group:
            group = parent[group]
        return group

    first_with: dict[str, str] = {}
    for row in rows:
        if row.audio:
            one, other = sorted((root(first_with.setdefault(row.audio, row.group_id)), root(row.group_id)))
            parent[other] = one
    return {group: root(group) for group in parent}


def _refuse_doubles(rows: Sequence[Row]) -> None:
    key, times = Counter(row.key for row in rows).most_common(1)[0] if rows else (("", ""), 0)
    if times > 1:
        raise DataError(f"clip '{key[0]}' ({key[1]}) stands {times} times in the training table; ids must be unique")


def _shares_make_one(total: float) -> None:
    if abs(total - 1) > 1e-6:
        raise ValueError(f"the shares of the parts must add up to 1, not {total:.3g}")
