"""A list of sounds to hear one after the other: click one, or go through them with the arrow keys.

Nothing is drawn again on the server for it: the browser fetches a sound when it is asked for.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer


@dataclass(frozen=True, slots=True)
class Heard:
    """One sound. `value` stands first, `words` after it; `door` leads to a page about it; `note` shows on hover."""

    url: str
    value: str
    words: str
    door: str
    note: str = ""


def sounds(title: str, rows: Sequence[Heard], *, key: str, empty: str) -> None:
    """Mount the list; with no rows it says `empty`."""
    data = {"title": title, "rows": [asdict(row) for row in rows], "empty": empty}
    _component()(key=key, data=data)


@cache
def _component() -> "ComponentRenderer":
    import streamlit as st

    return st.components.v2.component(
        "workbench_listening", html=_asset("listening.html"), css=_asset("listening.css"), js=_asset("listening.js")
    )


def _asset(name: str) -> str:
    return files("workbench.app.components.sound_list").joinpath(name).read_text(encoding="utf-8")
