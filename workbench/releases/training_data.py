"""The data chosen for a training: the current labels, a release, or corpora; as a plan and as a command.

Training without a name takes the current labels and keeps them as a snapshot, so that a new label shows its effect at
once. A study named in a comparison (`workbench.releases.datasets`) stands for its latest release, which can be cited.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.errors import DataError
from pipelines.schema import LabelledClips

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.recipes.recipe import Recipe
    from pipelines.schemes import LabelScheme
    from pipelines.study import Study
    from pipelines.training.plan import Plan

Kind = Literal["now", "release", "corpora"]


@dataclass(frozen=True, slots=True)
class Choice:
    """`names`: none for the labels as they stand, one release, or one or more corpora."""

    kind: Kind
    names: tuple[str, ...] = ()

    def data(self, root: "Path", study: "Study | None", scheme: "LabelScheme") -> Sequence[LabelledClips]:
        """The labelled clips that this stands for; corpora need no study. Raises DataError, UnknownName."""
        from pipelines import corpora, release

        if self.kind != "now" and not self.names:
            raise DataError(f"choose {'a release' if self.kind == 'release' else 'a corpus'} first")
        if self.kind == "corpora":
            return [corpora.labelled_clips(root, name, scheme) for name in self.names]
        if study is None:
            raise DataError("labels are those of a study: name it with --study")
        if self.kind == "release":
            return [release.labelled_clips(study, release.open_release(study, self.names[0]))]
        from workbench.releases.create import snapshot

        return [release.labelled_clips(study, snapshot(study))]

    def arguments(self) -> tuple[str, ...]:
        """As options of `workbench train`."""
        if self.kind == "now":
            return ()
        if self.kind == "release":
            return ("--release", self.names[0])
        return ("--corpus", "+".join(self.names))

    def words(self, clips: int) -> str:
        """What is trained on, for a button: `the 212 labelled clips`."""
        if self.kind == "now":
            return f"the {clips} labelled clips"
        if self.kind == "release":
            return f"the {clips} clips of release {self.names[0]}"
        return f"the {clips} clips of {' and '.join(self.names)}"


def bound(
    root: "Path", study: "Study | None", choice: Choice, recipe: str, overrides: Sequence[str] = ()
) -> "tuple[Recipe, Sequence[LabelledClips], LabelScheme]":
    """The recipe of that name, what it is to learn from, and the scheme of the labels. Raises PipelineError."""
    from pipelines.recipes.recipe import load_recipe
    from pipelines.training.plan import scheme_of

    chosen = load_recipe(recipe, overrides, study.manifests / "recipes" if study else None)
    scheme = scheme_of(chosen, study.scheme if study else None)
    return chosen, choice.data(root, study, scheme), scheme


def make_plan(study: "Study", choice: Choice, recipe: str, overrides: Sequence[str] = ()) -> "Plan":
    """What the recipe would do with the choice; nothing is computed yet. Raises PipelineError if it cannot."""
    from pipelines.training.plan import make_plan as bind

    return bind(*bound(study.root, study, choice, recipe, overrides))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a model is to be held against: always saying the commonest label, and one rater against the others.

    Shares of clips in [0, 1]; `rater` is None where nobody or only one answered, `simulated` where raters are machines.
    """

    chance: float
    rater: float | None
    simulated: bool


def expected(plan: "Plan") -> Expected:
    """The lines that belong into a plan's curves: chance on its test part, raters on its validation and test clips."""
    from collections import Counter

    from pipelines.statistics.human_ceiling import human_ceiling

    common = Counter(plan.rows[number].label for number in plan.of("train")).most_common(1)[0][0]
    test = plan.of("test")
    held_out = {plan.rows[number].clip_id for number in (*plan.of("valid"), *test)}
    groups = {clip_id: clip.clip.group_id for clip_id, clip in plan.clips.items()}
    votes = [vote for vote in plan.votes if vote.label in plan.mapping]
    ceiling = human_ceiling(votes, held_out, plan.mapping, groups)
    return Expected(
        chance=sum(plan.rows[number].label == common for number in test) / len(test),
        rater=ceiling.rater["value"],
        simulated=ceiling.simulated,
    )


def command(study: "Study", choice: Choice, recipe: str, *, seeds: int = 1, overrides: Sequence[str] = ()) -> list[str]:
    """The `workbench` arguments that train it."""
    chosen = [part for override in overrides for part in ("--set", override)]
    repeated = ["--seeds", str(seeds)] if seeds > 1 else []
    return ["train", recipe, *choice.arguments(), *repeated, *chosen, "--study", study.name, "--json"]
