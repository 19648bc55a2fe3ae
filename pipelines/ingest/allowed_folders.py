"""Which files of this machine may be asked for by somebody who is not its owner: those in folders that the owner named.

Where a path leads is what counts: over links and `..` too. Whether anything is there is not told of a path outside.
"""

from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import MediaError


def is_within(path: Path, folders: Sequence[Path]) -> bool:
    """Whether `path` (from the current folder, where it is relative) leads to one of `folders` or into it."""
    if ".." in path.parts:
        return False
    try:
        place = path.resolve()
        return any(place.is_relative_to(folder.resolve()) for folder in folders)
    except (OSError, RuntimeError, ValueError):  # a circle of links, a name that no file can have
        return False


def outside(path: Path) -> MediaError:
    """The error of a recording that is asked for and lies outside."""
    told = f"{path.name[:60]}: pages take recordings only out of folders that this server's owner has opened to them"
    return MediaError("outside", f"{told}; put it there, or let the owner ingest it with the command")
