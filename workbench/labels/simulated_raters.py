"""Raters made by a program, to try the whole way before anybody has labelled. They are called simulated everywhere."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.errors import DataError
from pipelines.study import Study
from pipelines.units import ClipId, LabelName, RaterId
from workbench.errors import StoreError
from workbench.labels import queue
from workbench.labels.valid_answers import no_clips
from workbench.store import Event, Rater, Store, open_store

#: How often each of the simulated raters mishears.
ERROR_RATES: tuple[float, ...] = (0.10, 0.18, 0.28)

#: What is heard instead, most likely first; a label that is not here is mistaken for any other alike.
CONFUSED: Mapping[LabelName, tuple[LabelName, ...]] = {
    "happy": ("neutral", "fearful"),
    "sad": ("neutral", "fearful"),
    "angry": ("fearful", "neutral"),
    "fearful": ("sad", "angry"),
    "neutral": ("sad", "happy"),
}
_FIRST = 0.7


@dataclass(frozen=True, slots=True)
class Simulated:
    """What was simulated. `annotations` stand now; `added` are new of them. `truth_known`: else a label was drawn."""

    raters: tuple[RaterId, ...]
    error_rates: tuple[float, ...]
    annotations: int
    added: int
    truth_known: bool


def simulate(
    study: Study,
    *,
    truth: Mapping[ClipId, LabelName] | None = None,
    seed: int = 1,
    error_rates: Sequence[float] = ERROR_RATES,
) -> Simulated:
    """One simulated rater per error rate answers every clip; a second time nothing is added.

    `truth`: what each clip really is; clips it does not hold are left alone. Without it a label is drawn for each clip
    and then misheard, so the answers agree with each other but have nothing to do with the sound. Raises DataError.
    """
    asked = queue.items(study)
    if not asked.clip_ids:
        raise no_clips(study)
    if not error_rates or not all(0 <= rate <= 1 for rate in error_rates):
        raise DataError("give each simulated rater an error rate between 0 and 1")
    labels = study.scheme.label_names
    answered = _truth(asked.clip_ids, labels, truth, seed)
    if not answered:
        raise DataError("the truth that was given names no clip of this study")
    names = tuple(f"simulated-{number}" for number in range(1, len(error_rates) + 1))
    with open_store(study) as store:
        before = store.counts().events
        for name, rate in zip(names, error_rates, strict=True):
            _known(store, name, rate)
            store.record(
                [
                    _answer(name, clip_id, _heard(label, labels, rate, f"{seed} {name} {clip_id}"), seed, asked.scheme)
                    for clip_id, label in answered.items()
                ]
            )
        return Simulated(
            raters=names,
            error_rates=tuple(error_rates),
            annotations=sum(store.progress(name).answered for name in names),
            added=store.counts().events - before,
            truth_known=truth is not None,
        )


def _truth(
    clip_ids: Sequence[ClipId], labels: Sequence[LabelName], given: Mapping[ClipId, LabelName] | None, seed: int
) -> dict[ClipId, LabelName]:
    if given is None:
        return {clip_id: labels[int(_chance(f"{seed} truth {clip_id}") * len(labels))] for clip_id in clip_ids}
    for clip_id, label in given.items():
        if label not in labels:
            raise DataError(f"the truth of clip '{clip_id}' is '{label}'; expected one of {', '.join(labels)}")
    return {clip_id: given[clip_id] for clip_id in clip_ids if clip_id in given}


def _known(store: Store, name: RaterId, rate: float) -> Rater:
    try:
        return store.ensure_rater(name, f"Simulated rater ({rate:.0%} errors)", kind="machine")
    except StoreError:
        raise DataError(f"somebody in this study is called '{name}', which is a simulated rater's name") from None


def _heard(label: LabelName, labels: Sequence[LabelName], error_rate: float, key: str) -> LabelName:
    if _chance(f"{key} error") >= error_rate:
        return label
    likely = [other for other in CONFUSED.get(label, ()) if other in labels]
    if len(likely) == 2:
        return likely[0] if _chance(f"{key} which") < _FIRST else likely[1]
    others = [other for other in labels if other != label] or [label]
    return others[int(_chance(f"{key} which") * len(others))]


def _answer(rater: RaterId, clip_id: ClipId, label: LabelName, seed: int, scheme: str) -> Event:
    name = hashlib.sha256(f"{seed}\n{rater}\n{clip_id}\n{label}".encode()).hexdigest()[:32]
    return Event(f"simulated-{name}", rater, clip_id=clip_id, scheme=scheme, label=label)


def _chance(key: str) -> float:
    """A number in [0, 1) fixed by `key` alone: new clips change nothing for the others."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big") / 2**56
