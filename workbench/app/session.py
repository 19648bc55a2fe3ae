"""The one typed door to st.session_state: which study is served, who is here, in which language."""

import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pipelines.study import Study
from workbench import accounts
from workbench.accounts import Role
from workbench.app import serving
from workbench.app.catalogue import Catalogue, catalogue
from workbench.errors import AccessError

PERSON = "person"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in."""

    rater: str
    name: str
    role: Role
    language: str


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
    token = cookies.get(accounts.cookie_name(serving.key()))
    if not isinstance(token, str):
        return None
    try:
        content = accounts.unseal(serving.key(), "session", token, time.time())
    except AccessError:
        return None
    known = serving.store().rater(content["rater"])
    if known is None or known.kind != "person":
        return None
    return Person(known.rater, known.name, known.role, content.get("language") or known.language)


def current(state: MutableMapping[Any, Any], cookies: Mapping[str, str]) -> Session | None:
    """The session of this tab, or None when nobody is signed in."""
    person = state.get(PERSON) or person_of(cookies)
    if person is None:
        return None
    state[PERSON] = person
    return Session(serving.study(), person, state)
