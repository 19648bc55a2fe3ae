"""Features kept by content: audio and extractor make the key, so nothing is ever out of date."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.atomic_write import sha256_file
from pipelines.errors import DataError
from pipelines.features.registry import Extractor
from pipelines.features.store import KEY_BYTES, FeatureStore
from pipelines.media.audio import read_mono
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.schema import LabelledClip
from pipelines.units import Float32Array, Hertz

#: Computed rows are written in blocks of about this many.
ROWS_PER_BLOCK = 1024


def content_id(clip: LabelledClip) -> str:
    """What the audio of `clip` is, whatever its name and place: its PCM hash and rate, else the hash of its file."""
    if clip.clip.pcm_sha256:
        return pcm_content(clip.clip.pcm_sha256, clip.clip.rate_hz)
    return f"file:{sha256_file(clip.path)}"


def pcm_content(pcm_sha256: str, rate_hz: Hertz) -> str:
    """The `content_id` of a clip by its checksum alone."""
    return f"pcm:{pcm_sha256}@{rate_hz}"


class FeatureCache:
    """A folder of feature rows, one packed store per extractor. Safe to share between processes, and to delete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, extractor: Extractor) -> FeatureStore:
        """The rows of one extractor and version."""
        return FeatureStore(self.folder / f"{extractor.name}-{extractor.version}", extractor.shape)

    def forget(self, contents: Collection[str]) -> int:
        """Remove the rows of `contents` (see `content_id`) by every extractor, changed copies too; returns how many."""
        keys = {row_key(content) for content in contents}
        return sum(FeatureStore(folder).remove(keys) for folder in sorted(self.folder.glob("*/")))


def row_key(content: str) -> bytes:
    """The key of a row in the store of its extractor."""
    return hashlib.sha256(content.encode()).digest()[:KEY_BYTES]


def features(
    extractor: Extractor,
    clips: Sequence[LabelledClip],
    cache: Path,
    report: ProgressCallback = ignore_progress,
    *,
    workers: int = 2,
) -> Float32Array:
    """The features of every clip, in order: float32, shape [len(clips), *extractor.shape]; see `feature_rows`."""
    return feature_rows([(extractor, clip) for clip in clips], extractor.shape, cache, report, workers=workers)


def feature_rows(
    rows: Sequence[tuple[Extractor, LabelledClip]],
    shape: tuple[int, ...],
    cache: Path,
    report: ProgressCallback = ignore_progress,
    *,
    workers: int = 2,
) -> Float32Array:
    """One row per (extractor, clip), in order: float32, shape [len(rows), *shape].

    Rows in the folder `cache` are read in one go. The others are made by `workers` threads and kept: each recording is
    hashed, decoded and resampled once for all its rows. Stopping from `report` loses no row that was made. Raises
    MediaError for audio that cannot be read, DataError for an extractor that gives another shape.
    """
    table = np.zeros((len(rows), *shape), dtype=np.float32)
    stores = {_store_name(extractor): FeatureCache(cache).store(extractor) for extractor, _ in rows}
    contents: dict[tuple[str, Path], str] = {}
    for _, clip in rows:
        if (clip.clip.pcm_sha256, clip.path) not in contents:
            contents[clip.clip.pcm_sha256, clip.path] = content_id(clip)
    keys = [row_key(contents[clip.clip.pcm_sha256, clip.path]) for _, clip in rows]

    missing = _read_stored(rows, keys, stores, table)
    done = len(rows) - sum(len(numbers) for work in missing for numbers in work.numbers.values())
    if done:
        report(Progress("features", done, len(rows), "cache"))
    pending: defaultdict[str, list[int]] = defaultdict(list)
    try:
        for work, made in _computed(missing, workers):
            for name, row in made.items():
                numbers = work.numbers[name]
                table[numbers] = row
                pending[name].append(numbers[0])
                if len(pending[name]) >= ROWS_PER_BLOCK:
                    _flush(stores[name], pending.pop(name), keys, table)
                for _ in numbers:
                    done += 1
                    report(Progress("features", done, len(rows), name))
    finally:
        for name, numbers in pending.items():
            _flush(stores[name], numbers, keys, table)
    return table


@dataclass(frozen=True)
class _Missing:
    """Rows to make from one recording at one rate: extractor and row numbers by the name of the store."""

    clip: LabelledClip
    rate_hz: Hertz | None
    extractors: Mapping[str, Extractor]
    numbers: Mapping[str, list[int]]

    def compute(self) -> dict[str, Float32Array]:
        """One row per store."""
        mono, rate_hz = read_mono(self.clip.path, self.rate_hz)
        made = {}
        for name, extractor in self.extractors.items():
            row = extractor(mono, rate_hz)
            if row.shape != extractor.shape or row.dtype != np.float32:
                raise DataError(
                    f"feature '{extractor.name}' gave {row.dtype} {row.shape}, not float32 {extractor.shape}"
                )
            made[name] = row
        return made


def _store_name(extractor: Extractor) -> str:
    return f"{extractor.name}-{extractor.version}"


def _read_stored(
    rows: Sequence[tuple[Extractor, LabelledClip]],
    keys: Sequence[bytes],
    stores: Mapping[str, FeatureStore],
    table: Float32Array,
) -> list[_Missing]:
    """Fill `table` with what the stores hold; what has to be made, by recording."""
    by_store: defaultdict[str, list[int]] = defaultdict(list)
    for number, (extractor, _) in enumerate(rows):
        by_store[_store_name(extractor)].append(number)
    missing: dict[tuple[bytes, Hertz | None], _Missing] = {}
    for name, numbers in by_store.items():
        values, found = stores[name].read([keys[number] for number in numbers])
        table[numbers] = values
        for number in (number for number, is_found in zip(numbers, found, strict=True) if not is_found):
            extractor, clip = rows[number]
            work = missing.setdefault(
                (keys[number], extractor.rate_hz), _Missing(clip, extractor.rate_hz, {}, defaultdict(list))
            )
            work.extractors[name] = extractor  # type: ignore[index]
            work.numbers[name].append(number)
    return list(missing.values())


def _computed(missing: Sequence[_Missing], workers: int) -> Iterator[tuple[_Missing, dict[str, Float32Array]]]:
    """Each piece of work with its rows, in the order of `missing`; a few are in flight at a time."""
    waiting = iter(missing)
    with _threads(workers) as pool:
        running: dict[Future[dict[str, Float32Array]], _Missing] = {}
        order: list[Future[dict[str, Float32Array]]] = []
        while True:
            while len(running) < 2 * max(1, workers) and (work := next(waiting, None)) is not None:
                future = pool.submit(work.compute)
                running[future] = work
                order.append(future)
            if not running:
                return
            wait(order[:1], return_when=FIRST_COMPLETED)
            first = order.pop(0)
            yield running.pop(first), first.result()


def _flush(store: FeatureStore, numbers: Sequence[int], keys: Sequence[bytes], table: Float32Array) -> None:
    store.write([keys[number] for number in numbers], table[list(numbers)])


@contextmanager
def _threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads suffice: decoding, resampling and transforms let go of the interpreter. An error stops the rest."""
    pool = ThreadPoolExecutor(max_workers=max(1, workers))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
