"""How far the look at what was asked for is: recording by recording, and by bytes while checksums are taken."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.ingest.analysis.track_reader import file_state
from pipelines.ingest.preflight.inputs import MEDIA_SUFFIXES, Wanted
from pipelines.ingest.state.queue import Queue
from pipelines.progress import Progress, ProgressCallback

#: Stages: looking at each recording, in recordings; reading those that are new through, in bytes.
CHECK, READ = "check", "read through"

#: Bytes: less than a second on a slow disk, and on a fast one a word costs nothing beside reading so many.
_TELL_EVERY = 8 * 2**20


class Checking:
    """Reports where the look is, often: `Cancelled` out of `report` stops it, also in the middle of a large file.

    `begin` is called when the first recording that is read turns out to be long, before it has been read through.
    """

    def __init__(
        self, queue: Queue, wanted: Sequence[Wanted], report: ProgressCallback, begin: Callable[[], None]
    ) -> None:
        self._queue = queue
        self._wanted = wanted
        self._report = report
        self._begin = begin
        self._number = 0
        self._read = 0
        self._total = 0
        #: Bytes that are to be read of each; empty until one is: most runs read none.
        self._sizes: list[int] = []

    def at(self, number: int) -> None:
        """The look is at this recording, counted from 0; those before it need not be read any more."""
        self._read += sum(self._sizes[self._number : number])
        self._number = number
        if self._sizes:
            self._report(Progress(READ, self._read, self._total))
        else:
            self._report(Progress(CHECK, number, len(self._wanted)))

    def sha256(self, path: Path) -> str:
        """The checksum of the recording that the look is at, from the queue where the file is as it was."""
        if self._queue.is_as_it_was(path):
            return self._queue.sha256(path)
        if not self._sizes:
            self._sizes = [0] * self._number + [self._size(one) for one in self._wanted[self._number :]]
            self._total = sum(self._sizes)
        size = file_state(path).size
        self._total += size - self._sizes[self._number]
        self._sizes[self._number] = size
        told = 0

        def tell(done: int) -> None:
            nonlocal told
            if done - told >= _TELL_EVERY:
                told = done
                self._report(Progress(READ, self._read + min(done, size), self._total))
                self._begin()

        self._report(Progress(READ, self._read, self._total))
        return self._queue.sha256(path, tell)

    def _size(self, one: Wanted) -> int:
        if one.path is None or (one.folder is not None and one.path.suffix.lower() not in MEDIA_SUFFIXES):
            return 0
        path = one.path.absolute()
        try:
            return 0 if self._queue.is_as_it_was(path) or not path.is_file() else file_state(path).size
        except OSError:
            return 0
