"""Long commands that run beside the tests from the first one on, until a test waits for what they give."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
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


class Errand:
    """A command that works in `folder`, in the background: tests are served first."""

    def __init__(self, folder: Path, arguments: list[str], environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._out, self._err = folder / "told.out", folder / "told.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                ["nice", "-n", "5", sys.executable, *arguments],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def wait(self) -> Ended:
        """Wait for its end."""
        code = self._process.wait()
        return Ended(self._folder, code, self._out.read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8"))

    def stop(self) -> None:
        """End it with all its processes, where it still runs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def training(folder: Path) -> Errand:
    """Every training that the tests of training look at. See tests/pipelines/training/worker.py."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    arguments = ["-m", "tests.pipelines.training.worker", str(folder)]
    return Errand(folder, arguments, environment | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"})


def demo(folder: Path) -> Errand:
    """`workbench demo --check`."""
    return Errand(folder, ["-m", "workbench", "demo", "--check"], os.environ | {"WORKBENCH_ROOT": str(folder / "root")})


#: By the fixture in tests/conftest.py that waits for it.
ERRANDS: Mapping[str, Callable[[Path], Errand]] = {"training_ended": training, "demo_ended": demo}
