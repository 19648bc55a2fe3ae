"""Long commands whose traces many tests look at: each is run once, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, what it wrote to standard output and error, and the folder that it worked in."""

    folder: Path
    code: int
    out: str
    err: str


def training(folder: Path) -> Ended:
    """Every training that the tests of training look at. See tests/pipelines/training/training_process.py."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    arguments = ["-m", "tests.pipelines.training.training_process", str(folder)]
    return _ended(folder, arguments, environment | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"})


def demo(folder: Path) -> Ended:
    """`workbench demo --check`."""
    return _ended(folder, ["-m", "workbench", "demo", "--check"], os.environ | {"WORKBENCH_ROOT": str(folder / "root")})


def _ended(folder: Path, arguments: list[str], environment: Mapping[str, str]) -> Ended:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return Ended(folder, done.returncode, done.stdout, done.stderr)
