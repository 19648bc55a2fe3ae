"""Label: the console that plays clips and takes answers, in the browser and in workbench.app.routes.label_api."""

import streamlit as st

from pipelines.study import Study
from workbench.app.components import console
from workbench.app.page.session import Session
from workbench.app.server import served_study
from workbench.people import access_control

#: The console fills the page: no room above it, and no words of Streamlit's about a connection that the console
#: itself tells of (it goes on without one, and says what waits to be sent).
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 1rem 1rem 0.5rem; max-width: 1100px; }
[data-testid="stHeader"] { background: transparent; pointer-events: none; }
[data-testid="stHeader"] button { pointer-events: auto; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding-top: 3.25rem; } }
[data-testid="stStatusWidget"], [data-testid="stConnectionStatus"], [data-testid="stDialog"] { display: none; }
</style>"""


def show(study: Study, session: Session) -> None:
    """Mount the console for who is signed in."""
    st.html(_STYLE)
    told = console.facts(
        study.scheme,
        person=access_control.person_mark(served_study.key(), session.rater),
        name=session.person.name,
        language=session.language,
    )
    console.component()(key="console", data=told)
