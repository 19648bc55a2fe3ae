"""One row per clip for people to look through: what it was called, by how many, and what became of it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipelines.schema import Clip
from pipelines.statistics.vote_counts import single_best
from pipelines.units import ClipId, LabelName

if TYPE_CHECKING:
    from workbench.store import Annotation

State = Literal["waiting", "agreed", "in dispute", "tied", "no emotion heard"]
STATES: tuple[State, ...] = ("waiting", "agreed", "in dispute", "tied", "no emotion heard")


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip with its answers so far.

    `label` is what most raters said, None while nobody did or when two labels are even; `share` of the answers it got;
    `by_people` counts answers of persons, which alone count towards the wanted number.
    """

    clip: Clip
    votes: Mapping[LabelName, int]
    flags: Mapping[str, int]
    answers: int
    by_people: int
    label: LabelName | None
    share: float | None
    state: State


def clip_rows(
    clips: Sequence[Clip], annotations: Sequence["Annotation"], labels: Sequence[LabelName], *, wanted: int
) -> tuple[ClipRow, ...]:
    """Rows in the order of `clips`. `annotations`: the valid ones; `wanted`: people per clip."""
    given: dict[ClipId, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        given[annotation.clip_id].append(annotation)
    counts = np.zeros((len(clips), len(labels)))
    for row, clip in enumerate(clips):
        for annotation in given.get(clip.clip_id, ()):
            if annotation.label:
                counts[row, labels.index(annotation.label)] += 1
    best = single_best(counts)
    return tuple(
        _row(
            clip,
            given.get(clip.clip_id, ()),
            {label: int(count) for label, count in zip(labels, counts[row], strict=True) if count},
            labels[best[row]] if best[row] >= 0 else None,
            wanted,
        )
        for row, clip in enumerate(clips)
    )


def _row(
    clip: Clip, answers: Sequence["Annotation"], votes: Mapping[LabelName, int], label: LabelName | None, wanted: int
) -> ClipRow:
    flags = Counter(flag for answer in answers for flag in answer.flags)
    by_people = sum(answer.rater_kind == "person" for answer in answers)
    state: State
    if not answers or (by_people and by_people < wanted):
        state = "waiting"
    elif not votes:
        state = "no emotion heard"
    elif len(votes) == 1:
        state = "agreed"
    else:
        state = "in dispute" if label else "tied"
    return ClipRow(
        clip=clip,
        votes=votes,
        flags=dict(flags),
        answers=len(answers),
        by_people=by_people,
        label=label,
        share=votes[label] / sum(votes.values()) if label else None,
        state=state,
    )
