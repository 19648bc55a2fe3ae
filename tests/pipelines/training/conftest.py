"""One worker process trains for all tests of this folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.training import Run, open_run
from tests.shared_runs import FinishedRun


@dataclass(frozen=True)
class Trained:
    """What the worker left: `known` is its own account, `noise` what it wrote to standard output and error."""

    folder: Path
    known: dict[str, Any]
    noise: str

    def run(self, name: str) -> Run:
        return open_run(self.folder / "runs" / self.known[name])


@pytest.fixture(scope="session")
def trained(training_ended: FinishedRun) -> Trained:
    assert training_ended.code == 0, training_ended.err
    known = json.loads((training_ended.folder / "known.json").read_text())
    return Trained(training_ended.folder, known, training_ended.out + training_ended.err)
