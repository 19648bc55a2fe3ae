"""Shared runs of long commands whose results many tests check: each runs once, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """The exit code, output and folder of a finished command."""

    folder: Path
    code: int
    out: str
    err: str


def run_training(folder: Path) -> FinishedRun:
    """Run every training that the training tests check. See tests/pipelines/training/training_process.py."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    arguments = ["-m", "tests.pipelines.training.training_process", str(folder)]
    return _run(folder, arguments, environment | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"})


def run_demo(folder: Path) -> FinishedRun:
    """Run `workbench demo --check`."""
    return _run(folder, ["-m", "workbench", "demo", "--check"], os.environ | {"WORKBENCH_ROOT": str(folder / "root")})


def _run(folder: Path, arguments: list[str], environment: Mapping[str, str]) -> FinishedRun:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return FinishedRun(folder, done.returncode, done.stdout, done.stderr)
