"""Recordings opened for reading: the facts in their headers, and their audio by linear decode from the first sample.

Decoding never seeks: after a seek a lossy decoder gives other samples (17-37 dB SNR measured on AAC with noise
substitution), so positions are counted from the first decoded sample. Containers are recognised by content, not name.
"""

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from pipelines.errors import MediaError
from pipelines.media.container_headers import is_mp4_without_index, mp3_has_frame_count, wav_complete_fraction
from pipelines.units import Audio, Hertz, Seconds

#: Demuxers that may be used. Playlists are excluded: they could name other files or hosts.
CONTAINERS = (
    "wav,w64,aiff,caf,au,flac,mp3,aac,ac3,eac3,dts,ogg,amr,ape,wv,tta,asf,avi,flv,mpeg,mpegts,"
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"
)

#: Containers whose header states the length of each track.
_STATES_TRACK_LENGTH = frozenset(("mov", "aiff", "au", "flac"))

#: Full scale of the integer sample formats, by the format's packed name.
FULL_SCALE: Mapping[str, float] = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}
SAMPLE_DTYPES = {
    "u8": np.uint8,
    "s16": np.int16,
    "s32": np.int32,
    "s64": np.int64,
    "flt": np.float32,
    "dbl": np.float64,
}


#: Rates and channels beyond which a header is not plausible: it could ask for any amount of memory.
RATES_HZ = range(2000, 768_001)
MAX_CHANNELS = 64

#: Packets that may fail to decode before the first that does: a broadcast recording may start within one.
_MAX_LEADING_FAILURES = 50
#: Tags between the frames of concatenated MP3s.
_TAGS = (b"ID3", b"TAG", b"APETAGEX")


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """One audio track. `language` is the container's own code, such as "eng", or empty; `is_secondary` means a
    commentary, an audio description, or a track that cannot be decoded here."""

    language: str = ""
    is_default: bool = False
    is_secondary: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """The facts in a recording's headers. `duration_s` is None where they do not state it.

    `declared_s` is the length of this track where the header states it, so that a missing end can be detected;
    `first_pts_s` is the presentation time of its first sample by the container's clock, which video uses too.
    """

    container: str
    codec: str
    rate_hz: Hertz
    channels: int
    duration_s: Seconds | None
    tracks: tuple[AudioTrack, ...]
    declared_s: Seconds | None = None
    first_pts_s: Seconds | None = None


