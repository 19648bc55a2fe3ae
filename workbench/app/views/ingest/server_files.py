"""Which files of the server somebody may name on a page: all on one's own machine, else those in open folders."""

from pathlib import Path
from typing import TypeAlias

import streamlit as st

from pipelines.errors import ConfigError
from pipelines.study import Study, private_settings
from workbench.app.page.session import Session
from workbench.app.routes.request_checks import is_loopback

#: None: all.
Folders: TypeAlias = tuple[Path, ...] | None

_PROXIED = ("X-Forwarded-For", "Forwarded")


def open_folders(study: Study, session: Session) -> Folders:
    """The folders out of which this person may take recordings; None where the machine is their own, and all are.

    Own it is who came by the link that `serve` printed on it, to a server that listens to this machine alone. Raises
    ConfigError where private.toml names a folder by half.
    """
    if session.person.is_owner and is_alone():
        return None
    named = tuple(Path(text) for text in private_settings(study).source_folders)
    for folder in named:
        if not folder.is_absolute() or folder == Path(folder.anchor):
            raise ConfigError(f"private.toml, source_folders: expected the whole path of a folder, found '{folder}'")
    return (study.media, *named)


def is_alone() -> bool:
    """Whether the server listens to this machine alone, and nothing says that a proxy stands in front."""
    from streamlit import config

    bound = config.get_option("server.address") or ""
    return is_loopback(bound) and not any(name in st.context.headers for name in _PROXIED)


def as_options(folders: Folders) -> list[str]:
    """The same for the command that a page starts: what was checked here is checked again where it is read."""
    return [word for folder in folders or () for word in ("--within", str(folder))]
