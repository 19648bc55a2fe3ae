"""Tables and clips brought up to date in a process of its own, for a server that must outlive any recording."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ConfigError, PipelineError
from pipelines.execution.isolated_process import IDLE_S, IsolatedProcess, heartbeat, serve_requests
from pipelines.execution.process_pool import Limits
from pipelines.units import Seconds

#: What is decoded is decoded in further processes: one at a time would be in this one.
JOBS = 2
#: Rows that stay so until a person does something elsewhere, and that no page need repeat.
_WAITING = ("no_recording", "away")


@dataclass(frozen=True, slots=True)
class Told:
    """`is_over`: done, or not to be done now by trying again; `problem`: what was in the way, in a sentence."""

    is_over: bool
    problem: str = ""


class Apart:
    """The server's half. Safe to share between threads."""

    def __init__(self, root: Path, name: str, idle_s: Seconds = IDLE_S) -> None:
        self._beside = IsolatedProcess(__name__, (str(root), name, str(idle_s)))

    def retable(self) -> Told:
        """Do what `pipelines.ingest.run.run.retable` does, there. Raises OSError where no process can be begun."""
        said = self._beside.request(b"retable")
        if said is None:
            return Told(True, "the process that cuts clips died twice; the picks are kept, and the next tries again")
        return Told(**json.loads(said))

    @property
    def pid(self) -> int | None:
        """Of the process that is there now."""
        return self._beside.pid

    def close(self) -> None:
        """End the process, whatever it does."""
        self._beside.close()


def _retabled(root: Path, name: str, silence_s: Seconds) -> Told:
    from pipelines.ingest.run.run import retable
    from pipelines.study import Study

    try:
        report = retable(Study(root, name), lambda _: heartbeat(silence_s), jobs=JOBS)
    except ConfigError as error:
        return Told(False, str(error))
    except PipelineError as error:
        return Told(True, str(error))
    except OSError as error:
        told = error.strerror or type(error).__name__
        return Told(True, f"the study's tables could not be written ({told}); the picks are kept")
    failed = [row.reason for row in report.sources if row.status == "failed" and row.reason_code not in _WAITING]
    return Told(True, failed[0] if failed else "")


def _main(root: str, name: str, idle_s: str) -> None:
    limits = Limits()
    silence_s = 2 * limits.heartbeat_timeout_s + 60  # a worker may exceed its timeout twice

    def reply(_: bytes) -> bytes:
        told = _retabled(Path(root), name, silence_s)
        return json.dumps({"is_over": told.is_over, "problem": told.problem}).encode()

    serve_requests(reply, timeout_s=silence_s, memory_bytes=limits.memory_bytes, idle_s=float(idle_s))


if __name__ == "__main__":
    _main(*sys.argv[1:])
