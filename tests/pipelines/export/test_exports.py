"""Every export format over one release; the data package's schema against its own tables."""

import csv
import hashlib
import json
import shutil

import pytest

from pipelines.errors import ConfigError
from pipelines.export import EXPORTS, export
from pipelines.release import open_release
from tests.workbench.silent_study import study_with_clips
from workbench.labels.simulated_raters import simulate
from workbench.releases.create import create_release

PARSE = {"integer": int, "number": float, "string": str}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    study = study_with_clips(tmp_path_factory.mktemp("study"), 9)
    simulate(study)
    create_release(study, "r1")
    return open_release(study, "r1")


@pytest.mark.parametrize("name", EXPORTS)
def test_every_format_writes_files_once_and_the_same(release, tmp_path, name):
    one, two = (export(release, name, tmp_path / each) for each in ("one", "two"))
    assert one and [path.name for path in one] == [path.name for path in two]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    with pytest.raises(ConfigError, match="not empty"):
        export(release, name, tmp_path / "one")


@pytest.mark.parametrize("name", EXPORTS)
def test_an_empty_folder_will_do(release, tmp_path, name):
    (tmp_path / "out").mkdir()
    assert export(release, name, tmp_path / "out")


def test_the_data_package_describes_its_tables(release, tmp_path):
    export(release, "datapackage", tmp_path / "out")
    package = json.loads((tmp_path / "out" / "datapackage.json").read_text())
    assert package["profile"] == "tabular-data-package" and package["version"] == release.digest[:12]
    keys = {}
    for resource in package["resources"]:
        content = (tmp_path / "out" / resource["path"]).read_bytes()
        assert (resource["bytes"], resource["hash"]) == (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
        rows = list(csv.DictReader(content.decode().splitlines()))
        schema = resource["schema"]
        assert rows and [field["name"] for field in schema["fields"]] == list(rows[0])
        for field in schema["fields"]:
            cells = [row[field["name"]] for row in rows if row[field["name"]]]
            for cell in cells:
                PARSE[field["type"]](cell)
            if "constraints" in field:
                assert set(cells) <= set(field["constraints"]["enum"])
        key = schema["primaryKey"] if isinstance(schema["primaryKey"], list) else [schema["primaryKey"]]
        found = [tuple(row[column] for column in key) for row in rows]
        assert len(set(found)) == len(found)
        keys[resource["name"]] = {row["clip_id"] for row in rows}
    assert all(clips <= keys["clips"] for clips in keys.values())


def test_a_release_is_not_touched(release, tmp_path):
    before = {path.name: path.read_bytes() for path in release.folder.iterdir()}
    for name in EXPORTS:
        export(release, name, tmp_path / name)
        shutil.rmtree(tmp_path / name)
    assert {path.name: path.read_bytes() for path in release.folder.iterdir()} == before
