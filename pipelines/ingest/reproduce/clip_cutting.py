"""Clip cutting: write clip files from a recording by one linear decode, without analysing it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

import numpy as np

from pipelines.atomic_write import AtomicPaths
from pipelines.errors import MediaError
from pipelines.execution.blas_threads import one_blas_thread
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.analysis.track_reader import BLOCK_S
from pipelines.ingest.reproduce.clip_checks import ClipCheck, make_check, serialize_checks
from pipelines.media.audio import Pcm16, open_recording, pcm_sha256, to_mono, to_pcm16, write_pcm16
from pipelines.units import Audio, ClipId, Hertz, Samples, SourceId


@dataclass(frozen=True, slots=True)
class ClipSlice:
    """A clip to cut. `pcm_sha256`: of its samples, empty while they are unknown."""

    clip_id: ClipId
    start_sample: Samples
    n_samples: Samples
    pcm_sha256: str = ""


@dataclass(frozen=True, slots=True)
class CutTask:
    """Slices of one recording, and the folder for their files. `suffix`: wav or flac."""

    source_id: SourceId
    path: Path
    clips: Path
    suffix: str
    slices: tuple[ClipSlice, ...]
    track: int = 0


class ClipWriter:
    """Writes clip files, which exist at the end of a `with`. `checks`: of the clips, in the order of writing."""

    def __init__(self, folder: Path, suffix: str, rate_hz: Hertz) -> None:
        self._folder = folder
        self._suffix = suffix
        self._rate_hz = rate_hz
        self._files = AtomicPaths()
        self.checks: list[ClipCheck] = []

    def __enter__(self) -> Self:
        self._files.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def write(self, name: ClipId, pcm: Pcm16, known_sha256: str = "") -> None:
        """Write one clip, whole or not at all; its checksum may be known. Raises OSError, also of earlier clips."""
        write_pcm16(self._folder / f"{name}.{self._suffix}", pcm, self._rate_hz, self._files)
        self.checks.append(make_check(name, pcm, self._rate_hz, known_sha256))


class _Interval(Protocol):
    @property
    def start_sample(self) -> Samples: ...
    @property
    def n_samples(self) -> Samples: ...


Interval = TypeVar("Interval", bound=_Interval)


def slice_blocks(blocks: Iterable[Audio], intervals: Iterable[Interval]) -> Iterator[tuple[Interval, Pcm16]]:
    """Each interval with its samples, s16 [n], from consecutive mono blocks float32 [k]; shorter where these end.

    Only the samples within intervals are converted and kept.
    """
    waiting = deque(sorted(intervals, key=lambda one: one.start_sample))
    open_: list[tuple[Interval, list[Pcm16]]] = []
    position = 0
    for block in blocks:
        end = position + len(block)
        while waiting and waiting[0].start_sample < end:
            open_.append((waiting.popleft(), []))
        still_open: list[tuple[Interval, list[Pcm16]]] = []
        for one, parts in open_:
            stop = one.start_sample + one.n_samples
            parts.append(to_pcm16(block[max(0, one.start_sample - position) : max(0, stop - position)]))
            if stop <= end:
                yield one, np.concatenate(parts)
            else:
                still_open.append((one, parts))
        open_ = still_open
        position = end
    for one, parts in open_:
        yield one, np.concatenate(parts)
    for one in waiting:
        yield one, np.zeros(0, np.int16)


def cut_clips(task: CutTask, on_progress: OnProgress) -> str:
    """Decode `task.path` from its first sample to the end of the last slice and write a file for each slice.

    Returns their checks (pipelines.ingest.reproduce.clip_checks.serialize_checks). Raises MediaError: `changed` where
    the recording does not have the samples of a slice, and as `open_recording` does; Cancelled out of `on_progress`.
    """
    last = max((one.start_sample + one.n_samples for one in task.slices), default=0)
    position = 0
    with one_blas_thread(), open_recording(task.path, task.track) as recording:
        rate_hz = recording.facts.rate_hz

        def blocks() -> Iterator[Audio]:
            nonlocal position
            for block in recording.blocks(BLOCK_S):
                mono = to_mono(block)
                position += len(mono)
                yield mono
                on_progress(position / rate_hz, last / rate_hz)
                if position >= last:
                    return

        with ClipWriter(task.clips, task.suffix, rate_hz) as writer:
            for one, pcm in slice_blocks(blocks(), task.slices):
                if len(pcm) < one.n_samples:
                    raise _changed(task, f"it ends after {position / rate_hz:.1f} s")
                _check_samples(task, one, pcm)
                writer.write(one.clip_id, pcm, one.pcm_sha256)
    return serialize_checks(writer.checks)


def cut_clips_from_samples(samples: Callable[[Samples, Samples], Pcm16], rate_hz: Hertz, task: CutTask) -> str:
    """Write the files of the slices from decoded audio: `samples` returns a number of samples from a start.

    Returns and raises MediaError as `cut_clips` does, and raises what `samples` raises.
    """
    with one_blas_thread(), ClipWriter(task.clips, task.suffix, rate_hz) as writer:
        for one in task.slices:
            pcm = samples(one.start_sample, one.n_samples)
            if len(pcm) < one.n_samples:
                raise _changed(task, f"it ends within {one.clip_id}")
            _check_samples(task, one, pcm)
            writer.write(one.clip_id, pcm, one.pcm_sha256)
    return serialize_checks(writer.checks)


def _check_samples(task: CutTask, one: ClipSlice, pcm: Pcm16) -> None:
    if one.pcm_sha256 and pcm_sha256(pcm) != one.pcm_sha256:
        raise _changed(task, f"the audio of {one.clip_id} differs")


def _changed(task: CutTask, difference: str) -> MediaError:
    return MediaError(
        "changed",
        f"{task.path.name}: is no longer the recording that source '{task.source_id}' was made from ({difference}); "
        "restore the original",
    )
