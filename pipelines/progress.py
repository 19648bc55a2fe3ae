"""How long work tells its caller where it is. The caller may raise `Cancelled` from the callback to stop it."""

from collections.abc import Callable
from dataclasses import dataclass, field


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
