"""Cutting a release: the labels as they stand, one per clip by a named rule, with everything needed to judge them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines import __version__
from pipelines.errors import ConfigError, DataError, UnknownName
from pipelines.manifest import read_table
from pipelines.release import (
    SNAPSHOTS,
    Release,
    ReleaseContent,
    find_release,
    integrity_problems,
    open_release,
    release_names,
    write_release,
)
from pipelines.schema import Vote, validate_name
from pipelines.statistics import vote_counts
from pipelines.statistics.human_ceiling import human_ceiling
from pipelines.study import Study
from pipelines.units import ClipId, LabelName, RaterId
from workbench.aggregation import RULES, Aggregated
from workbench.agreement.ratings import Ratings, from_votes
from workbench.agreement.report import agreement
from workbench.labels.valid_answers import Counted, counted
from workbench.releases.datasheet import datasheet
from workbench.store import Store, open_store
from workbench.store.values import to_text

DRAWS = 1000
_NUMBERED = re.compile(r"(machine-)*r\d+")


@dataclass(frozen=True)
class Difference:
    """What changed from one release to another; labels by clip id."""

    added: Mapping[ClipId, LabelName]
    removed: Mapping[ClipId, LabelName]
    changed: Mapping[ClipId, tuple[LabelName, LabelName]]
    same: int

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "added": dict(self.added),
            "removed": dict(self.removed),
            "changed": [{"clip_id": clip, "from": old, "to": new} for clip, (old, new) in self.changed.items()],
            "same": self.same,
        }


def create_release(study: Study, name: str, rule: str = "majority", *, pass_: str = "audio") -> Release:
    """Cut release `name` from the labels as they stand. Releases never change: a name that is taken is refused.

    Raises ConfigError for the name, UnknownName for the rule, DataError while no clip has a label.
    """
    validate_name("release", name)
    taken = ConfigError(f"there is already a release '{name}', and releases never change: choose another name")
    if (study.releases / name).exists():
        raise taken
    content = gather(study, rule, pass_=pass_)
    try:
        return write_release(study.releases / name, name, content, _now())
    except FileExistsError:
        raise taken from None


def snapshot(study: Study, rule: str = "majority", *, pass_: str = "audio") -> Release:
    """The labels as they stand, kept in the study's cache under their digest: the same labels, the same snapshot.

    Raises DataError while no clip has a label.
    """
    return write_release(study.cache / SNAPSHOTS, None, gather(study, rule, pass_=pass_), _now())


def verify(study: Study, name: str) -> tuple[str, ...]:
    """What is wrong with a release, in words; empty when it is as it was made. Raises UnknownName."""
    return integrity_problems(find_release(study, name))


def difference(study: Study, older: str, newer: str) -> Difference:
    """What changed from release `older` to `newer`. Raises UnknownName, DataError."""
    before, after = (_labels_of(open_release(study, name)) for name in (older, newer))
    return Difference(
        added={clip: label for clip, label in after.items() if clip not in before},
        removed={clip: label for clip, label in before.items() if clip not in after},
        changed={clip: (before[clip], label) for clip, label in after.items() if before.get(clip, label) != label},
        same=sum(before.get(clip) == label for clip, label in after.items()),
    )


def latest(study: Study) -> Release:
    """The newest release, else a snapshot of the labels as they stand. Raises DataError."""
    names = release_names(study)
    return open_release(study, names[-1]) if names else snapshot(study)


def gather(study: Study, rule: str, *, pass_: str = "audio") -> ReleaseContent:
    """Everything a release of the labels as they stand would hold. Raises UnknownName, DataError."""
    if rule not in RULES:
        raise UnknownName("rule", rule, RULES)
    with open_store(study) as store:
        found = counted(study, store, pass_)
        names = pseudonyms(store)
    if not found.votes:
        raise DataError(
            f"no clip of study '{study.name}' has a label yet: label some with 'workbench serve', or bring some in "
            "with 'workbench labels import FILE'"
        )
    given = tuple(Vote(vote.clip_id, names[vote.rater], vote.label, vote.kind) for vote in found.votes)
    ratings = from_votes(given, study.scheme.label_names, found.groups)
    made = RULES[rule](ratings)
    answered = {one.clip_id for one in found.annotations}
    clips = [clip for clip in found.clips if clip.clip_id in answered]

    def describe() -> tuple[Mapping[str, Any], str]:
        facts = _facts(study, rule, pass_, found, names, ratings, made, given)
        return facts, datasheet(study, facts, clips)

    return ReleaseContent(
        clips=clips,
        labels=ratings.labels,
        views=_coarser(study),
        label_rows=_label_rows(study, rule, ratings, made, sorted(answered)),
        soft_rows=[
            {"clip_id": item, **{label: f"{share:.6f}" for label, share in zip(ratings.labels, shares, strict=True)}}
            for item, shares in zip(ratings.items, made.shares, strict=True)
        ],
        annotation_rows=_annotation_rows(found, names),
        describe=describe,
    )


def pseudonyms(store: Store) -> dict[RaterId, str]:
    """rater → the name a release knows them by: r01, r02 ... in the order they joined.

    Nobody's number changes when others join. A machine keeps its own id, unless that could be a person's number.
    """
    people = [rater.rater for rater in store.raters() if rater.kind != "machine"]
    machines = [rater.rater for rater in store.raters(kind="machine")]
    return {rater: f"r{number:02d}" for number, rater in enumerate(people, start=1)} | {
        rater: f"machine-{rater}" if _NUMBERED.fullmatch(rater) else rater for rater in machines
    }


def _coarser(study: Study) -> tuple[str, ...]:
    return tuple(collapse.name for collapse in study.scheme.collapses)


def _label_rows(
    study: Study, rule: str, ratings: Ratings, made: Aggregated, answered: Sequence[ClipId]
) -> list[dict[str, object]]:
    mappings = {view: study.scheme.mapping(view) for view in _coarser(study)}
    row_of = {item: row for row, item in enumerate(ratings.items)}
    shares, bits = vote_counts.shares(ratings.counts), vote_counts.entropy_bits(ratings.counts)
    rows: list[dict[str, object]] = []
    for clip_id in answered:
        row = row_of.get(clip_id)
        if row is None:  # only flags were given
            rows.append({"clip_id": clip_id, "votes": 0, "rule": rule})
            continue
        label = ratings.labels[made.codes[row]] if made.codes[row] >= 0 else None
        rows.append(
            {
                "clip_id": clip_id,
                "label": label,
                **{view: mapping[label] if label else None for view, mapping in mappings.items()},
                "votes": int(ratings.counts[row].sum()),
                "agreement": f"{shares[row].max():.4f}",
                "entropy": f"{bits[row]:.4f}",
                "rule": rule,
            }
        )
    return rows


def _annotation_rows(found: Counted, names: Mapping[RaterId, str]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {
            "clip_id": one.clip_id,
            "rater": names[one.rater],
            "kind": one.rater_kind,
            "label": one.label,
            "pass": one.pass_,
            "scheme": one.scheme,
            "flags": ";".join(one.flags),
            "confidence": one.confidence,
        }
        for one in found.annotations
    ]
    return sorted(rows, key=lambda row: (str(row["clip_id"]), str(row["rater"])))


def _facts(
    study: Study,
    rule: str,
    pass_: str,
    found: Counted,
    names: Mapping[RaterId, str],
    ratings: Ratings,
    made: Aggregated,
    given: Sequence[Vote],
) -> dict[str, Any]:
    scheme = study.scheme
    labelled = Counter(ratings.labels[code] for code in made.codes if code >= 0)
    answered = {one.clip_id for one in found.annotations}
    with_flag = Counter(flag for one in found.annotations for flag in one.flags)
    return {
        "study": study.name,
        "rule": rule,
        "rule_sentence": RULES[rule].sentence,
        "parameters": dict(made.parameters),
        "pass": pass_,
        "scheme": {"name": scheme.name, "version": scheme.version},
        "labels": list(scheme.label_names),
        "views": {view: list(scheme.view_labels(view)) for view in _coarser(study)},
        "simulated": [names[rater] for rater in found.simulated],
        "counts": {
            "clips": sum(labelled.values()),
            "answered": len(answered),
            "tied": int((made.codes < 0).sum()),
            "no_label_given": len(answered) - len(ratings.items),
            "waiting": len(found.clips) - len(answered),
            "annotations": len(found.annotations),
            "raters": len({one.rater for one in found.annotations}),
            "machine_answers_left_out": found.machine_left_out,
            "clips_gone": found.gone,
            "labels": {label: labelled[label] for label in scheme.label_names},
            "flags": {flag: with_flag[flag] for flag in scheme.flag_names},
        },
        "agreement": {view: _agreement(study, ratings, view) for view in scheme.views},
        "human_ceiling": {view: _ceiling(study, found, ratings, given, view) for view in scheme.views},
        "made_by": f"workbench {__version__}",
    }


def _agreement(study: Study, ratings: Ratings, view: str) -> dict[str, Any]:
    labels = study.scheme.view_labels(view)
    collapsed = ratings.collapsed(study.scheme.mapping(view), labels)
    return dict(agreement(collapsed, view, disputed=0).coefficients)


def _ceiling(study: Study, found: Counted, ratings: Ratings, given: Sequence[Vote], view: str) -> dict[str, Any]:
    mapping = study.scheme.mapping(view)
    return human_ceiling(given, ratings.items, mapping, found.groups).document()


def _labels_of(release: Release) -> dict[ClipId, LabelName]:
    rows = read_table(release.folder / "labels.csv", required=("clip_id", "label"))
    return {row["clip_id"]: row["label"] for row in rows}


def _now() -> str:
    return to_text(datetime.now(UTC))
