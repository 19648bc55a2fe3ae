"""Release on disk: an immutable, checksummed copy of clips and labels. Only this module reads and writes the format.

release.json     facts: rule, scheme, human ceiling, counts, digest
clips.csv        the clips that have answers, as in the study's manifest
labels.csv       clip_id, label, one column per coarser view, votes, agreement, entropy, rule
soft_labels.csv  clip_id and one share per label in scheme order
annotations.csv  clip_id, rater, kind, label, pass, scheme, flags, confidence; raters under pseudonyms, no times
datasheet.md     the facts, for readers
SHA256SUMS       of the four tables
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.atomic_write import atomic_folder, sha256_file, write_json
from pipelines.errors import DataError, UnknownName
from pipelines.manifest import clips_to_csv, digest, read_clips, read_table, table_to_csv
from pipelines.schema import Clip, LabelledClip, LabelledClips, Vote, validate_name
from pipelines.study import Study
from pipelines.units import LabelName

TABLES = ("annotations.csv", "clips.csv", "labels.csv", "soft_labels.csv")
SNAPSHOTS = "snapshots"
ANNOTATION_COLUMNS = ("clip_id", "rater", "kind", "label", "pass", "scheme", "flags", "confidence")


def label_columns(views: Sequence[str]) -> tuple[str, ...]:
    """Columns of labels.csv; `views` are the coarser ones, such as binary."""
    return ("clip_id", "label", *views, "votes", "agreement", "entropy", "rule")


@dataclass(frozen=True)
class ReleaseContent:
    """The content of a release. Rows are cells by column.

    `describe` returns the other facts of release.json (besides name, time and digest) and the datasheet; it is called
    only when something is written.
    """

    clips: Sequence[Clip]
    labels: Sequence[LabelName]
    views: Sequence[str]
    label_rows: Sequence[Mapping[str, object]]
    soft_rows: Sequence[Mapping[str, object]]
    annotation_rows: Sequence[Mapping[str, object]]
    describe: Callable[[], tuple[Mapping[str, Any], str]]


@dataclass(frozen=True)
class Release:
    """A release opened for reading. `facts` is release.json."""

    folder: Path
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted SHA256SUMS lines of the tables."""
        return str(self.facts["digest"])


def write_release(target: Path, name: str | None, content: ReleaseContent, created: str) -> Release:
    """Write a release whole or not at all; the same content gives the same tables and digest whenever it is made.

    Without a `name` it is a snapshot: `target` is then the folder of snapshots, and its name is its digest; an existing
    snapshot is returned unchanged. Raises FileExistsError when a release of that name exists.
    """
    tables = _tables(content)
    sums = _sha256_sums({table: hashlib.sha256(text.encode()).hexdigest() for table, text in tables.items()})
    found = digest(sums)
    place = target if name is not None else target / found[:12]
    if name is None and (place / "release.json").is_file():
        return _read(place)
    other_facts, datasheet = content.describe()
    kind = "snapshot" if name is None else "release"
    facts = {"schema": 1, "kind": kind, "name": place.name, "created": created, **other_facts, "digest": found}
    try:
        with atomic_folder(place) as folder:
            for table, text in tables.items():
                (folder / table).write_text(text, encoding="utf-8", newline="")
            (folder / "SHA256SUMS").write_text(sums, encoding="utf-8", newline="")
            (folder / "datasheet.md").write_text(datasheet, encoding="utf-8", newline="")
            write_json(folder / "release.json", facts)
    except FileExistsError:
        if name is not None:
            raise
    return _read(place)


def list_releases(study: Study) -> tuple[Release, ...]:
    """Releases of the study, oldest first (by the time in release.json), not verified: see `integrity_problems`."""
    found = [
        _read(file.parent) for file in study.releases.glob("*/release.json") if not file.parent.name.startswith(".")
    ]
    return tuple(sorted(found, key=lambda release: (str(release.facts["created"]), release.folder.name)))


