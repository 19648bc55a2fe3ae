import pytest

from pipelines.errors import ConfigError, UnknownName
from pipelines.study import Study, create_study, open_study


@pytest.mark.parametrize("name", ["../x", "a/b", "", "A", "-a", ".", "a" * 65, "名字", "a b", "con\n"])
def test_a_name_that_could_leave_its_folder_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="will not do"):
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


def test_a_taken_name_is_refused_and_nothing_changes(tmp_path):
    study = create_study("night", rights_basis="mine", root=tmp_path)
    before = study.settings_file.read_text()
    with pytest.raises(ConfigError, match="already a study 'night'"):
        create_study("night", root=tmp_path)
    assert study.settings_file.read_text() == before


def test_two_studies_must_be_told_apart_but_the_demo_does_not_count(tmp_path):
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
