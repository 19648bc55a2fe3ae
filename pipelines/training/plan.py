"""What a recipe would do with given labelled clips: names looked up, rows dealt, leaks found. Nothing is computed yet.

Everything that can be refused is refused here, in one sentence, before TensorFlow is imported.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.atomic_write import sha256_file
from pipelines.errors import ConfigError, DataError, LeakError
from pipelines.features import Extractor, extractor
from pipelines.recipes.recipe import Recipe
from pipelines.schema import LabelledClip, LabelledClips, Vote
from pipelines.schemes import LabelScheme, load_scheme
from pipelines.statistics.group_intervals import caution
from pipelines.training import augmentation as augment
from pipelines.training import splits
from pipelines.training.models.model import Model
from pipelines.training.models.registry import model
from pipelines.training.splits import PARTS, Leak, Part, Row
from pipelines.units import ClipId, LabelName


@dataclass(frozen=True)
class Plan:
    """A recipe bound to data. `rows` and `parts` hold used rows only; `mapping` takes scheme labels to `labels`."""

    recipe: Recipe
    scheme: LabelScheme
    data: LabelledClips
    clips: Mapping[ClipId, LabelledClip]
    labels: tuple[LabelName, ...]
    mapping: Mapping[LabelName, LabelName]
    rows: tuple[Row, ...]
    parts: tuple[Part, ...]
    leak: Leak
    extractor: Extractor
    chains: Mapping[str, augment.Chain]
    model: Model
    has_valid: bool
    notes: tuple[str, ...]

    def of(self, part: Part) -> list[int]:
        """Numbers of the rows of `part`; the validation part is the test part where the rule has none."""
        if part == "valid" and not self.has_valid:
            part = "test"
        return [number for number, given in enumerate(self.parts) if given == part]

    @property
    def votes(self) -> tuple[Vote, ...]:
        """Votes on the clips in use."""
        return tuple(vote for vote in self.data.votes if vote.clip_id in self.clips)

    def document(self) -> dict[str, Any]:
        """For JSON and for the page: data, parts, leak verdict and notes."""
        return {
            "recipe": self.recipe.name,
            "form": self.recipe.form,
            "data": {
                "name": self.data.name,
                "origin": dict(self.data.origin),
                "clips": len(self.clips),
                "groups": len({clip.clip.group_id for clip in self.clips.values()}),
                "group_word": self.data.group_word,
                "labels": _counts((self.mapping[clip.label] for clip in self.clips.values()), self.labels),
            },
            "split": {
                "rule": self.recipe.split.rule,
                "seed": self.recipe.split.seed,
                "validation": "its own part" if self.has_valid else "the test part, as published",
                "parts": {part: self._part(part) for part in PARTS if part in self.parts},
            },
            "leak": self.leak.document(self.data.group_word),
            "epochs_at_most": self.recipe.training.epochs,
            "notes": list(self.notes),
        }

    def _part(self, part: Part) -> dict[str, Any]:
        rows = [row for row, given in zip(self.rows, self.parts, strict=True) if given == part]
        return {
            "rows": len(rows),
            "clips": len({row.clip_id for row in rows}),
            "groups": sorted({row.group_id for row in rows}),
            "labels": _counts((row.label for row in rows), self.labels),
        }


def make_plan(recipe: Recipe, data: LabelledClips | Sequence[LabelledClips], scheme: LabelScheme | None = None) -> Plan:
    """Bind `recipe` to `data` (several sets are joined, their ids and groups prefixed by their names).

    `scheme`: the one the labels are of; see `scheme_of`. Raises UnknownName and ConfigError for
    the recipe, DataError for data that cannot be learnt from, LeakError when test groups touch training groups and the
    recipe is not `as_published`.
    """
    made_of = extractor(recipe.features.extractor, _feature_settings(recipe))
    augmentation = recipe.augmentation
    chains = {name: augment.chain(name, augmentation.settings, augmentation.seed) for name in augmentation.copies}
    rule = splits.split_rule(recipe.split.rule, recipe.split.settings)
    built = model(recipe.model.name, recipe.model.settings)
    scheme = scheme_of(recipe, scheme)
    data = join([data] if isinstance(data, LabelledClips) else list(data))
    mapping, labels = _view(recipe, scheme, data)
    clips = {clip.clip.clip_id: clip for clip in data.clips if clip.label in mapping}
    _refuse_little(recipe, data, [mapping[clip.label] for clip in clips.values()], labels)
    _refuse_few_groups(recipe, data, clips.values(), rule.least_groups)

    sounds = _sounds(clips.values())
    rows = tuple(
        Row(clip_id, clip.clip.group_id, mapping[clip.label], copy, sounds.get(clip_id, ""))
        for clip_id, clip in sorted(clips.items())
        for copy in (augment.CLEAN, *chains)
    )
    parts = rule.assign(rows, recipe.split.seed)
    if augmentation.apply_to == "train":
        parts = splits.without_copies(rows, parts)
    leak = splits.find_leak(rows, parts)
    if leak.found and recipe.form != "as_published":
        raise LeakError(
            f"recipe '{recipe.name}' would test on what it trains on. {leak.sentence(data.group_word)} "
            "Use split rule 'by_group', or a recipe that says as_published."
        )
    used = [number for number, part in enumerate(parts) if part]
    plan = Plan(
        recipe=recipe,
        scheme=scheme,
        data=data,
        clips=clips,
        labels=labels,
        mapping=mapping,
        rows=tuple(rows[number] for number in used),
        parts=tuple(parts[number] for number in used),
        leak=leak,
        extractor=made_of,
        chains=chains,
        model=built,
        has_valid=rule.has_valid,
        notes=(),
    )
    return _with_notes(plan)


def _feature_settings(recipe: Recipe) -> dict[str, Any]:
    """The feature's settings, at the rate of `[audio]` where that names one."""
    rate_hz = recipe.audio.rate_hz
    return dict(recipe.features.settings) | ({} if rate_hz is None else {"rate_hz": rate_hz})


