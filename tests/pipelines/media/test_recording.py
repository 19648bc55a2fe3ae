"""pipelines.media.recording and pipelines.media.container_headers: recordings that are not as they should be."""

from pathlib import Path

import numpy as np
import pytest
from av.stream import Disposition

from pipelines.errors import MediaError
from pipelines.media import audio
from pipelines.media.container_headers import is_mp4_without_index, mp3_has_frame_count, wav_complete_fraction
from tests.malformed_media import Track, concatenate, damage, mux, truncate, wav_bytes
from tests.synthetic_audio import noise, tone

PCM = audio.to_pcm16(tone(2.0)).astype("<i2").tobytes()


def reason(path: Path) -> str:
    with pytest.raises(MediaError) as refused:
        audio.read_mono(path)
    assert refused.value.reason.startswith(path.name + ": ") and "\n" not in refused.value.reason
    return refused.value.reason_code


def test_stereo_after_mono_is_mixed_to_one_mono_recording(tmp_path: Path) -> None:
    sound = noise(2.0, 48000)
    parts = [Track(sound, 48000, "flac"), Track(np.stack([sound, -0.5 * sound]), 48000, "flac", "stereo")]
    path = concatenate(tmp_path / "mix.flac", parts)
    mono, rate_hz = audio.read_mono(path)
    np.testing.assert_allclose(mono, np.concatenate([sound, 0.25 * sound]), atol=1e-4)
    with audio.open_recording(path) as opened:
        np.testing.assert_array_equal(np.concatenate([audio.to_mono(block) for block in opened.blocks(0.3)]), mono)
    assert rate_hz == 48000
    with pytest.raises(MediaError, match="its number of channels changes; read it as mono"):
        audio.read(path)


@pytest.mark.parametrize(("suffix", "codec"), [("flac", "flac"), ("aac", "aac"), ("ts", "aac"), ("mp3", "libmp3lame")])
def test_a_rate_change_is_an_error_after_the_audio_before_it(tmp_path: Path, suffix: str, codec: str) -> None:
    parts = [Track(tone(2.0, rate_hz), rate_hz, codec) for rate_hz in (48000, 24000)]
    path = concatenate(tmp_path / f"two.{suffix}", parts)
    for block_s in (30.0, 0.25):
        blocks: list[audio.Audio] = []
        with pytest.raises(MediaError, match=r"changes from 48000 to 24000 Hz after 2\.\d s; convert it") as told:
            blocks.extend(audio.decode_blocks(path, block_s=block_s))
        assert (told.value.reason_code, told.value.failure) == ("changes_midway", "fix")
        assert sum(block.shape[1] for block in blocks) == pytest.approx(2.0 * 48000, abs=2500)


def test_concatenated_files_with_tags_are_read_completely(tmp_path: Path) -> None:
    path = concatenate(tmp_path / "joined.mp3", [Track(tone(2.0, 44100), 44100, "libmp3lame")] * 3)
    assert path.read_bytes().count(b"ID3") == 3
    assert audio.read_mono(path)[0].size == pytest.approx(6 * 44100, abs=4 * 1152)


def test_a_broadcast_that_starts_within_a_frame_is_read(tmp_path: Path) -> None:
    whole = mux(tmp_path / "whole.ac3", [Track(tone(4.0, 48000), 48000, "ac3")])
    (tmp_path / "late.ac3").write_bytes(whole.read_bytes()[5003:])
    assert audio.read_mono(tmp_path / "late.ac3")[0].size > 3.4 * 48000


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_missing_time_is_reported_and_not_filled(tmp_path: Path, suffix: str) -> None:
    steady = mux(tmp_path / f"steady.{suffix}", [Track(tone(4.0))])
    path = mux(tmp_path / f"gap.{suffix}", [Track(tone(4.0), delay=lambda n: 0 if n < 32000 else 48000)])
    for file, gaps_s in ((steady, 0.0), (path, 3.0)):
        with audio.open_recording(file) as opened:
            samples = sum(block.shape[1] for block in opened.blocks())
            assert opened.gaps_s == pytest.approx(gaps_s, abs=0.1)
        assert 0 <= samples - 4 * 16000 <= 4096
    np.testing.assert_array_equal(audio.read_mono(path)[0], audio.read_mono(steady)[0])


def test_a_length_is_used_only_where_the_header_states_that_of_the_track(tmp_path: Path) -> None:
    sound = Track(tone(4.0))
    film = [0, 3000, 3001, 9000]  # the picture goes on longer than the sound
    promises = {
        mux(tmp_path / "a.mp4", [sound], film): 4.0,
        mux(tmp_path / "a.mkv", [sound], film): 4.0,
        mux(tmp_path / "a.mka", [sound]): 4.0,
        mux(tmp_path / "late.mkv", [Track(tone(4.0), delay=lambda _: 32000)], film): 4.0,
        mux(tmp_path / "a.mp3", [Track(tone(4.0), codec="libmp3lame")]): 4.0,
        mux(tmp_path / "a.ts", [sound]): None,
        mux(tmp_path / "a.aac", [sound]): None,
    }
    for path, declared_s in promises.items():
        found = audio.probe(path).declared_s
        assert found == (None if declared_s is None else pytest.approx(declared_s, abs=0.1)), path.name
    for path in list(promises)[1:5]:
        cut = truncate(path, tmp_path / f"cut{path.suffix}")
        assert audio.probe(cut).declared_s == pytest.approx(4.0, abs=0.1), path.name
        assert audio.read_mono(cut)[0].size < 3 * 16000, path.name
    assert not mp3_has_frame_count(tmp_path / "a.aac")


