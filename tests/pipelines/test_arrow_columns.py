"""pipelines.arrow_columns: the same columns as pyarrow makes of lists, without pandas."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.arrow_columns import list_column, number_column, string_column


@given(st.lists(st.none() | st.text()))
def test_text_is_as_pyarrow_makes_it(values: list[str | None]) -> None:
    column = string_column(values)
    column.validate(full=True)
    assert column.equals(pa.array(values, pa.string()))


@given(st.lists(st.none() | st.floats(width=32, allow_nan=False)), st.lists(st.none() | st.integers(-(2**62), 2**62)))
def test_numbers_are_as_pyarrow_makes_them(floats: list[float | None], whole: list[int | None]) -> None:
    for column, expected in (
        (number_column(floats, "f4"), pa.array(floats, pa.float32())),
        (number_column(whole, "i8"), pa.array(whole, pa.int64())),
    ):
        column.validate(full=True)
        assert column.equals(expected)


@given(st.lists(st.lists(st.integers(0, 2**32 - 1))))
def test_lists_are_as_pyarrow_makes_them(values: list[list[int]]) -> None:
    column = list_column([np.array(one, np.uint32) for one in values], np.uint32)
    column.validate(full=True)
    assert column.equals(pa.array(values, pa.list_(pa.uint32())))


def test_tables_are_written_without_pandas() -> None:
    """It takes a second to load, at the end of every ingest."""
    code = (
        "import sys, io, pyarrow as pa, pyarrow.parquet as pq, numpy as np; "
        "from pipelines.arrow_columns import list_column, number_column, string_column; "
        "table = pa.table({'a': string_column(['x', None]), 'b': number_column([1, None], 'i4'), "
        "'c': list_column([np.zeros(1, 'u4')] * 2, 'u4')}); "
        "pq.write_table(table, io.BytesIO(), compression='zstd'); assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
