"""Clipper: clips picked by hand. All of it happens in the browser and in workbench.app.routes.clipper_api."""

from functools import partial

import streamlit as st

from pipelines.study import Study
from workbench.app.components import clipper
from workbench.app.page import links, widgets
from workbench.app.page.session import Session
from workbench.app.server import served_study
from workbench.people import access_control

#: The clipper fills the page: no room above it, and no words of Streamlit's about a connection that the clipper itself
#: tells of (it goes on without one, and says what waits to be sent).
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 0.75rem 1rem 0.5rem; max-width: none; }
[data-testid="stHeader"] { background: transparent; pointer-events: none; }
[data-testid="stHeader"] button { pointer-events: auto; }
@media (max-width: 760px) { [data-testid="stMainBlockContainer"] { padding-top: 3.25rem; } }
[data-testid="stStatusWidget"], [data-testid="stConnectionStatus"], [data-testid="stDialog"] { display: none; }
</style>"""


def show(study: Study, session: Session) -> None:
    """Mount the clipper for who is signed in."""
    if not study.sources_csv.is_file():
        widgets.head("Clipper", "Which moments should become clips?")
        widgets.empty(
            "Here a recording will stand with its sound, its speech and proposals, to pick clips from by hand.",
            "Recordings come in on the page Ingest or by one command; what is already there is not done again.",
            f"workbench ingest FILE_OR_FOLDER_OR_URL --study {study.name}",
            door=partial(links.button, session, "ingest", "Add recordings", key="add"),
        )
        return
    st.html(_STYLE)
    told = clipper.facts(study.scheme, person=access_control.person_mark(served_study.key(), session.rater))
    clipper.component()(key="clipper", data=told)
