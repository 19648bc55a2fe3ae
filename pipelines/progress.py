"""Progress of long work, reported to its caller, who may raise `Cancelled` from the callback to stop the work."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipelines.errors import Cancelled
from pipelines.units import Seconds

#: After so long without a report the last known progress is reported again, so that the caller can cancel.
_MAX_SILENCE_S: Seconds = 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of long work. `done` and `total` are in the unit of the stage; `total` is None while unknown."""

    stage: str
    done: float
    total: float | None = None
    item: str = ""
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def fraction(self) -> float | None:
        """Share done in [0, 1], or None while the total is unknown."""
        if not self.total:
            return None
        return min(1.0, max(0.0, self.done / self.total))


ProgressCallback = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """A ProgressCallback that does nothing."""


class ProgressReporter:
    """A ProgressCallback for work that waits for others: it lets the caller cancel often, but never within a step.

    `report` is the callback behind it, and the only place that Cancelled comes from.
    """

    def __init__(self, report: ProgressCallback) -> None:
        self._report = report
        self._reported_at_s = -math.inf
        self._cancelled: Cancelled | None = None

    def __call__(self, progress: Progress) -> None:
        """Report. Raises Cancelled, also one that was deferred."""
        self.raise_if_cancelled()
        self._reported_at_s = time.monotonic()
        self._report(progress)

    def report_if_due(self, progress: Progress) -> None:
        """Report if nothing was reported for a while, so that the caller can cancel. Raises Cancelled."""
        self.raise_if_cancelled()
        if time.monotonic() - self._reported_at_s >= _MAX_SILENCE_S:
            self(progress)

    def raise_if_cancelled(self) -> None:
        """Raise the Cancelled that was deferred."""
        if self._cancelled is not None:
            raise self._cancelled

    @contextmanager
    def cancellation_deferred(self) -> Iterator[None]:
        """Defer a Cancelled to the next call outside, so that finished work is saved first."""
        try:
            yield
        except Cancelled as error:
            self._cancelled = self._cancelled or error
