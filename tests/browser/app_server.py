"""The real app, as `workbench serve` starts it: a server that can be killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote
from urllib.request import urlopen

from pipelines.study import ROOT_VARIABLE, Study
from tests.browser.wait_conditions import LONGEST_S
from workbench.app.server_process import HERE, served_at
from workbench.people import access_control, invitations
from workbench.people.access_control import Role
from workbench.store import Store, StoredEvent, open_store

LONGEST_START_S = 120


class App:
    """One server that can be killed and started again on the same port."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.address = HERE
        self.log = study.private / "serve.log"
        self._port = 0  # a free one of the server's own choosing; from then on always the same
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        end = time.monotonic() + LONGEST_START_S
        while not self._starts_at_its_address(end):
            self.kill()  # while it was down its port went to somebody else, who will be gone soon

    @property
    def runs(self) -> bool:
        """Whether it was started, and neither killed nor stopped since."""
        return self._process is not None

    def _starts_at_its_address(self, end: float) -> bool:
        process = self._process = self._begun()
        while not self._answers():
            if process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the app did not start: {self.log.read_text(encoding='utf-8')}")
            time.sleep(0.05)
        address = served_at(self.study)
        if self._port and address != self.address:
            return False
        self.address = address
        self._port = int(address.rpartition(":")[2])
        return True

    def _begun(self) -> "subprocess.Popen[bytes]":
        (self.study.private / "served").unlink(missing_ok=True)  # of one that was killed
        command = [sys.executable, "-m", "workbench", "serve", "--study", self.study.name, "--no-open"]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*command, "--port", str(self._port)],
                env={**os.environ, ROOT_VARIABLE: str(self.study.root)},
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """SIGKILL: no time for anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGINT, as Ctrl-C does; returns the exit code."""
        return self._end(signal.SIGINT)

    def add(self, name: str, role: Role = "annotator") -> str:
        """Make a person known; returns the link that signs them in."""
        with self.store() as store:
            rater = invitations.add(store, name, role, exist_ok=True)
        token = invitations.invitation(access_control.secret(self.study), rater.rater, time.time())
        return f"{self.address}/sign-in?invitation={quote(token)}"

    def store(self) -> Store:
        """The label store, opened beside the server."""
        return open_store(self.study)

    def events(self, rater: str) -> list[StoredEvent]:
        """Everything stored of this person, in the order stored."""
        with self.store() as store:
            return [event for event in store.events() if event.rater == rater]

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(how)
        code = self._process.wait(LONGEST_S)
        self._process = None
        return code

    def _answers(self) -> bool:
        if not (self.study.private / "served").exists():
            return False
        try:
            with urlopen(f"{served_at(self.study)}/_stcore/health", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False


@contextmanager
def serving(study: Study) -> Iterator[App]:
    """The app on a study for as long as that is wanted."""
    running = App(study)
    try:
        running.start()
        yield running
    finally:
        running.kill()
