"""pipelines.media.audio: every container is read whole, linearly, and told by content; clips are exact."""

import hashlib
import itertools
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipelines.errors import MediaError
from pipelines.media import audio
from tests.synthetic_audio import noise, tone, video_without_sound


def reason(path: Path) -> str:
    with pytest.raises(MediaError) as probed:
        audio.probe(path)
    with pytest.raises(MediaError) as decoded:
        list(audio.decode_blocks(path))
    assert probed.value.reason_code == decoded.value.reason_code
    assert str(path.name) in probed.value.reason
    return probed.value.reason_code


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz"),
    [
        ("a.wav", "pcm16", 24414),
        ("a.flac", "flac", 44100),
        ("a.mp3", "mp3", 44100),
        ("a.m4a", "aac", 44100),
        ("a.mp4", "aac", 48000),
        ("a.mkv", "aac", 22050),
        ("a.webm", "opus", 48000),
        ("a.ogg", "opus", 48000),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_container_is_decoded_completely_at_the_right_time_and_pitch(
    tmp_path: Path, name: str, codec: audio.Codec, rate_hz: int, channels: int
) -> None:
    sound = np.stack([tone(2.0, rate_hz)] * channels)
    path = tmp_path / name
    audio.encode(path, sound, rate_hz, codec)
    facts = audio.probe(path)
    assert (facts.rate_hz, facts.channels, len(facts.tracks)) == (rate_hz, channels, 1)
    assert facts.duration_s == pytest.approx(2.0, abs=0.05)
    decoded, decoded_hz = audio.read(path)
    assert decoded_hz == rate_hz and decoded.dtype == np.float32 and decoded.shape[0] == channels
    assert -1 <= decoded.shape[1] - sound.shape[1] <= 2048  # a codec's last frame may be padded, never cut
    middle = slice(rate_hz // 2, rate_hz)
    assert np.corrcoef(decoded[0, middle], sound[0, middle])[0, 1] > 0.99  # in place to a fraction of a period


@pytest.mark.parametrize(
    ("name", "codec"), [("a.m4a", "aac"), ("a.webm", "opus"), ("a.mp3", "mp3"), ("a.flac", "flac")]
)
def test_blocks_join_to_the_same_samples_whatever_their_length(tmp_path: Path, name: str, codec: audio.Codec) -> None:
    path = tmp_path / name
    audio.encode(path, noise(2.5, 48000), 48000, codec)
    whole = np.concatenate(list(audio.decode_blocks(path)), axis=1)
    short = list(audio.decode_blocks(path, block_s=0.1))
    assert len(short) > 10
    np.testing.assert_array_equal(np.concatenate(short, axis=1), whole)


def test_encoding_the_same_audio_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.m4a", "b.m4a"):
        audio.encode(tmp_path / name, noise(1.0, 44100), 44100, "aac")
    assert (tmp_path / "a.m4a").read_bytes() == (tmp_path / "b.m4a").read_bytes()


@given(hnp.arrays(np.int16, st.integers(1, 300)))
def test_pcm16_round_trips_through_float(pcm: audio.Pcm16) -> None:
    np.testing.assert_array_equal(audio.to_pcm16(pcm.astype(np.float32) / np.float32(32768)), pcm)


def test_pcm16_rounds_half_to_even_and_clips() -> None:
    halves = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 32767.4, 40000.0, -40000.0], np.float32) / np.float32(32768)
    assert audio.to_pcm16(halves).tolist() == [0, 2, 2, 0, -2, 32767, 32767, -32768]


def test_a_written_clip_holds_exactly_its_samples(tmp_path: Path) -> None:
    pcm = audio.to_pcm16(noise(0.5, 22050))
    audio.write_pcm16(tmp_path / "clip.wav", pcm, 22050)
    with wave.open(str(tmp_path / "clip.wav")) as written:
        assert (written.getnchannels(), written.getsampwidth(), written.getframerate()) == (1, 2, 22050)
        raw = written.readframes(written.getnframes())
    np.testing.assert_array_equal(np.frombuffer(raw, "<i2"), pcm)
    assert audio.pcm_sha256(pcm) == hashlib.sha256(raw).hexdigest()
    audio.write_pcm16(tmp_path / "clip.flac", pcm, 22050)
    np.testing.assert_array_equal(audio.to_pcm16(audio.read_mono(tmp_path / "clip.flac")[0]), pcm)


def wav_bytes(tag: int, bits: int, channels: int, rate_hz: int, data: bytes) -> bytes:
    align = channels * bits // 8
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, tag, channels, rate_hz,
                       rate_hz * align, align, bits)  # fmt: skip
    return head + struct.pack("<4sI", b"data", len(data)) + data


