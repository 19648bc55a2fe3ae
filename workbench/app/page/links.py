"""Ways from one page to another, with what the next page should show in its URL."""

import streamlit as st

from workbench.app.page.session import Session
from workbench.app.page_registry import needed_for
from workbench.people.access_control import may


def is_open(session: Session, url: str) -> bool:
    """Whether this person may open the page."""
    return may(session.role, needed_for(url))


def link(session: Session, url: str, label: str, *, icon: str | None = None, **query: str) -> None:
    """A link to a page; plain text for someone who may not open it."""
    if is_open(session, url):
        st.page_link(_page(url), label=label, icon=icon, query_params=query or None)
    else:
        st.caption(f"{label} (for a {needed_for(url)})")


def go(url: str, **query: str) -> None:
    """Leave for another page now."""
    st.switch_page(_page(url), query_params=query or None)


def button(session: Session, url: str, label: str, *, key: str, **query: str) -> None:
    """The page's next useful action: a button that leads to another page."""
    if is_open(session, url):
        if st.button(label, type="primary", key=key):
            go(url, **query)
    else:
        st.caption(f"{label}: ask a {needed_for(url)} of this study")


def _page(url: str) -> st.Page:
    """Streamlit knows a page by its URL path alone, so the router's own page answers to this one."""
    return st.Page(_elsewhere, title=url.capitalize(), url_path=url)


def _elsewhere() -> None:
    """Never run: the router's page of the same path is."""
