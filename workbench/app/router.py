"""The entry script of the pages: who is here, which pages their role has, and the page that the URL names.

The pages themselves are listed in workbench.app.page_registry.
"""

import logging
from functools import partial
from html import escape
from importlib import import_module
from importlib.resources import files

import streamlit as st

from pipelines.errors import PipelineError
from workbench.app.components import console
from workbench.app.page import session as sessions
from workbench.app.page.session import Closed, Session
from workbench.app.page_registry import HOME, Page, first_for, pages_for
from workbench.app.server import served_study
from workbench.people import access_control


def _show(page: Page, session: Session) -> None:
    module, function = page.view.split(":")
    try:
        getattr(import_module(module), function)(session.study, session)
    except PipelineError as error:
        if session.role != "annotator":
            st.error(str(error))
            return
        logging.getLogger(__name__).exception("the page '%s' could not be shown to an annotator", page.url)
        st.error(session.texts("problems.page"))  # the sentence itself could name a file or a source


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
    if isinstance(session, Closed):
        closed = partial(_closed, session)
        st.navigation([st.Page(closed, title="Closed", url_path="closed", default=True)], position="hidden").run()
        return
    allowed = pages_for(session.role)
    made = {page.url: _page(page, session) for pages in allowed.values() for page in pages}
    groups = {
        session.texts(f"groups.{group.lower()}"): [made[page.url] for page in pages] for group, pages in allowed.items()
    }
    alone = len(made) == 1
    # Streamlit ignores the address of its default page, so that is a page of its own which leads to the first one.
    home = partial(st.switch_page, made[first_for(session.role).url])
    next(iter(groups.values())).append(st.Page(home, title="Home", url_path=HOME, default=True, visibility="hidden"))
    page = st.navigation(groups, position="hidden" if alone else "sidebar", expanded=True)
    if not alone:
        person = access_control.person_mark(served_study.key(), session.rater)
        with st.sidebar:
            told = console.account(person=person, name=session.person.name, language=session.language)
            console.sidebar()(key="account", data=told)
    page.run()


def _page(page: Page, session: Session) -> st.Page:
    key = f"pages.{page.url}"
    return st.Page(
        partial(_show, page, session),
        title=session.texts(key) if key in session.texts else page.title,
        url_path=page.url,
        icon=page.icon,
    )


def _closed(tab: Closed) -> None:
    words, address = tab.way_on
    st.warning(tab.sentence, icon=":material/lock:")
    st.html(f'<a href="{address}">{escape(words)}</a>')  # a link in Markdown would open another tab


def _nobody_here() -> None:
    st.markdown("### Please sign in\n\n[Go to the sign-in page](/sign-in)")


main()
