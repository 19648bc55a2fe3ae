"""Which nine clips: seeded, spread over groups, whatever the order of the table."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.compare import choose
from pipelines.errors import DataError, UnknownName
from pipelines.schema import Clip, LabelledClip, LabelledClips

LABELS = ("happy", "sad", "angry", "fearful", "neutral")


def data(*group_sizes: int, label: str = "neutral") -> LabelledClips:
    clips = [
        LabelledClip(Clip(f"g{g}c{c:03d}", f"g{g}", 0, 16_000, 16_000, f"g{g}"), Path("x.wav"), label)
        for g, size in enumerate(group_sizes)
        for c in range(size)
    ]
    return LabelledClips("night", LABELS, tuple(clips))


@given(st.lists(st.integers(1, 20), min_size=1, max_size=15), st.integers(0, 99), st.randoms(use_true_random=False))
def test_spread_over_groups_without_repeats_in_any_order(sizes: list[int], seed: int, random: object) -> None:
    full = data(*sizes)
    chosen = choose(full, "neutral", seed)
    assert len(chosen) == min(9, sum(sizes))
    assert len({clip.clip.clip_id for clip in chosen}) == len(chosen)
    taken = [sum(clip.clip.group_id == f"g{g}" for clip in chosen) for g in range(len(sizes))]
    assert all(taken[g] >= min(sizes[g], max(taken) - 1) for g in range(len(sizes)))
    mixed = list(full.clips)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert choose(LabelledClips("night", LABELS, tuple(mixed)), "neutral", seed) == chosen


def test_the_seed_and_the_emotion_decide() -> None:
    full = data(30, 30, 30)
    assert choose(full, "neutral", 1) == choose(full, "neutral", 1)
    assert choose(full, "neutral", 1) != choose(full, "neutral", 2)


def test_an_emotion_that_is_not_there_says_what_is() -> None:
    with pytest.raises(DataError, match="no clip of 'night' is labelled 'sad'; it has neutral"):
        choose(data(3), "sad", 0)
    with pytest.raises(UnknownName, match="unknown emotion 'fear'; did you mean 'fearful'"):
        choose(data(3), "fear", 0)
