"""What commands share: standard options, one JSON document on standard output, progress on standard error."""

import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.atomic_write import write_json
from pipelines.errors import Cancelled
from pipelines.progress import Progress, ProgressCallback
from workbench.jobs.jobs import PROGRESS_VARIABLE

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

DONE, NOTHING_WORKED, REFUSED, SOME_FAILED, STOPPED = 0, 1, 2, 3, 130

StudyOption = Annotated[str | None, typer.Option("--study", help="Name of the study; optional when there is only one.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document to standard output and nothing else.")
]


def say(line: str = "") -> None:
    """One line for people, on standard output."""
    sys.stdout.write(line + "\n")


def aside(source_id: str, uri: str, title: str = "") -> str:
    """` (its own name)` behind the id of a recording whose id says little."""
    from pipelines.ingest.sources import called

    name = called(source_id, uri, title)
    return "" if name in ("", source_id, uri) or not source_id else f" ({name})"


def warn(line: str) -> None:
    """One line on standard error: progress, notes and errors never mix with the result."""
    sys.stderr.write(line + "\n")


def show(document: Any, *, as_json: bool, people: Callable[[], None]) -> None:
    """Print `document` as JSON, or call `people` to print it for people."""
    if as_json:
        say(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))
    else:
        people()


def leave(code: int) -> None:
    """End the command with `code`."""
    if code:
        raise typer.Exit(code)


@contextmanager
def reporter() -> Iterator[ProgressCallback]:
    """A Report that draws a bar with ETA per item on standard error and tells a watching job.

    Ctrl-C and SIGTERM become `Cancelled` at the next report.
    """
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    watched = os.environ.get(PROGRESS_VARIABLE)
    bars = _bars()
    tasks: dict[tuple[str, str], TaskID] = {}
    told = 0.0

    def report(progress: Progress) -> None:
        nonlocal told
        if stopped:
            raise Cancelled("stopped; nothing half-made was left")
        if bars is not None:
            key = (progress.stage, progress.item)
            if key not in tasks:
                title = f"{progress.stage} {progress.item}".strip()
                tasks[key] = bars.add_task(title, total=progress.total, numbers="")
            bars.update(tasks[key], completed=progress.done, total=progress.total, numbers=_numbers(progress))
        now = time.monotonic()
        if watched and (now - told > 0.2 or progress.fraction == 1.0):
            told = now
            write_json(Path(watched), _document(progress))

    try:
        if bars is None:
            yield report
        else:
            with bars:
                yield report
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bars() -> "Bars | None":
    if not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[numbers]}"),
        console=Console(stderr=True),
    )


def _numbers(progress: Progress) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in progress.numbers.items())


def _document(progress: Progress) -> dict[str, Any]:
    return {
        "stage": progress.stage,
        "item": progress.item,
        "done": progress.done,
        "total": progress.total,
        "numbers": {name: value if math.isfinite(value) else None for name, value in progress.numbers.items()},
        "time": time.time(),
    }
