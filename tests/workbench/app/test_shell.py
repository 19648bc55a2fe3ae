"""The shell: options in one place, words in every language, pages by role."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from pipelines.schemes import load_scheme
from pipelines.study import ROOT_VARIABLE
from tests.workbench.silent_study import study_with_clips
from workbench.app.components import console
from workbench.app.page import session
from workbench.app.page.session import Person
from workbench.app.page_registry import PAGES, first_for, pages_for
from workbench.app.server.streamlit_options import FILE, streamlit_options
from workbench.app.translations import LANGUAGES, catalogue, nearest_language
from workbench.people.access_control import Role

ROUTER = str(files("workbench.app").joinpath("router.py"))
ROOT = Path(__file__).parents[3]


def test_streamlit_run_and_serve_have_the_same_options() -> None:
    here = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert here == tomllib.loads(files("workbench.app.server").joinpath(FILE).read_text(encoding="utf-8"))


def test_streamlit_knows_every_option() -> None:
    known = config.get_config_options()
    assert set(streamlit_options({"server.port": 1})) <= set(known)
    assert streamlit_options()["browser.gatherUsageStats"] is False


def test_every_language_has_the_same_words_with_the_same_gaps() -> None:
    english = catalogue("en")
    for language in LANGUAGES:
        other = catalogue(language)
        assert other.language == language
        assert other.keys() == english.keys()
        for key in sorted(english.keys()):
            gaps = re.findall(r"\{\w+\}", english(key))
            assert sorted(gaps) == sorted(re.findall(r"\{\w+\}", other(key))), key
            assert other(key).strip(), key


def test_who_sees_more_than_labelling_begins_with_where_the_study_stands() -> None:
    assert [first_for(role).url for role in ("annotator", "curator", "researcher")] == ["label", "overview", "overview"]


def test_every_word_the_console_asks_for_is_there() -> None:
    script = "".join(
        files("workbench.app.components.console").joinpath(name).read_text(encoding="utf-8") for name in console.SCRIPTS
    )
    asked = set(re.findall(r"\b(?:text|say)\(\"(\w+)\"", script)) | set(re.findall(r"\btexts\.(\w+)", script))
    choices = re.findall(r"\btext\([^\"()]*\?[^()]*\)", script)
    asked |= {word for choice in choices for word in re.findall(r"[?:] \"(\w+)\"", choice)}
    asked |= {"offline", "signed_out", "other_person", "unavailable", "copied", "not_copied"}  # chosen by what happened
    tools = set(re.findall(r"\{ name: \"(\w+)\"", script))
    assert {"saved", "nothing_sounding", "held", "skip", "begin"} <= asked and "replay" in tools
    known = catalogue("en").section("console").keys()
    assert asked | tools | {f"{tool}_more" for tool in tools} <= known


@pytest.mark.parametrize(
    ("asked", "language"),
    [("zh-TW,zh;q=0.9,en;q=0.8", "zh-Hant"), ("en-GB", "en"), ("fr-FR,en;q=0.5", "en"), ("", "en"), ("fr", "en")],
)
def test_a_browsers_wish_finds_the_nearest_language(asked: str, language: str) -> None:
    assert nearest_language(asked) == language


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_console_is_told_words_and_keys_and_nothing_about_clips(language: str) -> None:
    told = console.facts(load_scheme("five"), person="p", name="Mei", language=language)
    assert [label["keys"] for label in told["labels"]] == [["1", "h"], ["2", "s"], ["3", "a"], ["4", "f"], ["5", "n"]]
    assert all(entry["text"] and entry["definition"] for entry in told["labels"] + told["flags"])
    assert {flag["name"] for flag in told["flags"] if flag["answers"]} == {"cannot_tell", "bad_clip"}
    assert [flag["name"] for flag in told["flags"] if flag["unplayable"]] == ["bad_clip"]


def test_pages_have_their_own_addresses_and_roles_add_to_each_other() -> None:
    assert len({page.url for page in PAGES}) == len(PAGES)
    roles: tuple[Role, ...] = ("annotator", "curator", "researcher")
    shown = [[page.url for pages in pages_for(role).values() for page in pages] for role in roles]
    assert shown[0] == ["label"]
    assert shown[2] == [page.url for page in PAGES]
    assert shown[1] == shown[2][: len(shown[1])]


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, person: Person | None) -> AppTest:
    study_with_clips(tmp_path)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    app = AppTest.from_file(ROUTER)
    monkeypatch.setattr(session, "person_of", lambda _: person)
    return app.run(timeout=120)


def test_the_router_shows_the_console_to_an_annotator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = run(tmp_path, monkeypatch, Person("Mei", "Mei", "annotator", "zh-Hant"))
    assert not app.exception and not app.error
    assert "night" not in str(app), "an annotator's page does not name the study"


def test_the_router_sends_a_stranger_to_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = run(tmp_path, monkeypatch, None)
    assert not app.exception
    assert "/sign-in" in app.markdown[0].value


def broken_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: Role, language: str) -> AppTest:
    study = study_with_clips(tmp_path)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    study.settings_file.write_text('name = "night"\nschem = "five"\n', encoding="utf-8")
    app = AppTest.from_file(ROUTER)
    monkeypatch.setattr(session, "person_of", lambda _: Person("Mei", "Mei", role, language))
    return app.run(timeout=120)


def test_a_problem_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = broken_study(tmp_path, monkeypatch, "curator", "en")
    assert not app.exception
    assert "did you mean 'scheme'?" in app.error[0].value


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_a_problem_tells_an_annotator_nothing_about_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    app = broken_study(tmp_path, monkeypatch, "annotator", language)
    assert not app.exception
    assert [error.value for error in app.error] == [catalogue(language)("problems.page")]
    assert "schem" not in str(app) and str(tmp_path) not in str(app)
