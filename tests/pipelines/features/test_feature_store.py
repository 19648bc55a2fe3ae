"""pipelines.features.store: rows come back equal whatever order, process or interruption they were written in."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.features import store as module
from pipelines.features.store import FeatureStore


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def row(number: int) -> np.ndarray:
    return np.array([[number, number + 0.5]], np.float32)


@given(st.lists(st.lists(st.integers(0, 60), max_size=8), max_size=12), st.lists(st.integers(0, 80), max_size=20))
def test_every_row_that_was_written_is_read(tmp_path_factory, batches, asked):
    folder = tmp_path_factory.mktemp("store")
    store = FeatureStore(folder, (1, 2))
    for batch in batches:
        store.write([key(n) for n in batch], np.array([row(n) for n in batch], np.float32).reshape(-1, 1, 2))
    written = {number for batch in batches for number in batch}
    values, found = FeatureStore(folder, (1, 2)).read([key(number) for number in asked])
    assert found.tolist() == [number in written for number in asked]
    for number, value, is_found in zip(asked, values, found, strict=True):
        np.testing.assert_array_equal(value, row(number) if is_found else np.zeros((1, 2)))


def test_many_blocks_become_few_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MERGE_AT", 4)
    store = FeatureStore(tmp_path, (1, 2))
    for number in range(50):
        store.write([key(number)], row(number)[None])
    assert len(list(tmp_path.glob("*.block"))) < 4
    values, found = store.read([key(number) for number in range(50)])
    assert found.all()
    np.testing.assert_array_equal(values[:, 0, 0], np.arange(50))


def test_removed_rows_are_gone_and_the_others_stay(tmp_path):
    store = FeatureStore(tmp_path, (1, 2))
    store.write([key(n) for n in range(5)], np.array([row(n) for n in range(5)]))
    store.write([key(9)], row(9)[None])
    assert FeatureStore(tmp_path).remove({key(1), key(9), key(77)}) == 2
    assert store.read([key(n) for n in (0, 1, 2, 9)])[1].tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:40], lambda b: b"", lambda b: b[:-30] + b"x" + b[-29:]]
)
def test_a_damaged_block_counts_as_not_there(tmp_path, damage):
    store = FeatureStore(tmp_path, (1, 2))
    store.write([key(1), key(2)], np.array([row(1), row(2)]))
    (block,) = tmp_path.glob("*.block")
    block.write_bytes(damage(block.read_bytes()))
    assert not store.read([key(1)])[1].any()
    assert not list(tmp_path.glob("*.block"))


def test_a_row_of_another_shape_is_not_read(tmp_path):
    FeatureStore(tmp_path, (1, 2)).write([key(1)], row(1)[None])
    assert not FeatureStore(tmp_path, (3,)).read([key(1)])[1].any()
    with pytest.raises(ValueError, match="1 keys and values"):
        FeatureStore(tmp_path, (3,)).write([key(1)], row(1)[None])


WRITER = """
import sys
from pathlib import Path
import numpy as np
from pipelines.features import store as module
module.MERGE_AT = 4
store = module.FeatureStore(Path(sys.argv[1]), (1, 2))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    store.write([number.to_bytes(16, "big")], np.array([[[number, number + 0.5]]], np.float32))
    print(number, flush=True)
"""


def test_two_writers_that_merge_and_a_third_that_is_killed_lose_no_row(tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(first), str(first + 40)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        for first in (0, 100, 200)
    ]
    killed = started[2]
    assert killed.stdout is not None
    told = [int(killed.stdout.readline()) for _ in range(12)]
    killed.kill()
    told += [int(line) for line in killed.stdout.read().split()]
    killed.wait()
    killed.stdout.close()
    for process in started[:2]:
        process.communicate()
        assert process.returncode == 0
    wanted = [*range(40), *range(100, 140), *told]
    values, found = FeatureStore(tmp_path, (1, 2)).read([key(number) for number in wanted])
    assert found.all()
    np.testing.assert_array_equal(values[:, 0, 0], wanted)
