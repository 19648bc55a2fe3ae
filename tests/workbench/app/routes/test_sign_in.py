"""Signing in: by name on one's own machine, by invitation elsewhere."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from streamlit import config

from pipelines.study import ROOT_VARIABLE, Study
from tests.workbench.silent_study import study_with_clips
from workbench.app.page.session import person_of
from workbench.app.routes import clipper_api, sign_in
from workbench.app.server.streamlit_options import streamlit_options
from workbench.people import access_control, invitations
from workbench.store import open_store


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return study_with_clips(tmp_path)


@pytest.fixture
def bound() -> Iterator[Any]:
    """Set the address that Streamlit is bound to."""
    before = config.get_option("server.address")
    yield lambda address: config.set_option("server.address", address)
    config.set_option("server.address", before)


def ask(
    method: str, path: str, form: dict[str, str] | str | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    """One request to the routes: status, headers, body."""
    app = Starlette(
        routes=[
            *sign_in.ROUTES,
            *clipper_api.ROUTES,
            Route("/label", lambda _: PlainTextResponse("the page")),
            Route("/_stcore/upload_file/{session}/{file}", lambda _: PlainTextResponse("taken"), methods=["PUT"]),
        ],
        middleware=[Middleware(sign_in.SignedInPages)],
    )
    content = (form if isinstance(form, str) else urlencode(form or {})).encode()
    given = {"host": "127.0.0.1:8501", "accept": "text/html", **{k.replace("_", "-"): v for k, v in headers.items()}}
    if form is not None:
        given["content-type"] = "application/x-www-form-urlencoded"
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "scheme": "http",
        "server": ("127.0.0.1", 8501),
        "http_version": "1.1",
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:]).decode()


def cookie_of(headers: dict[str, str]) -> str:
    return headers["set-cookie"].split(";")[0]


def door_of(study: Study) -> str:
    """The cookie that the link printed by `serve` leaves behind."""
    _, headers, body = ask("GET", f"/sign-in?door={access_control.door(access_control.secret(study), time.time())}")
    assert "<form" in body
    return cookie_of(headers)


def test_a_name_is_enough_on_ones_own_machine_behind_the_door(study: Study, bound: Any) -> None:
    bound("127.0.0.1")
    status, headers, _ = ask(
        "POST", "/sign-in", {"name": " Mei  Lin ", "role": "curator", "language": "zh-Hant"}, cookie=door_of(study)
    )
    assert (status, headers["location"]) == (303, "/")
    assert "httponly" in headers["set-cookie"].lower() and "samesite=lax" in headers["set-cookie"].lower()
    name, _, value = cookie_of(headers).partition("=")
    person = person_of({name: value})
    assert person is not None
    assert (person.rater, person.role, person.language) == ("Mei Lin", "curator", "zh-Hant")
    assert ask("GET", "/label", cookie=cookie_of(headers))[2] == "the page"


@pytest.mark.parametrize("door", ["", "no.door", "over"])
def test_being_on_the_machine_is_not_enough(study: Study, bound: Any, door: str) -> None:
    bound("127.0.0.1")
    given = access_control.door(access_control.secret(study), 0) if door == "over" else door
    body = ask("GET", f"/sign-in?door={given}")[2]
    assert "<form" not in body and "workbench serve" in body
    assert ask("POST", f"/sign-in?door={given}", {"name": "Eve", "role": "researcher"})[0] == 403


@pytest.mark.parametrize(("role", "status"), [("", 403), ("annotator", 403), ("curator", 200), ("researcher", 200)])
def test_files_are_taken_of_curators_only(study: Study, bound: Any, role: str, status: int) -> None:
    bound("127.0.0.1")
    given = {}
    if role:
        _, headers, _ = ask("POST", "/sign-in", {"name": f"{role} X", "role": role}, cookie=door_of(study))
        given = {"cookie": cookie_of(headers)}
    assert ask("PUT", "/_stcore/upload_file/some-session/some-file", "x", **given)[0] == status
    assert streamlit_options()["server.maxUploadSize"] == 10


def test_a_known_name_signs_in_with_the_role_it_has(study: Study, bound: Any) -> None:
    bound("127.0.0.1")
    with open_store(study) as store:
        invitations.add(store, "Ada", "researcher")
        ask("POST", "/sign-in", {"name": "ada", "role": "annotator"}, cookie=door_of(study))
        assert [(one.rater, one.role) for one in invitations.listed(store)] == [("Ada", "researcher")]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"language": "xx"}', '{"language": 5}'])
def test_a_strange_language_is_refused_in_words(study: Study, bound: Any, content: str) -> None:
    bound("127.0.0.1")
    _, headers, _ = ask("POST", "/sign-in", {"name": "Mei"}, cookie=door_of(study))
    assert ask("POST", "/api/language", content, cookie=cookie_of(headers))[0] == 422
    assert ask("POST", "/api/language", content)[0] == 401


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("0.0.0.0", {}),
        ("127.0.0.1", {"host": "labels.example.org"}),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.9"}),
        (None, {}),
    ],
)
def test_elsewhere_an_invitation_is_needed(study: Study, bound: Any, address: str, headers: dict[str, str]) -> None:
    bound(address)
    assert "the link that your curator sends you" in ask("GET", "/sign-in", **headers)[2]
    assert ask("POST", "/sign-in", {"name": "Eve", "role": "researcher"}, **headers)[0] == 403
    with open_store(study) as store:
        assert invitations.listed(store) == []


def test_an_invitation_signs_in_and_a_forged_one_does_not(study: Study, bound: Any) -> None:
    bound("0.0.0.0")
    with open_store(study) as store:
        invitations.add(store, "Mei", "annotator", language="zh-Hant")
    key = access_control.secret(study)
    good = invitations.invitation(key, "Mei", time.time())
    status, headers, _ = ask("GET", f"/sign-in?invitation={good}&next=/label")
    assert (status, headers["location"]) == (303, "/label")
    for bad in (
        good[:-2] + "xx",
        invitations.invitation(b"other", "Mei", time.time()),
        invitations.invitation(key, "Mei", 0),
    ):
        status, headers, body = ask("GET", f"/sign-in?invitation={bad}")
        assert status == 200 and "set-cookie" not in headers
        assert "ask for a new invitation" in body
    assert (
        "nobody named &#x27;Eve&#x27;"
        in ask("GET", f"/sign-in?invitation={invitations.invitation(key, 'Eve', time.time())}")[2]
    )


@pytest.mark.parametrize("after", ["https://evil.example", "//evil.example", "/\\evil.example", "label", "/a\nb"])
def test_one_is_sent_on_within_this_server_only(study: Study, after: str) -> None:
    with open_store(study) as store:
        invitations.add(store, "Mei", "annotator")
    token = invitations.invitation(access_control.secret(study), "Mei", time.time())
    _, headers, _ = ask("GET", f"/sign-in?{urlencode({'invitation': token, 'next': after})}")
    assert headers["location"] == "/"


def test_pages_send_a_stranger_to_sign_in_and_back(study: Study) -> None:
    status, headers, _ = ask("GET", "/label")
    assert (status, headers["location"]) == (303, "/sign-in?next=/label")


def test_names_are_shown_as_text(study: Study, bound: Any) -> None:
    bound("127.0.0.1")
    ask("POST", "/sign-in", {"name": "<b>Mei</b>", "role": "annotator"}, cookie=door_of(study))
    body = ask("GET", "/sign-in", cookie=door_of(study))[2]
    assert "<b>Mei" not in body and "&lt;b&gt;Mei" in body


def test_signing_out_forgets(study: Study) -> None:
    status, headers, _ = ask("POST", "/sign-out", {})
    assert (status, headers["location"]) == (303, "/sign-in")
    assert "Max-Age=0" in headers["set-cookie"]


def test_a_role_taken_away_is_gone_at_once(study: Study, bound: Any) -> None:
    bound("127.0.0.1")
    _, headers, _ = ask("POST", "/sign-in", {"name": "Mei", "role": "researcher"}, cookie=door_of(study))
    name, _, value = cookie_of(headers).partition("=")
    with open_store(study) as store:
        store.change_rater("Mei", role="annotator")
    person = person_of({name: value})
    assert person is not None and person.role == "annotator"
