"""Whether the disk has room for a recording before it is fetched."""

import shutil
from pathlib import Path

from pipelines.ingest.failures import disk_full
from pipelines.ingest.fetch.fetch_policy import Manners


def check_room(url: str, folder: Path, expected_bytes: int, manners: Manners) -> None:
    """Raise MediaError (disk_full) where the disk has no room for twice the recording and the reserve."""
    free = shutil.disk_usage(folder).free
    if free < 2 * expected_bytes + manners.reserve_bytes:
        raise disk_full(url)
