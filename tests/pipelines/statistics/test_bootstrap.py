"""Bootstrap by group: width, determinism, and what happens with few groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.statistics import bootstrap


def rng():
    return np.random.default_rng(7)


def test_mean_is_the_plain_mean_and_n_the_items():
    found = bootstrap.mean([1, 0, 0, 1], ["a", "a", "b", "c"], rng())
    assert found["value"] == 0.5 and found["n"] == 4
    assert 0 <= found["low"] <= 0.5 <= found["high"] <= 1


def test_groups_that_are_all_alike_inside_widen_the_interval():
    # 400 clips in 8 episodes, each episode all right or all wrong: the episodes, not the clips, are what was sampled.
    values = np.repeat([1, 0, 1, 0, 1, 0, 1, 0], 50)
    by_group = bootstrap.mean(values, [str(i // 50) for i in range(400)], rng())
    by_clip = bootstrap.mean(values, [str(i) for i in range(400)], rng())
    assert by_group["high"] - by_group["low"] > 4 * (by_clip["high"] - by_clip["low"])


def test_by_clip_it_agrees_with_the_normal_approximation():
    values = np.arange(1000) % 4 == 0
    found = bootstrap.mean(values, [str(i) for i in range(1000)], rng(), n_boot=4000)
    half = 1.96 * np.sqrt(0.25 * 0.75 / 1000)
    assert found["low"] == pytest.approx(0.25 - half, abs=0.004)
    assert found["high"] == pytest.approx(0.25 + half, abs=0.004)


def test_the_interval_covers_as_it_says():
    draws = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        offsets = draws.normal(0, 1, 30)
        values = (offsets[:, None] + draws.normal(0, 1, (30, 6))).ravel()
        found = bootstrap.mean(values, [str(i // 6) for i in range(180)], draws, n_boot=300)
        hits += found["low"] <= 0 <= found["high"]
    assert 0.88 <= hits / 200 <= 0.99


def test_no_items_gives_a_reason():
    assert bootstrap.mean([], [], rng()) == {"value": None, "reason": "no items", "n": 0}


def test_an_undefined_statistic_gives_a_reason():
    found = bootstrap.of_sums(np.ones((3, 1)), ["a", "b", "c"], lambda sums: np.full(len(sums), np.nan), rng())
    assert found["value"] is None and "undefined" in found["reason"]


def test_one_group_resamples_clips_and_says_so():
    found = bootstrap.mean([0, 1] * 20, ["a"] * 40, rng())
    assert found["low"] < 0.5 < found["high"]
    assert "only 1 episode" in bootstrap.caution(["a"] * 40, "episode")
    assert "only 2 episodes" in bootstrap.caution(["a", "b"], "episode")
    assert bootstrap.caution(list("abcde")) == ""


def test_lengths_must_match():
    with pytest.raises(ValueError, match="3 items but 2 groups"):
        bootstrap.of_sums(np.ones((3, 1)), ["a", "b"], lambda sums: sums[:, 0], rng())


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 1)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_order_of_items_does_not_matter(items, random):
    shuffled = list(items)
    random.shuffle(shuffled)
    one, other = (
        bootstrap.mean([value for _, value in order], [name for name, _ in order], rng(), n_boot=50)
        for order in (items, shuffled)
    )
    for key in ("value", "low", "high"):
        assert one[key] == pytest.approx(other[key], abs=1e-12)
