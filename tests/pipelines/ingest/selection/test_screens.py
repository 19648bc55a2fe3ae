"""pipelines.ingest.selection.screens and levels: scores that mean what they say, and reasons for every refusal."""

import numpy as np
import pytest
from scipy.signal import sosfilt

from pipelines.ingest.analysis import levels
from pipelines.ingest.analysis.speech import SpeechSpan
from pipelines.ingest.selection.screens import (
    SCREENS,
    Screen,
    Window,
    config_hash,
    effective_thresholds,
    failure_reasons,
    scores_of,
)
from pipelines.media.audio import to_pcm16
from pipelines.study import ClipSettings, ScreenThresholds, StudySettings
from tests.synthetic_audio import noise, silence, tone, voice

RATES = (16000, 22050, 24414, 44100, 48000, 96000)


def test_k_weighting_is_that_of_the_recommendation_at_48_khz() -> None:
    # ITU-R BS.1770-4, tables 1 and 2
    shelf, high_pass = levels.k_weighting_biquads(48000)
    assert shelf == pytest.approx(
        (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585), abs=1e-7
    )
    assert high_pass == pytest.approx((1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621), abs=1e-7)


@pytest.mark.parametrize("rate_hz", RATES)
def test_loudness_of_known_sounds(rate_hz: int) -> None:
    # ITU-R BS.1770-4: a 0 dBFS sine of 997 Hz in one channel reads -3.01; EBU Tech 3341, case 1, in mono: -26.0
    assert levels.loudness_lufs(to_pcm16(tone(3, rate_hz, 997, 1.0)), rate_hz) == pytest.approx(-3.01, abs=0.06)
    quiet = to_pcm16(tone(3, rate_hz, 1000, 10 ** (-23 / 20)))
    assert levels.loudness_lufs(quiet, rate_hz) == pytest.approx(-26.0, abs=0.1)


