"""One pass over a recording: the same tracks however it was cut, small on disk, and right about what they say."""

import io
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.ingest.analysis.analyzer import Analyzer, FeatureTracks, load
from pipelines.ingest.analysis.fingerprint import fingerprint_blocks
from pipelines.ingest.analysis.speech import SpeechTracker
from pipelines.media.audio import resample
from pipelines.units import Audio
from tests.synthetic_audio import noise, silence, tone, voice
from tests.synthetic_series import tune


def heard(*blocks: Audio, rate_hz: int = 16000) -> FeatureTracks:
    listener = Analyzer(rate_hz)
    for block in blocks:
        listener.feed(block)
    return listener.finish()


def assert_equal(one: FeatureTracks, other: FeatureTracks) -> None:
    for field in fields(FeatureTracks):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)


@pytest.mark.parametrize("rate_hz", [16000, 44100])
def test_tracks_are_the_same_however_the_blocks_are_cut(rate_hz: int) -> None:
    sound = np.concatenate([silence(1, rate_hz), voice(9, rate_hz), noise(31, rate_hz, 0.01)])
    whole = heard(sound, rate_hz=rate_hz)
    for parts in (7, 900):
        assert_equal(heard(*np.array_split(sound, parts), rate_hz=rate_hz), whole)
    assert whole.samples == len(sound)
    assert len(whole.bands_8) == len(whole.pitch_8) == 41 * 32


def test_speech_and_fingerprint_are_those_of_their_own_modules() -> None:
    sound = resample(np.concatenate([voice(8, seed=2), tune(6, 3)]), 16000, 22050)
    found = heard(sound, rate_hz=22050)
    tracker = SpeechTracker(22050)
    tracker.feed(sound)
    np.testing.assert_allclose(found.speech, tracker.finish(), atol=1e-5)
    np.testing.assert_allclose(found.power, np.maximum(tracker.power, 1e-16), rtol=2e-3)
    np.testing.assert_array_equal(found.items, fingerprint_blocks([sound], 22050, "s").items)


def test_a_saved_track_is_read_back_and_is_small(tmp_path: Path) -> None:
    found = heard(*(voice(20, seed=seed) + noise(20, level=0.01, seed=seed) for seed in range(3)))
    found.save(tmp_path / "a.npz")
    found.save(tmp_path / "b.npz")
    assert_equal(load(tmp_path / "a.npz"), found)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert (tmp_path / "a.npz").stat().st_size < 3_000_000 / 60  # a minute's share of 3 MB an hour


def test_a_track_that_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "night.npz"
    heard(voice(1)).save(path)
    whole = path.read_bytes()
    older = io.BytesIO()
    np.savez(older, version=np.array("tracks-0"))
    for damaged in (b"", whole[: len(whole) // 2], older.getvalue()):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"night\.npz: .*ingest"):
            load(path)
    with pytest.raises(DataError, match=r"none\.npz: cannot be read"):
        load(tmp_path / "none.npz")


@pytest.mark.parametrize("hz", [80.0, 115.0, 220.0, 400.0, 550.0])
def test_pitch_of_a_voice_like_sound(hz: float) -> None:
    sound = np.asarray(sum(tone(2, hz=hz * k, level=0.2 / k) for k in range(1, 7)), np.float32)
    pitch, periodic = heard(sound + noise(2, level=0.003)).pitch_hz(0.2, 1.8)
    assert np.median(pitch) == pytest.approx(hz, rel=0.02)
    assert periodic.mean() > 0.9
    assert heard(noise(2)).pitch_hz(0.2, 1.8)[1].mean() < 0.5


def test_tones_are_held_in_music_and_not_in_a_gliding_voice() -> None:
    chord = np.asarray(sum(tone(4, hz=hz, level=0.1) for hz in (262, 330, 392, 523)), np.float32)
    assert heard(chord).held(1, 3).mean() > 0.9
    assert heard(voice(4)).held(1, 3).mean() < 0.4
    assert heard(noise(4)).held(1, 3).mean() < 0.4


def test_levels_of_bands_are_those_of_the_sound() -> None:
    loud, soft = (heard(noise(3, level=level)).bands_db(0.5, 2.5).mean(axis=0) for level in (0.1, 0.01))
    np.testing.assert_allclose(loud - soft, 20, atol=0.5)


def test_nothing_at_all_is_heard_as_nothing() -> None:
    for sound in (np.zeros(0, np.float32), np.zeros(1, np.float32)):
        found = heard(sound)
        assert found.samples == len(sound)
        assert len(found.speech) == len(found.amplitudes) == len(sound)
