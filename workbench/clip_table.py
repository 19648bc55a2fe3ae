"""One row per clip for people to look through: what it was called, by how many, and what became of it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.schema import Clip
from pipelines.units import ClipId, LabelName, RaterId

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
    clips: Sequence[Clip],
    annotations: Sequence["Annotation"],
    labels: Sequence[LabelName],
    people: Collection[RaterId],
    *,
    wanted: int,
) -> tuple[ClipRow, ...]:
    """Rows in the order of `clips`. `annotations` are standing ones; `wanted`: how many people should answer a clip."""
    given: dict[ClipId, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        given[annotation.clip_id].append(annotation)
    return tuple(_row(clip, given.get(clip.clip_id, ()), labels, people, wanted) for clip in clips)


def _row(
    clip: Clip, answers: Sequence["Annotation"], labels: Sequence[LabelName], people: Collection[RaterId], wanted: int
) -> ClipRow:
    counts = Counter(answer.label for answer in answers if answer.label)
    votes = {label: counts[label] for label in labels if counts[label]}
    flags = Counter(flag for answer in answers for flag in answer.flags)
    by_people = sum(answer.rater in people for answer in answers)
    total = sum(votes.values())
    best = [label for label, count in votes.items() if count == max(votes.values())]
    label = best[0] if len(best) == 1 else None
    state: State
    if not answers or (by_people and by_people < wanted):
        state = "waiting"
    elif not total:
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
        share=votes[label] / total if label else None,
        state=state,
    )
