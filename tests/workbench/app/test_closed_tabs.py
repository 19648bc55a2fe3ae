"""A tab that was left open gives nobody powers that they have lost: asked at each action, by page and by route."""

import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pipelines.study import ROOT_VARIABLE, Study
from tests.workbench.app.routes.test_sign_in import ask
from tests.workbench.silent_study import study_with_clips
from workbench.app.page import session
from workbench.app.page.session import Closed, Session, current, fragment, person_of
from workbench.app.translations import catalogue
from workbench.people import access_control, invitations
from workbench.people.access_control import Role
from workbench.store import open_store

ROUTER = str(files("workbench.app").joinpath("router.py"))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    made = study_with_clips(tmp_path)
    with open_store(made) as store:
        invitations.add(store, "Cura", "curator")
    return made


@pytest.fixture
def jar(study: Study, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the browser sent when the tab was opened: signed in as Cura."""
    invitation = invitations.invitation(access_control.secret(study), "Cura", time.time())
    _, headers, _ = ask("GET", f"/sign-in?invitation={invitation}")
    name, _, rest = headers["set-cookie"].partition("=")
    held = {name: rest.partition(";")[0]}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: held))
    return held


def cookie(jar: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in jar.items())


def change(study: Study, role: Role) -> None:
    with open_store(study) as store:
        store.change_rater("Cura", role=role)


@pytest.mark.parametrize("why", ["role", "signed_out"])
def test_an_open_page_is_closed_with_a_sentence(study: Study, jar: dict[str, str], why: str) -> None:
    page = AppTest.from_file(ROUTER).run(timeout=120)
    assert not page.exception and not page.warning
    if why == "role":
        change(study, "annotator")
    else:
        assert ask("POST", "/sign-out", "", cookie=cookie(jar))[0] == 303
    page.run(timeout=120)
    assert [one.value for one in page.warning] == [catalogue("en")(f"problems.{why}")]
    assert not page.button and not page.exception
    page.run(timeout=120)
    assert len(page.warning) == 1, "until it is loaded again"


def test_a_sign_in_ends_for_every_tab_of_its_browser_and_no_other(study: Study, jar: dict[str, str]) -> None:
    invitation = invitations.invitation(access_control.secret(study), "Cura", time.time())
    _, headers, _ = ask("GET", f"/sign-in?invitation={invitation}")
    elsewhere = dict([headers["set-cookie"].partition(";")[0].split("=", 1)])
    _, headers, _ = ask(
        "POST", "/api/language", '{"language": "zh-Hant"}', cookie=cookie(jar), sec_fetch_site="same-origin"
    )
    newer = dict([headers["set-cookie"].partition(";")[0].split("=", 1)])
    assert newer != jar and person_of(newer) is not None
    ask("POST", "/sign-out", "", cookie=cookie(newer))
    assert person_of(newer) is None and person_of(jar) is None, "a cookie of before the change of language too"
    assert person_of(elsewhere) is not None
    stranger = access_control.seal(b"another key", "session", {"rater": "Cura", "sign_in": "x"}, time.time() + 60)
    ask("POST", "/sign-out", "", cookie=f"{next(iter(jar))}={stranger}")
    assert len(list((study.private / "signed_out").iterdir())) == 1


def test_what_was_signed_out_long_ago_is_forgotten(study: Study) -> None:
    access_control.end_sign_in(study, "old", time.time())
    access_control.end_sign_in(study, "new", time.time() + access_control.SESSION_S + 60)
    assert not access_control.has_ended(study, "old") and not access_control.has_ended(study, "another")


@pytest.mark.parametrize(
    ("role", "found"), [("annotator", "role"), ("curator", None), ("researcher", None)], ids=["less", "same", "more"]
)
def test_only_a_lesser_role_closes_a_tab(study: Study, jar: dict[str, str], role: Role, found: str | None) -> None:
    state: dict[Any, Any] = {}
    assert isinstance(current(state, jar), Session)
    change(study, role)
    now = current(state, jar)
    assert now.why == found if isinstance(now, Closed) else isinstance(now, Session) and now.role == role
    assert isinstance(now, Closed) == (found is not None)
    assert isinstance(current({}, jar), Session), "loaded again it is what they are now"
    assert current({}, {}) is None
    closed = current(state, {})
    assert isinstance(closed, Closed) and closed.why == "signed_out"


def test_an_expired_sign_in_closes_a_tab(study: Study, jar: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[Any, Any] = {}
    assert isinstance(current(state, jar), Session)
    later = time.time() + access_control.SESSION_S + 1
    monkeypatch.setattr(session.time, "time", lambda: later)
    assert isinstance(current(state, jar), Closed)


def test_a_part_that_is_drawn_again_alone_asks_too(
    study: Study, jar: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class WholePage(Exception):
        pass

    def whole_page() -> None:
        raise WholePage

    kept: list[Any] = []
    drawn: list[str] = []
    monkeypatch.setattr(st, "fragment", lambda draw, run_every: kept.append(draw) or draw)
    monkeypatch.setattr(st, "rerun", whole_page)
    monkeypatch.setattr(st, "session_state", state := {})
    assert isinstance(current(state, jar), Session)
    fragment(drawn.append, run_every=1.0)("a job")
    kept[0]("a job")
    change(study, "annotator")
    with pytest.raises(WholePage):
        kept[0]("a job")
    assert drawn == ["a job", "a job"]


def test_the_clippers_routes_ask_at_each_request(study: Study, jar: dict[str, str]) -> None:
    def standing() -> tuple[int, str]:
        status, _, body = ask("POST", "/api/clipper/standing", '{"source": "none"}', cookie=cookie(jar))
        return status, body

    said = [standing()]
    change(study, "annotator")
    said.append(standing())
    change(study, "curator")
    ask("POST", "/sign-out", "", cookie=cookie(jar))
    said.append(standing())
    assert [status for status, _ in said] == [404, 403, 401]
    assert "this is for a curator of the study" in said[1][1] and "sign in first" in said[2][1]
