"""Arrow columns built without pandas, which pyarrow imports (one second) as soon as it gets a Python list."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def string_column(values: Sequence[str | None]) -> pa.Array:
    """A column of text, None for null."""
    raw = [(value or "").encode() for value in values]
    content = pa.py_buffer(b"".join(raw))
    return pa.Array.from_buffers(pa.string(), len(raw), [_validity_bitmap(values), _offsets(raw), content])


def number_column(values: Sequence[float | None] | npt.NDArray[np.generic], kind: npt.DTypeLike) -> pa.Array:
    """A column of numbers of a numpy type, None for null."""
    column = values if isinstance(values, np.ndarray) else np.array([value or 0 for value in values], kind)
    content = pa.py_buffer(np.ascontiguousarray(column, kind))
    nulls = None if isinstance(values, np.ndarray) else _validity_bitmap(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(np.dtype(kind)), len(column), [nulls, content])


def list_column(values: Sequence[npt.NDArray[np.generic]], kind: npt.DTypeLike) -> pa.Array:
    """A column of lists of numbers of a numpy type."""
    flat = number_column(np.concatenate(values) if values else np.zeros(0, kind), kind)
    return pa.Array.from_buffers(pa.list_(flat.type), len(values), [None, _offsets(values)], children=[flat])


def _offsets(parts: Sequence[bytes] | Sequence[npt.NDArray[np.generic]]) -> pa.Buffer:
    return pa.py_buffer(np.cumsum([0, *map(len, parts)], dtype=np.int32))


def _validity_bitmap(values: Sequence[object]) -> pa.Buffer | None:
    present = [value is not None for value in values]
    return None if all(present) else pa.py_buffer(np.packbits(present, bitorder="little"))
