"""What the last runs of ingest did, in rows that people read: the same on the page and in the shell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from pipelines.units import Seconds, SourceId

if TYPE_CHECKING:
    from pipelines.ingest.state.run_log import PastRun

#: So many failed sources are named in a row; the rest is counted.
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class PastRow:
    """One run, or a row of runs of one day that only decided and cut, of which `clips` is how they ended.

    `started`: when, in this machine's time. `clips`: of all recordings that it met. `problem`: what failed, or how it
    broke off, in words; empty where nothing did.
    """

    started: datetime
    is_ingest: bool
    times: int
    took_s: Seconds
    sound_s: Seconds
    heard_s: Seconds
    clips: int
    left: int
    problem: str

    @property
    def what(self) -> str:
        """What kind of run it was."""
        if self.is_ingest:
            return "recordings"
        return "limits, caps, picks" + (f" ({self.times} times)" if self.times > 1 else "")


def past_rows(
    runs: "Sequence[PastRun]", most: int | None = None, *, called: Mapping[SourceId, str] = MappingProxyType({})
) -> tuple[PastRow, ...]:
    """Rows for runs given with the newest first, at most so many. `called`: what a person knows sources by.

    Every pick is followed by a run of its own that decides and cuts; those of one day in a row make one.
    """
    found: list[PastRow] = []
    for run in runs:
        row = _row(run, called)
        if found and _is_one_with(found[-1], row):
            newer = found[-1]
            found[-1] = replace(
                newer,
                started=row.started,
                times=newer.times + 1,
                took_s=newer.took_s + row.took_s,
                left=newer.left + row.left,
            )
        elif len(found) == most:
            break
        else:
            found.append(row)
    return tuple(found)


def _is_one_with(newer: PastRow, older: PastRow) -> bool:
    alike = not (newer.is_ingest or older.is_ingest or newer.problem or older.problem)
    return alike and newer.started.date() == older.started.date()


def _row(run: "PastRun", called: Mapping[SourceId, str]) -> PastRow:
    return PastRow(
        started=datetime.fromisoformat(run.started).astimezone(),
        is_ingest=run.what == "ingest",
        times=1,
        took_s=run.seconds,
        sound_s=run.hours_in * 3600,
        heard_s=run.hours_heard * 3600,
        clips=run.clips,
        left=sum(run.left.values()),
        problem=_problem(run, called),
    )


def _problem(run: "PastRun", called: Mapping[SourceId, str]) -> str:
    told = []
    if run.ended == "stopped":
        told.append("was stopped")
    elif run.ended == "failed":
        told.append(f"broke off: {run.error}")
    elif run.ended == "killed":
        told.append("was killed, or the machine went off; the next run went on from there")
    count = run.sources.get("failed", 0)
    if count:
        names = [called.get(name) or name for name in list(run.failed)[:MOST_NAMED]]
        if more := count - len(names):
            names.append(f"{more} more" if names else "1 recording" if more == 1 else f"{more} recordings")
        told.append(f"{', '.join(names)} failed")
    return "; ".join(told)
