"""Locate sources: find their recordings on this machine, by checksum first and by name after that."""

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pipelines.atomic_write import sha256_file
from pipelines.errors import ConfigError
from pipelines.ingest.sources import Source
from pipelines.units import SourceId


class _FolderIndex:
    """The files in some folders and all folders below them, by name and by size.

    Raises ConfigError for a folder that does not exist.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._by_name: dict[str, list[Path]] = {}
        self._by_size: dict[int, list[Path]] = {}
        for folder in folders:
            if not folder.is_dir():
                raise ConfigError(f"{folder}: there is no such folder; give the one that holds the recordings")
            for file in _files(folder):
                self._by_name.setdefault(_normalized(file.name), []).append(file)
                self._by_size.setdefault(file.stat().st_size, []).append(file)

    def by_name(self, source: Source) -> list[Path]:
        """Files of the source's file name, then those named by its id."""
        if source.is_url:
            name = unquote(PurePosixPath(urlsplit(source.uri).path).name)
        else:
            name = Path(source.uri).name
        named = self._by_name.get(_normalized(name), [])
        by_id = [file for name, files in self._by_name.items() if Path(name).stem == source.source_id for file in files]
        return [*named, *(file for file in by_id if file not in named)]

    def by_size(self, size: int) -> list[Path]:
        """Files of so many bytes."""
        return self._by_size.get(size, [])


def locate_recordings(
    sources: Iterable[Source], folders: Sequence[Path], remembered: Mapping[SourceId, Path] | None = None
) -> dict[SourceId, Path]:
    """A file for every source that has one.

    In this order: a file of the listed checksum (`remembered` first, then those of the same name or size in
    `folders`, searched with all folders below them), else the remembered one, else one of its name or of its id:
    perhaps another edition. Raises ConfigError for a folder that does not exist.
    """
    index = _FolderIndex(folders)
    found: dict[SourceId, Path] = {}
    hashes: dict[Path, str] = {}
    for source in sources:
        before = (remembered or {}).get(source.source_id)
        likely = [*([before] if before is not None and before.is_file() else []), *index.by_name(source)]
        file = _same_checksum(source, likely, index, hashes) or next(iter(likely), None)
        if file is not None:
            found[source.source_id] = file
    return found


def _same_checksum(source: Source, likely: Sequence[Path], index: _FolderIndex, hashes: dict[Path, str]) -> Path | None:
    """The first file of the source's listed checksum, among `likely` ones and those of its size."""
    sha256, size = source.measured.get("sha256", ""), source.measured.get("bytes", "")
    if not sha256:
        return None
    is_known = size.isdecimal()
    candidates = [*likely, *(index.by_size(int(size)) if is_known else [])]
    for file in candidates:
        if is_known and file.stat().st_size != int(size):
            continue
        if file not in hashes:
            hashes[file] = sha256_file(file)
        if hashes[file] == sha256:
            return file
    return None


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place) / name for name in sorted(files) if not name.startswith(".")]
    return [file for file in found if file.is_file()]


def _normalized(name: str) -> str:
    return unicodedata.normalize("NFC", name)
