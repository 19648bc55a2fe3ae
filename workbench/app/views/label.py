"""Label: the console that plays clips and takes answers."""

import streamlit as st

from pipelines.study import Study
from workbench.app.session import Session


def show(study: Study, session: Session) -> None:
    """Mount the console for who is signed in."""
    st.write(study.name, session.person.name)
