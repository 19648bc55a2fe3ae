"""The one typed door to st.session_state: which study is served, who is here, in which language."""

import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar, cast

from pipelines.study import Study
from workbench.app.server import served_study
from workbench.app.translations import Catalogue, catalogue
from workbench.errors import AccessError
from workbench.people import access_control
from workbench.people.access_control import Role, may

PERSON = "person"

Value = TypeVar("Value")


Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in. `sign_in` names this sign-in in this browser; `is_owner`: by the link that `serve` prints."""

    rater: str
    name: str
    role: Role
    language: str
    sign_in: str = ""
    is_owner: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """A tab whose person has signed out, was taken out, or may do less than when it was opened."""

    why: Literal["signed_out", "role"]
    language: str

    @property
    def sentence(self) -> str:
        """What the tab says instead of its page."""
        return catalogue(self.language)(f"problems.{self.why}")

    @property
    def way_on(self) -> tuple[str, str]:
        """Where one goes from there: the words of the link, and its address."""
        words = catalogue(self.language)(f"problems.{self.why}_next")
        return words, "/" if self.why == "role" else "/sign-in"


class Session:
    """What one browser tab knows. Views read it through here and keep their own values with `recall` and `keep`."""

    def __init__(self, study: Study, person: Person, state: MutableMapping[Any, Any]) -> None:
        self.study = study
        self.person = person
        self._state = state

    @property
    def rater(self) -> str:
        """The rater id of who is signed in."""
        return self.person.rater

    @property
    def role(self) -> Role:
        return self.person.role

    @property
    def language(self) -> str:
        """Of the pages, such as `en` or `zh-Hant`."""
        return self.person.language

    @property
    def texts(self) -> Catalogue:
        """The words of the pages in this person's language."""
        return catalogue(self.language)

    def recall(self, name: str, otherwise: Value) -> Value:
        """What a view kept under `name` in this tab, else `otherwise`."""
        return cast(Value, self._state.get(f"view.{name}", otherwise))

    def keep(self, name: str, value: object) -> None:
        """Keep a view's value for as long as this tab lives."""
        self._state[f"view.{name}"] = value


def person_of(cookies: Mapping[str, str]) -> Person | None:
    """Who the sign-in cookie says is here, as the store knows them now; None when nobody is, or no longer."""
    token = cookies.get(access_control.cookie_name(served_study.key()))
    if not isinstance(token, str):
        return None
    try:
        content = access_control.unseal(served_study.key(), "session", token, time.time())
    except AccessError:
        return None
    sign_in = content.get("sign_in") or token.rpartition(".")[2]
    known = served_study.store().rater(content["rater"])
    if known is None or known.kind != "person" or access_control.has_ended(served_study.study(), sign_in):
        return None
    language = content.get("language") or known.language
    return Person(known.rater, known.name, known.role, language, sign_in, is_owner=bool(content.get("owner")))


def current(state: MutableMapping[Any, Any], cookies: Mapping[str, str]) -> Session | Closed | None:
    """The session of this tab, asked anew at each action; None when nobody is signed in.

    A tab was made for one person in one role. Where that is over, or the role is a lesser one now, the tab is closed
    until it is loaded again: what stands in it belongs to what they were.
    """
    person, first = person_of(cookies), state.get(PERSON)
    if isinstance(first, Person):
        if person is None or person.rater != first.rater:
            return Closed("signed_out", first.language)
        if not may(person.role, first.role):
            return Closed("role", first.language)
    if person is None:
        return None
    state[PERSON] = person
    return Session(served_study.study(), person, state)


def fragment(draw: Callable[Arguments, None], *, run_every: float | None) -> Callable[Arguments, None]:
    """`st.fragment`, drawn again by itself without the rest of the page, for as long as the tab is not closed."""
    import streamlit as st

    with_page = [True]

    @wraps(draw)
    def drawn(*given: Arguments.args, **more: Arguments.kwargs) -> None:
        if with_page:  # then the router has just asked
            with_page.clear()
        elif not isinstance(current(st.session_state, st.context.cookies), Session):
            st.rerun()  # the whole page says why
        draw(*given, **more)

    again: Callable[Arguments, None] = st.fragment(drawn, run_every=run_every)
    return again
