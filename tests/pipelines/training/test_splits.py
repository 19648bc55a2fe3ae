"""Splits: no group on two sides, every row in one part, nothing depends on the order of rows, and leaks are found."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ConfigError, DataError, UnknownName
from pipelines.training.splits import PARTS, SPLITS, Row, find_leak, split_rule, without_copies

COPIES = ("clean", "noise", "pitch")

tables = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["happy", "sad", "angry"]), st.sampled_from(["", "", "x", "y"])),
    min_size=3,
    max_size=40,
).map(
    lambda drawn: [
        Row(f"c{number}", f"g{group}", label, copy, audio and f"{audio}{group % 3}")
        for number, (group, label, audio) in enumerate(drawn)
        for copy in COPIES
    ]
)


def bundles(rows):
    """Groups joined by equal audio, counted by brute force."""
    sets = [{group} for group in {row.group_id for row in rows}]
    by_audio = {}
    for row in rows:
        if row.audio:
            by_audio.setdefault(row.audio, set()).add(row.group_id)
    for joined in by_audio.values():
        touched = [one for one in sets if one & joined]
        sets = [one for one in sets if not one & joined] + [set().union(*touched)]
    return sets


@given(tables, st.integers(0, 5), st.randoms(use_true_random=False))
def test_by_group(rows, seed, random):
    rule = split_rule("by_group", {"draws": 50})
    if len(bundles(rows)) < 3:
        with pytest.raises(DataError, match="at least 3 are needed"):
            rule.assign(rows, seed)
        return
    parts = rule.assign(rows, seed)
    assert set(parts) == set(PARTS)
    of_group = {}
    for row, part in zip(rows, parts, strict=True):
        of_group.setdefault(row.group_id, set()).add(part)
    assert all(len(found) == 1 for found in of_group.values())
    assert not find_leak(rows, parts).found
    order = list(range(len(rows)))
    random.shuffle(order)
    assert rule.assign([rows[i] for i in order], seed) == tuple(parts[i] for i in order)
    assert rule.assign(rows, seed) == parts


@given(tables, st.integers(0, 5), st.randoms(use_true_random=False))
def test_random_rows(rows, seed, random):
    rule = split_rule("random_rows", {})
    parts = rule.assign(rows, seed)
    assert set(parts) <= {"train", "test"}
    assert Counter(parts)["test"] == -(-len(rows) * 2 // 10)
    order = list(range(len(rows)))
    random.shuffle(order)
    assert rule.assign([rows[i] for i in order], seed) == tuple(parts[i] for i in order)


@given(tables, st.integers(0, 3))
def test_every_clip_stands_in_exactly_one_part_and_only_training_has_copies(rows, seed):
    if len(bundles(rows)) < 3:
        return
    parts = without_copies(rows, split_rule("by_group", {"draws": 20}).assign(rows, seed))
    seen = {}
    for row, part in zip(rows, parts, strict=True):
        if part:
            seen.setdefault(row.clip_id, set()).add(part)
            assert part == "train" or row.copy == "clean"
    assert set(seen) == {row.clip_id for row in rows}
    assert all(len(found) == 1 for found in seen.values())


@given(tables, st.lists(st.sampled_from([*PARTS, ""]), min_size=120, max_size=120))
def test_find_leak_agrees_with_brute_force(rows, drawn):
    parts = drawn[: len(rows)]
    pairs = list(zip(rows, parts, strict=True))
    seen = [row for row, part in pairs if part in ("train", "valid")]
    test = [row for row, part in pairs if part == "test"]
    leak = find_leak(rows, parts)
    assert set(leak.groups) == {row.group_id for row in test for other in seen if row.group_id == other.group_id}
    assert set(leak.clips) == {row.clip_id for row in test for other in seen if row.clip_id == other.clip_id}
    assert leak.rows_with_copy == sum(any(row.clip_id == other.clip_id for other in seen) for row in test)


def many(groups=10, clips=12, labels=("happy", "sad", "angry", "fearful", "neutral")):
    return [
        Row(f"c{group}-{number}", f"g{group}", labels[(group * number + number) % len(labels)])
        for group in range(groups)
        for number in range(clips)
    ]


def test_shares_and_strata_are_near_what_was_asked():
    rows = many(20, 12)
    parts = split_rule("by_group", {}).assign(rows, 0)
    counts = Counter(parts)
    assert counts == {"train": 144, "valid": 48, "test": 48}
    overall = Counter(row.label for row in rows)
    for part in PARTS:
        inside = Counter(row.label for row, given_part in zip(rows, parts, strict=True) if given_part == part)
        for label, total in overall.items():
            assert inside[label] / counts[part] == pytest.approx(total / len(rows), abs=0.09)


def test_a_rare_label_of_three_groups_reaches_every_part():
    rows = [*many(12, 10, ("happy", "sad")), *(Row(f"rare{group}", f"g{group}", "fearful") for group in (1, 5, 7))]
    for seed in range(10):
        parts = split_rule("by_group", {}).assign(rows, seed)
        assert {part for row, part in zip(rows, parts, strict=True) if row.label == "fearful"} == set(PARTS)


@given(st.lists(st.integers(1, 30), min_size=15, max_size=30), st.integers(0, 3))
def test_groups_of_all_sizes_come_near_the_shares_without_emptying_a_part(sizes, seed):
    rows = [
        Row(f"c{group}-{number}", f"g{group}", ("happy", "sad")[number % 2])
        for group, size in enumerate(sizes)
        for number in range(size)
    ]
    parts = split_rule("by_group", {"draws": 200}).assign(rows, seed)
    counts = Counter(parts)
    assert abs(counts["train"] - 0.6 * len(rows)) <= max(sizes)
    for part in PARTS:
        assert len({row.group_id for row, found in zip(rows, parts, strict=True) if found == part}) >= 3


def test_another_seed_gives_another_split():
    rows = many()
    rule = split_rule("by_group", {})
    assert len({rule.assign(rows, seed) for seed in range(6)}) > 1


def test_published_order_puts_copies_of_one_clip_on_both_sides():
    rows = [Row(f"c{n}", f"g{n % 5}", "happy", copy) for n in range(50) for copy in ("clean", "a", "b", "c", "d")]
    leak = find_leak(rows, split_rule("random_rows", {}).assign(rows, 0))
    # A test row is alone of its five with probability 0.2^4 or so: nearly all have a sister in training.
    assert leak.found and leak.rows_with_copy >= 48 and leak.test_rows == 50
    sentence = leak.sentence("episode")
    assert sentence.startswith("LEAK: ")
    assert "5 of 5 test episodes" in sentence
    assert f"{leak.rows_with_copy} of 50 test rows" in sentence


def test_the_same_sound_under_two_names_is_a_leak():
    rows = [Row("a", "g1", "happy", audio="same"), Row("b", "g2", "happy", audio="same")]
    assert find_leak(rows, ["train", "test"]).found
    assert find_leak(rows, ["train", "test"]).audio == 1


def test_validation_counts_as_known_to_training():
    rows = [Row("a", "g1", "happy"), Row("b", "g1", "happy")]
    assert find_leak(rows, ["valid", "test"]).found


def test_doubled_ids_are_refused():
    rows = [*many(), many()[0]]
    with pytest.raises(DataError, match=r"clip 'c0-0' \(clean\) stands 2 times"):
        split_rule("by_group", {}).assign(rows, 0)


@pytest.mark.parametrize("name", SPLITS)
def test_settings_are_checked_in_words(name):
    with pytest.raises(ConfigError, match="unknown key 'tset'; did you mean 'test'"):
        split_rule(name, {"tset": 0.3})
    with pytest.raises(ConfigError, match=r"must add up to 1, not 1\.\d"):
        split_rule(name, {"train": 0.9})
    with pytest.raises(UnknownName, match="unknown split rule"):
        split_rule(name + "s", {})
