"""clips_check.parquet: what tells an equal, shifted or changed clip apart when its original sound is not there.

One row per kept clip: clip_id, pcm_sha256, sketch (64 x float32, pipelines.ingest.sketch), fp (32-bit items of its own
sound, one each 0.125 s, pipelines.ingest.fingerprint). Rows are made from the clips' files once and never again, so
that a table made on one machine keeps its bytes on the next.
"""

import io
import wave
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.atomic import write_bytes
from pipelines.audio import Pcm16, pcm_sha256
from pipelines.errors import DataError, MediaError
from pipelines.ingest.fingerprint import ALGORITHM as FP_ALGORITHM
from pipelines.ingest.fingerprint import Items, inner_items
from pipelines.ingest.sketch import ALGORITHM as SKETCH_ALGORITHM
from pipelines.ingest.sketch import SIZE, Sketch, sketch
from pipelines.schema import Clip
from pipelines.threads import one_blas_thread
from pipelines.units import ClipId, Hertz

#: Threads: reading, hashing and transforms let go of the interpreter.
_READERS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """What is kept of one clip: `sketch` is float32 [64], `items` uint32 [n]."""

    clip_id: ClipId
    pcm_sha256: str
    sketch: Sketch
    items: Items


def check_of(clip_id: ClipId, pcm: Pcm16, rate_hz: Hertz) -> Check:
    """The check of s16 samples [n] at `rate_hz`."""
    items = inner_items(pcm.astype(np.float32) / np.float32(32768), rate_hz)
    return Check(clip_id, pcm_sha256(pcm), sketch(pcm), items)


def checks_file(manifest: Path) -> Path:
    """Where the checks of a manifest lie: clips.csv has clips_check.parquet beside it."""
    return manifest.with_name(f"{manifest.stem}_check.parquet")


def read_checks(path: Path) -> dict[ClipId, Check]:
    """The checks in `path`; none where there is no such file. Raises DataError for another file or algorithm."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return {}
    try:
        table = pq.read_table(path)
        made_by = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        ids, hashes = table["clip_id"].to_pylist(), table["pcm_sha256"].to_pylist()
        sketches = table["sketch"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, SIZE)
        items = table["fp"].to_pylist()
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise DataError(f"{path.name}: is damaged ({error}); bring it back from a copy, or delete it") from None
    for key, expected in _MADE_BY.items():
        if made_by.get(key) != expected:
            raise DataError(
                f"{path.name}: was made with {key} '{made_by.get(key, 'unknown')}', expected '{expected}'; "
                "use the version of this program that made it, or delete it and ingest again"
            )
    return {
        name: Check(name, pcm, np.array(numbers, np.float32), np.array(fp, np.uint32))
        for name, pcm, numbers, fp in zip(ids, hashes, sketches, items, strict=True)
    }


def write_checks(path: Path, checks: Iterable[Check]) -> bool:
    """Write the table in the order given, atomically; same checks, same bytes. Returns whether a byte changed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(checks)
    flat = np.concatenate([row.sketch for row in rows]) if rows else np.zeros(0, np.float32)
    columns = {
        "clip_id": pa.array([row.clip_id for row in rows], pa.string()),
        "pcm_sha256": pa.array([row.pcm_sha256 for row in rows], pa.string()),
        "fp": pa.array([row.items.tolist() for row in rows], pa.list_(pa.uint32())),
        "sketch": pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), SIZE),
    }
    table = pa.table(columns).replace_schema_metadata(dict(_MADE_BY))
    made = io.BytesIO()
    pq.write_table(table, made, compression="zstd")
    return write_bytes(path, made.getvalue())


def update_checks(path: Path, clips: Sequence[Clip], audio: Mapping[ClipId, Path]) -> bool:
    """Bring the table up to `clips`: rows of equal sound stay, missing ones are made from the files in `audio`.

    A clip whose file is not here, or holds other sound than its checksum says, gets no row; a table that cannot be read
    is made anew. Returns whether a byte changed.
    """
    try:
        known = read_checks(path)
    except DataError:
        known = {}
    kept = {clip.clip_id: known[clip.clip_id] for clip in clips if _is_of(known.get(clip.clip_id), clip)}
    missing = [clip for clip in clips if clip.clip_id not in kept and clip.pcm_sha256]
    with one_blas_thread(), ThreadPoolExecutor(_READERS) as readers:
        made = list(readers.map(lambda clip: _made(clip, audio[clip.clip_id]), missing))
    kept |= {check.clip_id: check for check in made if check is not None}
    if path.is_file() and known.keys() == kept.keys() and not any(made):
        return False
    ordered = sorted(clips, key=lambda clip: (clip.source_id, clip.track, clip.start_sample, clip.clip_id))
    return write_checks(path, [kept[clip.clip_id] for clip in ordered if clip.clip_id in kept])


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
        with wave.open(str(path), "rb") as sound:
            if (sound.getnchannels(), sound.getsampwidth()) != (1, 2):
                raise MediaError("not_pcm16", f"{path.name}: is not mono PCM of 16 bit, as clips are")
            frames = sound.readframes(sound.getnframes())
            rate = sound.getframerate()
    except (wave.Error, EOFError, OSError) as error:
        raise MediaError("damaged", f"{path.name}: cannot be read ({error})") from None
    return np.frombuffer(frames[: len(frames) // 2 * 2], "<i2").astype(np.int16, copy=False), rate


_MADE_BY = {"sketch": SKETCH_ALGORITHM, "fp": FP_ALGORITHM}


def _is_of(check: Check | None, clip: Clip) -> bool:
    return check is not None and check.pcm_sha256 == clip.pcm_sha256


def _made(clip: Clip, file: Path) -> Check | None:
    try:
        pcm, rate_hz = read_pcm16(file)
    except MediaError:
        return None
    if rate_hz != clip.rate_hz or pcm_sha256(pcm) != clip.pcm_sha256:
        return None
    return check_of(clip.clip_id, pcm, rate_hz)
