"""One recording on its way to the analysis: the right track, mono, and every way in which it may end badly."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipelines.errors import MediaError
from pipelines.execution.process_pool import Tell
from pipelines.ingest.analysis.track_language import choose_track
from pipelines.media.audio import Probe, Recording, open_recording, to_mono
from pipelines.units import Audio, Samples, Seconds

#: Short blocks stay in the processor's cache: 30 s cost a tenth more time and 40 MiB.
BLOCK_S: Seconds = 2.0
#: A few bytes can decode to days of silence; no recording of a drama is as long as this.
LONGEST_S: Seconds = 24 * 3600.0

#: Ways to end in the middle, after which what came before is good.
SALVAGEABLE = frozenset(("damaged", "cut_short", "changes_midway"))


@dataclass(frozen=True, slots=True)
class State:
    """Size and time of change of a file: as long as both are the same, so is its content."""

    size: int
    mtime_ns: int


def state_of(path: Path) -> State:
    """The file's state now. Raises OSError."""
    now = path.stat()
    return State(now.st_size, now.st_mtime_ns)


class Reading:
    """An open recording. After `mono`, `reason_code` and `reason` hold what should be known about it, or nothing."""

    def __init__(self, path: Path, recording: Recording, *, salvage: bool, state: State | None) -> None:
        self._path, self._recording, self._salvage = path, recording, salvage
        self._state = state or state_of(path)
        self.track = recording.track
        self.facts: Probe = recording.facts
        self.samples: Samples = 0
        self.reason_code = self.reason = ""

    def mono(self, tell: Tell) -> Iterator[Audio]:
        """The channel mean from the first sample on, float32 [n], in blocks of about `BLOCK_S`.

        Raises MediaError: as pipelines.media.audio does, cut_short, too_long, unsteady. Of those in `SALVAGEABLE` nothing
        is raised with `salvage` where there was sound before: it ends there, and says so in `reason`.
        """
        rate_hz, duration_s = self.facts.rate_hz, self.facts.duration_s
        try:
            for block in self._recording.blocks(BLOCK_S):
                mono = to_mono(block)
                self.samples += len(mono)
                if self.samples > LONGEST_S * rate_hz:
                    told = f"{self._path.name}: goes on for more than {LONGEST_S / 3600:g} h; cut it into parts first"
                    raise MediaError("too_long", told)
                yield mono
                tell(self.samples / rate_hz, duration_s)
            self._check_whole()
        except MediaError as error:
            if error.reason_code not in SALVAGEABLE or not self.samples:
                raise
            if not self._salvage:
                told = f"{error.reason}, or keep what comes before with --salvage"
                raise MediaError(error.reason_code, told, "fix") from None
            self.reason_code = "salvaged"
            self.reason = f"{error.reason.rpartition(';')[0]}; what comes before was kept"
        self._check_steady()

    def _check_whole(self) -> None:
        seconds, gaps_s = self.samples / self.facts.rate_hz, self._recording.gaps_s
        promised_s = self.facts.promised_s
        if promised_s is not None and seconds + gaps_s < promised_s * 0.98 - 1:
            raise MediaError(
                "cut_short",
                f"{self._path.name}: holds {seconds:.1f} s of the {promised_s:.1f} s that it announces; get a whole "
                "copy",
            )
        if gaps_s:
            self.reason_code = "gaps"
            self.reason = (
                f"{self._path.name}: {gaps_s:.1f} s are missing within it by its own time stamps; the sound was laid "
                "end to end"
            )

    def _check_steady(self) -> None:
        try:
            steady = state_of(self._path) == self._state
        except OSError:
            steady = False
        if not steady:
            told = f"{self._path.name}: was changed while it was read; ingest it again when it has come to rest"
            raise MediaError("unsteady", told, "retry")


@contextmanager
def open_reading(
    path: Path,
    *,
    track: int | None = None,
    language: str = "",
    salvage: bool = False,
    state: State | None = None,
) -> Iterator[Reading]:
    """Open `track`, or the one that `language` (BCP-47) asks for. `state` is that of the file that is meant.

    Raises MediaError as pipelines.media.audio.open_recording does.
    """
    which = partial(choose_track, language=language) if track is None else track
    with open_recording(path, which) as recording:
        yield Reading(path, recording, salvage=salvage, state=state)
