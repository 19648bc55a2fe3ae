"""Recipes: strict keys, overrides, round trips, and the examples that every built-in recipe carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ConfigError, UnknownName
from pipelines.recipes.recipe import Recipe, load_recipe, recipe_names, to_toml
from pipelines.toml_config import load, parse, read_toml

NAMES = recipe_names()


def test_both_forms_of_both_views_are_there():
    assert {"soap_five", "soap_five_as_published", "soap_binary", "soap_binary_as_published"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_survives_toml(name, tmp_path):
    recipe = load_recipe(name)
    (tmp_path / "again.toml").write_text(recipe.to_toml(), encoding="utf-8")
    assert load(Recipe, tmp_path / "again.toml") == recipe


@pytest.mark.parametrize("name", NAMES)
def test_the_name_says_the_form(name):
    recipe = load_recipe(name)
    assert (recipe.form == "as_published") == name.endswith("_as_published")
    assert recipe.flaws if recipe.form == "as_published" else recipe.corrections
    assert recipe.example, "a recipe carries examples that tests run"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("soap")])
def test_printed_tables_are_consistent(name):
    published = load_recipe(name).published
    for row in published.classes:
        assert 2 * row.precision * row.recall / (row.precision + row.recall) == pytest.approx(row.f1, abs=0.011)


def test_published_numbers_of_the_paper():
    five, binary = load_recipe("soap_five").published, load_recipe("soap_binary").published
    assert (five.accuracy, binary.accuracy) == (0.439, 0.709)
    assert (five.table, binary.table) == ("table 3", "table 4")
    assert sum(row.recall for row in five.classes) / 5 == pytest.approx(0.474)


def test_overrides():
    recipe = load_recipe(
        "soap_five",
        [
            "training.epochs=5",
            "augmentation.copies=['noise', 'stretch+pitch']",
            "batch_size=8",
            "model.settings.dense=16",
        ],
    )
    assert recipe.training.epochs == 5
    assert recipe.augmentation.copies == ("noise", "stretch+pitch")
    assert recipe.training.batch_size == 8
    assert recipe.model.settings["dense"] == 16
    assert recipe.model.settings["kernel"] == 5


def test_a_word_needs_no_quotes():
    assert load_recipe("soap_five", ["data.view=binary"]).data.view == "binary"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epoch=5", "there is no setting 'training.epoch'; did you mean 'training.epochs'?"),
        ("epoch=5", "there is no setting 'epoch'; did you mean 'training.epochs'?"),
        ("training.epochs", "expected key=value, such as training.epochs=5"),
        ("training.epochs=-1", "'training.epochs'"),
        ("training.epochs=many", "'training.epochs'"),
        ("form=corrected", "there is no setting 'form'"),
        ("zzz=1", "known: "),
    ],
)
def test_an_override_that_will_not_do(override, words):
    with pytest.raises(ConfigError) as refused:
        load_recipe("soap_five", [override])
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_unknown_recipe_suggests_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'soap_five'"):
        load_recipe("soap_fiv")


def test_a_misspelt_key_in_a_file_suggests_the_nearest(tmp_path):
    (tmp_path / "mine.toml").write_text(load_recipe("soap_five").to_toml().replace("apply_to", "aply_to"))
    with pytest.raises(ConfigError, match=r"unknown key 'augmentation\.aply_to'; did you mean 'apply_to'"):
        load_recipe("mine", folder=tmp_path)


def test_a_study_may_bring_its_own(tmp_path):
    text = load_recipe("soap_five").to_toml().replace('name = "soap_five"', 'name = "mine"')
    (tmp_path / "mine.toml").write_text(text)
    assert load_recipe("mine", folder=tmp_path).name == "mine"
    assert "mine" in recipe_names(tmp_path)
    (tmp_path / "other.toml").write_text(text)
    with pytest.raises(ConfigError, match="'name' says 'mine'"):
        load_recipe("other", folder=tmp_path)


_scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
)
_keys = st.text("abcdefghij_", min_size=1, max_size=6)
_values = st.one_of(_scalars, st.lists(_scalars, max_size=3))


@given(
    st.dictionaries(_keys, st.one_of(_values, st.dictionaries(_keys, _values, max_size=3)), max_size=5),
    st.lists(st.dictionaries(_keys, _values, min_size=1, max_size=3), min_size=1, max_size=3),
)
def test_toml_round_trip(document, rows):
    import tomllib

    document = {**document, "table_of_rows": rows}
    assert tomllib.loads(to_toml(document)) == document


def test_built_in_files_hold_no_key_twice():
    for name in NAMES:
        from importlib.resources import files

        document = read_toml(files("pipelines") / "recipes" / f"{name}.toml")
        assert parse(Recipe, document, name).name == name
