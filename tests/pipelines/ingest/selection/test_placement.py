"""pipelines.ingest.analysis.speech and place: spans, onsets, windows that never overlap and cover most."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.analysis.speech import HOP, HOP_S, SpeechSpan, SpeechTracker, spans_between, speech_spans
from pipelines.ingest.selection.placement import (
    LEAST_LEAD_S,
    LONGER_LEAD_S,
    PAUSE_REACH_S,
    Candidate,
    best_coverage,
    candidates,
)
from pipelines.study import ClipSettings, PlacementSettings
from tests.synthetic_audio import noise, silence, voice

SETTINGS = PlacementSettings()


def probabilities(*parts: tuple[float, float]) -> np.ndarray:
    """Probability p for so many seconds, in turn."""
    return np.concatenate([np.full(round(seconds / HOP_S), p, np.float32) for p, seconds in parts])


def test_the_model_hears_a_voice_and_neither_silence_nor_noise() -> None:
    for rate_hz in (16000, 24414, 48000):
        tracker = SpeechTracker(rate_hz)
        for sound in (silence(2.0, rate_hz), voice(3.0, rate_hz), noise(2.0, rate_hz, 0.01)):
            tracker.feed(sound)
        found = tracker.finish()
        assert abs(len(found) - 7.0 / HOP_S) <= 1
        assert found[: round(1.9 / HOP_S)].max() < 0.2
        assert found[round(2.2 / HOP_S) : round(4.8 / HOP_S)].mean() > 0.5
        assert found[round(5.5 / HOP_S) :].max() < 0.3


@pytest.mark.parametrize("block", [1, 500, HOP, 5000])
def test_blocks_of_any_length_give_the_same_probabilities(block: int) -> None:
    sound = voice(1.0)
    whole = SpeechTracker(16000)
    whole.feed(sound)
    parts = SpeechTracker(16000)
    for at in range(0, len(sound), block):
        parts.feed(sound[at : at + block])
    np.testing.assert_array_equal(parts.finish(), whole.finish())


def test_spans_have_hysteresis_and_drop_what_is_too_short() -> None:
    found = speech_spans(
        probabilities((0, 0.32), (0.9, 0.64), (0.4, 0.32), (0, 0.064), (0.9, 0.32), (0, 0.32), (0.9, 0.096), (0, 0.32)),
        SETTINGS,
    )
    assert [(span.start_s, span.end_s) for span in found] == [(pytest.approx(0.32), pytest.approx(1.664))]
    assert speech_spans(probabilities((0.9, 1.0)), SETTINGS)[0].end_s == pytest.approx(31 * HOP_S)
    assert speech_spans(np.zeros(0, np.float32), SETTINGS) == ()


def test_a_window_sees_its_part_of_the_speech() -> None:
    inside = spans_between((SpeechSpan(0, 1), SpeechSpan(2, 3), SpeechSpan(5, 6)), 0.5, 2.5)
    assert inside == (SpeechSpan(0, 0.5), SpeechSpan(1.5, 2.0))


def test_windows_begin_just_before_an_onset() -> None:
    place = probabilities((0, 1.024), (0.9, 4.0), (0, 0.064), (0.9, 2.0), (0, 2.0))
    found = candidates(place, place, round(len(place) * HOP_S * 44100), 44100, ClipSettings(), SETTINGS)
    assert [round((window.onset_s - window.start_sample / 44100), 3) for window in found] == [0.1, 0.064]
    assert [round(window.onset_s, 3) for window in found] == [1.024, 5.088]
    assert {window.n_samples for window in found} == {132300}


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.03, 3)), min_size=1, max_size=30),
    st.sampled_from([16000, 24414, 44100]),
    st.floats(0, 1),
)
def test_every_window_lies_within_the_recording_and_leads_its_onset(
    parts: list[tuple[float, float]], rate_hz: int, lead_s: float
) -> None:
    place = PlacementSettings(lead_s=lead_s)
    found = probabilities(*parts)
    total = round(len(found) * HOP_S * rate_hz)
    power = np.random.default_rng(len(parts)).random(len(found), dtype=np.float32)
    windows = candidates(found, power, total, rate_hz, ClipSettings(), place)
    assert all(a.start_sample < b.start_sample for a, b in itertools.pairwise(windows))
    for window in windows:
        assert window.start_sample >= 0 and window.start_sample + window.n_samples <= total
        lead = window.onset_s - window.start_sample / rate_hz
        longest_s = max(LONGER_LEAD_S, lead_s + PAUSE_REACH_S) if lead_s else 0.0
        assert min(lead_s, LEAST_LEAD_S) - 1e-4 <= lead <= longest_s + 1e-4


def test_a_long_stretch_without_a_gap_gets_windows_from_its_quiet_moments() -> None:
    place = probabilities((0, 0.96), (0.9, 12.8), (0, 2.0))
    power = np.ones(len(place), np.float32)
    power[[130, 131, 230, 300]] = 0.1, 0.05, 0.2, 0.01  # 130 and 131 are both within a second of the first window's end
    found = candidates(place, power, round(len(place) * HOP_S * 16000), 16000, ClipSettings(), SETTINGS)
    starts = [window.start_sample / 16000 for window in found]
    assert [round(window.onset_s / HOP_S) for window in found] == [30, 132, 231, 325]
    assert all(b - a >= 3.0 for a, b in itertools.pairwise(starts))
    assert 13.76 - starts[-1] >= 0.6 * 3.0


def test_a_stretch_that_holds_one_window_gets_no_other() -> None:
    for seconds in (3.0, 4.6):
        place = probabilities((0, 0.96), (0.9, seconds), (0, 4.0))
        assert len(candidates(place, place, 10**7, 16000, ClipSettings(), SETTINGS)) == 1


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=12))
def test_best_coverage_is_the_best_of_all_choices(found: list[tuple[int, int]]) -> None:
    found.sort()
    windows = [Candidate(start, 10, 0.0) for start, _ in found]
    worth = [float(value) for _, value in found]

    def fits(choice: tuple[int, ...]) -> bool:
        return all(windows[b].start_sample - windows[a].start_sample >= 10 for a, b in itertools.pairwise(choice))

    chosen = best_coverage(windows, worth)
    assert fits(chosen) and all(worth[index] > 0 for index in chosen)
    best = max(
        sum(worth[index] for index in choice)
        for size in range(len(windows) + 1)
        for choice in itertools.combinations(range(len(windows)), size)
        if fits(choice)
    )
    assert sum(worth[index] for index in chosen) == pytest.approx(best)
