"""Where the recordings of a table of sources lie on this machine, told by checksum first and by name after that."""

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pipelines.atomic_write import sha256_file
from pipelines.errors import ConfigError
from pipelines.ingest.sources import Source
from pipelines.units import SourceId


def find_media(
    sources: Iterable[Source], folders: Sequence[Path], remembered: Mapping[SourceId, Path] | None = None
) -> dict[SourceId, Path]:
    """A file for every source that has one.

    In this order: a file of the listed checksum (`remembered` first, then those of the same name or size in
    `folders`, searched with all that is in them), else the remembered one, else one of its name or of its id: another
    edition perhaps. Raises ConfigError for a folder that is not there.
    """
    by_name: dict[str, list[Path]] = {}
    by_size: dict[int, list[Path]] = {}
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: there is no such folder; give the one that holds the recordings")
        for file in _files(folder):
            by_name.setdefault(_plain(file.name), []).append(file)
            by_size.setdefault(file.stat().st_size, []).append(file)
    found: dict[SourceId, Path] = {}
    hashes: dict[Path, str] = {}
    for source in sources:
        before = (remembered or {}).get(source.source_id)
        known = [before] if before is not None and before.is_file() else []
        named = [file for name in _names(source) for file in by_name.get(name, ())]
        own = [file for file in _stems(by_name, source.source_id) if file not in named]
        size = source.measured.get("bytes", "")
        sized = by_size.get(int(size), []) if size.isdecimal() else []
        sha256 = source.measured.get("sha256", "")
        for file in (*known, *named, *own, *sized) if sha256 else ():
            if size.isdecimal() and file.stat().st_size != int(size):
                continue
            if file not in hashes:
                hashes[file] = sha256_file(file)
            if hashes[file] == sha256:
                found[source.source_id] = file
                break
        else:
            likely = [*known, *named, *own]
            if likely:
                found[source.source_id] = likely[0]
    return found


def _names(source: Source) -> list[str]:
    if not source.is_url:
        return [_plain(Path(source.uri).name)]
    return [_plain(unquote(PurePosixPath(urlsplit(source.uri).path).name))]


def _stems(by_name: Mapping[str, Sequence[Path]], source_id: SourceId) -> list[Path]:
    return [file for name, files in by_name.items() if Path(name).stem == source_id for file in files]


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place) / name for name in sorted(files) if not name.startswith(".")]
    return [file for file in found if file.is_file()]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)
