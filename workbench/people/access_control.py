"""Who may do what: roles, and signed tokens that say who someone is.

Nothing is remembered here but one secret, and which sign-ins were ended before their time.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from workbench.errors import AccessError

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.study import Study

Role: TypeAlias = Literal["annotator", "curator", "researcher"]

#: Each role may do what the ones before it may.
ROLES: tuple[Role, ...] = ("annotator", "curator", "researcher")

Purpose: TypeAlias = Literal["session", "invitation", "clip", "person", "door", "window"]

SESSION_S = 30 * 24 * 3600
INVITATION_S = 14 * 24 * 3600
DOOR_S = 12 * 3600


def may(role: Role, needed: Role) -> bool:
    """Whether someone with `role` may do what `needed` may."""
    return ROLES.index(role) >= ROLES.index(needed)


def secret(study: "Study") -> bytes:
    """The study's signing key, 32 random bytes in its private folder; made on first use, readable by its owner only."""
    path = study.private / "secret.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".secret.{secrets.token_hex(8)}")
    if not path.exists():
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # the first of several processes wins, and the file is never seen half-written
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


def signature(key: bytes, purpose: Purpose, text: str) -> str:
    """HMAC-SHA256 of `text`, URL-safe; a signature made for one purpose is worth nothing for another."""
    return _encode(hmac.digest(key, f"{purpose}\n{text}".encode(), "sha256"))


def is_signed(key: bytes, purpose: Purpose, text: str, given: str) -> bool:
    """Whether `given` is the signature of `text`, compared in constant time."""
    return hmac.compare_digest(signature(key, purpose, text).encode(), given.encode())


def seal(key: bytes, purpose: Purpose, content: Mapping[str, Any], expires: float) -> str:
    """`content` as a signed token that ends at `expires` (seconds since 1970). Signed, not secret."""
    body = _encode(json.dumps({**content, "exp": int(expires)}, separators=(",", ":")).encode())
    return f"{body}.{signature(key, purpose, body)}"


def unseal(key: bytes, purpose: Purpose, token: str, now: float) -> dict[str, Any]:
    """What `seal` was given. Raises AccessError when the token was altered, made for something else, or is over."""
    body, _, given = token.partition(".")
    if not given or not is_signed(key, purpose, body, given):
        raise AccessError("this link or sign-in was not made here: ask for a new invitation")
    content: dict[str, Any] = json.loads(_decode(body))
    if content.pop("exp") < now:
        raise AccessError("this link or sign-in is too old: ask for a new invitation")
    return content


def new_sign_in() -> str:
    """A name for one sign-in in one browser, by which it can be ended."""
    return secrets.token_urlsafe(12)


def end_sign_in(study: "Study", sign_in: str, now: float) -> None:
    """Let a sign-in be worth nothing from now on, wherever its cookie is still held: a page that was left open."""
    folder = _ended(study)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / sign_in).touch()
    for file in folder.iterdir():
        if file.stat().st_mtime < now - SESSION_S:  # its cookie is over by itself
            file.unlink(missing_ok=True)


def has_ended(study: "Study", sign_in: str) -> bool:
    """Whether somebody has signed out of it."""
    return (_ended(study) / sign_in).exists()


def _ended(study: "Study") -> "Path":
    return study.private / "signed_out"


def cookie_name(key: bytes) -> str:
    """Cookies do not tell ports apart, so each study has its own; the name does not betray the study's."""
    return f"workbench_{hashlib.sha256(b'cookie' + key).hexdigest()[:12]}"


def door(key: bytes, now: float) -> str:
    """What lets whoever has it sign in by name on one's own machine: only the link that `serve` prints carries it."""
    return seal(key, "door", {}, now + DOOR_S)


def opens(key: bytes, given: str, now: float) -> bool:
    """Whether `given` is a door that still opens."""
    try:
        unseal(key, "door", given, now)
    except AccessError:
        return False
    return True


def person_mark(key: bytes, rater: str) -> str:
    """What a browser may know a person by: keeps the unsent labels of two people on one machine apart."""
    return signature(key, "person", rater)[:22]


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise AccessError("this link or sign-in was not made here: ask for a new invitation") from None
