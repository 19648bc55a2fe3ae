"""Errors that `pipelines` raises. A message says what was given, what was expected and what to do next.

PipelineError
├── ConfigError        a setting, recipe, scheme or study file is wrong (no work was started)
│   └── UnknownName    a name that no registry or folder has; suggests the nearest one
├── TableError         a CSV does not parse: which file, row, column, what was expected
├── MediaError         one recording cannot be used; has a failure class and a reason code
├── DataError          tables and files are well-formed but cannot do what was asked
│   └── LeakError      test groups touch training groups
├── ClusterLost        the scheduler or workers of a cluster were lost
└── Cancelled          the caller cancelled; no half-written file is left
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Literal


class PipelineError(Exception):
    """Base of all errors raised on purpose by this package. Pickles with all its facts."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[PipelineError], arguments: tuple[Any, ...], state: dict[str, Any]) -> PipelineError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(state)
    return error


class ConfigError(PipelineError):
    """A setting is wrong; no work was started."""


class UnknownName(ConfigError):
    """A name that does not exist; the message suggests the nearest one that does."""

    def __init__(self, kind: str, given: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = get_close_matches(given, names, n=1, cutoff=0.5)
        if near:
            tail = f"; did you mean '{near[0]}'?"
        elif names:
            tail = f"; known: {', '.join(names)}"
        else:
            tail = "; there is none yet"
        super().__init__(f"unknown {kind} '{given}'{tail}{' ' + hint if hint else ''}")
        self.given = given


class TableError(PipelineError):
    """A table does not parse. Says file, row (1 = first line under the header), column and what was expected."""

    def __init__(self, file: str, expected: str, *, row: int | None = None, column: str | None = None) -> None:
        place = file
        if row is not None:
            place += f", row {row}"
        if column is not None:
            place += f", column '{column}'"
        super().__init__(f"{place}: {expected}")
        self.row = row
        self.column = column


FailureClass = Literal["gone", "defer", "retry", "fix", "bug"]


class MediaError(PipelineError):
    """One recording cannot be used.

    `failure` says what may help: gone (retried only on request), defer (later by itself), retry (with back-off),
    fix (by the user), bug (in this program).
    """

    def __init__(self, reason_code: str, reason: str, failure: FailureClass = "fix") -> None:
        super().__init__(reason)
        self.reason_code = reason_code
        self.reason = reason
        self.failure: FailureClass = failure


class DataError(PipelineError):
    """Well-formed data that cannot do what was asked, such as training on a class of one clip."""


class LeakError(DataError):
    """Test groups touch training groups and the recipe does not say `as_published`."""


class ClusterLost(PipelineError):
    """The scheduler or its workers were lost. Results up to then are in the shared storage."""


class Cancelled(PipelineError):
    """The caller cancelled."""