class Recording:
    """An open recording: its facts, and its audio from the first sample on, once.

    After `blocks`, `gaps_s` says how much time is missing between its packets by their time stamps (jumps of more
    than one frame): such audio is joined end to end; no silence is inserted.
    """

    def __init__(self, path: Path, container: InputContainer, stream: AudioStream, track: int) -> None:
        self._path, self._container, self._stream = path, container, stream
        self.track = track
        self.gaps_s: Seconds = 0.0

    @property
    def facts(self) -> Probe:
        """The facts in its headers."""
        duration = _seconds(self._stream.duration, self._stream.time_base)
        if duration is None and self._container.duration is not None:
            duration = self._container.duration / av.time_base
        container = self._container.format.name.split(",")[0]
        return Probe(
            container=container,
            codec=self._stream.codec_context.name,
            rate_hz=self._stream.rate,
            channels=self._stream.channels,
            duration_s=duration,
            tracks=tuple(_track(stream) for stream in self._container.streams.audio),
            declared_s=self._declared_s(container, duration),
            first_pts_s=_seconds(self._stream.start_time, self._stream.time_base),
        )

    def blocks(self, block_s: Seconds = 30.0) -> Iterator[Audio]:
        """See `decode_blocks`."""
        rate_hz = self._stream.rate
        wanted = max(1, round(block_s * rate_hz))
        shape: tuple[str, int, int] | None = None
        buffer = _BlockBuffer("flt", 1, 0)
        decoded = 0
        gaps = _GapCounter(float(self._stream.time_base or 0) * rate_hz)
        try:
            for frame in self._frames():
                now = (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
                if now != shape:
                    if buffer.samples:  # stereo after mono, or another sample format: starts a new block
                        yield buffer.take()
                    if shape is not None and now[2] != shape[2]:
                        raise MediaError(
                            "changes_midway",
                            f"{self._path.name}: its sample rate changes from {shape[2]} to {now[2]} Hz after "
                            f"{decoded / shape[2]:.1f} s; convert it to one rate first",
                        )
                    shape, buffer = now, _BlockBuffer(now[0], now[1], wanted)
                decoded += frame.samples
                gaps.add(frame.pts, frame.samples)
                buffer.add(frame)
                if buffer.samples >= wanted:
                    yield buffer.take()
        except av.FFmpegError as error:
            where = f"after {decoded / rate_hz:.1f} s" if decoded else "at its beginning"
            if buffer.samples:
                yield buffer.take()
            raise MediaError(
                "damaged", f"{self._path.name}: cannot be decoded {where} ({error.strerror}); get a complete copy"
            ) from None
        finally:
            self.gaps_s = gaps.samples / rate_hz
        if buffer.samples:
            yield buffer.take()
        if not decoded:
            raise MediaError("no_audio", f"{self._path.name}: its audio track is empty", "gone")

    def _frames(self) -> Iterator[av.AudioFrame]:
        has_started, failed = False, 0
        last_error: av.InvalidDataError | None = None
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError as error:
                failed, last_error = failed + 1, error
                if _is_tag(packet) or (not has_started and failed < _MAX_LEADING_FAILURES and packet.size):
                    continue
                raise
            for frame in frames:
                has_started = True
                yield frame
        if last_error is not None and not has_started:
            raise last_error

    def _declared_s(self, container: str, duration_s: Seconds | None) -> Seconds | None:
        if container == "wav":
            share = 1.0 if _is_rf64(self._path) else wav_complete_fraction(self._path)
            return duration_s / share if duration_s and share else None
        if container == "mp3":
            return duration_s if mp3_has_frame_count(self._path) else None
        if container == "matroska":  # states end times, and the container's length is that of all tracks
            stated_s = _clock_s(self._stream.metadata.get("DURATION", ""))
            end_s = stated_s or (None if self._container.streams.video else duration_s)
            begin_s = _seconds(self._stream.start_time, self._stream.time_base) or 0.0
            return None if end_s is None else end_s - max(0.0, begin_s)
        return duration_s if container in _STATES_TRACK_LENGTH else None


#: Which track to open: its number from 0, or a function that chooses the number from all tracks.
TrackChoice = int | Callable[[Sequence[AudioTrack]], int]


@contextmanager
def open_recording(path: Path, track: TrackChoice = 0) -> Iterator[Recording]:
    """Open one audio track for both facts and audio: opening costs 5-16 ms.

    Raises MediaError: missing, folder, no_file, unreadable, empty, not_media, cut_short, no_audio, no_track.
    """
    with _opened(path) as container:
        number = track if isinstance(track, int) else track([_track(one) for one in container.streams.audio])
        yield Recording(path, container, _audio_stream(container, path, number), number)


def probe(path: Path, track: TrackChoice = 0) -> Probe:
    """The facts of `path` from its headers, nothing decoded. Raises MediaError as `open_recording` does."""
    with open_recording(path, track) as recording:
        return recording.facts


def has_video(path: Path) -> bool:
    """Whether a file contains video; a cover image does not count. False where it cannot be read."""
    try:
        with _opened(path) as container:
            return bool(_video_streams(container))
    except MediaError:
        return False


def _video_streams(container: InputContainer) -> list[VideoStream]:
    """Video streams, without cover images."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the video of a file for fast, approximate decoding: frames that no other depends on may be skipped, and
    there is no deblocking. Its audio is not read.

    Raises MediaError as `open_recording` does, and no_picture.
    """
    with _opened(path) as container:
        streams = _video_streams(container)
        if not streams or getattr(streams[0], "codec_context", None) is None:
            raise MediaError("no_picture", f"{path.name}: has no video that can be read", "gone")
        stream = streams[0]
        stream.codec_context.skip_frame = "NONREF"
        stream.codec_context.options = {"skip_loop_filter": "all"}
        stream.codec_context.thread_count = 1  # there is one process per core already
        yield container, stream


def decode_blocks(path: Path, track: int = 0, block_s: Seconds = 30.0) -> Iterator[Audio]:
    """The whole of one audio track from its first sample, in blocks of about `block_s`.

    Yields float32 [channels, n] at the track's own rate, n >= 1; memory does not grow with the recording's length. The
    number of channels may change between blocks where it changes within the recording.
    Raises MediaError as `open_recording` does, and, after all audio before it was yielded, damaged or changes_midway.
    """
    with open_recording(path, track) as recording:
        yield from recording.blocks(block_s)


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise MediaError("folder", f"{path.name}: is a folder, expected a recording")
        if not stat.S_ISREG(kind):  # reading from a pipe or a device may never end
            raise MediaError("no_file", f"{path.name}: is a pipe, a socket or a device, expected a file")
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError("empty", f"{path.name}: is empty (0 bytes); get it again", "gone")
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the name
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
        if is_mp4_without_index(path):
            reason = f"{path.name}: is truncated: the index at the end of an MP4 is missing; get a complete copy"
            raise MediaError("cut_short", reason) from None
        raise MediaError(
            "not_media",
            f"{path.name}: is not a recording that can be read here (by its content, not its name), or is truncated",
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
    stream = tracks[track]
    if getattr(stream, "codec_context", None) is None:  # the typed stubs do not know that it may be
        reason = f"{path.name}: its audio codec is not supported; convert it first"
        raise MediaError("not_media", reason, "gone")
    if not stream.rate:
        raise MediaError(
            "not_media", f"{path.name}: contains no audio that can be read, whatever its name says", "gone"
        )
    if stream.rate not in RATES_HZ or stream.channels > MAX_CHANNELS:
        reason = f"{path.name}: claims {stream.channels} channels at {stream.rate} Hz, which is not plausible"
        raise MediaError("not_media", reason, "gone")
    return stream


def _track(stream: AudioStream) -> AudioTrack:
    secondary = Disposition.comment | Disposition.visual_impaired | Disposition.descriptions
    return AudioTrack(
        language=stream.metadata.get("language", ""),
        is_default=bool(stream.disposition & Disposition.default),
        is_secondary=bool(stream.disposition & secondary) or getattr(stream, "codec_context", None) is None,
    )


def _seconds(ticks: int | None, time_base: Fraction | None) -> Seconds | None:
    return None if ticks is None or time_base is None else float(ticks * time_base)


def _is_tag(packet: "Packet[AudioStream]") -> bool:
    return bytes(packet).startswith(_TAGS)


def _is_rf64(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"RF64"


def _clock_s(text: str) -> Seconds | None:
    """ "00:09:03.25" in seconds."""
    parts = text.split(":")
    try:
        return float(parts[0]) * 3600 + float(parts[1]) * 60 + float(parts[2]) if len(parts) == 3 else None
    except ValueError:
        return None


class _GapCounter:
    """Adds up the time missing between frames, in `samples`; `scale` is samples per tick of their time stamps."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._next: float | None = None
        self.samples = 0.0

    def add(self, pts: int | None, samples: int) -> None:
        if pts is not None:
            now = pts * self._scale
            if self._next is not None and now - self._next > samples:
                self.samples += now - self._next
            self._next = now + samples
        elif self._next is not None:
            self._next += samples


class _BlockBuffer:
    """Frames joined end to end in the decoder's own sample format until a block is full."""

    def __init__(self, sample_format: str, channels: int, capacity: int) -> None:
        self._packed = sample_format.removesuffix("p")
        self._width = 1 if sample_format.endswith("p") else channels  # numbers per sample in one plane
        self._channels = channels
        rows = channels if self._width == 1 else 1
        self._numbers = np.empty((rows, (capacity + capacity // 4) * self._width), SAMPLE_DTYPES[self._packed])
        self.samples = 0

    def add(self, frame: av.AudioFrame) -> None:
        start, end = self.samples * self._width, (self.samples + frame.samples) * self._width
        if end > self._numbers.shape[1]:
            self._numbers = np.concatenate([self._numbers, np.empty_like(self._numbers[:, : end - start])], axis=1)
        for row, plane in zip(self._numbers, frame.planes, strict=True):
            row[start:end] = np.frombuffer(memoryview(plane), row.dtype, end - start)
        self.samples += frame.samples

    def take(self) -> Audio:
        """The buffered samples as float32 [channels, samples], scaled to [-1, 1]; empties the buffer."""
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
