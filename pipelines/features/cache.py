"""Features kept by content: audio and extractor make the key, so nothing is ever out of date."""

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipelines.atomic_write import sha256_file
from pipelines.errors import DataError
from pipelines.features.registry import Extractor
from pipelines.media.audio import read_mono
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.schema import LabelledClip
from pipelines.units import Audio, Float32Array, Hertz


def content_id(clip: LabelledClip) -> str:
    """What the audio of `clip` is, whatever its name and place: its PCM hash and rate, else the hash of its file."""
    if clip.clip.pcm_sha256:
        return pcm_content(clip.clip.pcm_sha256, clip.clip.rate_hz)
    return f"file:{sha256_file(clip.path)}"


def pcm_content(pcm_sha256: str, rate_hz: Hertz) -> str:
    """The `content_id` of a clip by its checksum alone."""
    return f"pcm:{pcm_sha256}@{rate_hz}"


class FeatureCache:
    """A folder of feature rows. Safe to share between threads and processes, and to delete at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def row(self, extractor: Extractor, content: str, audio: Callable[[], tuple[Audio, Hertz]]) -> Float32Array:
        """The features of `content`, from the folder or else made from `audio()` (mono [n], rate) and kept.

        content: names the audio exactly; for a changed copy of a clip, `content_id(clip)` and what changed it.
        """
        file = self._file(extractor, content)
        row = _load(file, extractor.shape)
        if row is None:
            row = extractor(*audio())
            if row.shape != extractor.shape or row.dtype != np.float32:
                raise DataError(
                    f"feature '{extractor.name}' gave {row.dtype} {row.shape}, not float32 {extractor.shape}"
                )
            _save(file, row)
        return row

    def forget(self, contents: Collection[str]) -> int:
        """Remove the rows of `contents` (see `content_id`) by every extractor, changed copies too; returns how many."""
        removed = 0
        for folder in self.folder.glob("*/"):
            words = folder.name.split("-")
            for cut in range(1, len(words)):  # both a name and a version may hold a hyphen
                name, version = "-".join(words[:cut]), "-".join(words[cut:])
                for content in contents:
                    file = self._place(name, version, content)
                    if file.is_file():
                        file.unlink()
                        removed += 1
        return removed

    def _file(self, extractor: Extractor, content: str) -> Path:
        return self._place(extractor.name, extractor.version, content)

    def _place(self, name: str, version: str, content: str) -> Path:
        key = hashlib.sha256(f"{name}\n{version}\n{content}".encode()).hexdigest()
        return self.folder / f"{name}-{version}" / key[:2] / f"{key[2:]}.npy"


def features(
    extractor: Extractor,
    clips: Sequence[LabelledClip],
    cache: Path,
    report: ProgressCallback = ignore_progress,
    *,
    workers: int = 2,
) -> Float32Array:
    """The features of every clip, in order: float32, shape [len(clips), *extractor.shape].

    Rows already in the folder `cache` are read, the others made by `workers` threads and kept. Stopping from `report`
    loses no row that was made. Raises MediaError for audio that cannot be read.
    """
    kept = FeatureCache(cache)

    def row(clip: LabelledClip) -> Float32Array:
        return kept.row(extractor, content_id(clip), lambda: read_mono(clip.path, extractor.rate_hz))

    table = np.empty((len(clips), *extractor.shape), dtype=np.float32)
    with _threads(workers) as pool:
        for number, made in enumerate(pool.map(row, clips)):
            table[number] = made
            report(Progress("features", number + 1, len(clips), extractor.name))
    return table


@contextmanager
def _threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads suffice: decoding, resampling and transforms let go of the interpreter. An error stops the rest."""
    pool = ThreadPoolExecutor(max_workers=max(1, workers))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _load(file: Path, shape: tuple[int, ...]) -> Float32Array | None:
    """The row in `file`; None where there is none or a crash of the machine left it cut short."""
    try:
        row = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return row if row.shape == shape and row.dtype == np.float32 else None


def _save(file: Path, row: Float32Array) -> None:
    """Rename without a sync: a row lost to a power cut is only made again, and a sync costs more than making it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.stem}.{os.getpid()}.{threading.get_ident()}.npy")
    try:
        np.save(temporary, row)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