def test_sample_formats_are_scaled_to_one(tmp_path: Path) -> None:
    shape = np.array([[0.5, -0.5], [0.25, -1.0], [-0.25, 0.0], [0.75, -0.75]] * 100)  # [n, 2]
    forms = {
        "u8": (1, 8, (shape * 128 + 128).astype("u1").tobytes()),
        "s24": (1, 24, b"".join((int(v * 2**23)).to_bytes(3, "little", signed=True) for v in shape.ravel())),
        "s32": (1, 32, (shape * 2**31).astype("<i4").tobytes()),
        "f32": (3, 32, shape.astype("<f4").tobytes()),
        "f64": (3, 64, shape.astype("<f8").tobytes()),
    }
    for name, (tag, bits, data) in forms.items():
        path = tmp_path / f"{name}.wav"
        path.write_bytes(wav_bytes(tag, bits, 2, 96000, data))
        decoded, rate_hz = audio.read(path)
        assert rate_hz == 96000
        np.testing.assert_array_equal(decoded, shape.T.astype(np.float32), err_msg=name)
        np.testing.assert_allclose(audio.read_mono(path)[0], shape.mean(axis=1), atol=1e-7, err_msg=name)


def test_resampling_keeps_the_tone_and_the_shape() -> None:
    sound = np.stack([tone(1.0, 44100), tone(1.0, 44100, 880.0)])
    there = audio.resample(sound, 44100, 16000)
    assert there.shape == (2, 16000) and there.dtype == np.float32
    expected = np.stack([tone(1.0, 16000), tone(1.0, 16000, 880.0)])
    np.testing.assert_allclose(there[:, 500:-500], expected[:, 500:-500], atol=1e-3)
    np.testing.assert_array_equal(audio.resample(sound, 44100, 44100), sound)


def test_unreadable_files_have_a_reason_code(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.wav") == "missing"
    assert reason(tmp_path) == "folder"
    for suffix, extension in itertools.product(
        (b"plain text\n" * 500, b"<!doctype html><html></html>"), ("mp4", "mp3", "wav")
    ):
        (tmp_path / f"text.{extension}").write_bytes(suffix)
        assert reason(tmp_path / f"text.{extension}") == "not_media"
    (tmp_path / "empty.mp4").touch()
    assert reason(tmp_path / "empty.mp4") == "empty"
    (tmp_path / "random.mp3").write_bytes(np.random.default_rng(0).bytes(100_000))
    assert reason(tmp_path / "random.mp3") == "not_media"
    assert reason(video_without_sound(tmp_path / "silent.mp4")) == "no_audio"


def test_a_playlist_that_names_other_files_is_not_followed(tmp_path: Path) -> None:
    audio.encode(tmp_path / "secret.mp3", tone(1.0), 16000, "mp3")
    for name in ("list.m3u8", "list.mp4"):
        (tmp_path / name).write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path}/secret.mp3\n#EXT-X-ENDLIST\n"
        )
        assert reason(tmp_path / name) == "not_media"


def test_a_truncated_file_is_an_error_not_a_short_recording(tmp_path: Path) -> None:
    audio.encode(tmp_path / "whole.flac", noise(3.0, 44100), 44100, "flac")
    whole = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(MediaError, match=r"cut\.flac: cannot be decoded after \d+\.\d s"):
        list(audio.decode_blocks(tmp_path / "cut.flac"))


@pytest.mark.parametrize(
    "name", ["a:b.mp3", "qu\"ote's.mp3", "喊 叫 😱.mp3", "new\nline.mp3", "-x %d.mp3", "l" * 200 + ".mp3"]
)
def test_unusual_file_names_are_accepted(tmp_path: Path, name: str) -> None:
    audio.encode(tmp_path / name, tone(0.5), 16000, "mp3")
    assert audio.read(tmp_path / name)[0].shape == (1, 8000)


@pytest.mark.parametrize(
    ("name", "container", "rate_hz", "channels"),
    [
        ("TESS/YAF_angry/YAF_germ_angry.wav", "aiff", 24414, 1),
        ("TESS/YAF_fear/YAF_neat_fear.wav", "aiff", 24414, 1),
        ("TESS/OAF_Fear/OAF_food_fear.wav", "wav", 96000, 1),
        ("RAVDESS/Actor_01/03-01-02-01-01-02-01.wav", "wav", 48000, 2),
        ("EMOVO/f1/rab-f1-b1.wav", "wav", 48000, 1),
        ("AMI_excerpts/tst00.wav", "wav", 16000, 1),
    ],
)
def test_unusual_wav_files_of_real_corpora_are_read_correctly(
    real_recordings: Path, name: str, container: str, rate_hz: int, channels: int
) -> None:
    path = real_recordings / name
    facts = audio.probe(path)
    assert (facts.container, facts.rate_hz, facts.channels) == (container, rate_hz, channels)
    decoded, _ = audio.read(path)
    assert decoded.shape == (channels, round((facts.duration_s or 0) * rate_hz))
    assert 0.001 < np.abs(decoded).max() <= 1.0


def test_facts_and_audio_come_from_one_open_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    audio.write_pcm16(path, audio.to_pcm16(tone(0.5, 22050)), 22050)
    opened: list[str] = []
    really = audio.av.open
    monkeypatch.setattr(
        audio.av, "open", lambda name, *rest, **more: opened.append(name) or really(name, *rest, **more)
    )
    sound, rate_hz = audio.read(path)
    with audio.open_recording(path) as recording:
        assert (recording.facts.rate_hz, rate_hz) == (22050, 22050)
        np.testing.assert_array_equal(np.concatenate(list(recording.blocks(0.1)), axis=1), sound)
    assert len(opened) == 2
