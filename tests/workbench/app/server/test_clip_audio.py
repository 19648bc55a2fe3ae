"""Clips on their way to a listener: sound alone."""

import wave
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import MediaError
from pipelines.media.audio import to_pcm16, write_pcm16
from tests.synthetic_audio import tone
from workbench.app.server.clip_audio import LISTENING_HZ, listening_wav


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_every_sample_arrives_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    pcm = to_pcm16(tone(0.5, LISTENING_HZ))
    path = tmp_path / f"ep1-000012000.{suffix}"
    write_pcm16(path, pcm, LISTENING_HZ)
    if suffix == "wav":  # a tag after the samples, as editors write it
        with path.open("ab") as file:
            file.write(b"LIST\x1a\x00\x00\x00INFOINAM\x0e\x00\x00\x00The Long Night")
    sound = listening_wav(path)
    assert len(sound) == 44 + 2 * len(pcm)
    assert b"Night" not in sound
    with wave.open(BytesIO(sound)) as read:
        assert (read.getframerate(), read.getnchannels()) == (LISTENING_HZ, 1)
        np.testing.assert_array_equal(np.frombuffer(read.readframes(len(pcm)), "<i2"), pcm)


def test_clips_of_different_sources_cannot_be_told_apart_by_their_form(tmp_path: Path) -> None:
    heads = set()
    for rate_hz in (16_000, 22_050, 44_100, 48_000):
        write_pcm16(tmp_path / "clip.wav", to_pcm16(tone(3, rate_hz)), rate_hz)
        sound = listening_wav(tmp_path / "clip.wav")
        heads.add((len(sound), sound[:44]))
    assert len(heads) == 1


@pytest.mark.parametrize("content", [None, b"", b"no sound at all, only words"])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_what_is_no_sound_is_said_to_be_none(tmp_path: Path, content: bytes | None, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MediaError, match="cannot be read"):
        listening_wav(path)
