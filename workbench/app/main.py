"""The whole app as one ASGI application: `streamlit run` finds `app` here, and `workbench serve` runs it."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from workbench.app import api, clipper_api, home, sign_in, windows

app = st.App(
    Path(__file__).with_name("router.py"),
    routes=[*home.ROUTES, *api.ROUTES, *sign_in.ROUTES, *windows.ROUTES, *clipper_api.ROUTES],
    middleware=[Middleware(sign_in.SignedInPages)],
)
