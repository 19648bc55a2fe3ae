"""Augmentation: what each method does to a sound, and draws that depend on the clip alone."""

import numpy as np
import pytest

from pipelines.errors import ConfigError, UnknownName
from pipelines.training import augmentation
from tests import synthetic_audio

RATE = 22050


def peak_hz(mono):
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono))))
    return np.argmax(spectrum) * RATE / len(mono)


@pytest.mark.parametrize("name", [*augmentation.METHODS, "stretch+pitch"])
def test_every_method_gives_finite_float32_and_leaves_its_input_alone(name):
    mono = synthetic_audio.tone(0.5, RATE)
    before = mono.copy()
    copy = augmentation.chain(name, {}, 0)(mono, RATE)
    assert copy.dtype == np.float32 and copy.ndim == 1 and np.isfinite(copy).all()
    assert not np.array_equal(copy, before)
    assert np.array_equal(mono, before)


@pytest.mark.parametrize("name", augmentation.METHODS)
def test_silence_stays_silence(name):
    assert not augmentation.chain(name, {}, 0)(np.zeros(RATE // 2, np.float32), RATE).any()


def test_noise_is_as_loud_as_the_formula_says():
    mono = synthetic_audio.tone(2.0, RATE, level=0.5)
    levels = []
    for seed in range(40):
        added = augmentation.chain("noise", {}, seed)(mono, RATE) - mono
        levels.append(added.std())
        assert abs(added.mean()) < 0.001
    assert max(levels) <= 0.035 * 0.5 * 1.02
    assert np.mean(levels) == pytest.approx(0.035 * 0.5 / 2, rel=0.25)


def test_stretch_lengthens_at_the_same_pitch():
    mono = synthetic_audio.tone(2.0, RATE, hz=440)
    copy = augmentation.chain("stretch", {"stretch": {"rate": 0.8}}, 0)(mono, RATE)
    assert len(copy) == pytest.approx(len(mono) / 0.8, abs=1)
    assert peak_hz(copy) == pytest.approx(440, abs=1.5)


def test_pitch_moves_by_semitones_at_the_same_length():
    mono = synthetic_audio.tone(2.0, RATE, hz=440)
    copy = augmentation.chain("pitch", {"pitch": {"semitones": 12}}, 0)(mono, RATE)
    assert len(copy) == len(mono)
    assert peak_hz(copy) == pytest.approx(880, rel=0.005)


def test_shift_is_circular_and_bounded():
    mono = np.arange(50_000, dtype=np.float32)
    moved = {int(augmentation.chain("shift", {}, seed)(mono, RATE)[0]) for seed in range(60)}
    offsets = {(-first) % 50_000 for first in moved}
    offsets = {offset - 50_000 if offset > 25_000 else offset for offset in offsets}
    assert max(abs(offset) for offset in offsets) <= 5000
    assert min(offsets) < -1000 < 1000 < max(offsets)


def test_draws_depend_on_seed_name_and_clip_only():
    one, other = synthetic_audio.voice(0.5, RATE, seed=1), synthetic_audio.voice(0.5, RATE, seed=2)
    noise = augmentation.chain("noise", {}, 3)
    first = noise(one, RATE)
    noise(other, RATE)
    assert np.array_equal(noise(one, RATE), first)
    assert not np.array_equal(augmentation.chain("noise", {}, 4)(one, RATE), first)


def test_the_digest_names_methods_values_and_seed():
    digests = {
        augmentation.chain("noise", {}, 0).digest,
        augmentation.chain("noise", {}, 1).digest,
        augmentation.chain("noise", {"noise": {"amount": 0.1}}, 0).digest,
        augmentation.chain("stretch", {}, 0).digest,
        augmentation.chain("stretch+pitch", {}, 0).digest,
        augmentation.chain("pitch+stretch", {}, 0).digest,
    }
    assert len(digests) == 6
    assert augmentation.chain("noise", {"noise": {"amount": 0.035}}, 0).digest in digests


def test_names_and_values_are_checked_in_words():
    with pytest.raises(UnknownName, match="unknown augmentation method 'noize'; did you mean 'noise'"):
        augmentation.chain("noize", {}, 0)
    with pytest.raises(UnknownName, match="unknown augmentation method 'streth'"):
        augmentation.chain("noise", {"streth": {}}, 0)
    with pytest.raises(ConfigError, match=r"unknown key 'ammount'; did you mean 'amount'"):
        augmentation.chain("noise", {"noise": {"ammount": 1}}, 0)
    with pytest.raises(ConfigError, match="'rate'"):
        augmentation.chain("stretch", {"stretch": {"rate": 0}}, 0)
