"""The entry script of the pages: who is here, which pages their role has, and the page that the URL names.

The pages themselves are listed in workbench.app.pages.
"""

from functools import partial
from html import escape
from importlib import import_module
from importlib.resources import files

import streamlit as st

from pipelines.errors import PipelineError
from workbench.app import session as sessions
from workbench.app.pages import PAGES, Page, pages_for
from workbench.app.session import Session


def _show(page: Page, session: Session) -> None:
    module, function = page.view.split(":")
    try:
        getattr(import_module(module), function)(session.study, session)
    except PipelineError as error:
        st.error(str(error))


def main() -> None:
    """Draw the page that the URL names, for whoever is signed in."""
    st.set_page_config(
        page_title="Workbench",
        page_icon=str(files("workbench.app").joinpath("icon.svg")),  # a name of Streamlit's is fetched from outside
        layout="wide",
        initial_sidebar_state=200,
    )
    session = sessions.current(st.session_state, st.context.cookies)
    if session is None:
        st.navigation([st.Page(_nobody_here, title="Sign in", url_path="start", default=True)], position="hidden").run()
        return
    groups = {
        session.texts(f"groups.{group.lower()}"): [
            st.Page(
                partial(_show, page, session),
                title=session.texts(f"pages.{page.url}") if f"pages.{page.url}" in session.texts else page.title,
                url_path=page.url,
                icon=page.icon,
                default=page is PAGES[0],
            )
            for page in pages
        ]
        for group, pages in pages_for(session.role).items()
    }
    alone = sum(map(len, groups.values())) == 1
    page = st.navigation(groups, position="hidden" if alone else "sidebar", expanded=True)
    if not alone:
        st.sidebar.html(f'<a href="/sign-in" target="_self" style="color: inherit">{escape(session.person.name)}</a>')
    page.run()


def _nobody_here() -> None:
    st.markdown("### Please sign in\n\n[Go to the sign-in page](/sign-in)")


main()
