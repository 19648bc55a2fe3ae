"""The whole app as one ASGI application: `streamlit run` finds `app` here, and `workbench serve` runs it."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from workbench.app.routes import clipper_api, home_redirect, label_api, sign_in, window_api

app = st.App(
    Path(__file__).with_name("router.py"),
    routes=[*home_redirect.ROUTES, *label_api.ROUTES, *sign_in.ROUTES, *window_api.ROUTES, *clipper_api.ROUTES],
    middleware=[Middleware(sign_in.SignedInPages)],
)
