"""Reading and writing sound: probe, linear decode, resample, exact PCM16 clips.

Decoding never seeks: after a seek a lossy decoder gives other samples (17-37 dB SNR measured on AAC with noise
substitution), so positions are counted from the first decoded sample. A container is told by content, not by name.
"""

import hashlib
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer

from pipelines.atomic import atomic_path
from pipelines.errors import MediaError
from pipelines.units import Audio, Hertz, Seconds

Pcm16 = npt.NDArray[np.int16]

#: Demuxers that may be tried. Playlists are left out: one could name other files or hosts.
CONTAINERS = (
    "wav,w64,aiff,caf,au,flac,mp3,aac,ac3,eac3,dts,ogg,amr,ape,wv,tta,asf,avi,flv,mpeg,mpegts,"
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"
)

#: Full scale of the integer sample formats, by the format's packed name.
FULL_SCALE: Mapping[str, float] = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}
NUMBERS = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "flt": np.float32, "dbl": np.float64}


@dataclass(frozen=True, slots=True)
class Probe:
    """What the headers of a recording say. `duration_s` is None where they do not tell."""

    container: str
    codec: str
    rate_hz: Hertz
    channels: int
    duration_s: Seconds | None
    tracks: int


class Recording:
    """An open recording: its facts, and its sound from the first sample on, once."""

    def __init__(self, path: Path, container: InputContainer, stream: AudioStream) -> None:
        self._path, self._container, self._stream = path, container, stream

    @property
    def facts(self) -> Probe:
        """What its headers say."""
        duration: Seconds | None = None
        if self._stream.duration is not None and self._stream.time_base is not None:
            duration = float(self._stream.duration * self._stream.time_base)
        elif self._container.duration is not None:
            duration = self._container.duration / av.time_base
        return Probe(
            container=self._container.format.name.split(",")[0],
            codec=self._stream.codec_context.name,
            rate_hz=self._stream.rate,
            channels=self._stream.channels,
            duration_s=duration,
            tracks=len(self._container.streams.audio),
        )

    def blocks(self, block_s: Seconds = 30.0) -> Iterator[Audio]:
        """See `decode_blocks`."""
        wanted = max(1, round(block_s * self._stream.rate))
        shape: tuple[str, int, int] | None = None
        held = _Held("flt", 1, 0)
        decoded = 0
        try:
            for frame in self._container.decode(self._stream):
                now = (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
                if shape is None:
                    shape, held = now, _Held(now[0], now[1], wanted)
                elif now != shape:
                    raise MediaError(
                        "changes_midway",
                        f"{self._path.name}: its sound changes from {_words(shape)} to {_words(now)} after "
                        f"{decoded / shape[2]:.1f} s; convert it to one format first",
                    )
                decoded += frame.samples
                held.add(frame)
                if held.samples >= wanted:
                    yield held.take()
        except av.FFmpegError as error:
            where = f"after {decoded / shape[2]:.1f} s" if shape else "at its beginning"
            raise MediaError(
                "damaged", f"{self._path.name}: cannot be decoded {where} ({error.strerror}); get a whole copy", "gone"
            ) from None
        if held.samples:
            yield held.take()
        if not decoded:
            raise MediaError("no_audio", f"{self._path.name}: its audio track holds no sound", "gone")


@contextmanager
def open_recording(path: Path, track: int = 0) -> Iterator[Recording]:
    """One audio track, opened once for facts and sound both: opening costs 5-16 ms.

    Raises MediaError: missing, folder, unreadable, empty, not_media, no_audio, no_track.
    """
    with _opened(path) as container:
        yield Recording(path, container, _audio_stream(container, path, track))


def probe(path: Path, track: int = 0) -> Probe:
    """The facts of `path` from its headers, nothing decoded. Raises MediaError as `open_recording` does."""
    with open_recording(path, track) as recording:
        return recording.facts


def decode_blocks(path: Path, track: int = 0, block_s: Seconds = 30.0) -> Iterator[Audio]:
    """The whole of one audio track from its first sample, in blocks of about `block_s`.

    Yields float32 [channels, n] at the track's own rate, n >= 1; memory does not grow with the recording's length.
    Raises MediaError as `open_recording` does, and damaged or changes_midway.
    """
    with open_recording(path, track) as recording:
        yield from recording.blocks(block_s)


def read(path: Path, track: int = 0) -> tuple[Audio, Hertz]:
    """A whole recording: float32 [channels, n] and its rate. For short files; long ones go through `decode_blocks`."""
    with open_recording(path, track) as recording:
        blocks = list(recording.blocks())
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1), recording.facts.rate_hz


