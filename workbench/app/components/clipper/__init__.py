"""The clipper: html, css and js that Streamlit mounts as one component, for picking clips by hand.

The script is several files read top to bottom as one module. From the console: wire (requests), drawer (what the
browser keeps), outbox (picks on their way), mount (how Streamlit draws a page). Its own: times, recent (what is fetched
and let go), sound (samples), stretch (faster at the same pitch), playback (samples on the sound card's clock), tiles
and shade (pictures), view (what can be seen), drawing, overview, pointer; picks (what stands in a source), source (one
as it is worked on), actions (keys), mining (progress and pace), page (parts and buttons), display (words), paint (one
frame), reading (moving and hearing), opening (sources), deciding (cut, name, skip, undo), clipper (page, keys and
pointer).
"""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipelines.schemes import LabelScheme

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

SHARED = ("wire.js", "drawer.js", "outbox.js", "mount.js")
SCRIPTS = (
    "times.js",
    "recent.js",
    "sound.js",
    "stretch.js",
    "playback.js",
    "tiles.js",
    "shade.js",
    "view.js",
    "drawing.js",
    "overview.js",
    "pointer.js",
    "picks.js",
    "source.js",
    "actions.js",
    "mining.js",
    "page.js",
    "display.js",
    "paint.js",
    "reading.js",
    "opening.js",
    "deciding.js",
    "clipper.js",
)


@cache
def component() -> "ComponentRenderer":
    """The clipper as a Streamlit component; mount it with `component()(key=..., data=facts(...))`."""
    import streamlit as st

    return st.components.v2.component("workbench_clipper", html=html(), css=css(), js=script())


def script() -> str:
    """The whole script, as the browser gets it."""
    shared = (_asset(name, "workbench.app.components.console") for name in SHARED)
    return "\n".join((*shared, *map(_asset, SCRIPTS)))


def html() -> str:
    """The parts of the page, which the script fills."""
    return _asset("clipper.html")


def css() -> str:
    """How they look."""
    return _asset("clipper.css")


def facts(scheme: LabelScheme, *, person: str) -> dict[str, Any]:
    """What the clipper is told at its start: who is here (a mark) and the emotions of the scheme, in its order."""
    return {
        "person": person,
        "labels": [
            {
                "name": label.name,
                "colour": label.colour,
                "sign": label.sign,
                "text": label.text.get("en", label.name),
                "definition": label.definition.get("en", ""),
            }
            for label in scheme.labels
        ],
    }


def _asset(name: str, room: str = "workbench.app.components.clipper") -> str:
    return files(room).joinpath(name).read_text(encoding="utf-8")
