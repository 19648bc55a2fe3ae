"""The scores that rest on what was heard: music, noise, bandwidth, edges, voices; right on sounds of known kind."""

from collections.abc import Iterator

import numpy as np
import pytest
import scipy.signal

from pipelines.ingest.analysis import levels
from pipelines.ingest.analysis.analyzer import Analyzer, FeatureTracks
from pipelines.ingest.analysis.background import (
    QUIETEST_DB,
    SNR_CONTEXT_S,
    cut_edge_db,
    f0_med_hz,
    flatness,
    snr_wada_db,
)
from pipelines.ingest.analysis.music import music_features, music_p
from pipelines.ingest.analysis.speaker_change import bic_gain, speaker_change_p
from pipelines.ingest.analysis.speech import HOP_S, edge_power
from pipelines.ingest.selection.placement import candidates
from pipelines.ingest.selection.screens import SCREENS, Window, effective_thresholds, failure_reasons, scores_of
from pipelines.media.audio import resample, to_pcm16
from pipelines.study import ClipSettings, PlacementSettings, StudySettings
from pipelines.units import Audio, Seconds
from tests import synthetic_scenes
from tests.synthetic_audio import noise, silence, tone, voice
from tests.synthetic_scenes import HELD_OUT, INSTRUMENTAL, RATE_HZ
from workbench.demo.voice import Synthesiser, synthesiser


@pytest.fixture(scope="module")
def synth() -> Iterator[Synthesiser]:
    pytest.importorskip("espeakng_loader", reason="speech needs the extra 'demo'")
    with synthesiser() as opened:
        yield opened


def heard(sound: Audio, rate_hz: int = RATE_HZ) -> FeatureTracks:
    listener = Analyzer(rate_hz)
    listener.feed(np.asarray(sound, np.float32))
    return listener.finish()


def music_of(sound: Audio, step_s: Seconds = 1.5) -> list[float]:
    tracks = heard(sound)
    return [music_p(tracks, at_s, at_s + 3) for at_s in np.arange(0, tracks.duration_s - 3 + 1e-6, step_s).tolist()]


@pytest.mark.parametrize("kind", [kind for kind in INSTRUMENTAL if kind != "drums"])
def test_music_that_nothing_was_fitted_on_is_music(kind: str) -> None:
    assert np.mean(np.array(music_of(INSTRUMENTAL[kind](HELD_OUT, 9, np.random.default_rng(5)))) > 0.5) >= 0.8


def test_song_is_music_and_speech_of_the_same_voices_is_not(synth: Synthesiser) -> None:
    rng = np.random.default_rng(8)
    sung = [p for _ in range(3) for p in music_of(synthetic_scenes.words_sung(HELD_OUT, 9, rng, synth))]
    said = [p for voice in HELD_OUT.voices[:3] for p in music_of(synthetic_scenes.talk(synth, voice, 9, rng))]
    assert np.mean(np.array(sung) > 0.5) >= 0.8
    assert np.mean(np.array(said) <= 0.5) >= 0.9
    assert max(said) < 0.9


def test_the_louder_the_music_under_speech_the_more_it_counts(synth: Synthesiser) -> None:
    rng = np.random.default_rng(9)
    said = synthetic_scenes.talk(synth, HELD_OUT.voices[1], 9, rng)
    under = synthetic_scenes.chords(HELD_OUT, 9, rng)
    means = [float(np.mean(music_of(synthetic_scenes.mixed(said, under, snr_db)))) for snr_db in (25, 10, 0)]
    assert means[0] < 0.3 and means == sorted(means) and means[2] > 0.5


def test_evidence_of_music_lies_between_0_and_1_whatever_is_heard() -> None:
    for sound in (silence(4), noise(4), voice(4), tone(4), tone(0.1)):
        tracks = heard(sound)
        found = music_features(tracks, 0, tracks.duration_s)
        assert all(0 <= value <= 1 for value in found), found
    assert music_features(heard(silence(4)), 9, 12) == (0, 0, 0, 0)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_wada_finds_the_noise_under_what_it_takes_for_speech(snr_db: float) -> None:
    # its own model of speech: amplitudes of a gamma distribution of shape 0.4, either sign, and Gaussian noise
    rng = np.random.default_rng(4)
    speech = rng.gamma(0.4, size=8 * RATE_HZ) * rng.choice([-1, 1], 8 * RATE_HZ)
    speech *= 0.05 / np.sqrt(np.square(speech).mean())
    noisy = speech + 0.05 * 10 ** (-snr_db / 20) * rng.standard_normal(len(speech))
    for level in (1.0, 0.2):
        assert snr_wada_db(heard(level * noisy), 2.5, 5.5) == pytest.approx(snr_db, abs=1.0)


def test_wada_is_not_known_of_what_is_too_short_and_hears_the_same_context_at_both_ends() -> None:
    assert snr_wada_db(heard(voice(SNR_CONTEXT_S - 0.1)), 0, 3) is None
    tracks = heard(np.concatenate([voice(6), noise(6, level=0.2)]))
    first, last = snr_wada_db(tracks, 0, 3), snr_wada_db(tracks, 9, 12)
    assert first is not None and last is not None and first > last