@pytest.mark.parametrize("rate_hz", RATES)
def test_loudness_agrees_with_the_filters(rate_hz: int) -> None:
    for sound in (voice(3, rate_hz), noise(3, rate_hz), np.concatenate([voice(1, rate_hz), silence(2, rate_hz)])):
        pcm = to_pcm16(sound)
        sections = [[b0, b1, b2, 1.0, a1, a2] for b0, b1, b2, a1, a2 in levels.k_weighting_biquads(rate_hz)]
        step = round(0.1 * rate_hz)
        weighted = sosfilt(sections, pcm / 32768)[: len(pcm) // step * step]
        blocks = np.convolve(np.square(weighted).reshape(-1, step).mean(axis=1), np.full(4, 0.25), "valid")
        blocks = blocks[-0.691 + 10 * np.log10(np.maximum(blocks, 1e-12)) > -70]
        blocks = blocks[blocks > blocks.mean() / 10]
        expected = -0.691 + 10 * np.log10(blocks.mean())
        assert levels.loudness_lufs(pcm, rate_hz) == pytest.approx(expected, abs=0.1)


def test_loudness_of_nothing_is_unknown() -> None:
    assert levels.loudness_lufs(to_pcm16(silence(3)), 16000) is None
    assert levels.loudness_lufs(to_pcm16(tone(0.3)), 16000) is None
    assert levels.peak_dbfs(to_pcm16(silence(3))) is None


def test_peak_clipping_and_dropouts() -> None:
    assert levels.peak_dbfs(to_pcm16(tone(1, level=0.5))) == pytest.approx(-6.02, abs=0.01)
    clean = voice(3)
    assert levels.clip_ratio(to_pcm16(clean)) == 0.0
    clipped = np.clip(clean * 4, -1, 1)
    true_share = np.mean(np.abs(clean * 4) >= 1)
    assert levels.clip_ratio(to_pcm16(clipped)) == pytest.approx(true_share, rel=0.3)
    assert levels.clip_ratio(to_pcm16(clipped * 0.7)) == pytest.approx(true_share, rel=0.3)  # turned down afterwards
    holed = clean.copy()
    holed[16000:20800] = 0.0
    assert levels.zero_ratio(to_pcm16(holed), 16000) == pytest.approx(0.1, abs=0.001)
    assert levels.zero_ratio(to_pcm16(clean), 16000) == 0.0


def window(*speech: tuple[float, float], sound: np.ndarray | None = None) -> Window:
    return Window(to_pcm16(voice(3.0) if sound is None else sound), 16000, tuple(SpeechSpan(*span) for span in speech))


@pytest.mark.parametrize(
    ("speech", "ratio", "pause_s", "reasons"),
    [
        (((0.1, 3.0),), 0.9667, 0.1, ()),
        (((0.1, 1.0), (1.5, 3.0)), 0.8, 0.5, ()),
        (((0.1, 1.9),), 0.6, 1.1, ("longest_pause_s_high",)),
        (((0.1, 1.0), (2.2, 3.0)), 0.5667, 1.2, ("speech_ratio_low", "longest_pause_s_high")),
        ((), 0.0, 3.0, ("speech_ratio_low", "longest_pause_s_high")),
    ],
)
def test_speech_and_pauses_decide(
    speech: tuple[tuple[float, float], ...], ratio: float, pause_s: float, reasons: tuple[str, ...]
) -> None:
    scores = scores_of(window(*speech))
    assert scores["speech_ratio"] == pytest.approx(ratio, abs=1e-3)
    assert scores["longest_pause_s"] == pytest.approx(pause_s)
    assert failure_reasons(scores, effective_thresholds(StudySettings(name="x"))) == reasons


def test_silence_between_words_is_no_dropout_and_silence_within_one_is() -> None:
    sound = voice(3.0)
    sound[16000:24000] = 0.0
    assert scores_of(window((0.1, 1.0), (1.5, 3.0), sound=sound))["dropout_ratio"] == 0.0
    inside = scores_of(window((0.1, 3.0), sound=sound))
    assert failure_reasons(inside, effective_thresholds(StudySettings(name="x"))) == ("dropout_ratio_high",)


def test_a_study_moves_bounds_and_that_changes_what_decides() -> None:
    plain, moved = StudySettings(name="x"), StudySettings(name="x", screen={"loudness_lufs": ScreenThresholds(min=-10)})
    assert failure_reasons(scores_of(window((0.1, 3.0))), effective_thresholds(moved)) == ("loudness_lufs_low",)
    assert config_hash(plain, "r") != config_hash(moved, "r") != config_hash(moved, "s")
    assert config_hash(plain, "r") == config_hash(StudySettings(name="another"), "r")


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_scores_any_window_with_one_number_or_none(name: str) -> None:
    for sound in (voice(3.0), silence(3.0), noise(3.0, level=1.0)):
        for speech in ((), ((0.0, 3.0),)):
            score = SCREENS[name].score(window(*speech, sound=sound))
            assert score is None or (isinstance(score, float) and np.isfinite(score))
    assert SCREENS[name].description


def test_what_decides_nothing_does_not_change_the_hash(monkeypatch):
    plain = StudySettings(name="night")
    default = SCREENS["speech_ratio"].thresholds
    said = StudySettings(name="night", screen={"speech_ratio": default, "peak_dbfs": ScreenThresholds()})
    assert config_hash(said, "r") == config_hash(plain, "r")
    longer = StudySettings(name="night", clip=ClipSettings(length_s=4.0))
    assert config_hash(longer, "r") != config_hash(plain, "r")
    informing = Screen(lambda window: 0.0, ScreenThresholds(), "a score that nobody bounds")
    before = config_hash(plain, "r")
    monkeypatch.setattr("pipelines.ingest.selection.screens.SCREENS", {**SCREENS, "mood": informing})
    assert config_hash(plain, "r") == before
