"""The routes under a real server: who may hear and say what."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from pipelines.study import Study
from tests.small_study import study_with_sound
from tests.workbench.app.route_server import served
from workbench.app.routes import label_api, sign_in
from workbench.app.server import clip_audio
from workbench.people import access_control, invitations
from workbench.store import open_store


class Person:
    """A browser with somebody's cookie."""

    def __init__(self, address: str, study: Study, name: str) -> None:
        self.name = name
        self.address = address
        self.key = access_control.secret(study)
        with open_store(study) as store:
            invitations.add(store, name, "annotator", exist_ok=True)
        self.http = requests.Session()
        token = invitations.invitation(self.key, name, time.time())
        link = f"{address}/sign-in?invitation={token}"
        assert self.http.get(link, allow_redirects=False).status_code == 303

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        return self.http.post(f"{self.address}{path}", json=body, headers=headers)

    def lease(self, n: int = 2) -> list[dict[str, str]]:
        clips: list[dict[str, str]] = self.post("/api/next", {"n": n}).json()["clips"]
        return clips

    def label(self, *events: dict[str, Any]) -> requests.Response:
        return self.post("/api/labels", {"person": access_control.person_mark(self.key, self.name), "events": events})


def event(token: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    made = {"id": f"client-{number:04d}", "token": token, "kind": "answer", "label": "sad", "flags": []}
    return {**made, "note": "", "heard_ms": 900, "age_ms": 12.5, **changes}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = study_with_sound(tmp_path_factory.mktemp("api"), episodes=2, per_episode=4)
    settings = made.settings_file.read_text(encoding="utf-8")
    made.settings_file.write_text(settings.replace("raters_per_clip = 3", "raters_per_clip = 50"), encoding="utf-8")
    return Study(made.root, made.name)


@pytest.fixture(scope="module")
def address(study: Study) -> Iterator[str]:
    with served(study, [*label_api.ROUTES, *sign_in.ROUTES]) as here:
        yield here


@pytest.fixture
def ann(address: str, study: Study, request: pytest.FixtureRequest) -> Iterator[Person]:
    person = Person(address, study, f"Ann of {request.node.name}")
    yield person
    person.http.close()


@pytest.fixture
def ben(address: str, study: Study) -> Iterator[Person]:
    person = Person(address, study, "Ben")
    yield person
    person.http.close()


def test_a_clip_is_heard_labelled_and_acknowledged(ann: Person, study: Study) -> None:
    first, second = ann.lease()
    sound = ann.http.get(ann.address + first["url"])
    assert (sound.status_code, sound.headers["content-type"]) == (200, "audio/wav")
    assert ann.label(event(first["token"], 1), event(second["token"], 2, label=None, flags=["cannot_tell"])).json() == {
        "acked": ["client-0001", "client-0002"],
        "refused": [],
    }
    with open_store(study) as store:
        mine = store.standing(rater=ann.name)
    assert [(one.label, one.flags, one.heard_ms) for one in mine] == [("sad", (), 900), (None, ("cannot_tell",), 900)]
    progress = ann.post("/api/next", {"n": 0}).json()["progress"]
    assert progress["done"] == 2


def test_sent_twice_is_stored_once(ann: Person, study: Study) -> None:
    (clip,) = ann.lease(1)
    sent = event(clip["token"], 77)
    assert ann.label(sent).json()["acked"] == ann.label(sent, sent).json()["acked"] == ["client-0077"]
    with open_store(study) as store:
        assert sum(one.client_id == "client-0077" for one in store.events()) == 1


def test_without_a_good_cookie_nothing_is_given(ann: Person, address: str) -> None:
    (clip,) = ann.lease(1)
    name = access_control.cookie_name(ann.key)
    good = ann.http.cookies[name]
    body, _, signed = good.partition(".")
    old = access_control.seal(ann.key, "session", {"rater": ann.name}, time.time() - 1)
    stranger = access_control.seal(b"another key", "session", {"rater": ann.name}, time.time() + 60)
    invitation = access_control.seal(ann.key, "invitation", {"rater": ann.name}, time.time() + 60)
    nobody = access_control.seal(ann.key, "session", {"rater": "Nobody"}, time.time() + 60)
    for forged in ("", "x", f"{body}.{signed[:-1]}x", f"{body}A.{signed}", old, stranger, invitation, nobody):
        cookies = {name: forged}
        assert requests.post(f"{address}/api/next", json={"n": 1}, cookies=cookies).status_code == 401, forged
        assert requests.get(address + clip["url"], cookies=cookies).status_code == 401, forged


def test_an_address_works_for_one_person_for_a_while_and_unaltered(ann: Person, ben: Person) -> None:
    (clip,) = ann.lease(1)
    path, _, query = clip["url"].partition("?")
    assert ben.http.get(ann.address + clip["url"]).status_code == 403
    assert ann.http.get(f"{ann.address}{path}").status_code == 403
    assert ann.http.get(f"{ann.address}{path}?{query[:-1]}x").status_code == 403
    later = query.replace("exp=", "exp=1")
    assert ann.http.get(f"{ann.address}{path}?{later}").status_code == 403
    over = clip_audio.clip_url(ann.key, ann.name, clip["token"], time.time() - clip_audio.CLIP_URL_S - 1)
    assert ann.http.get(ann.address + over).status_code == 410
    unknown = clip_audio.clip_url(ann.key, ann.name, "no-such-token", time.time())
    assert ann.http.get(ann.address + unknown).status_code == 404


def test_another_raters_token_is_worth_nothing(ann: Person, ben: Person, study: Study) -> None:
    (clip,) = ann.lease(1)
    assert ben.post("/api/clip", {"token": clip["token"]}).status_code == 404
    answer = ben.label(event(clip["token"], 5)).json()
    assert answer["acked"] == []
    assert answer["refused"] == [{"id": "client-0005", "reason": "no clip was given to this rater under this token"}]
    with open_store(study) as store:
        assert store.standing(rater="Ben") == []


def test_answers_of_a_page_opened_by_somebody_else_are_not_taken(ann: Person, ben: Person, study: Study) -> None:
    (clip,) = ben.lease(1)
    body = {"person": access_control.person_mark(ann.key, ann.name), "events": [event(clip["token"], 6)]}
    assert ben.post("/api/labels", body).status_code == 409


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"label": "bored"}, "unknown label 'bored'"),
        ({"flags": ["loud"]}, "unknown flag 'loud'"),
        ({"label": None}, "needs a label"),
        ({"kind": "delete"}, "kind"),
        ({"heard_ms": -1}, "heard_ms"),
        ({"rater": "Ben"}, "rater"),
        ({"note": "x" * 501}, "note"),
    ],
)
def test_one_bad_event_is_refused_alone(ann: Person, changes: dict[str, Any], says: str) -> None:
    (clip,) = ann.lease(1)
    good = event(clip["token"], 1, id=f"good-{time.time_ns()}")
    answer = ann.label(event(clip["token"], 8, **changes), good).json()
    assert answer["acked"] == [good["id"]]
    (refused,) = answer["refused"]
    assert refused["id"] == "client-0008"
    assert says in refused["reason"]


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
def test_another_site_cannot_speak_for_somebody(ann: Person, headers: dict[str, str]) -> None:
    assert ann.post("/api/next", {"n": 1}, **headers).status_code == 403
    assert ann.post("/sign-out", {}, **headers).status_code == 403


@pytest.mark.parametrize("body", [{}, {"n": 1000}, {"n": 1, "more": 2}, [], "x"])
def test_a_malformed_request_is_refused(ann: Person, body: Any) -> None:
    answer = ann.post("/api/next", body)
    assert answer.status_code == 422
    assert answer.json()["error"]


def test_what_the_page_holds_is_not_given_again(ann: Person) -> None:
    held = [clip["token"] for clip in ann.lease(3)]
    more = ann.post("/api/next", {"n": 3, "have": held}).json()["clips"]
    assert more and not {clip["token"] for clip in more} & set(held)
    assert {clip["token"] for clip in ann.lease(3)} == set(held), "a page that was reloaded goes on where it was"


def test_a_clip_whose_sound_is_gone_is_not_there(ann: Person, study: Study) -> None:
    (clip,) = ann.lease(1)
    with open_store(study) as store:
        assignment = store.assignment(clip["token"])
    assert assignment is not None
    path = study.clip_path(assignment.clip_id)
    moved = path.rename(path.with_suffix(".away"))
    answer = ann.http.get(ann.address + clip["url"])
    moved.rename(path)
    assert answer.status_code == 404
    assert assignment.clip_id not in answer.text
