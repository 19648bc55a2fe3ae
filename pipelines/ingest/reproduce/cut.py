"""Clips cut from a recording again, or for the first time, without listening to it: one linear decode, no model."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipelines.atomic_write import AtomicPaths
from pipelines.errors import MediaError
from pipelines.execution.blas_threads import one_blas_thread
from pipelines.execution.process_pool import Tell
from pipelines.ingest.analysis.track_reader import BLOCK_S
from pipelines.ingest.reproduce.clip_checks import Check, check_of, checks_to_text
from pipelines.media.audio import Pcm16, open_recording, pcm_sha256, to_mono, to_pcm16, write_pcm16
from pipelines.units import ClipId, Hertz, Samples, SourceId


@dataclass(frozen=True, slots=True)
class Slice:
    """A clip to cut. `pcm_sha256`: of its samples, empty where nobody has heard them yet."""

    clip_id: ClipId
    start_sample: Samples
    n_samples: Samples
    pcm_sha256: str = ""


@dataclass(frozen=True, slots=True)
class CutTask:
    """Slices of one recording, and the folder that their files go to. `suffix`: wav or flac."""

    source_id: SourceId
    path: Path
    clips: Path
    suffix: str
    slices: tuple[Slice, ...]
    track: int = 0


class ClipWriter:
    """Writes files of clips, which are there after a `with`. `checks`: of the clips, in the order they were given."""

    def __init__(self, folder: Path, suffix: str, rate_hz: Hertz) -> None:
        self._folder = folder
        self._suffix = suffix
        self._rate_hz = rate_hz
        self._files = AtomicPaths()
        self.checks: list[Check] = []

    def __enter__(self) -> Self:
        self._files.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def write(self, name: ClipId, pcm: Pcm16, known_sha256: str = "") -> None:
        """Write one clip, whole or not at all; its checksum may be known. Raises OSError, perhaps of an earlier one."""
        write_pcm16(self._folder / f"{name}.{self._suffix}", pcm, self._rate_hz, self._files)
        self.checks.append(check_of(name, pcm, self._rate_hz, known_sha256))


def cut(task: CutTask, tell: Tell) -> str:
    """Decode `task.path` from its first sample to the end of the last slice and write a file for each slice.

    Returns their checks (pipelines.ingest.reproduce.clip_checks.checks_to_text). Raises MediaError: `changed` where the
    recording does not hold the samples that a slice says, and as `open_recording` does; Cancelled out of `tell`.
    """
    with one_blas_thread(), open_recording(task.path, task.track) as recording:
        rate_hz = recording.facts.rate_hz
        with ClipWriter(task.clips, task.suffix, rate_hz) as writer:
            left = deque(sorted(task.slices, key=lambda one: one.start_sample))
            begun: list[tuple[Slice, list[Pcm16]]] = []
            last = max((one.start_sample + one.n_samples for one in left), default=0)
            at = 0
            for block in recording.blocks(BLOCK_S):
                pcm = to_pcm16(to_mono(block))
                while left and left[0].start_sample < at + len(pcm):
                    begun.append((left.popleft(), []))
                for one, parts in begun:
                    low, high = one.start_sample - at, one.start_sample + one.n_samples - at
                    parts.append(pcm[max(0, low) : min(len(pcm), high)])
                    if high <= len(pcm):
                        writer.write(one.clip_id, _whole(task, one, parts), one.pcm_sha256)
                at += len(pcm)
                begun = [(one, parts) for one, parts in begun if one.start_sample + one.n_samples > at]
                tell(at / rate_hz, last / rate_hz)
                if not (left or begun):
                    break
            if left or begun:
                raise _changed(task, f"it ends after {at / rate_hz:.1f} s")
    return checks_to_text(writer.checks)


def cut_from(samples: Callable[[Samples, Samples], Pcm16], rate_hz: Hertz, task: CutTask) -> str:
    """Write the files of the slices from sound that is at hand: `samples` gives count samples from a start.

    Returns and raises MediaError as `cut` does, and raises what `samples` raises.
    """
    with one_blas_thread(), ClipWriter(task.clips, task.suffix, rate_hz) as writer:
        for one in task.slices:
            pcm = samples(one.start_sample, one.n_samples)
            if len(pcm) < one.n_samples:
                raise _changed(task, f"it ends within {one.clip_id}")
            writer.write(one.clip_id, _whole(task, one, [pcm]), one.pcm_sha256)
    return checks_to_text(writer.checks)


def _whole(task: CutTask, one: Slice, parts: Sequence[Pcm16]) -> Pcm16:
    pcm = np.concatenate(parts)
    if one.pcm_sha256 and pcm_sha256(pcm) != one.pcm_sha256:
        raise _changed(task, f"the sound of {one.clip_id} is another")
    return pcm


def _changed(task: CutTask, what: str) -> MediaError:
    return MediaError(
        "changed",
        f"{task.path.name}: is no longer the recording that source '{task.source_id}' was made from ({what}); "
        "bring that one back",
    )
