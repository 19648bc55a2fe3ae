"""Errors of fetching that mean something for more than one recording."""

from pipelines.errors import MediaError
from pipelines.units import Seconds


class TooManyRequests(MediaError):
    """The host asks for a rest (429, or a check for robots); for `rest_s` seconds, where it said so."""

    def __init__(self, reason_code: str, reason: str, rest_s: Seconds | None = None) -> None:
        super().__init__(reason_code, reason, "defer")
        self.rest_s = rest_s


def disk_full(name: str) -> MediaError:
    """The error of a disk that has no room left; the whole queue stops with it."""
    return MediaError("disk_full", f"{name}: there is no room left on the disk; make room and ingest again", "fix")
