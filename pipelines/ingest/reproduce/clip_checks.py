"""Clip checks (clips_check.parquet): enough to recognise an equal, shifted or changed clip without its original audio.

One row per kept clip: clip_id, pcm_sha256, sketch (64 x float32, pipelines.ingest.reproduce.sketch), fp (32-bit items
of its own audio, one each 0.125 s, pipelines.ingest.analysis.fingerprint). A row is made once, when its clip is cut or
from its file, so that a table made on one machine keeps its bytes on the next.
"""

import base64
import binascii
import io
import json
import wave
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.atomic_write import write_bytes
from pipelines.errors import DataError, MediaError
from pipelines.execution.blas_threads import one_blas_thread
from pipelines.ingest.analysis.fingerprint import ALGORITHM as FP_ALGORITHM
from pipelines.ingest.analysis.fingerprint import Items, inner_items
from pipelines.ingest.reproduce.sketch import ALGORITHM as SKETCH_ALGORITHM
from pipelines.ingest.reproduce.sketch import SIZE, Sketch, sketch
from pipelines.media.audio import Pcm16, pcm_sha256
from pipelines.schema import Clip
from pipelines.units import ClipId, Hertz

#: Threads: reading, hashing and transforms release the GIL.
_THREADS = 4


@dataclass(frozen=True, slots=True, eq=False)
class ClipCheck:
    """The check of one clip: `sketch` is float32 [64], `items` uint32 [n]."""

    clip_id: ClipId
    pcm_sha256: str
    sketch: Sketch
    items: Items


def make_check(clip_id: ClipId, pcm: Pcm16, rate_hz: Hertz, known_sha256: str = "") -> ClipCheck:
    """The check of s16 samples [n] at `rate_hz`; their checksum may be known already."""
    items = inner_items(pcm.astype(np.float32) / np.float32(32768), rate_hz)
    return ClipCheck(clip_id, known_sha256 or pcm_sha256(pcm), sketch(pcm), items)


def serialize_checks(checks: Iterable[ClipCheck]) -> str:
    """Checks as JSON, to pass them between processes and machines."""
    rows = [[one.clip_id, one.pcm_sha256, _to_text(one.sketch), _to_text(one.items)] for one in checks]
    return json.dumps(rows)


def deserialize_checks(text: str) -> dict[ClipId, ClipCheck]:
    """The checks in a text of `serialize_checks`; empty for any other text: checks can be made from clip files."""
    try:
        rows = [
            ClipCheck(name, pcm, _array(sketch, "<f4"), _array(items, "<u4"))
            for name, pcm, sketch, items in json.loads(text)
        ]
    except (ValueError, TypeError, binascii.Error):
        return {}
    return {row.clip_id: row for row in rows if len(row.sketch) == SIZE}


def checks_path(manifest: Path) -> Path:
    """The file of a manifest's checks: clips_check.parquet is beside clips.csv."""
    return manifest.with_name(f"{manifest.stem}_check.parquet")


def read_checks(path: Path) -> dict[ClipId, ClipCheck]:
    """The checks in `path`; none where there is no such file. Raises DataError for another file or algorithm."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return {}
    try:
        table = pq.ParquetFile(path).read()  # read_table would load pandas
        made_by = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        ids, hashes = table["clip_id"].to_pylist(), table["pcm_sha256"].to_pylist()
        sketches = table["sketch"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, SIZE)
        items = table["fp"].to_pylist()
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise DataError(f"{path.name}: is damaged ({error}); restore it from a copy, or delete it") from None
    for key, expected in _MADE_BY.items():
        if made_by.get(key) != expected:
            raise DataError(
                f"{path.name}: was made with {key} '{made_by.get(key, 'unknown')}', expected '{expected}'; "
                "use the version of this program that made it, or delete it and ingest again"
            )
    return {
        name: ClipCheck(name, pcm, np.array(values, np.float32), np.array(fp, np.uint32))
        for name, pcm, values, fp in zip(ids, hashes, sketches, items, strict=True)
    }


def write_checks(path: Path, checks: Iterable[ClipCheck]) -> bool:
    """Write the table in the order given, atomically; same checks, same bytes. Returns whether a byte changed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pipelines.arrow_columns import list_column, number_column, string_column

    rows = list(checks)
    flat = np.concatenate([row.sketch for row in rows]) if rows else np.zeros(0, np.float32)
    columns = {
        "clip_id": string_column([row.clip_id for row in rows]),
        "pcm_sha256": string_column([row.pcm_sha256 for row in rows]),
        "fp": list_column([row.items for row in rows], np.uint32),
        "sketch": pa.FixedSizeListArray.from_arrays(number_column(flat, np.float32), SIZE),
    }
    table = pa.table(columns).replace_schema_metadata(dict(_MADE_BY))
    made = io.BytesIO()
    pq.write_table(table, made, compression="zstd")
    return write_bytes(path, made.getvalue())


