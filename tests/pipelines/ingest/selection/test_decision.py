"""pipelines.ingest.selection.decision: which windows become clips, whatever their order; nothing has to be decoded."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ConfigError
from pipelines.ingest.repeats import Interval
from pipelines.ingest.selection.decision import Decision, ScoredWindow, decide, with_clip_ids
from pipelines.ingest.selection.manual_picks import Pick
from pipelines.ingest.selection.screens import SCREENS, effective_thresholds, failure_reasons
from pipelines.study import ScreenThresholds, SelectionSettings, StudySettings

RATE = 1000
LENGTH = 3000
NO_LOTS = StudySettings(name="x", select=SelectionSettings(random_share=0))
ALL_LOTS = StudySettings(name="x", select=SelectionSettings(random_share=1))
DEFAULT = StudySettings(name="x")


def window(start: int, *, speech: float = 0.9, pause: float = 0.2, n: int = LENGTH, **scores: float) -> ScoredWindow:
    return ScoredWindow(start, n, start / RATE, {"speech_ratio": speech, "longest_pause_s": pause, **scores}, "0" * 64)


def told(windows: list[ScoredWindow], settings: StudySettings = NO_LOTS, **more: object) -> list[tuple[str, str]]:
    decisions = decide(windows, RATE, settings, source_id="ep1", **more)  # type: ignore[arg-type]
    return [(one.status, one.arm or ";".join(one.reasons)) for one in decisions]


windows_of = st.lists(
    st.builds(
        window,
        st.integers(0, 30_000),
        speech=st.sampled_from([0.0, 0.3, 0.45, 0.59, 0.6, 0.8, 1.0]),
        pause=st.sampled_from([0.1, 0.9, 1.1, 3.0]),
        n=st.just(LENGTH),
    ),
    max_size=40,
    unique_by=lambda one: one.start_sample,
)
masks_of = st.lists(st.integers(0, 40), max_size=6, unique=True).map(
    lambda edges: [Interval(*pair) for pair in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)
picks_of = st.lists(st.integers(0, 10), max_size=3, unique=True).map(
    lambda places: [Pick(place * LENGTH + 7, LENGTH) for place in sorted(places)]
)
shares = st.sampled_from([0.0, 0.1, 0.5, 1.0])


@given(windows_of, masks_of, picks_of, shares, st.randoms(use_true_random=False))
def test_what_is_kept_never_overlaps_and_follows_the_rules(windows, masked, picks, share, chance) -> None:
    settings = StudySettings(name="x", select=SelectionSettings(random_share=share))
    windows = [*windows, *(window(pick.start_sample) for pick in picks[:1])]
    windows = list({one.start_sample: one for one in windows}.values())

    def run(ordered: list[ScoredWindow]) -> dict[int, Decision]:
        found = decide(ordered, RATE, settings, source_id="ep1", masked=masked, picks=picks)
        assert len(found) == len(ordered)
        return {one.start_sample: decision for one, decision in zip(ordered, found, strict=True)}

    found = run(windows)
    by_place = {one.start_sample: one for one in windows}
    asked = {pick.start_sample for pick in picks}
    kept = sorted({start for start, one in found.items() if one.kept} | asked)
    assert all(later - earlier >= LENGTH for earlier, later in pairwise(kept))
    for start, one in found.items():
        place, bounds = by_place[start], effective_thresholds(settings)
        against = failure_reasons(place.scores, bounds)
        assert one.kept == (one.arm != "") == (one.reasons == ())
        assert (one.arm == "picked") == (start in asked)
        if one.arm == "model":
            assert against == ()
        if one.arm == "random":
            assert not [name for name in against if SCREENS[name.rpartition("_")[0]].is_hard]
        if one.arm in ("model", "random"):
            inside = [min(start / RATE + 3, end.end_s) - max(start / RATE, end.start_s) for end in masked]
            assert max([*inside, 0.0]) <= 0.1 + 1e-9
        if one.status == "review":
            assert against and "repeated" not in one.reasons
    shuffled = list(windows)
    chance.shuffle(shuffled)
    assert run(shuffled) == found


def test_the_order_of_reasons() -> None:
    bad = window(1000, speech=0.1, pause=2.0)
    mask, pick = [Interval(1.0, 2.0)], [Pick(3500, LENGTH)]
    reasons = "repeated;speech_ratio_low;longest_pause_s_high;picked_over"
    assert told([bad], masked=mask, picks=pick) == [("reject", reasons)]
    assert told([window(0), window(1000, speech=0.7)]) == [("keep", "model"), ("reject", "overlap")]
    assert told([window(0), window(3500)], picks=pick) == [("keep", "model"), ("keep", "picked")]


def test_a_window_may_touch_a_repeat_by_a_tenth_of_a_second_and_no_more() -> None:
    assert told([window(0)], masked=[Interval(2.9, 9.0)]) == [("keep", "model")]
    assert told([window(0)], masked=[Interval(2.89, 9.0)]) == [("reject", "repeated")]
    assert told([window(0)], masked=[Interval(0.0, float("inf"))]) == [("reject", "repeated")]


def test_what_misses_by_little_is_for_review_and_by_much_is_not() -> None:
    near, far = window(0, speech=0.5), window(4000, speech=0.3)
    both = window(8000, speech=0.5, pause=2.0)
    assert [status for status, _ in told([near, far, both])] == ["review", "reject", "reject"]
    wider = NO_LOTS.model_copy(update={"screen": {"longest_pause_s": ScreenThresholds(max=1.0, review_max=2.5)}})
    assert [status for status, _ in told([near, far, both], wider)] == ["review", "reject", "review"]
    assert told([near], masked=[Interval(0, 9)]) == [("reject", "repeated;speech_ratio_low")]
    assert told([near], picks=[Pick(0, LENGTH)]) == [("keep", "picked")]


def test_the_random_arm_is_held_to_hard_screens_and_placed_first() -> None:
    shout = window(0, pause=2.0)
    (first, _), (second, _) = told([shout, window(1000)], ALL_LOTS)
    assert {first, second} == {"keep", "reject"}
    assert told([shout], ALL_LOTS) == [("keep", "random")]
    assert told([shout]) == [("reject", "longest_pause_s_high")]
    assert told([window(0, speech=0.5)], ALL_LOTS) == [("review", "speech_ratio_low")]
    assert told([shout], ALL_LOTS, masked=[Interval(0, 9)]) == [("reject", "repeated;longest_pause_s_high")]


def test_about_the_share_that_was_asked_for_is_drawn_and_always_the_same() -> None:
    apart = [window(4000 * n) for n in range(3000)]
    found = decide(apart, RATE, DEFAULT, source_id="ep1")
    drawn = {n for n, one in enumerate(found) if one.arm == "random"}
    assert len(drawn) == pytest.approx(300, abs=60)
    more = decide(apart[:1000], RATE, DEFAULT, source_id="ep1")  # neighbours have no say in the lot
    assert {n for n, one in enumerate(more) if one.arm == "random"} == {n for n in drawn if n < 1000}
    other = decide(apart, RATE, DEFAULT, source_id="ep2")
    assert {n for n, one in enumerate(other) if one.arm == "random"} != drawn


def test_most_speech_is_kept() -> None:
    windows = [window(0, speech=0.7), window(1500, speech=1.0), window(3000, speech=0.7)]
    assert [one for one, _ in told(windows)] == ["keep", "reject", "keep"]


def test_a_score_that_is_not_known_turns_nothing_down() -> None:
    assert told([ScoredWindow(0, LENGTH, 0.0, {})]) == [("keep", "model")]


def test_ten_thousand_candidates_are_decided_at_once() -> None:
    rng = np.random.default_rng(0)
    many = [window(int(at), speech=float(rng.random())) for at in np.cumsum(rng.integers(200, 3000, 10_000))]
    masked = [Interval(at, at + 20.0) for at in range(0, 16_000, 400)]
    picks = [Pick(at * RATE, LENGTH) for at in range(50, 16_000, 150)]
    found = decide(many, RATE, DEFAULT, source_id="ep1", masked=masked, picks=picks)
    assert {one.arm for one in found if one.kept} == {"model", "random"}
    ids = {one.clip_id for one in with_clip_ids(many, found, "ep1", RATE)}
    assert len(ids) == 10_000


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (ScreenThresholds(min=2, max=1), "min 2 is above max 1; swap them"),
        (ScreenThresholds(max=1, review_min=0.5), "review_min 0.5 has to lie below min"),
        (ScreenThresholds(min=0.5, review_min=0.6), "review_min 0.6 has to lie below min"),
        (ScreenThresholds(max=0.5, review_max=0.4), "review_max 0.4 has to lie above max"),
    ],
)
def test_bounds_that_contradict_each_other_are_refused(bounds: ScreenThresholds, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[screen.speech_ratio\].*{words}"):
        decide([], RATE, StudySettings(name="x", screen={"speech_ratio": bounds}), source_id="ep1")
