"""What the first bytes of a recording promise, where the demuxer takes the file's present size for its length."""

import struct
from pathlib import Path

#: Writers that cannot go back put one of these, or something just below them, as the size of their sound.
_UNKNOWN_SIZES = ((0, 1), (0x7FFF0000, 0x80000000), (0xFFFF0000, 0x100000000))


def wav_share_here(path: Path) -> float | None:
    """How much of the sound that a RIFF WAVE header announces the file holds, in (0, 1].

    None where it is no such file, or where the size is that of a stream whose end nobody knew (0, 2^31, 2^32).
    """
    size_of_file = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or len(file.read(4)) < 4 or file.read(4) != b"WAVE":
            return None
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                here = size_of_file - file.tell()
                unknown = any(low <= size < high for low, high in _UNKNOWN_SIZES)
                return None if unknown or here <= 0 else min(1.0, here / size)
            file.seek(size + size % 2, 1)
    return None


def mp3_counts_its_frames(path: Path) -> bool:
    """Whether the first frame of an MP3 holds a table with the count of all frames (Xing, Info, VBRI)."""
    with path.open("rb") as file:
        head = file.read(10)
        at = 0
        if len(head) == 10 and head[:3] == b"ID3":  # its size is written in four times seven bits
            at = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        file.seek(at)
        frame = file.read(512)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))


def is_mp4_without_index(path: Path) -> bool:
    """Whether the file begins as an MP4 does and its boxes end before the one that says where its sound is (moov)."""
    size = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while True:
            file.seek(at)
            head = file.read(16)
            if len(head) < 8:
                return at > 0
            length, name = struct.unpack(">I4s", head[:8])
            if at == 0 and name not in (b"ftyp", b"wide", b"free", b"skip", b"mdat"):
                return False
            if name in (b"moov", b"moof"):
                return False
            if length == 1 and len(head) == 16:
                (length,) = struct.unpack(">Q", head[8:])
            if length < 8 or at + length >= size:
                return name == b"mdat" or at > 0
            at += length
