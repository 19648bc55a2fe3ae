"""The report: intervals by group, views, disputes, and what it says where there is nothing to say."""

import time

import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.schema import Vote
from pipelines.schemes import load_scheme
from workbench.agreement import agreement, from_counts, from_votes

FIVE = load_scheme("five")


def noisy(n_items=300, n_raters=3, error=0.3, seed=0, n_groups=None):
    """Raters who mishear at random, and the groups of their clips."""
    draws = np.random.default_rng(seed)
    truth = draws.integers(0, 5, n_items)
    votes = []
    for rater in range(n_raters):
        heard = np.where(draws.random(n_items) < error, draws.integers(0, 5, n_items), truth)
        votes += [Vote(f"c{item:05d}", f"r{rater}", FIVE.label_names[code]) for item, code in enumerate(heard)]
    groups = None if n_groups is None else {f"c{item:05d}": f"g{item % n_groups}" for item in range(n_items)}
    return votes, groups


def measured(votes, groups=None, **more):
    return agreement(from_votes(votes, FIVE.label_names, groups), "five", **more)


def test_every_estimate_has_n_and_an_interval_around_it():
    found = measured(*noisy())
    for estimate in [*found.coefficients.values(), *(pair.kappa for pair in found.pairs)]:
        assert estimate["low"] < estimate["value"] < estimate["high"]
        assert estimate["n"] == 300


def test_the_interval_covers_the_truth_as_often_as_it_says():
    # Three raters who err at random with p: two agree with probability q, known in closed form.
    p = 0.4
    right = 1 - p + p / 5
    q = right**2 + 4 * (p / 5) ** 2
    truth = (q - 0.2) / 0.8
    hits = 0
    for seed in range(60):
        found = measured(*noisy(150, error=p, seed=seed)).coefficients["alpha"]
        hits += found["low"] <= truth <= found["high"]
    assert 52 <= hits <= 60


def test_intervals_resample_groups():
    votes, _ = noisy(400)
    by_clip = measured(votes).coefficients["alpha"]
    # Half of the episodes are heard perfectly, half at random: what varies is the episode.
    votes = []
    draws = np.random.default_rng(0)
    for item in range(400):
        for rater in range(3):
            code = item % 5 if (item // 50) % 2 else draws.integers(0, 5)
            votes.append(Vote(f"c{item:05d}", f"r{rater}", FIVE.label_names[code]))
    grouped = measured(votes, {f"c{item:05d}": f"e{item // 50}" for item in range(400)})
    alone = measured(votes)
    width = {
        name: each["high"] - each["low"]
        for name, each in (("g", grouped.coefficients["alpha"]), ("c", alone.coefficients["alpha"]))
    }
    assert width["g"] > 3 * width["c"]
    assert (grouped.groups, grouped.group_word, alone.group_word) == (8, "episode", "clip")
    assert by_clip["high"] - by_clip["low"] < 0.2


def test_few_groups_come_with_a_caution():
    votes, groups = noisy(60, n_groups=2)
    assert measured(votes, groups).caution == "only 2 episodes here: intervals over so few are wide and rough"


def test_the_same_answers_give_the_same_report():
    votes, groups = noisy(80, n_groups=6)
    assert measured(votes, groups).document() == measured(votes[::-1], groups).document()


def test_the_coarser_view_counts_the_same_answers():
    votes, groups = noisy()
    ratings = from_votes(votes, FIVE.label_names, groups)
    binary = ratings.collapsed(FIVE.mapping("binary"), FIVE.view_labels("binary"))
    found = agreement(binary, "binary")
    assert sum(found.counts.values()) == found.answers == 900
    expected = [FIVE.mapping("binary")[vote.label] for vote in votes]
    assert dict(found.counts) == {label: expected.count(label) for label in ("neutral", "intense")}
    again = agreement(
        from_votes([Vote(v.clip_id, v.rater, FIVE.mapping("binary")[v.label]) for v in votes], ("neutral", "intense")),
        "binary",
    )
    assert found.coefficients == again.coefficients
    assert [pair.kappa for pair in found.pairs] == [pair.kappa for pair in again.pairs]


def test_most_disputed_first():
    votes = [
        Vote(clip, f"r{rater}", label)
        for clip, labels in {
            "same": ("happy", "happy", "happy"),
            "split": ("happy", "sad", "angry"),
            "two": ("happy", "happy", "sad"),
        }.items()
        for rater, label in enumerate(labels)
    ]
    found = measured(votes, disputed=5).disputed
    assert [dispute.clip_id for dispute in found] == ["split", "two"]
    assert found[0].document() == {"clip_id": "split", "entropy": 1.585, "votes": {"happy": 1, "sad": 1, "angry": 1}}


def test_no_answers_and_one_rater_give_reasons_not_errors():
    for votes in ([], [Vote("a", "r", "happy"), Vote("b", "r", "sad")]):
        found = measured(votes)
        assert found.coefficients["alpha"] == {"value": None, "reason": "no item was answered by two raters", "n": 0}
        assert found.pairs == () and found.disputed == ()


def test_one_label_only_gives_a_reason():
    found = measured([Vote("a", "r", "sad"), Vote("a", "s", "sad"), Vote("b", "r", "sad"), Vote("b", "s", "sad")])
    assert "only one label" in found.coefficients["alpha"]["reason"]
    assert found.coefficients["percent"]["value"] == 1


def test_an_unknown_label_and_an_unknown_clip_are_said():
    with pytest.raises(DataError, match="answered 'rage' to 'a'; expected one of happy"):
        from_votes([Vote("a", "r", "rage")], FIVE.label_names)
    with pytest.raises(DataError, match="'a' was answered but is not among the clips"):
        from_votes([Vote("a", "r", "sad")], FIVE.label_names, {"b": "g"})


def test_counts_have_no_pairs():
    found = agreement(from_counts(["a", "b"], ("x", "y"), [[3, 0], [1, 2]]), "labels")
    assert found.pairs == () and found.document()["raters"] == {}


def test_raters_who_are_too_many_to_pair_are_counted():
    draws = np.random.default_rng(0)
    votes = [
        Vote(f"c{item}", f"r{rater:03d}", FIVE.label_names[draws.integers(0, 5)])
        for item in range(3)
        for rater in range(40)
    ]
    found = measured(votes)
    assert (len(found.pairs), found.pairs_left_out) == (500, 280)


@pytest.mark.slow
def test_a_thousand_clips_take_seconds_not_minutes():
    votes, _ = noisy(1000)
    start = time.process_time()
    measured(votes)
    assert time.process_time() - start < 20  # about one on an idle machine
