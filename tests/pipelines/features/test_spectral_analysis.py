"""Every part of the shared spectrum equals librosa's own function, with each published system's settings."""

import librosa
import numpy as np
import pytest

from pipelines.errors import ConfigError, DataError
from pipelines.features import extractor
from pipelines.features.spectral_analysis import SpectralAnalysis, SpectralSettings
from tests.synthetic_audio import noise, silence, tone, voice

SOUNDS = {
    "voice": lambda rate: voice(2.1, rate),
    "noise": lambda rate: noise(1.3, rate),
    "voice after silence": lambda rate: np.concatenate([silence(0.4, rate), voice(1.5, rate)]),
    "detuned tone": lambda rate: tone(1.1, rate, hz=452.0, level=0.4),
}


def close(ours: np.ndarray, librosas: np.ndarray) -> None:
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, librosas.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("sound", SOUNDS)
def test_parts_are_librosas(sound: str, rate_hz: int) -> None:
    y = SOUNDS[sound](rate_hz)
    ours = SpectralAnalysis(y, rate_hz, SpectralSettings(n_mfcc=13, log_reference="max"))
    mel = librosa.feature.melspectrogram(y=y, sr=rate_hz)
    close(ours.zcr, librosa.feature.zero_crossing_rate(y))
    close(ours.rms, librosa.feature.rms(y=y))
    close(ours.chroma, librosa.feature.chroma_stft(S=np.abs(librosa.stft(y)), sr=rate_hz))
    close(ours.mfcc, librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=13))
    close(ours.mel, mel)
    close(ours.log_mel, librosa.power_to_db(mel, ref=np.max))
    close(ours.log_mel_one, librosa.power_to_db(mel))


@pytest.mark.parametrize(
    ("n_fft", "window_length", "hop", "window"),
    [(2048, 256, 512, "hann"), (2048, 256, 128, "hann"), (512, 256, 128, "hamming")],
)
def test_short_windows_stand_in_the_middle_of_the_transform(
    n_fft: int, window_length: int, hop: int, window: str
) -> None:
    y = voice(3, 16_000)
    settings = SpectralSettings(n_fft=n_fft, window_length=window_length, hop=hop, window=window, fmax_hz=4_000)
    theirs = librosa.feature.melspectrogram(
        y=y, sr=16_000, n_fft=n_fft, win_length=window_length, hop_length=hop, window=window, fmax=4_000
    )
    close(SpectralAnalysis(y, 16_000, settings).mel, theirs)


def test_the_mean_of_a_part_is_the_mean_of_its_frames() -> None:
    ours = SpectralAnalysis(voice(2), 16_000, SpectralSettings())
    for part in SpectralSettings().widths():
        np.testing.assert_allclose(ours.mean(part), ours.part(part).mean(axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "shape"),
    [
        ("mean_vector", {}, (162,)),
        ("mean_vector", {"parts": ["log_mel", "mfcc", "chroma"]}, (160,)),
        ("mean_vector", {"parts": ["log_mel", "mfcc", "chroma", "rms", "zcr"]}, (162,)),
        ("mfcc_contour", {}, (216,)),
        ("mfcc_contour", {"frames": 259}, (259,)),
        ("frame_sequence", {}, (282, 15)),
        ("frame_sequence", {"parts": ["log_mel"], "log_reference": "max"}, (282, 128)),
        ("frame_sequence", {"parts": ["zcr", "rms", "mfcc", "log_mel"]}, (282, 143)),
        ("mel_windows", {"hop": 512, "frames": 94, "size": 64, "step": 128}, (1, 128, 64, 1)),
        ("mel_windows", {"hop": 128, "size": 64, "step": 128}, (3, 128, 64, 1)),
        ("mel_windows", {}, (4, 128, 128, 1)),
    ],
)
def test_shapes_of_the_published_systems(name: str, settings: dict[str, object], shape: tuple[int, ...]) -> None:
    made = extractor(name, settings)
    assert made.shape == shape
    assert made.rate_hz is not None
    assert made(voice(2.5, made.rate_hz), made.rate_hz).shape == shape


def test_a_contour_is_the_mean_over_coefficients_and_zero_after_the_end() -> None:
    y = voice(1.0, 44_100)
    contour = extractor("mfcc_contour")(y, 44_100)
    theirs = librosa.feature.mfcc(y=y, sr=44_100, n_mfcc=13).mean(axis=0)
    np.testing.assert_allclose(contour[: len(theirs)], theirs, rtol=1e-4, atol=1e-3)
    assert (contour[len(theirs) :] == 0).all()


def test_windows_overlap_by_size_minus_step() -> None:
    windows = extractor("mel_windows")(voice(3, 16_000), 16_000)
    np.testing.assert_array_equal(windows[0, :, 64:], windows[1, :, :64])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="a window of 64 frames does not fit into 10"):
        extractor("mel_windows", {"frames": 10, "size": 64})
    with pytest.raises(DataError, match="a window of 4096 samples does not fit into an FFT of 2048"):
        extractor("mean_vector", {"window_length": 4096})(voice(1, 22_050), 22_050)
