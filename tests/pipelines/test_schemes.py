import pytest

from pipelines.errors import ConfigError, UnknownName
from pipelines.schemes import LabelScheme, load_scheme, scheme_names
from pipelines.toml_config import parse


@pytest.mark.parametrize("name", scheme_names())
class TestEverySchemeThatComesAlong:
    def test_loads_under_its_own_name(self, name):
        assert load_scheme(name).name == name

    def test_names_everything_in_both_languages(self, name):
        scheme = load_scheme(name)
        for entry in (*scheme.labels, *scheme.flags):
            assert {"en", "zh-Hant"} <= set(entry.text)
            assert {"en", "zh-Hant"} <= set(entry.definition)

    def test_each_view_covers_every_label(self, name):
        scheme = load_scheme(name)
        for view in scheme.views:
            assert tuple(scheme.mapping(view)) == tuple(
                label for label in scheme.mapping(view) if label in scheme.label_names
            )
            assert set(scheme.mapping(view)) == set(scheme.label_names)
            assert set(scheme.mapping(view).values()) == set(scheme.view_labels(view))


def test_five_collapses_as_the_study_says():
    mapping = load_scheme("five").mapping("binary")
    assert {name for name, to in mapping.items() if to == "neutral"} == {"happy", "neutral"}
    assert {name for name, to in mapping.items() if to == "intense"} == {"sad", "angry", "fearful"}


def test_an_unknown_view_suggests_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'binary'"):
        load_scheme("five").mapping("binnary")


def label(name, *keys):
    return {"name": name, "keys": list(keys), "colour": "#000000", "text": {"en": name}}


@pytest.mark.parametrize(
    ("labels", "collapses", "words"),
    [
        ([label("a", "1"), label("b", "1")], [], "key '1' is given twice"),
        ([label("a", "h"), label("b", "H")], [], "key 'h' is given twice"),
        ([label("a", "r")], [], "key 'r' is taken"),
        ([label("a", ",")], [], "key ',' is taken"),
        ([label("a", "Backspace")], [], "key 'backspace' is taken"),
        (
            [label("a", "1"), label("b", "2")],
            [{"name": "one", "labels": [{"name": "x", "members": ["a"], "colour": "#1", "text": {}}]}],
            "exactly once",
        ),
    ],
)
def test_a_scheme_that_cannot_work_is_refused(labels, collapses, words):
    document = {"schema": 1, "name": "own", "version": "1", "labels": labels, "collapses": collapses}
    with pytest.raises(ConfigError, match=words):
        parse(LabelScheme, document, "own.toml")


def test_a_study_may_bring_its_own_scheme(tmp_path):
    (tmp_path / "own.toml").write_text(
        'schema = 1\nname = "own"\nversion = "1"\n'
        '[[labels]]\nname = "a"\nkeys = ["1"]\ncolour = "#000000"\ntext = {en = "A"}\n'
    )
    assert load_scheme("own", tmp_path).label_names == ("a",)


def test_a_flag_for_what_cannot_be_played_must_end_the_clip():
    flag = {"name": "f", "keys": ["x"], "answers": False, "unplayable": True, "colour": "#1", "text": {}}
    document = {"name": "own", "version": "1", "labels": [label("a", "1")], "flags": [flag]}
    with pytest.raises(ConfigError, match="'f' is 'unplayable', so it must be one that 'answers'"):
        parse(LabelScheme, document, "own.toml")
