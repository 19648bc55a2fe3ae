"""The labelling console: html, css and js that Streamlit mounts as one component, and the words it is given.

The script is several files read top to bottom as one module: wire (requests), drawer (what the browser keeps), outbox
(answers on their way), account (language, sign-out), mount (how Streamlit draws a page), clips (sound ahead of the
listener), player (what sounds now), past (clips to go back to), picture (the waveform), refused (answers that were not
taken), display (what is shown), page (parts and buttons), console (keys, answers). The sidebar of the other pages
shares the first four.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipelines.schemes import LabelScheme
from pipelines.schemes.scheme import Texts
from workbench.app.translations import DEFAULT_LANGUAGE, LANGUAGES, catalogue

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_SHARED = ("wire.js", "drawer.js", "outbox.js", "account.js")
SCRIPTS = (
    *_SHARED,
    "mount.js",
    "clips.js",
    "player.js",
    "past.js",
    "picture.js",
    "refused.js",
    "display.js",
    "page.js",
    "console.js",
)


@cache
def component() -> "ComponentRenderer":
    """The console as a Streamlit component; mount it with `component()(key=..., data=facts(...))`."""
    import streamlit as st

    return st.components.v2.component("workbench_console", html=html(), css=_asset("console.css"), js=script())


def script() -> str:
    """The whole script of the console, as the browser gets it."""
    return "\n".join(map(_asset, SCRIPTS))


def html() -> str:
    """The parts of the console's page, which the script fills."""
    return _asset("console.html")


@cache
def sidebar() -> "ComponentRenderer":
    """Name, languages and sign-out; mount it with `sidebar()(key=..., data=account(...))`."""
    import streamlit as st

    return st.components.v2.component(
        "workbench_account",
        html=_asset("sidebar.html"),
        css=_asset("sidebar.css"),
        js="\n".join(map(_asset, (*_SHARED, "sidebar.js"))),
    )


def account(*, person: str, name: str, language: str) -> dict[str, Any]:
    """What either component is told about who is here. `person`: the mark that their unsent answers are kept under."""
    return {
        "person": person,
        "name": name,
        "language": language,
        "languages": dict(LANGUAGES),
        "texts": catalogue(language).section("console"),
    }


def facts(scheme: LabelScheme, *, person: str, name: str, language: str) -> dict[str, Any]:
    """What the console is told at its start: words, labels, keys. Nothing about any clip."""
    return {
        **account(person=person, name=name, language=language),
        "labels": [
            {
                "name": label.name,
                "keys": list(label.keys),
                "colour": label.colour,
                "sign": label.sign,
                "text": _in(label.text, language),
                "definition": _in(label.definition, language),
            }
            for label in scheme.labels
        ],
        "flags": [
            {
                "name": flag.name,
                "keys": list(flag.keys),
                "colour": flag.colour,
                "answers": flag.answers,
                "unplayable": flag.unplayable,
                "text": _in(flag.text, language),
                "definition": _in(flag.definition, language),
            }
            for flag in scheme.flags
        ],
    }


def _in(texts: Texts | Mapping[str, str], language: str) -> str:
    return texts.get(language) or texts.get(DEFAULT_LANGUAGE, "")


def _asset(name: str) -> str:
    return files("workbench.app.components.console").joinpath(name).read_text(encoding="utf-8")
