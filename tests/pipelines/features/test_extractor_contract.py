"""What every extractor in the registry promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ConfigError, DataError, UnknownName
from pipelines.features import EXTRACTORS, extractor
from tests.synthetic_audio import noise, silence, voice


@pytest.fixture(params=sorted(EXTRACTORS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_its_name_holds_its_settings(name: str) -> None:
    made = extractor(name)
    assert made.name.startswith(f"{name}_") and made.name == extractor(name).name
    assert made.name != extractor(name, {"n_mels": 64}).name
    assert made.version
    assert made.shape and all(size > 0 for size in made.shape)


def test_gives_finite_float32_of_its_shape_for_any_length(name: str) -> None:
    made = extractor(name)
    rate_hz = made.rate_hz or 16_000
    for sound in (voice(3, rate_hz), noise(0.7, rate_hz), silence(1, rate_hz), np.ones(1, np.float32)):
        row = made(sound, rate_hz)
        assert row.shape == made.shape
        assert row.dtype == np.float32
        assert np.isfinite(row).all()


def test_same_audio_same_array_and_the_audio_is_left_alone(name: str) -> None:
    made = extractor(name)
    rate_hz = made.rate_hz or 16_000
    sound = voice(2, rate_hz)
    before = sound.copy()
    first = made(sound, rate_hz)
    made(noise(1, rate_hz), rate_hz)
    np.testing.assert_array_equal(made(sound, rate_hz), first)
    np.testing.assert_array_equal(sound, before)


def test_tells_two_sounds_apart(name: str) -> None:
    made = extractor(name)
    rate_hz = made.rate_hz or 16_000
    assert not np.allclose(made(voice(2, rate_hz), rate_hz), made(noise(2, rate_hz), rate_hz))


@given(st.integers(0, 2**32 - 1), st.integers(1, 9000))
@settings(max_examples=25, deadline=None)
def test_any_finite_audio_gives_finite_numbers(seed: int, n: int) -> None:
    sound = np.random.default_rng(seed).uniform(-1, 1, n).astype(np.float32)
    for made in map(extractor, EXTRACTORS):
        assert np.isfinite(made(sound, made.rate_hz or 16_000)).all()


def test_refuses_shape_emptiness_and_nan(name: str) -> None:
    made = extractor(name)
    rate_hz = made.rate_hz or 16_000
    for bad in (np.zeros((1, 99), np.float32), np.zeros(0, np.float32), np.full(9, np.inf, np.float32)):
        with pytest.raises(DataError):
            made(bad, rate_hz)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown feature 'meanvector'; did you mean 'mean_vector'"):
        extractor("meanvector")


def test_a_misspelt_setting_names_the_nearest(name: str) -> None:
    with pytest.raises(ConfigError, match="n_mels"):
        extractor(name, {"n_mel": 64})
