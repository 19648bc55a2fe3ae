"""People from the shell."""

import json
import socket
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.study import ROOT_VARIABLE, Study
from tests.workbench.command_line import call
from tests.workbench.silent_study import study_with_clips
from workbench.app import server_process
from workbench.app.server.served_study import STUDY_VARIABLE
from workbench.people import access_control, invitations
from workbench.store import open_store


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return study_with_clips(tmp_path)


def test_add_invite_and_list(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "user", "add", "美 Lin", "--role", "curator")[0] == 0
    code, out, _ = call(capsys, "user", "invite", "美 Lin", "--address", "https://labels.example.org/", "--json")
    link = urlsplit(json.loads(out)["link"])
    assert (code, link.netloc, link.path) == (0, "labels.example.org", "/sign-in")
    with open_store(study) as store:
        invited = invitations.invited(access_control.secret(study), store, parse_qs(link.query)["invitation"][0], 0)
    assert invited.rater == "美 Lin"
    code, out, _ = call(capsys, "user", "list", "--json")
    assert json.loads(out) == {"people": [{"rater": "美 Lin", "role": "curator", "language": "", "answers": 0}]}


def test_an_invitation_leads_to_where_the_study_is_served(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    people_at = []

    def serving(listening: socket.socket, _: str | None) -> None:
        people_at.append(listening.getsockname()[1])
        people_at.append(urlsplit(call(capsys, "user", "invite", "Mei")[1].splitlines()[-1]).port)
        listening.close()

    monkeypatch.setattr(server_process, "_serve", serving)
    monkeypatch.setattr(server_process, "_set_up_streamlit", lambda _: None)
    monkeypatch.setenv(STUDY_VARIABLE, "")
    call(capsys, "user", "add", "Mei")
    server_process.run(study, host="127.0.0.1", port=0, open_browser=False, sign_in=None)
    assert people_at[0] == people_at[1] != 8501
    assert urlsplit(call(capsys, "user", "invite", "Mei")[1]).port == 8501


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("user", "invite", "Nobody"), "there is nobody named 'Nobody'"),
        (("user", "add", "  "), "a name is needed"),
        (("user", "add", "Mei", "--role", "king"), "king"),
        (("user", "add", "Mei", "--study", "../up"), "is not valid"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    study: Study, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    code, _, err = call(capsys, *arguments)
    assert code == 2
    assert says in err and "Traceback" not in err


def test_a_name_is_taken_once(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "user", "add", "Mei")
    code, _, err = call(capsys, "user", "add", " Mei ")
    assert code == 2
    assert "already someone named 'Mei'" in err