def read_mono(path: Path, rate_hz: Hertz | None = None) -> tuple[Audio, Hertz]:
    """The channel mean of a whole recording, float32 [n], at its own rate or resampled to `rate_hz`."""
    audio, own_hz = read(path)
    mono = to_mono(audio)
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


def write_pcm16(path: Path, pcm: Pcm16, rate_hz: Hertz) -> None:
    """Write mono s16 [n] as WAV, or FLAC for a name that ends so; the file appears whole or not at all."""
    with atomic_path(path) as temporary:
        if path.suffix == ".flac":
            import soundfile

            soundfile.write(temporary, pcm, rate_hz, subtype="PCM_16", format="FLAC")
            return
        with wave.open(str(temporary), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate_hz)
            out.writeframes(pcm.astype("<i2").tobytes())


Codec = Literal["aac", "opus", "mp3", "flac", "pcm16"]
_ENCODERS: Mapping[Codec, tuple[str, str]] = {
    "aac": ("aac", "fltp"),
    "opus": ("libopus", "flt"),
    "mp3": ("libmp3lame", "fltp"),
    "flac": ("flac", "s16"),
    "pcm16": ("pcm_s16le", "s16"),
}


def encode(path: Path, audio: Audio, rate_hz: Hertz, codec: Codec) -> None:
    """Encode float32 [n] or [channels, n] (1 or 2 channels) into the container that the name of `path` asks for.

    Opus knows few rates: other sound is resampled to 48 kHz first. Same input, same bytes on one machine.
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
            part.pts, part.time_base = (
                sent,
                Fraction(1, rate_hz),
            )  # without a clock, the encoder's priming is not trimmed
            sent += part.samples
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    if path.is_dir():
        raise MediaError("folder", f"{path.name}: is a folder, expected a recording")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError("empty", f"{path.name}: is empty (0 bytes); get it again", "gone")
    except FileNotFoundError:
        raise MediaError("missing", f"{path.name}: there is no such file in {path.parent}; check the path") from None
    except OSError as error:
        raise MediaError("unreadable", f"{path.name}: cannot be read ({error.strerror})") from None
    try:
        # 'file:' keeps a colon in a file's name from being read as a protocol.
        container = av.open(
            f"file:{path}",
            options={"format_whitelist": CONTAINERS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except av.FFmpegError:
        raise MediaError(
            "not_media",
            f"{path.name}: is not a recording this can read (told by its content, not its name), or it was cut short",
            "gone",
        ) from None
    with container:
        yield container


def _audio_stream(container: InputContainer, path: Path, track: int) -> AudioStream:
    tracks = container.streams.audio
    if not tracks:
        raise MediaError("no_audio", f"{path.name}: has no audio track", "gone")
    if track >= len(tracks):
        raise MediaError("no_track", f"{path.name}: has {len(tracks)} audio tracks, track {track} was asked for")
    if not tracks[track].rate:
        raise MediaError("not_media", f"{path.name}: holds no sound that can be read, whatever its name says", "gone")
    return tracks[track]


class _Held:
    """Frames laid end to end in the decoder's own number format until a block is full."""

    def __init__(self, sample_format: str, channels: int, capacity: int) -> None:
        self._packed = sample_format.removesuffix("p")
        self._width = 1 if sample_format.endswith("p") else channels  # numbers per sample in one plane
        self._channels = channels
        rows = channels if self._width == 1 else 1
        self._numbers = np.empty((rows, (capacity + capacity // 4) * self._width), NUMBERS[self._packed])
        self.samples = 0

    def add(self, frame: av.AudioFrame) -> None:
        start, end = self.samples * self._width, (self.samples + frame.samples) * self._width
        if end > self._numbers.shape[1]:
            self._numbers = np.concatenate([self._numbers, np.empty_like(self._numbers[:, : end - start])], axis=1)
        for row, plane in zip(self._numbers, frame.planes, strict=True):
            row[start:end] = np.frombuffer(memoryview(plane), row.dtype, end - start)
        self.samples += frame.samples

    def take(self) -> Audio:
        """What is held as float32 [channels, samples], scaled to [-1, 1]; then nothing is held."""
        numbers = self._numbers[:, : self.samples * self._width]
        self.samples = 0
        if self._width > 1:
            numbers = numbers.reshape(-1, self._channels).T
        scale = FULL_SCALE.get(self._packed)
        if scale is None:
            return np.array(numbers, dtype=np.float32, order="C")
        if self._packed == "s16":  # exact in float32
            return np.ascontiguousarray(numbers.astype(np.float32) / np.float32(scale))
        offset = scale if self._packed == "u8" else 0.0
        return np.ascontiguousarray((numbers.astype(np.float64) - offset) / scale, dtype=np.float32)


def _words(shape: tuple[str, int, int]) -> str:
    return f"{shape[1]} channels at {shape[2]} Hz"
