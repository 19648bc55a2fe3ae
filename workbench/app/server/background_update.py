"""What follows from picks, out of the way of the key that made them: tables and clips brought up to date soon after.

Nothing is lost where this does not happen: the picks are in the store, and the next start or ingest does it.
"""

import logging
import threading
import time
from typing import Protocol

from pipelines.errors import ConfigError, PipelineError
from pipelines.ingest.run.background_finalize import Apart, Told
from workbench.curation.picks import Desk

#: After the last pick of a row, and at the latest so long after the first one.
QUIET_S, LONGEST_S = 1.5, 10.0
#: While an ingest runs it has the queue to itself; then this tries again.
RETRY_S = 15.0


class Retables(Protocol):
    """What decodes recordings and writes clips.csv: a process of its own, since a spoilt one may take it down."""

    def retable(self) -> Told: ...


class Settler:
    """One thread that settles after changes, and ends when there is nothing more to do."""

    def __init__(self, desk: Desk, apart: Retables | None = None) -> None:
        self._desk = desk
        self._apart = apart if apart is not None else Apart(desk.study.root, desk.study.name)
        self._lock = threading.Lock()
        self._asked = 0.0
        self._since = 0.0
        self._thread: threading.Thread | None = None
        #: Why the tables are behind what stands, in a sentence; empty where nothing is in the way.
        self.problem = ""

    def soon(self) -> None:
        """Something changed."""
        now = time.monotonic()
        with self._lock:
            self._asked = now
            if self._thread is None:
                self._since = now
                self._thread = threading.Thread(target=self._work, name="settle picks", daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Whether all that was asked is done, waiting so long for it."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return self._thread is None

    def _work(self) -> None:
        while True:
            with self._lock:
                asked, due = self._asked, min(self._asked + QUIET_S, self._since + LONGEST_S)
            if (left := due - time.monotonic()) > 0:
                time.sleep(left)
                continue
            is_over, self.problem = settle(self._desk, self._apart)
            if not is_over:
                time.sleep(RETRY_S)
                continue
            with self._lock:
                if self._asked == asked:
                    self._thread = None
                    return
                self._since = self._asked


def settle(desk: Desk, apart: Retables) -> tuple[bool, str]:
    """Bring picks.csv, speakers.csv, clips.csv and the clips' files up to date.

    Returns whether that is over, done or not, and what was in the way: False while an ingest has the queue.
    """
    try:
        desk.write_tables()
        told = apart.retable()
    except ConfigError as error:
        return False, str(error)
    except PipelineError as error:
        return True, str(error)
    except Exception as error:  # a full disk under the database is no OSError; and the next pick must find a thread
        logging.getLogger(__name__).exception("clips.csv could not be brought up to date after a pick")
        why = getattr(error, "strerror", None) or type(error).__name__
        return True, f"the study's tables could not be written ({why}); the picks are kept"
    return told.is_over, told.problem
