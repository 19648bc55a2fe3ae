"""What this server process serves: one study, its label store and its signing key."""

import os
from functools import cache
from typing import TYPE_CHECKING

from pipelines.study import Study, open_study
from workbench.people import access_control

if TYPE_CHECKING:
    from workbench.curation.picks import Desk
    from workbench.store import Store

STUDY_VARIABLE = "WORKBENCH_STUDY"


def study() -> Study:
    """The study named in WORKBENCH_STUDY, else the only one there is; its settings as they are now.

    Raises ConfigError.
    """
    return open_study(os.environ.get(STUDY_VARIABLE) or None)


def store() -> "Store":
    """The study's label store, opened once in this process; safe to share between threads."""
    return _store(study())


def desk() -> "Desk":
    """The picks of the study, opened once in this process; safe to share between threads."""
    return _desk(study())


def key() -> bytes:
    """The study's signing key."""
    return _key(study())


@cache
def _store(of: Study) -> "Store":
    from workbench.store import open_store

    return open_store(of)


@cache
def _desk(of: Study) -> "Desk":
    from workbench.curation.picks import Desk

    return Desk(of, _store(of))


@cache
def _key(of: Study) -> bytes:
    return access_control.secret(of)
