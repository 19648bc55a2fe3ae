"""A page as AppTest runs it, for somebody who is signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import pytest
from streamlit.testing.v1 import AppTest

from pipelines.study import Study
from workbench.app.server import served_study
from workbench.people.access_control import Role


class Viewed(Protocol):
    """Opens a view, `module:function`, with the query that its address has."""

    def __call__(self, study: Study, view: str, role: Role, /, *, owner: bool = False, **query: str) -> AppTest: ...


def page() -> None:
    """The script that AppTest runs: the router's page for a signed-in researcher."""
    import os
    from importlib import import_module

    import streamlit as st

    from pipelines.errors import PipelineError
    from workbench.app.page.session import Person, Session
    from workbench.app.server import served_study

    study = served_study.study()
    role, is_owner = os.environ["TEST_ROLE"], "TEST_OWNER" in os.environ
    person = Person("ada", "Ada", role, "en", is_owner=is_owner)  # type: ignore[arg-type]
    session = Session(study, person, st.session_state)
    module, function = os.environ["TEST_VIEW"].split(":")
    try:
        getattr(import_module(module), function)(study, session)
    except PipelineError as error:
        st.error(str(error))


def words(app: AppTest) -> str:
    """All that the page says."""
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error, app.success, app.code, app.metric, app.button)
    return "\n".join(str(getattr(one, "label", "")) + " " + str(one.value) for kind in kinds for one in kind)


@contextmanager
def viewing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Viewed]:
    """What opens views until the end of a test."""

    def run(study: Study, view: str, role: Role, /, *, owner: bool = False, **query: str) -> AppTest:
        told = {"WORKBENCH_ROOT": str(study.root), "WORKBENCH_STUDY": study.name, "TEST_VIEW": view, "TEST_ROLE": role}
        for name, value in (told | ({"TEST_OWNER": "yes"} if owner else {})).items():
            monkeypatch.setenv(name, value)
        app = AppTest.from_function(page, default_timeout=120)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception
        return app

    yield run
    served_study._store.cache_clear()
