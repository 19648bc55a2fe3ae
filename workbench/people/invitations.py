"""People of a study: made known, listed, invited. On one's own machine a name is enough."""

import unicodedata

from workbench.errors import AccessError, WorkbenchError
from workbench.people import access_control
from workbench.people.access_control import INVITATION_S, Role
from workbench.store import Rater, Store


def add(store: Store, name: str, role: Role, *, language: str = "", exist_ok: bool = False) -> Rater:
    """Make a person known; the name, tidied, is also the rater id.

    Names that differ only in capitals are one person's. With `exist_ok` a known person is returned as they are: a
    role is changed by whoever may invite, never by signing in. Raises WorkbenchError, StoreError.
    """
    rater = " ".join(unicodedata.normalize("NFC", name).split())
    if not rater:
        raise WorkbenchError("a name is needed: type yours")
    there = next((one for one in store.raters() if one.rater.casefold() == rater.casefold()), None)
    if there is None:
        return store.add_rater(rater, rater, role=role, language=language)
    if there.kind != "person":
        raise WorkbenchError(f"'{rater}' is a {there.kind} rater here, not a person: take another name")
    if not exist_ok:
        raise WorkbenchError(
            f"there is already someone named '{there.name}': choose another name, or invite them again"
        )
    return there


def known(store: Store, rater: str) -> Rater:
    """A person who is known already. Raises AccessError."""
    found = store.rater(rater)
    if found is None or found.kind != "person":
        raise AccessError(f"there is nobody named '{rater}' in this study")
    return found


def listed(store: Store) -> list[Rater]:
    """Everybody, in the order they came; no machines."""
    return store.raters(kind="person")


def invitation(key: bytes, rater: str, now: float, lasts_s: float = INVITATION_S) -> str:
    """A token that signs in as `rater` until `lasts_s` from now. Whoever has it is that person."""
    return access_control.seal(key, "invitation", {"rater": rater}, now + lasts_s)


def invited(key: bytes, store: Store, token: str, now: float) -> Rater:
    """Who the invitation is for. Raises AccessError when it is not good or is over."""
    return known(store, access_control.unseal(key, "invitation", token, now)["rater"])
