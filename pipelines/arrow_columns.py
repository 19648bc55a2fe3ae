"""Columns of Arrow tables without pandas, which pyarrow loads (a second) as soon as it is given a Python list."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def strings(values: Sequence[str | None]) -> pa.Array:
    """Text, None for null."""
    raw = [(value or "").encode() for value in values]
    content = pa.py_buffer(b"".join(raw))
    return pa.Array.from_buffers(pa.string(), len(raw), [_valid(values), _offsets(raw), content])


def numbers(values: Sequence[float | None] | npt.NDArray[np.generic], kind: npt.DTypeLike) -> pa.Array:
    """Numbers of a numpy type, None for null."""
    column = values if isinstance(values, np.ndarray) else np.array([value or 0 for value in values], kind)
    content = pa.py_buffer(np.ascontiguousarray(column, kind))
    nulls = None if isinstance(values, np.ndarray) else _valid(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(np.dtype(kind)), len(column), [nulls, content])


def lists(values: Sequence[npt.NDArray[np.generic]], kind: npt.DTypeLike) -> pa.Array:
    """Lists of numbers of a numpy type."""
    flat = numbers(np.concatenate(values) if values else np.zeros(0, kind), kind)
    return pa.Array.from_buffers(pa.list_(flat.type), len(values), [None, _offsets(values)], children=[flat])


def _offsets(parts: Sequence[bytes] | Sequence[npt.NDArray[np.generic]]) -> pa.Buffer:
    return pa.py_buffer(np.cumsum([0, *map(len, parts)], dtype=np.int32))


def _valid(values: Sequence[object]) -> pa.Buffer | None:
    there = [value is not None for value in values]
    return None if all(there) else pa.py_buffer(np.packbits(there, bitorder="little"))
