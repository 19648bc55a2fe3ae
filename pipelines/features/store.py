"""A packed store of feature rows by key: many rows per file, files that never change, safe for several processes.

Each file in the folder is one block, named by its content: keys [n, 16] and values [n, *shape], written under a
temporary name, synced and renamed. A process that is killed leaves no half block. Two processes that compute the same
rows write them twice; the values are equal, and the next merge keeps one. `MERGE_AT` blocks are merged into one under
a lock.
"""

import fcntl
import hashlib
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.atomic_write import atomic_path
from pipelines.units import Float32Array

KEY_BYTES = 16
MERGE_AT = 32
SUFFIX = ".block"
LOCK = "merge.lock"

Keys = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Block:
    """One file: its keys as bytes, and where its values lie."""

    path: Path
    keys: tuple[bytes, ...]
    values: Float32Array


class FeatureStore:
    """Rows of one extractor, float32 [*shape], by 16-byte key, in `folder`. Without `shape`, to remove rows only."""

    def __init__(self, folder: Path, shape: tuple[int, ...] | None = None) -> None:
        self.folder = folder
        self.shape = shape

    def read(self, keys: Sequence[bytes]) -> tuple[Float32Array, npt.NDArray[np.bool_]]:
        """Values [n, *shape] for `keys`, and which of them were found; rows not found are zeros."""
        values = np.zeros((len(keys), *(self.shape or ())), dtype=np.float32)
        found = np.zeros(len(keys), dtype=bool)
        where: dict[bytes, list[int]] = {}
        for number, key in enumerate(keys):
            where.setdefault(key, []).append(number)
        for block in self._blocks():
            rows = [(row, number) for row, key in enumerate(block.keys) if key in where for number in where[key]]
            if rows:
                source, target = np.array(rows).T
                values[target] = block.values[source]
                found[target] = True
        return values, found

    def write(self, keys: Sequence[bytes], values: Float32Array) -> None:
        """Add rows [n, *shape] under `keys`, all of them or none."""
        if len(keys) != len(values) or values.shape[1:] != self.shape:
            raise ValueError(f"{len(keys)} keys and values {values.shape}, expected [{len(keys)}, {self.shape}]")
        if not len(keys):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_block(keys, values)
        if len(self._files()) >= MERGE_AT:
            self._merge()

    def remove(self, keys: Collection[bytes]) -> int:
        """Remove the rows under `keys`; returns how many there were. Waits for a merge that is going on."""
        removed = 0
        if not self.folder.is_dir():
            return removed
        with _lock(self.folder / LOCK, wait=True):
            for block in list(self._blocks()):
                kept = [row for row, key in enumerate(block.keys) if key not in keys]
                if len(kept) < len(block.keys):
                    removed += len(block.keys) - len(kept)
                    if kept:
                        self._write_block([block.keys[row] for row in kept], block.values[kept])
                    block.path.unlink(missing_ok=True)
        return removed

    def _files(self) -> list[Path]:
        """Blocks that are whole: a name with a leading dot is still being written."""
        return sorted(self.folder.glob(f"[!.]*{SUFFIX}"))

    def _blocks(self) -> Iterator[_Block]:
        """Every readable block. One that vanishes was merged into another by then: start again with the new list."""
        seen: set[Path] = set()
        again = True
        while again:
            again = False
            for path in self._files():
                if path in seen:
                    continue
                seen.add(path)
                try:
                    block = self._open(path)
                except FileNotFoundError:
                    again = True
                    continue
                if block is not None:
                    yield block

    def _open(self, path: Path) -> _Block | None:
        """The block in `path`; a damaged one, or one of another shape, is removed and computed again."""
        with path.open("rb") as file:
            try:
                keys: Keys = np.load(file, allow_pickle=False)
                values: Float32Array = np.load(file, allow_pickle=False)
                stored = int.from_bytes(file.read(4), "little")
            except (ValueError, EOFError):
                values, keys, stored = np.zeros(0, np.float32), np.zeros((0, KEY_BYTES), np.uint8), -1
        is_good = (
            keys.shape == (len(values), KEY_BYTES)
            and self.shape in (None, values.shape[1:])
            and values.dtype == np.float32
            and stored == zlib.crc32(values.data, zlib.crc32(keys.data))
        )
        if not is_good:
            path.unlink(missing_ok=True)
            return None
        packed = keys.tobytes()
        return _Block(path, tuple(packed[at : at + KEY_BYTES] for at in range(0, len(packed), KEY_BYTES)), values)

    def _write_block(self, keys: Sequence[bytes], values: Float32Array) -> Path:
        packed: Keys = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), KEY_BYTES)
        rows = np.ascontiguousarray(values, dtype=np.float32)
        name = hashlib.sha256(packed.tobytes() + rows.tobytes()).hexdigest()[:16]
        path = self.folder / f"{name}{SUFFIX}"
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, packed)
            np.save(file, rows)
            file.write(zlib.crc32(rows.data, zlib.crc32(np.ascontiguousarray(packed).data)).to_bytes(4, "little"))
        return path

    def _merge(self) -> None:
        """Write all blocks as one and remove them; nothing where another process is at it."""
        with _lock(self.folder / LOCK, wait=False) as is_ours:
            if not is_ours:
                return
            blocks = list(self._blocks())
            place = {key: (number, row) for number, block in enumerate(blocks) for row, key in enumerate(block.keys)}
            sources = np.array(list(place.values())).reshape(-1, 2)
            values = np.empty((len(place), *blocks[0].values.shape[1:]), dtype=np.float32)
            for number, block in enumerate(blocks):
                chosen = sources[:, 0] == number
                values[chosen] = block.values[sources[chosen, 1]]
            merged = self._write_block(list(place), values)
            for block in blocks:
                if block.path != merged:
                    block.path.unlink(missing_ok=True)


@contextmanager
def _lock(path: Path, *, wait: bool) -> Iterator[bool]:
    """Whether this process holds the lock of a store."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
