"""A Run on disk: an immutable folder with everything needed to repeat and judge one training.

run.json recipe.toml split.csv history.csv predictions.csv confusion.csv preprocessing.json report.md
the model (model.keras for those of Keras)
figures/*.png *.svg  comparison/ (when an acted corpus was at hand)  SHA256SUMS
"""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.atomic_write import sha256_file
from pipelines.errors import DataError, UnknownName
from pipelines.manifest import read_table
from pipelines.schemes import LabelScheme
from pipelines.toml_config import parse

FACTS = "run.json"
SUMS = "SHA256SUMS"
RUN_ID = re.compile(r"[a-z0-9_-]+-\d{8}-\d{6}-[0-9a-f]{4}")
_MAKING = ".making-"
_FORGOTTEN_S = 24 * 3600
_AGAIN = "do not quote its numbers: restore the folder from a copy, or train again by its recipe.toml"


@dataclass(frozen=True)
class Run:
    """A run opened for reading. `facts` is run.json."""

    folder: Path
    facts: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def recipe(self) -> str:
        return str(self.facts["recipe"]["name"])

    @property
    def metrics(self) -> Mapping[str, Any]:
        """accuracy, macro_f1, per_class, confusion, chance, seeds: see pipelines.training.evaluation.metrics."""
        found: Mapping[str, Any] = self.facts["metrics"]
        return found

    @property
    def leak(self) -> Mapping[str, Any]:
        """Whether test material was known to training; `sentence` belongs beside every number of this run."""
        found: Mapping[str, Any] = self.facts["leak"]
        return found

    def table(self, name: str) -> list[dict[str, str]]:
        """Rows of history.csv, predictions.csv, confusion.csv or split.csv, by name without `.csv`."""
        return read_table(self.folder / f"{name}.csv")

    @property
    def figures(self) -> tuple[Path, ...]:
        """PNG files of curves, confusion and the comparison."""
        return tuple(sorted(self.folder.glob("figures/*.png")) + sorted(self.folder.glob("comparison/**/*.png")))

    @property
    def model_file(self) -> Path:
        return self.folder / str(self.facts["training"]["model_file"])

    @cached_property
    def scheme(self) -> LabelScheme:
        """The scheme that the labels were of when this was trained. Raises DataError, ConfigError."""
        if "scheme" not in self.facts:
            raise DataError(f"run '{self.run_id}' does not say its scheme: an earlier version made it; train it again")
        return parse(LabelScheme, dict(self.facts["scheme"]), FACTS)

    @property
    def report(self) -> str:
        """report.md."""
        return (self.folder / "report.md").read_text(encoding="utf-8")

    def verify(self) -> None:
        """Raise DataError that names the first file that is gone or was changed since the run was sealed."""
        for line in (self.folder / SUMS).read_text(encoding="utf-8").splitlines():
            expected, _, name = line.partition("  ")
            if not (self.folder / name).is_file():
                raise DataError(f"run '{self.run_id}': {name} is gone; {_AGAIN}")
            if sha256_file(self.folder / name) != expected:
                raise DataError(f"run '{self.run_id}': {name} was changed after the run was sealed; {_AGAIN}")


def open_run(folder: Path) -> Run:
    """The run in `folder`. Raises UnknownName, naming the nearest run beside it."""
    file = folder / FACTS
    if not file.is_file():
        raise UnknownName("run", folder.name, run_ids(folder.parent), hint="(see 'workbench runs list')")
    return Run(folder, json.loads(file.read_text(encoding="utf-8")))


def run_ids(folder: Path) -> tuple[str, ...]:
    """Ids of the sealed runs in `folder`, oldest first."""
    found = [place.parent.name for place in folder.glob(f"*/{FACTS}") if RUN_ID.fullmatch(place.parent.name)]
    return tuple(sorted(found, key=lambda run_id: (run_id[-20:-5], run_id)))


def runs(folder: Path) -> tuple[Run, ...]:
    """The sealed runs in `folder`, oldest first; what is still being made is not among them."""
    return tuple(open_run(folder / run_id) for run_id in run_ids(folder))


def new_run_id(recipe: str) -> str:
    """`<recipe>-<yyyymmdd-hhmmss, UTC>-<4 hex>`."""
    return f"{recipe}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@contextmanager
def sealed(runs_folder: Path, run_id: str) -> Iterator[Path]:
    """Yield a hidden folder to fill; on a clean exit checksum it, make it read-only and rename it to its id.

    On any exception, a cancel too, nothing is left. What a killed process left is removed a day later.
    """
    runs_folder.mkdir(parents=True, exist_ok=True)
    for old in runs_folder.glob(f"{_MAKING}*"):
        if time.time() - old.stat().st_mtime > _FORGOTTEN_S:
            shutil.rmtree(old, ignore_errors=True)
    making = runs_folder / f"{_MAKING}{run_id}"
    making.mkdir()
    try:
        yield making
        files = sorted(file for file in making.rglob("*") if file.is_file())
        sums = "".join(f"{sha256_file(file)}  {file.relative_to(making).as_posix()}\n" for file in files)
        (making / SUMS).write_text(sums, encoding="utf-8")
        for file in (*files, making / SUMS):
            with file.open("rb") as written:
                os.fsync(written.fileno())
            file.chmod(0o444)
        making.rename(runs_folder / run_id)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
