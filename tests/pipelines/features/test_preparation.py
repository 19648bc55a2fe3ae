"""The stage between a file and its features, step by step and in its order."""

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.features import extractor
from pipelines.features.preparation import PreparedExtractor, prepare
from pipelines.recipes.audio_settings import AudioSettings
from tests.synthetic_audio import silence, voice

RATE = 48_000


def test_nothing_is_changed_unless_it_is_asked_for():
    y = voice(1, RATE)
    assert AudioSettings().changes_nothing and AudioSettings(rate_hz=16_000).changes_nothing
    assert not AudioSettings(z_score=True).changes_nothing
    np.testing.assert_array_equal(prepare(y, RATE, AudioSettings()), y)


def test_the_hybrid_system_s_audio_is_librosas():
    y = np.concatenate([silence(0.7, RATE), voice(2.0, RATE) * np.float32(0.3), silence(2, RATE)])
    settings = AudioSettings(offset_s=0.5, duration_s=3, peak_normalize=True, trim_db=30, samples=144_000)
    loaded = y[RATE // 2 : RATE // 2 + 3 * RATE]
    trimmed, _ = librosa.effects.trim(librosa.util.normalize(loaded), top_db=30)
    ours = prepare(y, RATE, settings)
    assert ours.shape == (144_000,) and ours.dtype == np.float32
    np.testing.assert_allclose(ours[: len(trimmed)], trimmed, atol=1e-6)
    assert (ours[len(trimmed) :] == 0).all()


def test_a_z_score_is_taken_before_padding():
    ours = prepare(voice(1, RATE), RATE, AudioSettings(z_score=True, samples=2 * RATE))
    assert abs(ours[:RATE].mean()) < 1e-4 and ours[:RATE].std() == pytest.approx(1, abs=1e-3)
    assert (ours[RATE:] == 0).all()


@given(st.integers(0, 5000), st.floats(0, 0.3), st.integers(1, 4000))
def test_any_clip_has_the_samples_that_are_asked_for(n, offset_s, samples):
    settings = AudioSettings(
        offset_s=offset_s, duration_s=0.2, peak_normalize=True, trim_db=30, z_score=True, samples=samples
    )
    rng = np.random.default_rng(n)
    for y in (np.zeros(n, np.float32), rng.uniform(-1, 1, n).astype(np.float32)):
        ours = prepare(y, 16_000, settings)
        assert ours.shape == (samples,) and np.isfinite(ours).all()


def test_a_prepared_extractor_has_a_name_of_its_own_and_the_rate_that_is_set():
    plain = extractor("frame_sequence")
    made = PreparedExtractor(plain, AudioSettings(offset_s=0.5, samples=144_000))
    assert made.name != plain.name and made.name != PreparedExtractor(plain, AudioSettings(offset_s=0.4)).name
    assert made.shape == (282, 15) and made.rate_hz == 48_000
    np.testing.assert_array_equal(made(voice(4, RATE), RATE), plain(prepare(voice(4, RATE), RATE, made.settings), RATE))
