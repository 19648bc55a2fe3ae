"""Container headers: lengths and indexes that the demuxer does not report, read from the first bytes of a file."""

import struct
from pathlib import Path

#: Writers that cannot seek back write one of these, or a little less, as the size of their audio.
_UNKNOWN_SIZES = ((0, 1), (0x7FFF0000, 0x80000000), (0xFFFF0000, 0x100000000))


def wav_complete_fraction(path: Path) -> float | None:
    """The fraction of the audio declared by a RIFF WAVE header that the file contains, in (0, 1].

    None for other files, and where the declared size is that of a stream of unknown length (0, 2^31, 2^32).
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


def mp3_has_frame_count(path: Path) -> bool:
    """Whether the first frame of an MP3 holds a table with the number of frames (Xing, Info, VBRI)."""
    with path.open("rb") as file:
        head = file.read(10)
        at = 0
        if len(head) == 10 and head[:3] == b"ID3":  # its size has four times seven bits
            at = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        file.seek(at)
        frame = file.read(512)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))


def is_mp4_without_index(path: Path) -> bool:
    """Whether the file starts like an MP4 but its boxes end before the index (moov)."""
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
