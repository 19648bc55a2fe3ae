"""The human ceiling against cases worked by hand, ties above all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.schema import Vote
from pipelines.schemes import load_scheme
from pipelines.statistics.human_ceiling import human_ceiling, targets

FIVE = load_scheme("five").mapping("five")
BINARY = load_scheme("five").mapping("binary")


def votes(table: dict[str, str]) -> list[Vote]:
    """`{"c1": "h h s"}` as votes of raters r1, r2, r3 by the first letters of the labels; '-' is no vote."""
    label = {name[0]: name for name in FIVE}
    return [
        Vote(clip, f"r{number}", label[letter])
        for clip, letters in table.items()
        for number, letter in enumerate(letters.split(), start=1)
        if letter != "-"
    ]


def ceiling(table, mapping=FIVE, predictions=None, groups=None):
    groups = groups or {clip: clip for clip in table}
    return human_ceiling(votes(table), list(table), mapping, groups, predictions=predictions)


def test_unanimous_is_one_and_nothing_is_tied():
    found = ceiling({"a": "h h h", "b": "s s s"})
    assert found.rater["value"] == 1
    assert (found.clips, found.targets, found.tied) == (2, 6, 0)


def test_two_against_one_by_hand():
    # r1: others say h,s: tied, h is one of two: 1/2; r2 likewise 1/2; r3 (s): others agree on h: 0. (1/2+1/2+0)/3 = 1/3
    found = ceiling({"a": "h h s"})
    assert found.rater["value"] == pytest.approx(1 / 3)
    assert found.tied == 2
    assert found.rater_untied["value"] == 0 and found.rater_untied["n"] == 1


def test_all_different_scores_nothing():
    # Each rater's target is the tie of the other two, which never holds the own answer.
    found = ceiling({"a": "h s n"})
    assert found.rater["value"] == 0
    assert found.tied == 3
    assert found.rater_untied["value"] is None and found.rater_untied["reason"] == "every target is tied"


def test_four_raters_by_hand():
    # h h h s: each h sees h,h,s -> h: 1; s sees h,h,h: 0. 3/4, none tied.
    # h h s s: each h sees h,s,s -> s: 0; each s sees h,h,s -> h: 0. 0, none tied.
    assert ceiling({"a": "h h h s"}).rater["value"] == pytest.approx(3 / 4)
    assert ceiling({"a": "h h s s"}).rater["value"] == 0
    assert ceiling({"a": "h h h s", "b": "h h s s"}).rater["value"] == pytest.approx(3 / 8)


def test_two_raters_give_their_raw_agreement():
    found = ceiling({"a": "h h", "b": "h s", "c": "n n", "d": "a f"})
    assert found.rater["value"] == pytest.approx(0.5)
    assert found.tied == 0


def test_a_lone_vote_is_no_target():
    found = ceiling({"a": "h - -", "b": "- s -"})
    assert found.rater == {"value": None, "reason": "no clip here was answered by two raters", "n": 0}
    assert (found.clips, found.targets) == (0, 0)


def test_the_binary_view_joins_labels_before_the_majority():
    # s a f are all intense: unanimous in binary, nothing in five.
    assert ceiling({"a": "s a f"}).rater["value"] == 0
    assert ceiling({"a": "s a f"}, BINARY).rater["value"] == 1


def test_the_model_is_scored_by_the_same_targets():
    # a: targets {h,s},{h,s},{h}; model says h: 1/2+1/2+1 = 2. b: three times {n}; model says s: 0. 2/6 against (1+3)/6.
    found = ceiling({"a": "h h s", "b": "n n n"}, predictions={"a": ["happy"], "b": ["sad"]})
    assert found.model["value"] == pytest.approx(2 / 6)
    assert found.rater["value"] == pytest.approx(4 / 6)
    assert found.model_minus_rater["value"] == pytest.approx(-2 / 6)
    assert found.model_untied["value"] == pytest.approx(1 / 4)


def test_several_seeds_count_by_their_share():
    found = ceiling({"a": "h h h"}, predictions={"a": ["happy", "sad", "sad", "sad"]})
    assert found.model["value"] == pytest.approx(0.25)


def test_clips_without_a_prediction_leave_both_sides():
    found = ceiling({"a": "h h h", "b": "h s n"}, predictions={"a": ["happy"]})
    assert found.clips == 1 and found.rater["value"] == 1 and found.model["value"] == 1


def test_per_rater_and_the_last_answer_stands():
    given_votes = [*votes({"a": "h h s", "b": "h h s"}), Vote("a", "r3", "happy")]
    found = human_ceiling(given_votes, ["a", "b"], FIVE, {"a": "g", "b": "g"})
    # a is now h h h (1,1,1); b is h h s (1/2,1/2,0).
    assert {name: value["value"] for name, value in found.per_rater.items()} == {"r1": 0.75, "r2": 0.75, "r3": 0.5}


def test_only_the_clips_asked_for_count():
    all_votes = votes({"a": "h h h", "b": "h s n"})
    assert {target.clip_id for target in targets(all_votes, ["a"], FIVE)} == {"a"}


@pytest.mark.parametrize("kind", ["machine", "person"])
def test_a_machine_among_the_raters_is_known_by_its_kind_whatever_its_name(kind):
    found = human_ceiling(
        [Vote("a", "whisper", "happy", kind), Vote("a", "simulated-fan", "happy")],
        ["a"],
        FIVE,
        {"a": "g"},
    )
    assert found.document()["simulated"] is (kind == "machine")


def test_a_foreign_label_is_refused_in_words():
    with pytest.raises(DataError, match="rater 'r1' answered 'joy' to clip 'a'; expected one of happy, sad"):
        targets([Vote("a", "r1", "joy")], ["a"], FIVE)


@given(
    st.lists(st.lists(st.sampled_from(sorted(FIVE)), min_size=2, max_size=6), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_ceiling_stays_in_range_and_ignores_the_order_of_votes(table, random):
    given_votes = [Vote(f"c{i}", f"r{j}", label) for i, row in enumerate(table) for j, label in enumerate(row)]
    shuffled = list(given_votes)
    random.shuffle(shuffled)
    clips = [f"c{i}" for i in range(len(table))]
    groups = {clip: clip[-1] for clip in clips}
    one, other = (human_ceiling(order, clips, FIVE, groups).document() for order in (given_votes, shuffled))
    assert one == other
    if one["rater"]["low"] is None:
        assert one["rater"]["reason"]
    else:
        assert 0 <= one["rater"]["low"] <= one["rater"]["high"] <= 1
    assert one["rater"]["n"] == sum(len(row) for row in table)
