"""Analyses for worker processes: one that dies of a recording, as a fault in a native decoder would make it, and one
that stops in the middle."""

import os
import time

from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.source_analysis import Analysed, Task
from pipelines.ingest.source_analysis import analyse as really_analyse


def analyse(task: Task, tell: OnProgress) -> Analysed:
    if task.path.stem == "deadly":
        os.abort()
    return really_analyse(task, tell)


def halfway(task: Task, tell: OnProgress) -> Analysed:
    """Says one word, and goes on when a file `go` lies beside the recording, or after two minutes."""
    tell(1, 2)
    until = time.monotonic() + 120
    while not task.path.with_name("go").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return really_analyse(task, tell)
