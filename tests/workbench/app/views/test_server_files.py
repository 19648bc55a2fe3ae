"""Files of the server on the Ingest page: all on one's own machine, for others those in folders that were opened."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pipelines.errors import ConfigError
from pipelines.study import ROOT_VARIABLE, Study, create_study
from tests.workbench.app.page_harness import page
from tests.workbench.app.routes.test_sign_in import ask, bound, cookie_of, door_of
from workbench.app.page.session import Person, Session, person_of
from workbench.app.views.ingest import server_files
from workbench.app.views.ingest.server_files import open_folders
from workbench.jobs import jobs
from workbench.people import access_control, invitations
from workbench.status.source_requests import asked_lines, asked_table
from workbench.store import open_store

__all__ = ["bound"]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    made = create_study("night", rights_basis="mine", root=tmp_path)
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "one.wav").touch()
    (tmp_path / "secret.wav").touch()
    (made.private / "private.toml").write_text(f'source_folders = ["{tmp_path}/open"]\n')
    with open_store(made) as store:
        invitations.add(store, "Cura", "curator")
    return made


def session(study: Study, *, is_owner: bool = False) -> Session:
    return Session(study, Person("Cura", "Cura", "curator", "en", is_owner=is_owner), {})


@pytest.mark.parametrize(
    ("address", "headers", "is_owner", "everything"),
    [
        ("127.0.0.1", {}, True, True),
        ("127.0.0.1", {}, False, False),
        ("0.0.0.0", {}, True, False),
        ("", {}, True, False),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.9"}, True, False),
    ],
)
def test_all_files_are_for_the_owner_at_their_own_machine(
    study: Study, bound: Any, monkeypatch: pytest.MonkeyPatch, address: str, headers: dict[str, str],
    is_owner: bool, everything: bool,
) -> None:  # fmt: skip
    bound(address)
    monkeypatch.setattr(type(st.context), "headers", property(lambda _: headers))
    found = open_folders(study, session(study, is_owner=is_owner))
    assert found == (None if everything else (study.media, study.root / "open"))


@pytest.mark.parametrize("folder", ["relative", "/", "~/films"])
def test_half_a_folder_is_refused_in_a_sentence(study: Study, folder: str) -> None:
    (study.private / "private.toml").write_text(f'source_folders = ["{folder}"]\n')
    with pytest.raises(ConfigError, match="source_folders: expected the whole path of a folder, found"):
        open_folders(study, session(study))


def test_only_the_door_makes_an_owner_and_a_change_of_language_keeps_one(study: Study, bound: Any) -> None:
    bound("127.0.0.1")

    def is_owner(headers: dict[str, str]) -> bool:
        person = person_of(dict([cookie_of(headers).split("=", 1)]))
        assert person is not None
        return person.is_owner

    key = access_control.secret(study)
    invitation = f"/sign-in?invitation={invitations.invitation(key, 'Cura', time.time())}"
    assert not is_owner(ask("GET", invitation)[1])
    assert is_owner(ask("GET", f"{invitation}&door={access_control.door(key, time.time())}")[1])
    assert not is_owner(ask("GET", f"{invitation}&door=x")[1])
    _, headers, _ = ask("POST", "/sign-in", {"known": "Cura"}, cookie=door_of(study))
    assert is_owner(headers)
    _, headers, _ = ask(
        "POST", "/api/language", '{"language": "zh-Hant"}', cookie=cookie_of(headers), sec_fetch_site="same-origin"
    )
    assert is_owner(headers)


def test_of_files_elsewhere_not_even_whether_they_are_there_is_told(study: Study) -> None:
    within = [study.media, study.root / "open"]
    told = [
        asked_lines(line, study.root, within=within).problems
        for line in ("secret.wav", "none.wav", "/etc/passwd", "open/../secret.wav", "/root", "~nobody/x")
    ]
    assert len(set(told)) == 1 and "taken here only out of data/night/media, open; put it there" in told[0][0]
    assert asked_lines("open/one.wav\nopen\nhttps://example.org/a.mp4", study.root, within=within).is_ready
    assert "there is no file" in asked_lines("open/none.wav", study.root, within=within).problems[0]
    for uri, words in (("secret.wav", "only out of"), ("/etc/passwd", "only out of"), ("open/none.wav", "no file")):
        (problem,) = asked_table(f"uri,rights_basis\n{uri},mine", study, within=within).problems
        assert words in problem
    assert asked_lines("secret.wav", study.root).is_ready, "on one's own machine"


def test_the_page_says_it_and_hands_the_fence_on_to_what_it_starts(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def start(study: Study, argv: list[str], title: str, **_: object) -> jobs.Job:
        asked.append(list(argv))
        return jobs.Job(study.jobs / "none", tuple(argv), title, 0.0, "waiting")

    monkeypatch.setattr(jobs, "start", start)
    monkeypatch.setattr(server_files, "is_alone", lambda: True)
    monkeypatch.setenv("TEST_VIEW", "workbench.app.views.ingest:show")
    monkeypatch.setenv("TEST_ROLE", "curator")
    app = AppTest.from_function(page, default_timeout=120).run()
    lines: Callable[[], Any] = lambda: app.text_area(key="lines-Addresses")  # noqa: E731
    lines().set_value("secret.wav").run()
    assert "taken here only out of" in app.warning[0].value and app.button(key="start").disabled
    lines().set_value("open/one.wav").run()
    app.button(key="start").click().run()
    fence = ["--within", str(study.media), "--within", str(study.root / "open")]
    assert asked == [["ingest", str(study.root / "open" / "one.wav"), *fence, "--study", "night", "--json"]]
