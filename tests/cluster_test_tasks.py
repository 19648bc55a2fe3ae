"""Small tasks that read a file and write files, for tests of clusters; a word in the file says how they go wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.execution.remote_tasks import TaskSpec


@dataclass(frozen=True, slots=True)
class Shout:
    """Read `path`, write its text in capitals to `into` and its length to `file`; `log` gets a line for every try."""

    path: Path
    into: Path
    file: Path
    scratch: Path
    log: str
    here_only: object = None


@dataclass(frozen=True, slots=True)
class Shouted:
    words: tuple[str, ...]
    share: float
    unknown: float | None = None


def shout(task: Shout, on_progress: OnProgress) -> Shouted:
    """Write capitals. A text that begins with `die` ends its process, `murder` its worker, and `fail` raises.

    `linger` takes 60 s, unless there is a file `free` beside its log; `hush` does so without reporting progress.
    """
    with Path(task.log).open("a") as log:
        log.write(f"{task.path.name} {os.getpid()} {os.getppid()} {task.here_only}\n")
    said = task.path.read_text()
    on_progress(1, 2)
    if said.startswith("die"):
        os._exit(7)
    if said.startswith("murder"):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if said.startswith("fail"):
        raise MediaError("no_voice", f"{task.path.name}: has no voice", "gone")
    free = Path(task.log).with_name("free")
    for turn in range(600 if said.startswith(("linger", "hush")) else 0):
        if free.exists():
            break
        Path(task.log).with_name(f"turn-{task.path.name}").write_text(str(turn))
        time.sleep(0.1)
        if said.startswith("linger"):
            on_progress(turn, 600)
    task.scratch.mkdir(parents=True, exist_ok=True)
    (task.scratch / "meanwhile").write_text("to be thrown away")
    task.into.mkdir(parents=True, exist_ok=True)
    (task.into / f"{task.path.stem}.txt").write_text(said.upper())
    task.file.write_text(str(len(said)))
    on_progress(2, 2)
    return Shouted(tuple(said.split()), 1 / 3)


SHOUT = TaskSpec(
    shout,
    Shouted,
    output_folders=("into",),
    output_files=("file",),
    scratch_folders=("scratch",),
    local_only=("here_only",),
)


_ALONE = """
from distributed import LocalCluster
options = {"processes": False, "protocol": "tcp://", "dashboard_address": ":0"}
if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=2, **options) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@contextmanager
def mortal_cluster() -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address of a scheduler with a worker, both in one process, and that process: to be killed."""
    command = [sys.executable, "-c", _ALONE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()
