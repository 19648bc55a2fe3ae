"""Coefficients against the tables printed in their papers, and against their definitions written out plainly."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from pipelines.schema import Vote
from workbench.agreement import COEFFICIENTS, SCALES, agreement, from_counts, from_votes
from workbench.agreement.cohen import kappa


def rng():
    return np.random.default_rng(3)


def measured(ratings, scale="nominal"):
    return agreement(ratings, "test", scale=scale)


# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section D: four observers, twelve units.
OBSERVERS = {
    "A": "1 2 3 3 2 1 4 1 2 . . .",
    "B": "1 2 3 3 2 2 4 1 2 5 . 3",
    "C": ". 3 3 3 2 3 4 2 2 5 1 .",
    "D": "1 2 3 3 2 4 4 1 2 5 1 .",
}

# Fleiss (1971), table 1: 30 patients, each diagnosed by six psychiatrists in one of five ways.
PATIENTS = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""

# Cohen (1960), table 1: proportions of 200 patients, one judge's answers by the other's.
JUDGES = np.array([[0.25, 0.13, 0.12], [0.12, 0.02, 0.16], [0.03, 0.15, 0.02]]) * 200


@pytest.mark.parametrize(("scale", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_krippendorffs_own_example(scale, printed):
    votes = [
        Vote(f"u{unit:02d}", observer, value)
        for observer, values in OBSERVERS.items()
        for unit, value in enumerate(values.split())
        if value != "."
    ]
    found = measured(from_votes(votes, ["1", "2", "3", "4", "5"]), scale)
    assert found.coefficients["alpha"]["value"] == pytest.approx(printed, abs=0.0005)
    assert (found.items, found.paired, found.answers, found.coefficients["alpha"]["n"]) == (12, 11, 41, 11)


def test_kappa_of_fleiss_own_table():
    counts = [[int(digit) for digit in row] for row in PATIENTS.split()]
    labels = ("depression", "personality", "schizophrenia", "neurosis", "other")
    found = measured(from_counts([str(number) for number in range(30)], labels, counts))
    assert found.coefficients["fleiss_kappa"]["value"] == pytest.approx(0.430, abs=0.0005)
    assert found.coefficients["percent"]["value"] == pytest.approx(0.5556, abs=0.00005)
    assert list(found.counts.values()) == [26, 26, 30, 55, 43]


def test_kappa_of_cohens_own_table():
    assert kappa(JUDGES.reshape(1, -1))[0] == pytest.approx((0.29 - 0.35) / (1 - 0.35), abs=1e-9)


def test_kappa_between_two_raters_is_scikit_learns():
    draws = rng()
    one = draws.choice(list("abc"), 200)
    other = np.where(draws.random(200) < 0.6, one, draws.choice(list("abc"), 200))
    votes = [Vote(f"{n:03d}", "x", a) for n, a in enumerate(one)] + [
        Vote(f"{n:03d}", "y", b) for n, b in enumerate(other)
    ]
    (pair,) = measured(from_votes(votes, "abc")).pairs
    assert (pair.a, pair.b, pair.n) == ("x", "y", 200)
    assert pair.kappa["value"] == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
    assert pair.table.sum() == 200
    assert pair.table[0, 1] == sum(a == "a" and b == "b" for a, b in zip(one, other, strict=True))


tables = st.lists(st.lists(st.sampled_from([None, 0, 1, 2, 5]), min_size=3, max_size=3), min_size=1, max_size=12)


def ratings_of(table):
    votes = [
        Vote(f"i{item:02d}", f"r{rater}", str(value))
        for item, row in enumerate(table)
        for rater, value in enumerate(row)
        if value is not None
    ]
    return from_votes(votes, ["0", "1", "2", "5"])


def alpha_by_definition(table, scale):
    """1 - mean disagreement within items / mean disagreement between any two answers, written as it is said."""
    items = [[value for value in row if value is not None] for row in table]
    items = [row for row in items if len(row) > 1]
    pool = [value for row in items for value in row]
    order = [0, 1, 2, 5]

    def distance(c, k):
        if scale == "nominal":
            return float(c != k)
        if scale == "interval":
            return (c - k) ** 2
        low, high = sorted((order.index(c), order.index(k)))
        between = sum(pool.count(value) for value in order[low : high + 1])
        return (between - (pool.count(c) + pool.count(k)) / 2) ** 2 if c != k else 0.0

    within = sum(2 * distance(a, b) / (len(row) - 1) for row in items for a, b in combinations(row, 2)) / len(pool)
    between = sum(2 * distance(a, b) for a, b in combinations(pool, 2)) / (len(pool) * (len(pool) - 1))
    return 1 - within / between if between else None


@given(tables, st.sampled_from(SCALES))
def test_alpha_is_what_its_definition_says(table, scale):
    found = measured(ratings_of(table), scale).coefficients["alpha"]
    if not any(sum(value is not None for value in row) > 1 for row in table):
        assert found["value"] is None and found["n"] == 0
        return
    expected = alpha_by_definition(table, scale)
    if expected is None:
        assert found["value"] is None and "only one label" in found["reason"]
    else:
        assert found["value"] == pytest.approx(expected, abs=1e-9)


@given(tables, st.permutations([0, 1, 2]))
def test_coefficients_do_not_care_who_is_who(table, order):
    swapped = [[row[rater] for rater in order] for row in table]
    one, other = (measured(ratings_of(each)).coefficients for each in (table, swapped))
    assert one == other


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_every_coefficient_is_one_when_all_agree_and_has_a_source(name):
    found = measured(ratings_of([[0, 0, 0], [1, 1, 1], [2, 2, None]]))
    assert found.coefficients[name]["value"] == pytest.approx(1)
    assert COEFFICIENTS[name].title and COEFFICIENTS[name].source


@pytest.mark.parametrize("name", [name for name, one in COEFFICIENTS.items() if one.corrected])
def test_every_corrected_coefficient_is_near_zero_for_raters_who_guess(name):
    guesses = rng().choice([0, 1, 2, 5], (4000, 3))  # every label occurs: some coefficients count labels
    assert measured(ratings_of(guesses.tolist())).coefficients[name]["value"] == pytest.approx(0, abs=0.03)
