"""Roles, the secret, and tokens that cannot be altered."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.study import create_study
from workbench.errors import AccessError
from workbench.people import access_control
from workbench.people.access_control import ROLES, may

KEY = b"k" * 32


def test_each_role_may_what_those_before_it_may() -> None:
    assert [[may(role, needed) for needed in ROLES] for role in ROLES] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_the_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    study = create_study("night", root=tmp_path)
    key = access_control.secret(study)
    assert len(key) == 32
    assert access_control.secret(study) == key
    (file,) = study.private.glob("*secret*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert access_control.secret(create_study("day", root=tmp_path)) != key


@given(st.dictionaries(st.sampled_from(["rater", "language", "x"]), st.text(max_size=30)), st.integers(0, 10**9))
def test_what_was_sealed_comes_back_until_it_ends(content: dict[str, str], expires: int) -> None:
    token = access_control.seal(KEY, "session", content, expires)
    assert access_control.unseal(KEY, "session", token, now=expires) == content
    with pytest.raises(AccessError, match="too old"):
        access_control.unseal(KEY, "session", token, now=expires + 1)


@given(st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    token = access_control.seal(KEY, "session", {"rater": "Mei"}, 100)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda character: character != token[at]))
    with pytest.raises(AccessError, match="not made here"):
        access_control.unseal(KEY, "session", token[:at] + other + token[at + 1 :], now=0)


def test_a_token_serves_one_purpose_and_one_key() -> None:
    token = access_control.seal(KEY, "invitation", {"rater": "Mei"}, 100)
    for key, purpose in ((KEY, "session"), (b"x" * 32, "invitation")):
        with pytest.raises(AccessError, match="ask for a new invitation"):
            access_control.unseal(key, purpose, token, now=0)  # type: ignore[arg-type]
