"""The whole app as one ASGI application: `streamlit run` finds `app` here, and `workbench serve` runs it."""

from pathlib import Path

import streamlit as st

app = st.App(Path(__file__).with_name("router.py"))
