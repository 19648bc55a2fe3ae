"""Shares, majority and entropy of counts: what is tied, what nobody answered, and values known by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipelines.statistics import vote_counts

tables = arrays(np.float64, st.tuples(st.integers(0, 8), st.integers(1, 5)), elements=st.integers(0, 6).map(float))


def test_values_known_by_hand():
    counts = np.array([[2.0, 1, 1], [1, 1, 0], [0, 0, 0], [0, 3, 0]])
    assert vote_counts.shares(counts)[0].tolist() == [0.5, 0.25, 0.25]
    assert vote_counts.single_best(counts).tolist() == [0, -1, -1, 1]
    assert vote_counts.most_frequent(counts)[1].tolist() == [True, True, False]
    assert vote_counts.entropy_bits(counts).tolist() == pytest.approx([1.5, 1.0, 0.0, 0.0])


@given(tables)
def test_a_label_is_given_where_exactly_one_is_most_frequent(counts):
    best, single, bits = (
        vote_counts.most_frequent(counts),
        vote_counts.single_best(counts),
        vote_counts.entropy_bits(counts),
    )
    assert best.shape == counts.shape and single.shape == bits.shape == (len(counts),)
    assert (bits >= 0).all() and (bits <= np.log2(counts.shape[1]) + 1e-9).all()
    for row, is_best, code in zip(counts, best, single, strict=True):
        expected = [number for number, count in enumerate(row) if count and count == max(row)]
        assert np.flatnonzero(is_best).tolist() == expected
        assert code == (expected[0] if len(expected) == 1 else -1)
