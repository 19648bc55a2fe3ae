"""What was asked for: files, folders, addresses or tables of sources, as one flat list of single recordings."""

import errno
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.errors import ConfigError, MediaError, TableError
from pipelines.ingest.allowed_folders import is_within, outside
from pipelines.ingest.failures import problem_of
from pipelines.ingest.sources import Source, canonical_url, is_url, read_sources
from pipelines.study import Study

#: A file in a folder whose name ends so is meant as a recording: if it is none, that is told as a failure.
MEDIA_SUFFIXES = frozenset((
    ".wav", ".flac", ".mp3", ".m4a", ".m4b", ".aac", ".mp4", ".m4v", ".mov", ".mkv", ".mka", ".webm", ".ogg", ".oga",
    ".opus", ".aif", ".aiff", ".wma", ".avi", ".ts",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """One recording that was asked for: a path or an address, or the reason why it is neither.

    `source` is its row where a table names it; `folder` the folder it was found in, where nobody named the file.
    """

    given: str
    path: Path | None = None
    url: str = ""
    source: Source | None = None
    folder: Path | None = None
    problem: MediaError | None = None


def wanted(
    inputs: Sequence[str], study: Study, known: Sequence[Source], *, within: Sequence[Path] | None = None
) -> tuple[Wanted, ...]:
    """Flatten what was given; with nothing given, the study's own sources. A thing named twice is there once.

    With `within`, no folder and no table is looked into outside those folders, but for the study's own tables; single
    files that lie outside are still to be sorted out, by `fenced`.
    Raises ConfigError when there is nothing to do, TableError for a table that does not parse.
    """
    found: list[Wanted] = []
    if not inputs:
        if not known:
            raise ConfigError(
                f"nothing to ingest: name files, folders or addresses, or list them in {study.sources_csv}"
            )
        found.extend(_of_source(source, study.manifests) for source in known if not source.is_taken_down)
    for given in inputs:
        path = Path(given)
        if is_url(given):
            found.append(_of_url(given))
        elif within is not None and not _may_look(path, study, within):
            found.append(Wanted(given, problem=outside(path)))
        elif (problem := _refused(path)) is not None:
            found.append(Wanted(given, problem=problem))
        elif path.suffix.lower() == ".csv" and not path.is_dir():
            rows = read_sources(path)
            if not rows:
                raise TableError(path.name, "has no rows; write one per recording under the header")
            found.extend(_of_source(_known_as(source, known), path.parent) for source in rows)
        elif path.is_dir():
            found.extend(_in_folder(file, path) for file in _files(path, study))
            if not any(one.folder == path for one in found):
                found.append(Wanted(given, folder=path, problem=no_media(path)))
        else:
            found.append(_named(given, path))
    return tuple(_once(found))


def fenced(asked: Sequence[Wanted], within: Sequence[Path], own: Collection[str]) -> tuple[Wanted, ...]:
    """What was asked for, without the files outside the folders `within`; `own` places and cells are the study's."""

    def is_free(one: Wanted) -> bool:
        listed = one.source is not None and one.source.uri in own
        return one.path is None or listed or str(one.path) in own or is_within(one.path, within)

    return tuple(one if is_free(one) else replace(one, path=None, problem=outside(Path(one.given))) for one in asked)


def _may_look(path: Path, study: Study, within: Sequence[Path]) -> bool:
    """Whether the path may be looked into; a file that is neither a folder nor a table is not, here."""
    own = (study.sources_csv, study.cache / "asked")
    is_looked_into = path.suffix.lower() == ".csv" or (_refused(path) is None and path.is_dir())
    return not is_looked_into or is_within(path, (*within, *own))


def no_media(folder: Path) -> MediaError:
    """The error of a folder in which there is nothing to ingest."""
    return MediaError("no_media", f"{folder}: holds no recording (wav, flac, mp3, m4a, mp4, mkv, webm, ogg ...)")


def _named(given: str, path: Path) -> Wanted:
    try:
        given.encode()
    except UnicodeEncodeError:
        return Wanted(_readable(given), problem=_no_text(path))
    return Wanted(given, path)


def _in_folder(file: Path, folder: Path) -> Wanted:
    return replace(_named(str(file), file), folder=folder)


def _readable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _no_text(path: Path) -> MediaError:
    told = f"{_readable(path.name)}: its name is no text (not UTF-8), so no table can hold it; rename it"
    return MediaError("bad_name", told)


def _refused(path: Path) -> MediaError | None:
    """Why the system will not even say whether there is such a file."""
    try:
        path.exists()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
            return MediaError("missing", f"{path.name[:60]}...: no file can have so long a name; check the path")
        return problem_of(path.name, error)
    return None


def _of_url(given: str, source: Source | None = None) -> Wanted:
    try:
        return Wanted(given, url=canonical_url(given), source=source)
    except MediaError as error:
        return Wanted(given, source=source, problem=error)


def _of_source(source: Source, beside: Path) -> Wanted:
    if source.is_url:
        return _of_url(source.uri, source)
    path = _expanded(source.uri)
    places = (path,) if path.is_absolute() else (beside / path, path)
    for place in places:
        if (problem := _refused(place)) is not None:
            return Wanted(source.uri, source=source, problem=problem)
    return Wanted(source.uri, next((place for place in places if place.is_file()), places[0]), source=source)


def _expanded(uri: str) -> Path:
    try:
        return Path(uri).expanduser()
    except RuntimeError:  # `~name` where nobody has that name: a file may
        return Path(uri)


def _known_as(source: Source, known: Sequence[Source]) -> Source:
    """A row of another table, joined to the study's own row of the same id or uri: what the new one says, wins."""
    for row in known:
        if (source.source_id and source.source_id == row.source_id) or (not source.source_id and source.uri == row.uri):
            filled = {
                name: getattr(source, name) or getattr(row, name)
                for name in ("source_id", "rights_basis", "series", "language", "speakers", "notes")
            }
            numbers = {
                name: getattr(row, name) if getattr(source, name) is None else getattr(source, name)
                for name in ("season", "episode")
            }
            return replace(
                source,
                **filled,
                **numbers,
                measured={**row.measured, **source.measured},
                extra={**row.extra, **source.extra},
            )
    return source


def _files(folder: Path, study: Study) -> Iterator[Path]:
    own = {study.private.resolve(), study.manifests.resolve()}
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (Path(place) / name).resolve() not in own
        )
        yield from (Path(place) / name for name in sorted(files) if not name.startswith("."))


def _once(found: Sequence[Wanted]) -> Iterator[Wanted]:
    seen: set[str] = set()
    for one in found:
        key = one.url or (str(one.path.absolute()) if one.path else "")
        if key and key in seen and one.source is None:
            continue
        seen.add(key)
        yield one
