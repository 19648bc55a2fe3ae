"""What went wrong with one recording, in words, and errors that mean something for more than one."""

import errno

from pipelines.errors import Cancelled, ClusterLost, MediaError
from pipelines.execution.process_pool import WorkerCrashed
from pipelines.execution.shared_storage import StorageError
from pipelines.units import Seconds


class TooManyRequests(MediaError):
    """The host asks for a rest (429, or a check for robots); for `rest_s` seconds, where it said so."""

    def __init__(self, reason_code: str, reason: str, rest_s: Seconds | None = None) -> None:
        super().__init__(reason_code, reason, "defer")
        self.rest_s = rest_s


def disk_full(name: str) -> MediaError:
    """The error of a disk that has no room left; the whole queue stops with it."""
    return MediaError("disk_full", f"{name}: there is no room left on the disk; make room and ingest again", "fix")


def problem_of(name: str, error: BaseException) -> MediaError:
    """The error of one recording, by whatever ended the work on it. Raises Cancelled and KeyboardInterrupt again."""
    if isinstance(error, Cancelled | KeyboardInterrupt):
        raise error
    if isinstance(error, MediaError):
        return error
    if isinstance(error, WorkerCrashed):
        return MediaError("crashed", f"{name}: {error}", "fix")
    if isinstance(error, ClusterLost | StorageError):
        return MediaError("machines", f"{name}: {error}", "retry")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(name)
    if isinstance(error, MemoryError):
        told = f"{name}: needs more memory than one recording may take; see whether its header is right"
        return MediaError("memory", told, "fix")
    if isinstance(error, OSError):
        return MediaError("disk", f"{name}: {error.strerror or error}; see to the disk and ingest again", "fix")
    told = f"{name}: an error of this program ({type(error).__name__}: {error}); please report it"
    return MediaError("bug", told, "bug")
