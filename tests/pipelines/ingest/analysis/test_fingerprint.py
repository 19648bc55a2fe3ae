"""A fingerprint is the same for the same sound however it came, and for other sounds it is not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.ingest.analysis.fingerprint import (
    ALGORITHM,
    ITEM_SAMPLES,
    NO_EVIDENCE,
    Fingerprint,
    Fingerprinter,
    bit_errors,
    fingerprint,
    fingerprint_blocks,
    from_text,
    to_text,
)
from pipelines.media.audio import Codec, encode, resample
from pipelines.units import Audio
from tests.synthetic_audio import noise, silence, tone, voice
from tests.synthetic_series import SUFFIXES, tune

RATE_HZ = 16000


@pytest.fixture(scope="module")
def talk() -> Audio:
    return voice(30, seed=3)


@pytest.fixture(scope="module")
def song() -> Audio:
    return tune(30, seed=4)


def of(sound: Audio, rate_hz: int = RATE_HZ) -> Fingerprint:
    return fingerprint_blocks([sound], rate_hz, "s")


def errors(one: Fingerprint, other: Fingerprint) -> float:
    n = min(len(one.items), len(other.items))
    return float(bit_errors(one.items[:n], other.items[:n]).mean())


def test_eight_items_a_second_however_the_blocks_are_cut(talk: Audio) -> None:
    whole = of(talk)
    assert whole.duration_s == 30.0
    assert len(whole.items) == 240
    for blocks in (np.array_split(talk, 7), np.array_split(talk, 1000)):
        assert np.array_equal(fingerprint_blocks(blocks, RATE_HZ, "s").items, whole.items)


def test_blocks_at_another_rate_give_one_result_however_they_are_cut(talk: Audio) -> None:
    high = resample(talk, RATE_HZ, 44100)
    one, many = of(high, 44100), fingerprint_blocks(np.array_split(high, 50), 44100, "s")
    assert np.array_equal(one.items, many.items)
    assert errors(one, of(talk)) < 0.01


@pytest.mark.parametrize("codec", ["aac", "opus", "mp3"])
def test_a_codec_and_another_level_flip_few_bits(tmp_path: Path, codec: Codec, talk: Audio, song: Audio) -> None:
    for sound in (talk, song):
        path = tmp_path / f"s.{SUFFIXES[codec]}"
        encode(path, sound * np.float32(0.3), RATE_HZ, codec)
        assert errors(of(sound), fingerprint(path, "s")) < 0.06


def test_gain_alone_flips_next_to_nothing(song: Audio) -> None:
    assert errors(of(song), of(song * np.float32(0.1))) < 0.01


def test_half_an_item_of_shift_is_the_worst_and_still_far_from_chance(talk: Audio, song: Audio) -> None:
    for sound in (talk, song):
        assert errors(of(sound), of(sound[ITEM_SAMPLES // 2 :])) < 0.2


def test_a_slightly_faster_copy_is_alike(song: Audio) -> None:
    faster = resample(song, 1000, 997)  # 0.3 %
    n = RATE_HZ * 12  # over 12 s the copy drifts by less than a third of an item
    assert errors(of(song[:n]), of(faster[:n])) < 0.15


def test_other_sounds_differ_in_half_of_their_bits(talk: Audio, song: Audio) -> None:
    for one, other in ((talk, song), (talk, voice(30, seed=5, pitch_hz=170)), (song, tune(30, seed=6))):
        assert errors(of(one), of(other)) == pytest.approx(0.5, abs=0.06)


def test_what_never_changes_is_evidence_of_nothing() -> None:
    hum = sum(tone(20, hz=50.0 * k, level=0.1 / k) for k in range(1, 30)) + noise(20, level=1e-4)
    for still in (silence(20), tone(20), np.asarray(hum, np.float32), noise(20, level=1e-5)):
        items = of(still).items[8:-8]
        assert (items == NO_EVIDENCE).mean() > 0.95
    assert (bit_errors(of(silence(20)).items, of(silence(20)).items) == 0.5).mean() > 0.9


def test_short_and_empty_recordings_have_the_items_they_last() -> None:
    for samples, items in ((0, 0), (1, 1), (ITEM_SAMPLES, 1), (ITEM_SAMPLES + 1, 2)):
        assert len(of(np.zeros(samples, np.float32)).items) == items


def test_memory_is_that_of_the_items_not_of_the_sound() -> None:
    maker = Fingerprinter(RATE_HZ)
    for seed in range(6):
        maker.feed(noise(40, seed=seed))
    held = [v for v in vars(maker).values() if isinstance(v, np.ndarray)]
    assert sum(array.nbytes for array in held) < 3_000_000


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50), st.floats(0, 1e6))
def test_text_and_back(items: list[int], duration_s: float) -> None:
    mark = Fingerprint("s", duration_s, np.array(items, np.uint32))
    back = from_text("s", ALGORITHM, to_text(mark))
    assert np.array_equal(back.items, mark.items)
    assert back.duration_s == duration_s
    assert to_text(back) == to_text(mark)


def test_a_text_that_cannot_be_read_is_refused_in_a_sentence(song: Audio) -> None:
    text = to_text(of(song))
    with pytest.raises(DataError, match=f"e01: its fingerprint is 'chromaprint-1', expected '{ALGORITHM}'"):
        from_text("e01", "chromaprint-1", text)
    for damaged in ("", "%%%", text[:40], text[: len(text) // 8 * 4]):
        with pytest.raises(DataError, match="e01: its fingerprint is damaged"):
            from_text("e01", ALGORITHM, damaged)
