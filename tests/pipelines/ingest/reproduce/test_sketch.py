"""pipelines.ingest.reproduce.sketch: the SNR against an original that is no longer there, from 64 numbers."""

import math
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.reproduce.sketch import SIZE, group_sums, recover_group_sums, sign_patterns, sketch, snr_db
from pipelines.media.audio import Pcm16, to_pcm16
from tests.synthetic_audio import voice


def true_snr_db(original: Pcm16, other: Pcm16) -> float:
    x, y = original.astype(float), other.astype(float)
    return 10 * math.log10((x**2).sum() / ((x - y) ** 2).sum())


@lru_cache(maxsize=8)
def spoken(seed: int, rate_hz: int = 16000) -> Pcm16:
    return to_pcm16(voice(3.0, rate_hz, seed=seed))


def one_step(pcm: Pcm16, rng: np.random.Generator) -> Pcm16:
    """Another CPU: one step more or less in 0.06 % of the samples."""
    changed = pcm.copy()
    where = rng.random(len(pcm)) < 0.0006
    changed[where] += rng.choice([-1, 1], int(where.sum())).astype(np.int16)
    return changed


def noisy(pcm: Pcm16, rng: np.random.Generator, db: float = 30) -> Pcm16:
    level = np.sqrt((pcm.astype(float) ** 2).mean()) / 10 ** (db / 20)
    return np.rint(pcm + level * rng.standard_normal(len(pcm))).clip(-32768, 32767).astype(np.int16)


def shifted(pcm: Pcm16, rng: np.random.Generator) -> Pcm16:
    return np.concatenate([pcm[1:], pcm[-1:]])


@pytest.mark.parametrize(("change", "low", "high"), [(one_step, 85, 125), (noisy, 29, 31), (shifted, 5, 40)])
@pytest.mark.parametrize("rate_hz", [16000, 44100])
def test_the_snr_is_exact_to_2_db(change, low, high, rate_hz):
    errors = []
    for seed in range(30):
        pcm = spoken(seed % 3, rate_hz)
        other = change(pcm, np.random.default_rng(seed))
        truth = true_snr_db(pcm, other)
        assert low < truth < high
        errors.append(snr_db(sketch(pcm), other) - truth)
    assert np.mean(np.abs(errors) <= 2) >= 0.95
    assert np.abs(errors).max() < 3.5 and abs(np.mean(errors)) < 1.0


@given(st.integers(0, 10_000), st.floats(0, 60))
def test_noise_of_any_level_is_measured(seed, db):
    rng = np.random.default_rng(seed)
    pcm = (6000 * rng.standard_normal(8000)).clip(-32768, 32767).astype(np.int16)
    other = noisy(pcm, rng, db)
    assert snr_db(sketch(pcm), other) == pytest.approx(true_snr_db(pcm, other), abs=6)  # a search finds the rarest


@given(st.integers(0, 1000), st.integers(1, 5000))
def test_the_sums_are_those_of_64_patterns_of_ones(seed, length):
    """Each number is the clip under one pattern of +1 and -1, told from the response to single samples."""
    rng = np.random.default_rng(seed)
    pcm = rng.integers(-32768, 32768, length).astype(np.int16)
    groups, signs = sign_patterns(length)
    k = int(rng.integers(SIZE))
    row = signs * (1.0 - 2.0 * (np.bitwise_count(groups & np.uint8(k)) & 1))
    assert set(np.unique(row)) <= {-1.0, 1.0}
    assert sketch(pcm)[k] == np.float32((row * pcm).sum())
    np.testing.assert_allclose(
        recover_group_sums(sketch(pcm)), group_sums(pcm), atol=1e-5 * np.abs(sketch(pcm)).max() + 1e-9
    )


def test_equal_audio_has_infinite_snr_and_silence_minus_infinite():
    pcm, hush = spoken(1), np.zeros(48000, np.int16)
    assert snr_db(sketch(pcm), pcm) == math.inf and snr_db(sketch(hush), hush) == math.inf
    assert snr_db(sketch(hush), pcm) == -math.inf
    assert abs(snr_db(sketch(pcm), hush)) < 3
    stranger = spoken(2)
    assert true_snr_db(pcm, stranger) < 3
    assert snr_db(sketch(pcm), stranger) == pytest.approx(true_snr_db(pcm, stranger), abs=4)


def test_the_patterns_never_change():
    """Shared tables hold sketches made by these very patterns."""
    pcm = np.arange(-500, 500, dtype=np.int16)
    made = sketch(pcm)
    assert (made.dtype, made.shape, made.nbytes) == (np.dtype("float32"), (64,), 256)
    assert made[:4].tolist() == PINNED
    assert 0.45 < (sign_patterns(100_000)[1] > 0).mean() < 0.55
    assert np.bincount(sign_patterns(64_000)[0], minlength=64).min() > 850


PINNED = [13416.0, -16724.0, -9850.0, -2346.0]
