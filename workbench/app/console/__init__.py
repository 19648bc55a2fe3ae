"""The labelling console: html, css and js that Streamlit mounts as one component, and the words it is given.

The script is several files read top to bottom as one module: wire (requests), outbox (answers on their way),
clips (sound ahead of the listener), past (clips to go back to), picture (the waveform), page (parts and buttons),
console (keys, playback, what is shown).
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipelines.schemes import LabelScheme
from pipelines.schemes.scheme import Texts
from workbench.app.catalogue import DEFAULT_LANGUAGE, LANGUAGES, catalogue

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

SCRIPTS = ("wire.js", "outbox.js", "clips.js", "past.js", "picture.js", "page.js", "console.js")


@cache
def component() -> "ComponentRenderer":
    """The console as a Streamlit component; mount it with `component()(key=..., data=facts(...))`."""
    import streamlit as st

    return st.components.v2.component(
        "workbench_console", html=_asset("console.html"), css=_asset("console.css"), js="\n".join(map(_asset, SCRIPTS))
    )


def facts(scheme: LabelScheme, *, person: str, name: str, language: str) -> dict[str, Any]:
    """What the console is told at its start: words, labels, keys. Nothing about any clip."""
    return {
        "person": person,
        "name": name,
        "language": language,
        "languages": dict(LANGUAGES),
        "texts": catalogue(language).section("console"),
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
                "text": _in(flag.text, language),
                "definition": _in(flag.definition, language),
            }
            for flag in scheme.flags
        ],
    }


def _in(texts: Texts | Mapping[str, str], language: str) -> str:
    return texts.get(language) or texts.get(DEFAULT_LANGUAGE, "")


def _asset(name: str) -> str:
    return files("workbench.app.console").joinpath(name).read_text(encoding="utf-8")