@pytest.mark.parametrize(
    ("size", "share"),
    [(len(PCM), 1.0), (2 * len(PCM), 0.5), (0, None), (0x7FFFFFFF, None), (0xFFFFFFFF, None), (len(PCM) - 2, 1.0)],
)
def test_the_complete_fraction_of_a_truncated_wave_file(tmp_path: Path, size: int, share: float | None) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(PCM, size=size))
    assert wav_complete_fraction(path) == share
    assert audio.probe(path).declared_s == (None if share is None else pytest.approx(2.0 / share, abs=1e-3))
    assert audio.read_mono(path)[0].size in (32000, 31999)
    path.write_bytes(wav_bytes(PCM, size=size)[:20])
    assert wav_complete_fraction(path) is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (wav_bytes(PCM, rate_hz=0), "not_media"),
        (wav_bytes(PCM, rate_hz=1), "not_media"),
        (wav_bytes(PCM, rate_hz=0x7FFFFFFF), "not_media"),
        (wav_bytes(PCM, bits=0), "not_media"),
        (wav_bytes(PCM, channels=65535), "damaged"),
        (wav_bytes(PCM, tag=0x55), "damaged"),
        (wav_bytes(b""), "no_audio"),
        (wav_bytes(PCM)[:30], "not_media"),
    ],
)
def test_false_headers_allocate_no_memory_and_crash_nothing(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "lie.wav"
    path.write_bytes(content)
    assert reason(path) == code


@pytest.mark.parametrize("suffix", ["mp4", "m4a", "mov"])
def test_a_truncated_mp4_is_distinguished_from_other_files(tmp_path: Path, suffix: str) -> None:
    whole = mux(tmp_path / f"whole.{suffix}", [Track(tone(3.0))])
    cut = truncate(whole, tmp_path / f"cut.{suffix}")
    assert reason(cut) == "cut_short" and not is_mp4_without_index(whole)
    (tmp_path / "page.mp4").write_bytes(b"<!doctype html>" * 99)
    assert reason(tmp_path / "page.mp4") == "not_media"


def test_audio_before_a_damaged_packet_is_yielded_before_the_error(tmp_path: Path) -> None:
    whole = mux(tmp_path / "whole.m4a", [Track(tone(6.0))])
    path = damage(whole, tmp_path / "spoilt.m4a")
    blocks: list[audio.Audio] = []
    with pytest.raises(MediaError, match=r"cannot be decoded after \d\.\d s") as told:
        blocks.extend(audio.decode_blocks(path))
    assert (told.value.reason_code, told.value.failure) == ("damaged", "fix")
    good = np.concatenate(blocks, axis=1)
    assert 2 * 16000 < good.shape[1] < 4 * 16000
    np.testing.assert_array_equal(good, audio.read(whole)[0][:, : good.shape[1]])


def test_track_facts_are_read_and_passed_to_the_track_choice(tmp_path: Path) -> None:
    low, high = tone(2.0, hz=200), tone(2.0, hz=900)
    tracks = [Track(low, language="eng", disposition=Disposition.default), Track(high, language="spa")]
    path = mux(tmp_path / "two.mkv", [*tracks, Track(low, language="spa", disposition=Disposition.comment)])
    seen = audio.probe(path).tracks
    assert [(one.language, one.is_default, one.is_secondary) for one in seen] == [
        ("eng", True, False), ("spa", False, False), ("spa", False, True)
    ]  # fmt: skip
    with audio.open_recording(path, lambda all_: len(all_) - 2) as opened:
        assert opened.track == 1
        sound = audio.to_mono(next(opened.blocks()))
    assert np.corrcoef(sound[8000:16000], high[8000:16000])[0, 1] > 0.9
    with pytest.raises(MediaError, match="has 3 audio tracks, track 5 was asked for"):
        audio.probe(path, 5)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ffconcat", "ffconcat version 1.0\nfile {secret}\n"),
        ("a.wav", "ffconcat version 1.0\nfile {secret}\n"),
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"),
        ("a.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 0\n"),
        ("a.asx", '<asx version="3.0"><entry><ref href="http://127.0.0.1:{port}/x.mp4"/></entry></asx>'),
        ("a.mpd", '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{secret}</BaseURL></Period></MPD>'),
        ("a.pls", "[playlist]\nFile1={secret}\n"),
    ],
)
def test_a_file_that_names_other_files_opens_none_of_them(tmp_path: Path, name: str, content: str) -> None:
    secret = tmp_path / "secret.mp3"
    audio.encode(secret, tone(1.0), 16000, "mp3")
    path = tmp_path / name
    path.write_text(content.format(secret=secret, port=9))
    assert reason(path) == "not_media"
