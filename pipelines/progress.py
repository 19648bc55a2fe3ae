"""How long work tells its caller where it is. The caller may raise `Cancelled` from the callback to stop it."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipelines.errors import Cancelled
from pipelines.units import Seconds

#: A caller who is told nothing for so long is told once more what is known, so that its wish to stop is heard.
_ASK_EVERY_S: Seconds = 0.25


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


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Report to nobody."""


class Listener:
    """A Report for long work that waits for others: asked often enough to be heard, and never in the middle of a step.

    `report` stands behind it and alone raises Cancelled.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._asked_s = -math.inf
        self._stopped: Cancelled | None = None

    def __call__(self, progress: Progress) -> None:
        """Report. Raises Cancelled, also one that was held back before."""
        self.check()
        self._asked_s = time.monotonic()
        self._report(progress)

    def ask(self, progress: Progress) -> None:
        """Report where nothing was reported for a while: only then can a wish to stop be heard. Raises Cancelled."""
        self.check()
        if time.monotonic() - self._asked_s >= _ASK_EVERY_S:
            self(progress)

    def check(self) -> None:
        """Raise the Cancelled that was held back."""
        if self._stopped is not None:
            raise self._stopped

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold back a Cancelled until the next call outside: what has been done already is written down before."""
        try:
            yield
        except Cancelled as error:
            self._stopped = self._stopped or error
