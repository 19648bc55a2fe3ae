"""Intervals over groups: what they cover in simulations, and what they say where none can be had."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.statistics import group_intervals
from pipelines.statistics.group_intervals import estimate, left_out, mean, of_sums

N_SIMULATIONS = 2000
LABELS, RATERS = 5, 3


def covered(per_group: np.ndarray, sizes: np.ndarray, statistic, scale: str, truth: float) -> float:
    """Share of simulated studies [s, g, m] whose interval holds `truth`; one without an interval counts as a miss."""
    hits = 0
    for sums, counts in zip(per_group, sizes, strict=True):
        total = sums.sum(axis=0)
        value = float(statistic(total[None])[0])
        found = estimate(value, statistic(total - sums), counts.astype(float), int(counts.sum()), scale)
        hits += found["low"] is not None and found["low"] <= truth <= found["high"]
    return hits / len(per_group)


def share_of_hits(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]


def groups_of_answers(rng, level: float, spread: float, sizes: tuple[int, int], shape: tuple[int, int]):
    """Right answers and answers per group, where groups differ in how hard they are."""
    counts = rng.integers(*sizes, size=shape)
    chance = stats.logistic.cdf(stats.logistic.ppf(level) + spread * rng.normal(size=shape))
    return np.stack([rng.binomial(counts, chance), counts], axis=-1).astype(float), counts


@pytest.mark.parametrize("n_groups", [3, 4, 8, 12, 20, 40])
@pytest.mark.parametrize(
    ("level", "spread", "sizes"), [(0.5, 0.5, (30, 31)), (0.8, 0.3, (10, 200)), (0.9, 0.7, (5, 60))]
)
def test_intervals_of_a_share_cover_what_they_say(level, spread, sizes, n_groups):
    rng = np.random.default_rng(n_groups)
    many, _ = groups_of_answers(rng, level, spread, sizes, (1, 400_000))
    truth = float(share_of_hits(many[0].sum(axis=0)[None])[0])
    simulated, counts = groups_of_answers(rng, level, spread, sizes, (N_SIMULATIONS, n_groups))
    found = covered(simulated, counts, share_of_hits, "share", truth)
    assert (0.92 if n_groups >= 8 else 0.90) <= found <= 0.98


def alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's nominal alpha of coincidences [m, k * k]."""
    coincidences = sums.reshape(len(sums), LABELS, LABELS)
    n, margins = coincidences.sum(axis=(1, 2)), coincidences.sum(axis=2)
    observed = 1 - np.trace(coincidences, axis1=1, axis2=2) / n
    return 1 - observed / (1 - (margins * (margins - 1)).sum(axis=1) / (n * (n - 1)))


def groups_of_ratings(rng, shape: tuple[int, int]):
    """Coincidences [s, g, k * k] of three raters over 5 to 59 clips per group; groups differ in hardness and labels."""
    sizes = rng.integers(5, 60, size=shape)
    right = stats.logistic.cdf(0.6 + 0.8 * rng.normal(size=shape))
    priors = rng.dirichlet(np.array([0.7, 0.7, 0.7, 0.7, 2.8]), size=shape)
    clips = int(sizes.max())
    drawn = (
        (rng.random((*shape, clips))[..., None] > priors.cumsum(axis=-1)[:, :, None]).sum(axis=-1).clip(0, LABELS - 1)
    )
    answers = np.where(
        rng.random((*shape, clips, RATERS)) < right[..., None, None],
        drawn[..., None],
        rng.integers(0, LABELS, (*shape, clips, RATERS)),
    )
    votes = (answers[..., None] == np.arange(LABELS)).sum(axis=-2).astype(np.float32)
    votes[np.arange(clips) >= sizes[..., None]] = 0
    pairs = np.einsum("sgci,sgcj->sgij", votes, votes)
    pairs -= np.einsum("sgci,ij->sgij", votes, np.eye(LABELS, dtype=np.float32))
    return (pairs / (RATERS - 1)).reshape(*shape, -1).astype(float), sizes


@pytest.mark.parametrize("n_groups", [3, 8, 20])
def test_intervals_of_alpha_cover_what_they_say(n_groups):
    rng = np.random.default_rng(n_groups)
    many, _ = groups_of_ratings(rng, (1, 20_000))
    truth = float(alpha(many[0].sum(axis=0)[None])[0])
    simulated, sizes = groups_of_ratings(rng, (1000, n_groups))
    found = covered(simulated, sizes, alpha, "coefficient", truth)
    assert (0.92 if n_groups >= 8 else 0.90) <= found <= 0.97


def test_with_every_item_its_own_group_it_is_the_t_interval():
    values = np.random.default_rng(0).normal(0.3, 0.1, 50)
    found = mean(values, [str(number) for number in range(50)])
    low, high = stats.t.interval(0.95, 49, values.mean(), values.std(ddof=1) / np.sqrt(50))
    assert (found["low"], found["high"]) == (pytest.approx(low), pytest.approx(high))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=1, max_size=40), st.randoms())
def test_the_value_is_inside_and_the_order_of_items_does_not_matter(items, random):
    found = mean([value for _, value in items], [name for name, _ in items], "share")
    if found["low"] is not None:
        assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    else:
        assert found["reason"]
    shuffled = list(items)
    random.shuffle(shuffled)
    again = mean([value for _, value in shuffled], [name for name, _ in shuffled], "share")
    assert again == pytest.approx(found, nan_ok=True) if found["low"] is not None else again == found


def test_sums_without_each_group():
    without, sizes = left_out(np.array([[1.0], [2.0], [4.0]]), ["a", "b", "a"])
    assert without.tolist() == [[2.0], [5.0]] and sizes.tolist() == [2, 1]


def test_where_there_is_no_interval_it_says_why():
    assert mean([], []) == {"value": None, "reason": "no items", "n": 0}
    one = mean([1, 0, 1], ["a", "a", "a"], "share")
    assert one["value"] == pytest.approx(2 / 3) and one["low"] is None and one["high"] is None
    assert one["reason"].startswith("one group alone")
    assert mean([1, 1, 1, 1], list("abcd"), "share")["reason"] == "the same in every group: no interval"
    undefined = of_sums(np.ones((3, 1)), ["a", "b", "c"], lambda sums: np.full(len(sums), np.nan))
    assert undefined == {"value": None, "reason": "undefined for these items", "n": 3}
    only_with_a = of_sums(
        np.array([[1.0], [0.0]]), ["a", "b"], lambda sums: np.where(sums[:, 0] > 0, 0.5, np.nan), "coefficient"
    )
    assert only_with_a["reason"] == "undefined without some of the groups: no interval"


def test_few_groups_come_with_a_caution():
    assert "only 1 episode" in group_intervals.caution(["a"] * 40, "episode")
    assert "only 2 episodes" in group_intervals.caution(["a", "b"], "episode")
    assert group_intervals.caution(list("abcde")) == ""


def test_items_and_groups_must_be_as_many():
    with pytest.raises(ValueError, match="3 items but 2 groups"):
        of_sums(np.ones((3, 1)), ["a", "b"], lambda sums: sums[:, 0])
