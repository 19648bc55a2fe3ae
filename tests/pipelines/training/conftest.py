"""One worker process trains for all tests of this folder."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.training import Run, open_run

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Trained:
    """What the worker left: `known` is its own account, `noise` what it wrote to standard output and error."""

    folder: Path
    known: dict[str, Any]
    noise: str

    def run(self, name: str) -> Run:
        return open_run(self.folder / "runs" / self.known[name])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    environment |= {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.training.worker", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Trained(folder, json.loads((folder / "known.json").read_text()), done.stdout + done.stderr)
