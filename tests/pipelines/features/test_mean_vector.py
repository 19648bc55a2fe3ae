"""mean_vector is by default the published 162-vector: equal to plain librosa calls, tuning estimate kept."""

import os
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.features import extractor
from pipelines.features.spectral_analysis import SpectralAnalysis, SpectralSettings
from pipelines.features.stft import hann, stft
from pipelines.features.tuning import estimate_tuning
from pipelines.media.audio import read_mono
from pipelines.units import Audio
from tests.synthetic_audio import noise, silence, tone, voice

RATE = 22_050
DATA = os.environ.get("WORKBENCH_TEST_DATA")
mean_vector = extractor("mean_vector")

SOUNDS: dict[str, Audio] = {
    "voice": voice(3, RATE),
    "high voice": voice(2.3, RATE, pitch_hz=240, seed=4),
    "quiet voice": voice(3, RATE, seed=2) * np.float32(1e-3),
    "noise": noise(3, RATE),
    "detuned tone": tone(3, RATE, hz=452.0),
    "voice then digital silence": np.concatenate([voice(1, RATE), silence(2, RATE)]),
    "full-scale square": np.sign(tone(1, RATE)),
    "not a whole frame": voice(1, RATE)[: 5 * 512 + 17],
}


def naive(y: Audio) -> np.ndarray:
    """The vector as published: five librosa calls, each with its own spectrum."""
    rows = (
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.chroma_stft(S=np.abs(librosa.stft(y)), sr=RATE),
        librosa.feature.mfcc(y=y, sr=RATE),
        librosa.feature.rms(y=y),
        librosa.feature.melspectrogram(y=y, sr=RATE),
    )
    return np.hstack([row.mean(axis=1) for row in rows])


@pytest.mark.parametrize("sound", SOUNDS)
def test_equals_plain_librosa(sound: str) -> None:
    y = SOUNDS[sound]
    np.testing.assert_allclose(mean_vector(y, RATE), naive(y), atol=1e-4, rtol=1e-5)


def test_order_is_zcr_chroma_mfcc_rms_mel() -> None:
    row = mean_vector(tone(3, RATE, hz=440.0, level=0.5), RATE)
    assert row.shape == (162,)
    assert row[0] == pytest.approx(2 * 440 / RATE, rel=0.05)
    assert row[1:13].argmax() == 9  # A, counted from C
    assert row[33] == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert librosa.mel_frequencies(130, fmax=RATE / 2)[1 + row[34:].argmax()] == pytest.approx(440, rel=0.05)


def test_silence_has_no_tuning_no_chroma_and_no_warning() -> None:
    row = mean_vector(silence(3, RATE), RATE)
    assert np.isfinite(row).all()
    assert not row[:13].any()
    assert row[13] == pytest.approx(-100 * np.sqrt(128), rel=1e-5)  # ten log10 of the floor, through the transform
    assert not row[33:].any()


def test_shorter_than_a_frame_is_still_a_vector() -> None:
    assert np.isfinite(mean_vector(noise(0.01, RATE), RATE)).all()
    assert np.isfinite(mean_vector(np.ones(1, np.float32), RATE)).all()


@given(st.integers(0, 2**32 - 1), st.floats(-6, 3), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_tuning_of_any_spectrum_is_librosas(seed: int, power: float, n_frames: int) -> None:
    magnitude = np.random.default_rng(seed).gamma(0.3, size=(n_frames, 1025)).astype(np.float32) * np.float32(10**power)
    assert estimate_tuning(magnitude, RATE, 2048) == librosa.estimate_tuning(S=magnitude.T, sr=RATE)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5000), st.sampled_from([0.0, 1e-10, 2e-10, 0.5]))
@settings(max_examples=60, deadline=None)
def test_zero_crossings_are_librosas(seed: int, n: int, level: float) -> None:
    signs = np.random.default_rng(seed).integers(-1, 2, n).astype(np.float32) * np.float32(level)
    ours = SpectralAnalysis(signs, RATE, SpectralSettings()).zcr
    np.testing.assert_array_equal(ours[:, 0], librosa.feature.zero_crossing_rate(signs)[0])  # shares of 2,048: exact


def test_the_shared_spectrum_is_librosas() -> None:
    y = voice(1, RATE)
    ours = stft(np.pad(y, 1024), n_fft=2048, hop=512, window=hann(2048))
    np.testing.assert_array_equal(ours.T, librosa.stft(y))  # to the last bit: the tuning estimate turns on less


def test_refuses_what_it_is_not_defined_for() -> None:
    with pytest.raises(DataError, match="set to 22050 Hz; resample this audio from 16000 Hz"):
        mean_vector(tone(1), 16_000)
    with pytest.raises(DataError, match=r"shape \[2, 100\]"):
        mean_vector(np.zeros((2, 100), np.float32), RATE)
    with pytest.raises(DataError, match="is empty"):
        mean_vector(np.zeros(0, np.float32), RATE)
    with pytest.raises(DataError, match="NaN"):
        mean_vector(np.array([0, np.nan], np.float32), RATE)


@pytest.mark.skipif(not DATA, reason="needs real recordings: set WORKBENCH_TEST_DATA to their folder")
def test_equals_plain_librosa_on_recordings() -> None:
    folder = Path(DATA or "")
    files = [*sorted(folder.glob("TESS/*/*.wav"))[::29], *sorted(folder.glob("RAVDESS/Actor_02/*-02-0?-0?-02.wav"))]
    assert len(files) > 50
    for file in files:
        y, _ = read_mono(file, RATE)
        np.testing.assert_allclose(mean_vector(y, RATE), naive(y), atol=1e-4, rtol=1e-5, err_msg=file.name)