@pytest.mark.parametrize("rate_hz", [16000, 24414, 44100, 48000])
@pytest.mark.parametrize("ends_hz", [3400, 5500])
def test_bandwidth_is_where_the_sound_ends(rate_hz: int, ends_hz: int) -> None:
    sections = scipy.signal.butter(12, ends_hz, fs=rate_hz, output="sos")
    low = scipy.signal.sosfiltfilt(sections, noise(3, rate_hz)).astype(np.float32)
    found = levels.bandwidth_hz(levels.spectra_100ms(to_pcm16(low), rate_hz), rate_hz)
    assert found is not None and ends_hz <= found <= 1.35 * ends_hz
    assert levels.bandwidth_hz(levels.spectra_100ms(to_pcm16(silence(3, rate_hz)), rate_hz), rate_hz) is None
    whole = levels.bandwidth_hz(levels.spectra_100ms(to_pcm16(noise(3, rate_hz)), rate_hz), rate_hz)
    assert whole == pytest.approx(rate_hz / 2, abs=200)


def test_a_telephone_is_told_from_a_studio(synth: Synthesiser) -> None:
    said = synthetic_scenes.talk(synth, HELD_OUT.voices[2], 6, np.random.default_rng(2))
    reasons = {}
    for name, sound in (("studio", said), ("telephone", synthetic_scenes.telephone(said))):
        high = resample(sound, RATE_HZ, 44100)[:132300]
        reasons[name] = failure_reasons(
            scores_of(Window(to_pcm16(high), 44100, ())), effective_thresholds(StudySettings(name="x"))
        )
    assert "bandwidth_hz_low" in reasons["telephone"]
    assert "bandwidth_hz_low" not in reasons["studio"]


def test_pitch_and_flatness_are_those_of_the_sound() -> None:
    assert f0_med_hz(heard(voice(3, pitch_hz=180)), 0, 3) == pytest.approx(180, rel=0.1)
    assert f0_med_hz(heard(noise(3)), 0, 3) is None
    hiss, line = flatness(heard(noise(3)), 0, 3), flatness(heard(tone(3)), 0, 3)
    assert hiss is not None and line is not None and hiss > 0.5 > 0.05 > line


def test_an_edge_in_speech_is_loud_and_one_in_a_pause_is_not() -> None:
    tracks = heard(np.concatenate([silence(1), voice(8), silence(3)]))
    through, clear = cut_edge_db(tracks, 0.9, 3.9), cut_edge_db(tracks, 6.5, 9.5)
    assert through is not None and through > -12
    assert clear is not None and clear > -12  # its beginning stands in speech, though its end does not
    assert cut_edge_db(tracks, 0.5, 9.5) == QUIETEST_DB
    assert cut_edge_db(tracks, 9.5, 11.5) is None


def test_edge_power_is_the_lesser_of_both_sides() -> None:
    power = np.array([0, 0, 4, 4, 4, 4, 0, 0], np.float32)
    np.testing.assert_array_equal(edge_power(power), [0, 0, 0, 2, 4, 2, 0, 0, 0])


@pytest.mark.parametrize(("gap_at_s", "lead_s"), [(3.9, 0.1), (3.81, 0.15), (3.66, 0.3)])
def test_a_window_begins_earlier_where_that_lets_it_end_in_a_pause(gap_at_s: float, lead_s: float) -> None:
    hops = np.zeros(round(12 / HOP_S), np.float32)
    onset = round(1.0 / HOP_S)
    hops[onset : round(8 / HOP_S)] = 0.9
    gap = round(gap_at_s / HOP_S)
    hops[gap - 1 : gap + 2] = 0.1
    found = candidates(hops, hops, 12 * RATE_HZ, RATE_HZ, ClipSettings(), PlacementSettings())[0]
    assert found.onset_s == pytest.approx(onset * HOP_S)
    end = round((found.start_sample / RATE_HZ + 3) / HOP_S)
    assert gap - 1 <= end <= gap + 2
    assert found.onset_s - found.start_sample / RATE_HZ == pytest.approx(lead_s, abs=0.05)


def test_another_voice_raises_the_score_and_little_sound_has_none(synth: Synthesiser) -> None:
    rng = np.random.default_rng(6)
    gains: dict[bool, list[float]] = {True: [], False: []}
    for number in range(16):
        changes = number % 2 == 0
        one, other = HELD_OUT.voices[number % 3], HELD_OUT.voices[(number % 3 + (1 if changes else 0)) % 6]
        parts = [synthetic_scenes.talk(synth, name, 1.8, rng) for name in (one, other)]
        joined = synthetic_scenes.one_after_another(parts[0], parts[1], 1.5, 0.1, 3)
        gain = bic_gain(heard(joined), 0, 3)
        assert gain is not None
        gains[changes].append(gain)
    above = np.mean([yes > no for yes in gains[True] for no in gains[False]])
    assert above > 0.75
    assert speaker_change_p(heard(voice(1.2)), 0, 1.2) is None


def test_scores_from_saved_tracks_are_those_from_fresh_ones(tmp_path, synth: Synthesiser) -> None:
    from pipelines.ingest.analysis.analyzer import load

    sound = synthetic_scenes.talk(synth, HELD_OUT.voices[0], 8, np.random.default_rng(1))
    tracks = heard(sound)
    tracks.save(tmp_path / "t.npz")
    pcm = to_pcm16(sound[RATE_HZ : 4 * RATE_HZ])
    fresh, again = (scores_of(Window(pcm, RATE_HZ, (), 1.0, one)) for one in (tracks, load(tmp_path / "t.npz")))
    assert fresh == again
    assert set(fresh) == set(SCREENS)


def test_without_tracks_what_rests_on_them_is_not_known() -> None:
    scores = scores_of(Window(to_pcm16(voice(3)), RATE_HZ, ()))
    unknown = {name for name, score in scores.items() if score is None}
    assert {"music_p", "speaker_change_p", "cut_edge_db", "snr_wada_db", "flatness", "f0_med_hz"} <= unknown