def scheme_of(recipe: Recipe, scheme: LabelScheme | None = None) -> LabelScheme:
    """The scheme that the recipe's labels are of: the study's own, `scheme`, else the built-in one the recipe names.

    Raises ConfigError when the study's is another than the recipe's, UnknownName where there is none of that name.
    """
    if scheme is None:
        return load_scheme(recipe.data.scheme)
    if scheme.name != recipe.data.scheme:
        raise ConfigError(
            f"recipe '{recipe.name}' reads the scheme '{recipe.data.scheme}', but these labels are of "
            f"'{scheme.name}': choose another recipe, or add --set data.scheme={scheme.name} "
            f"--set data.view={scheme.name}"
        )
    return scheme


def join(sets: Sequence[LabelledClips]) -> LabelledClips:
    """Several labelled sets as one, ids and groups prefixed by the set's name. Raises DataError when labels differ."""
    if len(sets) == 1:
        return sets[0]
    if not sets:
        raise DataError("no data was given: name a release with --release or a corpus with --corpus")
    names = [one.name for one in sets]
    if len(set(names)) != len(names):
        raise DataError(f"'{Counter(names).most_common(1)[0][0]}' is named twice; name each set once")
    first = sets[0]
    for one in sets[1:]:
        if one.labels != first.labels:
            raise DataError(
                f"'{one.name}' has the labels {', '.join(one.labels)} but '{first.name}' has "
                f"{', '.join(first.labels)}; sets that are joined need one scheme"
            )
    return LabelledClips(
        name="+".join(names),
        labels=first.labels,
        clips=tuple(_prefixed(one.name, clip) for one in sets for clip in one.clips),
        votes=tuple(
            Vote(f"{one.name}:{vote.clip_id}", f"{one.name}:{vote.rater}", vote.label, vote.kind)
            for one in sets
            for vote in one.votes
        ),
        origin={"kind": "joined", **{f"{one.name}.{key}": value for one in sets for key, value in one.origin.items()}},
        marks=first.marks,
        group_word=first.group_word if len({one.group_word for one in sets}) == 1 else "group",
    )


def _prefixed(name: str, labelled: LabelledClip) -> LabelledClip:
    clip = replace(
        labelled.clip, clip_id=f"{name}:{labelled.clip.clip_id}", group_id=f"{name}:{labelled.clip.group_id}"
    )
    return replace(labelled, clip=clip)


def _view(
    recipe: Recipe, scheme: LabelScheme, data: LabelledClips
) -> tuple[dict[LabelName, LabelName], tuple[LabelName, ...]]:
    """Scheme label → label learnt, without what is left out; and the labels learnt, in order."""
    if set(data.labels) - set(scheme.label_names):
        raise DataError(
            f"'{data.name}' is labelled with {', '.join(data.labels)}, but the recipe reads the scheme '{scheme.name}' "
            f"({', '.join(scheme.label_names)}); set data.scheme to the scheme of these labels"
        )
    mapping = scheme.mapping(recipe.data.view)
    labels = scheme.view_labels(recipe.data.view)
    for name in recipe.data.leave_out:
        if name not in mapping and name not in labels:
            raise DataError(f"data.leave_out names '{name}', which is no label of '{scheme.name}'")
    mapping = {
        label: seen
        for label, seen in mapping.items()
        if label not in recipe.data.leave_out and seen not in recipe.data.leave_out
    }
    return mapping, tuple(label for label in labels if label in mapping.values())


