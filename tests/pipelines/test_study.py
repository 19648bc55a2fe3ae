import tomllib
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from pipelines.errors import ConfigError, UnknownName
from pipelines.ingest.fetch.failure_classes import LONGEST_REST_S
from pipelines.ingest.fetch.fetch_policy import manners_of
from pipelines.study import Study, StudySettings, create_study, open_study
from pipelines.toml_config import parse


@pytest.mark.parametrize("name", ["../x", "a/b", "", "A", "-a", ".", "a" * 65, "名字", "a b", "con\n"])
def test_a_name_that_could_leave_its_folder_is_rejected(tmp_path, name):
    with pytest.raises(ConfigError, match="is not valid"):
        create_study(name, root=tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_new_study_opens_with_its_settings(tmp_path):
    create_study("night", rights_basis='public domain ("US")', root=tmp_path)
    study = open_study(root=tmp_path)
    assert study.name == "night"
    assert study.settings.rights_basis == 'public domain ("US")'
    assert study.scheme.views == ("five", "binary")
    assert study.clip_path("a-000000000").name == "a-000000000.wav"


def test_private_data_is_ignored_by_git_wherever_a_study_is_made(tmp_path):
    create_study("night", root=tmp_path)
    assert "*" in (tmp_path / "data" / ".gitignore").read_text().splitlines()


def test_a_taken_name_is_rejected_and_nothing_changes(tmp_path):
    study = create_study("night", rights_basis="mine", root=tmp_path)
    before = study.settings_file.read_text()
    with pytest.raises(ConfigError, match="already a study 'night'"):
        create_study("night", root=tmp_path)
    assert study.settings_file.read_text() == before


def test_with_two_studies_a_name_is_required_but_the_demo_does_not_count(tmp_path):
    create_study("night", root=tmp_path)
    create_study("demo", root=tmp_path)
    assert open_study(root=tmp_path).name == "night"
    create_study("day", root=tmp_path)
    with pytest.raises(ConfigError, match="--study"):
        open_study(root=tmp_path)


def test_an_unknown_study_suggests_the_nearest(tmp_path):
    create_study("night", root=tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'night'"):
        open_study("nihgt", root=tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("length_s", "lenght_s", "did you mean 'length_s'"),
        ("length_s = 3.0", "length_s = -1", "clip.length_s"),
        ("length_s = 3.0", "length_s = ", "not valid TOML"),
        ('name = "night"', 'name = "day"', "its folder is 'night'"),
        ("raters_per_clip = 3", "raters_per_clip = 0", "raters_per_clip"),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path, old, new, words):
    study = create_study("night", root=tmp_path)
    study.settings_file.write_text(study.settings_file.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=words):
        _ = Study(tmp_path, "night").settings


def numeric(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, str]]:
    """(table, key) of every number that study.toml may say; a table of tables stands for all of its rows."""
    for key, field in model.model_fields.items():
        for kind in kinds(field.annotation):
            if kind in (int, float):
                yield table, key
            elif issubclass(kind, BaseModel):
                name = f"{key}.speech_ratio" if get_origin(field.annotation) not in (None, Annotated) else key
                yield from numeric(kind, name)


def kinds(annotation: Any) -> Iterator[type]:
    """The plain types within an annotation."""
    if get_origin(annotation) is None:
        if isinstance(annotation, type):
            yield annotation
        return
    inner = get_args(annotation)
    for part in inner[:1] if get_origin(annotation) is Annotated else inner:
        yield from kinds(part)


NUMBERS = sorted(set(numeric(StudySettings)))


def test_all_numeric_keys_are_found():
    assert {"clip", "place", "select", "labels", "fetch", "screen.speech_ratio"} == {table for table, _ in NUMBERS}
    assert len(NUMBERS) >= 19


BEYOND = ["inf", "-inf", "nan", "1e300", "-1e300", f"1{'0' * 300}", f"-1{'0' * 300}"]


@pytest.mark.parametrize(("table", "key"), NUMBERS)
def test_absurd_numbers_are_rejected(table, key):
    for said in BEYOND:
        document = tomllib.loads(f'name = "night"\n[{table}]\n{key} = {said}\n')
        with pytest.raises(ConfigError, match=rf"^study\.toml: '{table}\.{key}': [^;]+ \(given: [^;]+\)$"):
            parse(StudySettings, document, "study.toml")


def test_the_widest_numbers_are_accepted(tmp_path):
    study = create_study("night", root=tmp_path)
    fetch = (
        "max_size_gb = 1e6\nmax_duration_h = 8784\ntimeout_h = 8784\n"
        "pause_s = 86400\ncooldown_min = 44640\nreserve_gb = 1e6\n"
    )
    study.settings_file.write_text(f'name = "night"\n[fetch]\n{fetch}[screen.f0_med_hz]\nmin = -1e9\nmax = 1e9\n')
    manners = manners_of(study.settings)
    assert (manners.largest_bytes, manners.longest_s, manners.rest_s) == (10**15, 366 * 24 * 3600, 31 * LONGEST_REST_S)
