"""Malformed media for tests: several tracks, changes and gaps within, false headers, truncated and damaged files."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from pipelines.units import Audio, Hertz, Samples


@dataclass(frozen=True, slots=True)
class Track:
    """One audio track: audio float32 [n] or [channels, n], and what its container says of it.

    `delay`: by how many samples the time stamp of a sample is delayed, given its number.
    """

    audio: Audio
    rate_hz: Hertz = 16000
    codec: str = "aac"
    layout: str = "mono"
    language: str = ""
    disposition: Disposition | None = None
    delay: Callable[[Samples], Samples] = lambda _: 0


def mux(path: Path, tracks: Sequence[Track], frames_ms: Sequence[int] = ()) -> Path:
    """Write `tracks`, with a video frame at each of `frames_ms`."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        video = None
        if frames_ms:
            video = container.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            video.codec_context.time_base = Fraction(1, 1000)
        streams = []
        for track in tracks:
            stream = container.add_stream(track.codec, rate=track.rate_hz, layout=track.layout)
            if track.language:
                stream.metadata["language"] = track.language
            if track.disposition is not None:
                stream.disposition = track.disposition
            streams.append(stream)
        for ms in frames_ms:
            video_frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), ms % 255, np.uint8), format="rgb24")
            video_frame.pts, video_frame.time_base = ms, Fraction(1, 1000)
            container.mux(video.encode(video_frame))
        if video is not None:
            container.mux(video.encode())
        for stream, track in zip(streams, tracks, strict=True):
            whole = np.ascontiguousarray(np.atleast_2d(track.audio), np.float32)
            frame = av.AudioFrame.from_ndarray(whole, format="fltp", layout=track.layout)
            frame.sample_rate = track.rate_hz
            context = stream.codec_context
            resampler = av.AudioResampler(
                format=context.format.name,
                layout=track.layout,
                rate=track.rate_hz,
                frame_size=context.frame_size or 1024,
            )
            sent = 0
            for part in (*resampler.resample(frame), *resampler.resample(None)):
                part.pts, part.time_base = sent + track.delay(sent), Fraction(1, track.rate_hz)
                sent += part.samples
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
    return path


def concatenate(path: Path, parts: Sequence[Track]) -> Path:
    """Concatenate the files of several tracks, as broadcasters and `cat` do."""
    whole = b""
    for number, part in enumerate(parts):
        piece = mux(path.with_name(f"part{number}{path.suffix}"), [part])
        whole += piece.read_bytes()
        piece.unlink()
    path.write_bytes(whole)
    return path


def wav_bytes(
    data: bytes, *, tag: int = 1, bits: int = 16, channels: int = 1, rate_hz: int = 16000, size: int | None = None
) -> bytes:
    """A WAVE file of `data`; `size` is the size in its header, by default the true one."""
    align = max(1, channels * bits // 8)
    declared = len(data) if size is None else size
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", min(36 + declared, 0xFFFFFFFF), b"WAVE", b"fmt ", 16, tag, channels, rate_hz,
        rate_hz * align & 0xFFFFFFFF, align & 0xFFFF, bits,
    )  # fmt: skip
    return head + struct.pack("<4sI", b"data", declared) + data


def truncate(whole: Path, path: Path, share: float = 2 / 3) -> Path:
    """Write the first part of a file."""
    content = whole.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def damage(whole: Path, path: Path, count: int = 4000) -> Path:
    """Write a file with `count` bytes of its middle overwritten at random."""
    content = bytearray(whole.read_bytes())
    middle = len(content) // 2
    content[middle : middle + count] = np.random.default_rng(0).bytes(count)
    path.write_bytes(content)
    return path
