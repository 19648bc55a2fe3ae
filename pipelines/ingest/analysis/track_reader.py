"""Track reader: one audio track of a recording as mono blocks, with a reason for everything that can go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipelines.errors import MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.analysis.track_language import choose_track
from pipelines.media.audio import Probe, Recording, open_recording, to_mono
from pipelines.units import Audio, Samples, Seconds

#: Short blocks stay in the processor cache: blocks of 30 s take a tenth more time and 40 MiB.
BLOCK_S: Seconds = 2.0
#: A few bytes can decode to days of silence; no drama recording is this long.
MAX_DURATION_S: Seconds = 24 * 3600.0

#: Failures in the middle of a file; the audio before them is good.
SALVAGEABLE = frozenset(("damaged", "cut_short", "changes_midway"))


@dataclass(frozen=True, slots=True)
class FileState:
    """Size and modification time of a file: while both are unchanged, so is its content."""

    size: int
    mtime_ns: int


def file_state(path: Path) -> FileState:
    """The current state of the file. Raises OSError."""
    now = path.stat()
    return FileState(now.st_size, now.st_mtime_ns)


class TrackReader:
    """An open recording. After `mono`, `reason_code` and `reason` describe what is wrong with it, or are empty."""

    def __init__(self, path: Path, recording: Recording, *, salvage: bool, state: FileState | None) -> None:
        self._path, self._recording, self._salvage = path, recording, salvage
        self._state = state or file_state(path)
        self.track = recording.track
        self.facts: Probe = recording.facts
        self.samples: Samples = 0
        self.reason_code = self.reason = ""

    def mono(self, on_progress: OnProgress) -> Iterator[Audio]:
        """The channel mean from the first sample on, float32 [n], in blocks of about `BLOCK_S`.

        Raises MediaError: as pipelines.media.audio does, cut_short, too_long, unsteady. With `salvage`, those in
        `SALVAGEABLE` are not raised if there was audio before: the stream ends there, and `reason` says so.
        """
        rate_hz, duration_s = self.facts.rate_hz, self.facts.duration_s
        try:
            for block in self._recording.blocks(BLOCK_S):
                mono = to_mono(block)
                self.samples += len(mono)
                if self.samples > MAX_DURATION_S * rate_hz:
                    told = f"{self._path.name}: longer than {MAX_DURATION_S / 3600:g} h; cut it into parts first"
                    raise MediaError("too_long", told)
                yield mono
                on_progress(self.samples / rate_hz, duration_s)
            self._check_whole()
        except MediaError as error:
            if error.reason_code not in SALVAGEABLE or not self.samples:
                raise
            if not self._salvage:
                told = f"{error.reason}, or keep the audio before it with --salvage"
                raise MediaError(error.reason_code, told, "fix") from None
            self.reason_code = "salvaged"
            self.reason = f"{error.reason.rpartition(';')[0]}; the audio before it was kept"
        self._check_steady()

    def _check_whole(self) -> None:
        seconds, gaps_s = self.samples / self.facts.rate_hz, self._recording.gaps_s
        declared_s = self.facts.declared_s
        if declared_s is not None and seconds + gaps_s < declared_s * 0.98 - 1:
            raise MediaError(
                "cut_short",
                f"{self._path.name}: holds {seconds:.1f} s of the {declared_s:.1f} s that it declares; get a complete "
                "copy",
            )
        if gaps_s:
            self.reason_code = "gaps"
            self.reason = (
                f"{self._path.name}: {gaps_s:.1f} s are missing according to its time stamps; the audio was joined "
                "without gaps"
            )

    def _check_steady(self) -> None:
        try:
            steady = file_state(self._path) == self._state
        except OSError:
            steady = False
        if not steady:
            told = f"{self._path.name}: changed while it was read; ingest it again when nothing writes to it"
            raise MediaError("unsteady", told, "retry")


@contextmanager
def open_track(
    path: Path,
    *,
    track: int | None = None,
    language: str = "",
    salvage: bool = False,
    state: FileState | None = None,
) -> Iterator[TrackReader]:
    """Open `track`, or the one in `language` (BCP-47). `state`: the expected state of the file.

    Raises MediaError as pipelines.media.audio.open_recording does.
    """
    which = partial(choose_track, language=language) if track is None else track
    with open_recording(path, which) as recording:
        yield TrackReader(path, recording, salvage=salvage, state=state)