def _refuse_little(
    recipe: Recipe, data: LabelledClips, labels: Sequence[LabelName], wanted: Sequence[LabelName]
) -> None:
    if not labels:
        raise DataError(f"'{data.name}' has no labelled clip yet: label some, or make a release that holds labels")
    if len(wanted) < 2:
        raise DataError("there is nothing to tell apart with a single label: leave fewer labels out")
    least = recipe.data.min_clips_per_label
    counts = Counter(labels)
    for label in wanted:
        if counts[label] < least:
            have = (
                f"only {counts[label]} clip{'s are' if counts[label] != 1 else ' is'}"
                if counts[label]
                else "no clip is"
            )
            raise DataError(
                f"{have} labelled '{label}' in '{data.name}', and a class needs at least {least} (one each to train, "
                f"validate and test): label more, or leave it out with --set 'data.leave_out=[\"{label}\"]'"
            )


def _refuse_few_groups(recipe: Recipe, data: LabelledClips, clips: Any, least: int) -> None:
    groups = {clip.clip.group_id for clip in clips}
    if len(groups) < least:
        word = data.group_word
        raise DataError(
            f"'{data.name}' has {len(groups)} {word}{'s' if len(groups) != 1 else ''}, and rule '{recipe.split.rule}' "
            f"keeps whole {word}s apart for training, validation and test: at least {least} are needed. "
            f"Add {word}s, or join another set."
        )


def _sounds(clips: Iterable[LabelledClip]) -> dict[ClipId, str]:
    """clip id → what its samples are, where known: so that one recording under two names stays on one side.

    A study's clips carry a hash of their samples. A corpus file is hashed only when another file has its size.
    """
    found: dict[ClipId, str] = {}
    by_size: dict[int, list[LabelledClip]] = {}
    for clip in clips:
        if clip.clip.pcm_sha256:
            found[clip.clip.clip_id] = f"{clip.clip.pcm_sha256}@{clip.clip.rate_hz}"
        elif clip.path.is_file():
            by_size.setdefault(clip.path.stat().st_size, []).append(clip)
    for alike in by_size.values():
        if len({clip.clip.group_id for clip in alike}) > 1:
            found |= {clip.clip.clip_id: sha256_file(clip.path) for clip in alike}
    return found


def _with_notes(plan: Plan) -> Plan:
    word = plan.data.group_word
    notes = []
    test = [plan.rows[number] for number in plan.of("test")]
    few = caution([row.group_id for row in test], f"test {word}")
    if few:
        notes.append(few)
    for part in PARTS:
        held = {row.label for row, given in zip(plan.rows, plan.parts, strict=True) if given == part}
        missing = [label for label in plan.labels if label not in held]
        if part in plan.parts and missing:
            notes.append(f"the {part} part holds no clip labelled {', '.join(missing)}: its {word}s have none to give")
    unlabelled = len({vote.clip_id for vote in plan.data.votes} - {clip.clip.clip_id for clip in plan.data.clips})
    if unlabelled:
        notes.append(
            f"{unlabelled} answered clip{'s have' if unlabelled > 1 else ' has'} no label by the release's rule: "
            "left out for model and raters alike"
        )
    if not plan.leak.found:
        notes.append(
            "speakers are kept apart by their names in the corpus"
            if word == "speaker"
            else f"keeping {word}s apart does not rule out that the same actor speaks in two of them"
        )
        known = _speakers(plan)
        if known:
            are = "speakers are" if len(known) > 1 else "speaker is"
            notes.append(f"{len(known)} named {are} both in training and in test: {', '.join(known[:5])}")
    return replace(plan, notes=tuple(notes))


def _speakers(plan: Plan) -> list[str]:
    """Speakers whose clips are both in the test part and in what training saw, where the manifest names them."""
    if plan.data.group_word == "speaker":
        return []
    by_part: dict[bool, set[str]] = {True: set(), False: set()}
    for row, part in zip(plan.rows, plan.parts, strict=True):
        speaker = plan.clips[row.clip_id].clip.speaker
        if speaker:
            by_part[part == "test"].add(speaker)
    return sorted(by_part[True] & by_part[False])


def _counts(labels: Any, order: Sequence[LabelName]) -> dict[LabelName, int]:
    found = Counter(labels)
    return {label: found[label] for label in order}
