"""Frictionless Data Package: the release's tables with a schema that other tools can check and load."""

import csv
import hashlib
from pathlib import Path
from typing import Any

from pipelines.atomic_write import write_json
from pipelines.release import TABLES, Release

PROFILE = "tabular-data-package"

_WHOLE = {"track", "start_sample", "n_samples", "rate_hz", "votes"}
_TEXT = {
    "clip_id", "source_id", "recipe", "pcm_sha256", "group_id", "text", "speaker", "gender", "arm", "config_hash",
    "rule", "rater", "kind", "pass", "scheme", "flags",
}  # fmt: skip


def datapackage(release: Release, folder: Path) -> None:
    """Copy the four tables into `folder` and describe them in datapackage.json; no audio.

    Source: Tabular Data Package specification 1, https://specs.frictionlessdata.io/tabular-data-package/
    """
    (folder / "README.md").write_bytes((release.folder / "datasheet.md").read_bytes())
    resources = []
    for name in TABLES:
        content = (release.folder / name).read_bytes()
        (folder / name).write_bytes(content)
        resources.append(_resource(release, name, content))
    write_json(
        folder / "datapackage.json",
        {
            "profile": PROFILE,
            "name": f"{release.facts['study']}-{release.name}",
            "title": f"Labels of study '{release.facts['study']}', release '{release.name}'",
            "version": release.digest[:12],
            "created": release.facts["created"],
            "description": f"Rule: {release.facts['rule']} ({release.facts['rule_sentence']}).",
            "resources": resources,
        },
    )


def _resource(release: Release, file: str, content: bytes) -> dict[str, Any]:
    header = next(csv.reader([content.decode().partition("\n")[0]]))
    schema: dict[str, Any] = {"fields": [_field(release, file, column) for column in header], "missingValues": [""]}
    if file == "annotations.csv":
        schema["primaryKey"] = ["clip_id", "rater", "pass", "scheme"]
    else:
        schema["primaryKey"] = "clip_id"
    if file != "clips.csv":
        schema["foreignKeys"] = [{"fields": "clip_id", "reference": {"resource": "clips", "fields": "clip_id"}}]
    return {
        "name": file.removesuffix(".csv").replace("_", "-"),
        "path": file,
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": len(content),
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "schema": schema,
    }


def _field(release: Release, file: str, column: str) -> dict[str, Any]:
    views = release.facts["views"]
    if column == "label":
        return {"name": column, "type": "string", "constraints": {"enum": list(release.facts["labels"])}}
    if column in views and file == "labels.csv":
        return {"name": column, "type": "string", "constraints": {"enum": list(views[column])}}
    if column in _WHOLE:
        return {"name": column, "type": "integer"}
    if column in _TEXT:
        return {"name": column, "type": "string"}
    return {"name": column, "type": "number"}