def release_names(study: Study) -> tuple[str, ...]:
    """Names of the releases of the study, oldest first."""
    return tuple(release.folder.name for release in list_releases(study))


def find_release(study: Study, name: str) -> Release:
    """The release `name`, or a snapshot of that name, not verified. Raises UnknownName, DataError."""
    validate_name("release", name)
    for place in (study.releases / name, study.cache / SNAPSHOTS / name):
        if (place / "release.json").is_file():
            return _read(place)
    raise UnknownName("release", name, release_names(study), hint="(make one with 'workbench release create')")


def open_release(study: Study, name: str) -> Release:
    """`find_release`, verified. Raises DataError when the release was changed after it was made."""
    release = find_release(study, name)
    broken = integrity_problems(release)
    if broken:
        raise DataError(
            f"release '{name}' was changed after it was made: {broken[0]}; restore its folder from a copy, or create "
            "a new one with 'workbench release create NAME'"
        )
    return release


def integrity_problems(release: Release) -> tuple[str, ...]:
    """What was changed after the release was made, in words; empty for an intact release."""
    found = []
    listed = _listed(release.folder)
    for name in TABLES:
        path = release.folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif listed.get(name) != sha256_file(path):
            found.append(f"{name} does not match SHA256SUMS")
    if not found and digest(_sha256_sums(listed)) != release.digest:
        found.append("SHA256SUMS does not match the digest in release.json")
    return tuple(found)


def labelled_clips(study: Study, release: Release) -> LabelledClips:
    """The release as training and comparison read it. Clips without a label are left out."""
    scheme_labels = tuple(release.facts["labels"])
    labels = {
        row["clip_id"]: row["label"] for row in read_table(release.folder / "labels.csv", required=("clip_id", "label"))
    }
    soft = {
        row["clip_id"]: tuple(float(row[label]) for label in scheme_labels)
        for row in read_table(release.folder / "soft_labels.csv", required=("clip_id", *scheme_labels))
    }
    machines = set(release.facts["simulated"])
    votes = tuple(
        Vote(row["clip_id"], row["rater"], row["label"], "machine" if row["rater"] in machines else "person")
        for row in read_table(release.folder / "annotations.csv", required=("clip_id", "rater", "label"))
        if row["label"]
    )
    clips = tuple(
        LabelledClip(clip, study.clip_path(clip.clip_id), labels[clip.clip_id], soft.get(clip.clip_id))
        for clip in read_clips(release.folder / "clips.csv")
        if labels.get(clip.clip_id)
    )
    origin = {
        "kind": str(release.facts["kind"]),
        "study": study.name,
        "name": release.name,
        "digest": release.digest,
        "rule": str(release.facts["rule"]),
    }
    if release.facts["simulated"]:
        origin["simulated"] = ", ".join(release.facts["simulated"])
    return LabelledClips(study.name, scheme_labels, clips, votes, origin, marks=study.scheme.marks)


def _read(folder: Path) -> Release:
    try:
        facts = json.loads((folder / "release.json").read_text(encoding="utf-8"))
        return Release(folder, {**facts, "created": str(facts["created"]), "digest": str(facts["digest"])})
    except (ValueError, TypeError, KeyError):
        raise DataError(f"release '{folder.name}': release.json is damaged; restore it from a copy") from None


def _listed(folder: Path) -> dict[str, str]:
    path = folder / "SHA256SUMS"
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}


def _sha256_sums(checksums: Mapping[str, str]) -> str:
    return "".join(f"{checksums[name]}  {name}\n" for name in sorted(checksums))


def _tables(content: ReleaseContent) -> dict[str, str]:
    return {
        "annotations.csv": table_to_csv(ANNOTATION_COLUMNS, content.annotation_rows),
        "clips.csv": clips_to_csv(content.clips),
        "labels.csv": table_to_csv(label_columns(content.views), content.label_rows),
        "soft_labels.csv": table_to_csv(("clip_id", *content.labels), content.soft_rows),
    }
