"""A Release on disk: an immutable, checksummed cut of clips and labels. Its format is written and read here only.

release.json clips.csv labels.csv soft_labels.csv annotations.csv datasheet.md SHA256SUMS
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.atomic import sha256_file
from pipelines.errors import DataError, UnknownName
from pipelines.manifest import digest, read_clips, read_table
from pipelines.schema import LabelledClip, LabelledClips, Vote
from pipelines.study import Study

TABLES = ("annotations.csv", "clips.csv", "labels.csv", "soft_labels.csv")
SNAPSHOTS = "snapshots"


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


def sums(folder: Path) -> str:
    """The SHA256SUMS text of the tables in `folder`, sorted by name."""
    return "".join(f"{sha256_file(folder / name)}  {name}\n" for name in TABLES)


def tables_digest(folder: Path) -> str:
    """Digest that names the content of a release."""
    return digest(sums(folder))


def release_names(study: Study) -> tuple[str, ...]:
    """Releases of the study, oldest first (by the time in release.json)."""
    found = [
        (json.loads(file.read_text(encoding="utf-8"))["created"], file.parent.name)
        for file in study.releases.glob("*/release.json")
    ]
    return tuple(name for _, name in sorted(found))


def open_release(study: Study, name: str) -> Release:
    """The release `name`, or a snapshot of labels. Raises UnknownName, and DataError when its tables were changed."""
    for place in (study.releases / name, study.cache / SNAPSHOTS / name):
        if (place / "release.json").is_file():
            release = Release(place, json.loads((place / "release.json").read_text(encoding="utf-8")))
            if tables_digest(place) != release.digest:
                raise DataError(
                    f"release '{name}' was changed after it was made: its tables no longer match release.json"
                )
            return release
    raise UnknownName("release", name, release_names(study), hint="(make one with 'workbench release create')")


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
    votes = tuple(
        Vote(row["clip_id"], row["rater"], row["label"])
        for row in read_table(release.folder / "annotations.csv", required=("clip_id", "rater", "label"))
        if row["label"]
    )
    clips = tuple(
        LabelledClip(clip, study.clip_path(clip.clip_id), labels[clip.clip_id], soft.get(clip.clip_id))
        for clip in read_clips(release.folder / "clips.csv")
        if labels.get(clip.clip_id)
    )
    origin = {
        "kind": "release",
        "study": study.name,
        "name": release.name,
        "digest": release.digest,
        "rule": str(release.facts["rule"]),
    }
    return LabelledClips(study.name, scheme_labels, clips, votes, origin)
