"""What one wanted recording needs, and how that is said of one that cannot be had or is left alone."""

from dataclasses import dataclass, replace
from typing import Literal

from pipelines.errors import MediaError
from pipelines.ingest.preflight.inputs import Wanted
from pipelines.ingest.sources import Source
from pipelines.ingest.state.queue import Item
from pipelines.units import Seconds

Need = Literal["nothing", "fetch", "analyse", "failed", "duplicate", "paused"]

PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Plan:
    """One recording and what it needs. `item` is its state as the queue will hold it."""

    wanted: Wanted
    need: Need
    source: Source
    item: Item
    duration_s: Seconds | None = None
    problem: MediaError | None = None

    @property
    def asks_for_work(self) -> bool:
        """Whether the recording has to be heard, and perhaps fetched before."""
        return self.need in ("fetch", "analyse")


def failed(one: Wanted, source: Source, item: Item, problem: MediaError) -> Plan:
    """The plan of a recording that cannot be had."""
    return Plan(one, "failed", source, item, problem=problem)


def paused(plan: Plan) -> Plan:
    """The plan of a recording that somebody wants left alone for now."""
    return replace(plan, need="paused", problem=paused_error(plan.wanted.given))


def paused_error(given: str) -> MediaError:
    """The error of such a recording."""
    return MediaError(PAUSED, f"{given}: is paused, and stays as it is until you let it go on", "defer")