def update_checks(
    path: Path,
    clips: Sequence[Clip],
    place: Callable[[ClipId], Path],
    new: Mapping[ClipId, ClipCheck] = MappingProxyType({}),
) -> bool:
    """Update the table for `clips`: rows of equal audio stay, others come from `new` or from the file at its `place`.

    A clip whose file is missing, or has another checksum, gets no row; a table that cannot be read is made again.
    Returns whether a byte changed.
    """
    try:
        known = read_checks(path)
    except DataError:
        known = {}
    kept = _matching_checks(clips, known, new)
    missing = [clip for clip in clips if clip.clip_id not in kept and clip.pcm_sha256]
    with one_blas_thread(), ThreadPoolExecutor(_THREADS) as threads:
        made = list(threads.map(lambda clip: _check_from_file(clip, place(clip.clip_id)), missing))
    kept |= {check.clip_id: check for check in made if check is not None}
    if path.is_file() and known.keys() == kept.keys() and all(known[name] is check for name, check in kept.items()):
        return False
    ordered = sorted(clips, key=lambda clip: (clip.source_id, clip.track, clip.start_sample, clip.clip_id))
    return write_checks(path, [kept[clip.clip_id] for clip in ordered if clip.clip_id in kept])


def _matching_checks(clips: Sequence[Clip], *tables: Mapping[ClipId, ClipCheck]) -> dict[ClipId, ClipCheck]:
    """For each clip the check of its very samples in the first table that has one."""
    found: dict[ClipId, ClipCheck] = {}
    for clip in clips:
        for table in tables:
            check = table.get(clip.clip_id)
            if check is not None and check.pcm_sha256 == clip.pcm_sha256:
                found[clip.clip_id] = check
                break
    return found


def read_pcm16(path: Path) -> tuple[Pcm16, Hertz]:
    """A clip's own file, WAV or FLAC: s16 [n] and its rate. Raises MediaError: missing, not_pcm16, damaged."""
    if not path.is_file():
        raise MediaError("missing", f"{path.name}: there is no such file in {path.parent}", "gone")
    if path.suffix == ".flac":
        import soundfile

        try:
            samples, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
        except RuntimeError as error:
            raise MediaError("damaged", f"{path.name}: cannot be read ({error})") from None
        if samples.shape[1] != 1:
            raise MediaError("not_pcm16", f"{path.name}: has {samples.shape[1]} channels, expected 1")
        return samples[:, 0], int(rate_hz)
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise MediaError("not_pcm16", f"{path.name}: is not 16-bit mono PCM, as clips are")
            frames = file.readframes(file.getnframes())
            rate = file.getframerate()
    except (wave.Error, EOFError, OSError) as error:
        raise MediaError("damaged", f"{path.name}: cannot be read ({error})") from None
    return np.frombuffer(frames[: len(frames) // 2 * 2], "<i2").astype(np.int16, copy=False), rate


_MADE_BY = {"sketch": SKETCH_ALGORITHM, "fp": FP_ALGORITHM}


def _to_text(numbers: npt.NDArray[np.generic]) -> str:
    return base64.b64encode(numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes()).decode()


def _array(text: str, kind: str) -> npt.NDArray[Any]:
    found = np.frombuffer(base64.b64decode(text, validate=True), kind)
    return found.astype(found.dtype.newbyteorder("="), copy=False)


def _check_from_file(clip: Clip, file: Path) -> ClipCheck | None:
    try:
        pcm, rate_hz = read_pcm16(file)
    except MediaError:
        return None
    if rate_hz != clip.rate_hz or pcm_sha256(pcm) != clip.pcm_sha256:
        return None
    return make_check(clip.clip_id, pcm, rate_hz, clip.pcm_sha256)
