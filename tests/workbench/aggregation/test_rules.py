"""One suite over every rule, and what each does with a tie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workbench.aggregation import RULES
from workbench.agreement import from_counts


def by(name, table):
    """What the rule makes of counts [items, labels]."""
    items, labels = ([f"{number:03d}" for number in range(size)] for size in table.shape)
    return RULES[name](from_counts(items, labels, table))


counts = arrays(np.float64, st.tuples(st.integers(0, 8), st.just(4)), elements=st.integers(0, 5).map(float))


@pytest.mark.parametrize("name", RULES)
@given(table=counts)
def test_shares_are_a_distribution_and_the_label_is_their_greatest(name, table):
    made = by(name, table)
    answered = table.sum(axis=1) > 0
    assert made.codes.shape == answered.shape and made.shares.shape == table.shape
    assert np.allclose(made.shares.sum(axis=1), answered)
    assert (made.shares >= 0).all()
    assert (made.codes[~answered] == -1).all()
    for code, shares in zip(made.codes, made.shares, strict=True):
        if code >= 0:
            assert shares[code] == pytest.approx(shares.max()) and (shares > shares[code] - 1e-12).sum() == 1


@pytest.mark.parametrize("name", RULES)
@given(table=counts)
def test_a_clear_majority_wins_under_every_rule(name, table):
    clear = table.copy()
    clear[:, 2] += clear.sum() + 10
    assert (by(name, clear).codes == 2).all()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_in_words_what_it_does(name):
    assert RULES[name].sentence and not RULES[name].sentence.endswith(".")


@pytest.mark.parametrize("name", RULES)
def test_labels_do_not_depend_on_the_order_of_clips(name):
    table = np.random.default_rng(0).integers(0, 4, (50, 5)).astype(float)
    assert (by(name, table).codes[::-1] == by(name, table[::-1]).codes).all()


def test_ties():
    table = np.array([[1.0, 1, 0], [0, 2, 0]])
    assert list(by("majority", table).codes) == [-1, 1]
    assert list(by("soft", table).codes) == [1, 1]
    assert list(by("soft", np.array([[1.0, 1, 0]])).codes) == [-1]
