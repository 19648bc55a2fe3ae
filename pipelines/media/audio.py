"""Audio as arrays and as files: whole recordings, mono, resampling, exact PCM16 clips, encoding.

Reading uses pipelines.media.recording: a linear decode from the first sample, never a seek.
"""

import hashlib
import wave
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.stream import AudioStream
from av.codec.context import Flags

from pipelines.atomic_write import AtomicPaths, atomic_path
from pipelines.errors import MediaError
from pipelines.media.recording import AudioTrack, Probe, Recording, decode_blocks, open_recording, probe
from pipelines.units import Audio, Hertz

__all__ = [
    "AudioTrack", "Codec", "Pcm16", "Probe", "Recording", "decode_blocks", "encode", "open_recording", "pcm_sha256",
    "probe", "read", "read_mono", "resample", "to_mono", "to_pcm16", "write_pcm16",
]  # fmt: skip

Pcm16 = npt.NDArray[np.int16]


def read(path: Path, track: int = 0) -> tuple[Audio, Hertz]:
    """A whole recording: float32 [channels, n] and its rate. For short files; long ones go through `decode_blocks`.

    Raises MediaError as `decode_blocks`, and changes_midway where the number of channels does.
    """
    with open_recording(path, track) as recording:
        blocks = list(recording.blocks())
        if len({len(block) for block in blocks}) > 1:
            raise MediaError("changes_midway", f"{path.name}: its number of channels changes; read it as mono")
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1), recording.facts.rate_hz


def read_mono(path: Path, rate_hz: Hertz | None = None) -> tuple[Audio, Hertz]:
    """The channel mean of a whole recording, float32 [n], at its own rate or resampled to `rate_hz`."""
    with open_recording(path) as recording:
        mono = np.concatenate([to_mono(block) for block in recording.blocks()])
        own_hz = recording.facts.rate_hz
    if rate_hz is None or rate_hz == own_hz:
        return mono, own_hz
    return resample(mono, own_hz, rate_hz), rate_hz


def to_mono(audio: Audio) -> Audio:
    """Channel mean in float32: [channels, n] -> [n]."""
    if audio.ndim != 2:
        raise ValueError(f"expected audio of shape [channels, n], found {audio.shape}")
    mean: Audio = audio[0] if audio.shape[0] == 1 else audio.mean(axis=0, dtype=np.float32)
    return mean


def resample(audio: Audio, from_hz: Hertz, to_hz: Hertz) -> Audio:
    """soxr HQ along the last axis, [n] or [channels, n], float32 in and out; an equal rate returns the input."""
    if from_hz == to_hz:
        return audio
    frames = soxr.resample(np.ascontiguousarray(audio.T, dtype=np.float32), from_hz, to_hz, quality="HQ")
    return np.ascontiguousarray(np.asarray(frames, dtype=np.float32).T)


def to_pcm16(mono: Audio) -> Pcm16:
    """float32 [n] in [-1, 1] to s16: times 32768, round half to even, clipped to the range. s16 sources round-trip."""
    pcm: Pcm16 = np.clip(np.rint(mono * np.float32(32768.0)), -32768, 32767).astype(np.int16)
    return pcm


def pcm_sha256(pcm: Pcm16) -> str:
    """Hex SHA-256 over the samples as little-endian s16."""
    return hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest()


def write_pcm16(path: Path, pcm: Pcm16, rate_hz: Hertz, files: AtomicPaths | None = None) -> None:
    """Write mono s16 [n] as WAV, or as FLAC for a name that ends in .flac; the file appears whole or not at all.

    It exists when this returns, or, with `files`, when those are complete.
    """
    with files.path(path) if files is not None else atomic_path(path) as temporary:
        if path.suffix == ".flac":
            import soundfile

            soundfile.write(temporary, pcm, rate_hz, subtype="PCM_16", format="FLAC")
            return
        with wave.open(str(temporary), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate_hz)
            out.writeframes(np.ascontiguousarray(pcm, "<i2").data)


Codec = Literal["aac", "opus", "mp3", "flac", "pcm16"]
_ENCODERS: Mapping[Codec, tuple[str, str]] = {
    "aac": ("aac", "fltp"),
    "opus": ("libopus", "flt"),
    "mp3": ("libmp3lame", "fltp"),
    "flac": ("flac", "s16"),
    "pcm16": ("pcm_s16le", "s16"),
}


def encode(path: Path, audio: Audio, rate_hz: Hertz, codec: Codec) -> None:
    """Encode float32 [n] or [channels, n] (1 or 2 channels) into the container that the suffix of `path` names.

    Opus supports few rates: other audio is resampled to 48 kHz first. Same input, same bytes on one machine.
    """
    channels = np.atleast_2d(audio)
    if codec == "opus" and rate_hz not in (8000, 12000, 16000, 24000, 48000):
        channels, rate_hz = resample(channels, rate_hz, 48000), 48000
    name, sample_format = _ENCODERS[codec]
    layout = "mono" if channels.shape[0] == 1 else "stereo"
    with atomic_path(path) as temporary, av.open(str(temporary), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(name, rate=rate_hz, layout=layout)
        if not isinstance(stream, AudioStream):
            raise TypeError(f"'{name}' is not an audio encoder")
        stream.codec_context.flags |= Flags.bitexact
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=layout)
        frame.sample_rate = rate_hz
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate_hz, frame_size=size)
        sent = 0
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            # Without time stamps, the encoder's priming is not trimmed.
            part.pts, part.time_base = sent, Fraction(1, rate_hz)
            sent += part.samples
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
