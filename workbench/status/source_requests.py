"""Recordings that somebody asks for on a page: addresses, files or a table, checked line by line as they are typed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.atomic_write import write_text
from pipelines.errors import MediaError, TableError

if TYPE_CHECKING:
    from pipelines.ingest.sources import Source
    from pipelines.study import Study

TABLE = "sources.csv"
#: So many problems are told at once; the rest is counted.
MOST_TOLD = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """What `workbench ingest` is to be given, how many recordings that names, and what is wrong with it in sentences.

    A folder counts as one: what is in it, only the check before the start can tell.
    """

    inputs: tuple[str, ...] = ()
    count: int = 0
    problems: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        return bool(self.inputs) and not self.problems


def asked_lines(text: str, root: Path, *, within: Sequence[Path] | None = None) -> Asked:
    """One address, file or folder on each line; a relative path begins at `root`.

    With `within`, files and folders only in those folders: of others not even whether they are there is told.
    """
    from pipelines.ingest.allowed_folders import is_within
    from pipelines.ingest.sources import canonical_url, is_url

    inputs: list[str] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        given = line.strip().strip("\"'")
        if not given:
            continue
        if is_url(given):
            try:
                inputs.append(canonical_url(given))
            except MediaError as error:
                problems.append(f"Line {number}: {error}")
            continue
        if given.startswith("www."):
            problems.append(f"Line {number}: write the whole address, https://{given}")
            continue
        path = _place(given, root)
        if within is not None and not is_within(path, within):
            problems.append(f"Line {number}: {_outside(within, root)}")
        elif path.exists():
            inputs.append(str(path))
        else:
            problems.append(f"Line {number}: there is no file or folder {path} on the server")
    unique = tuple(dict.fromkeys(inputs))
    return Asked(unique, len(unique), _told(problems))


def asked_table(text: str, study: "Study", *, rights_basis: str = "", within: Sequence[Path] | None = None) -> Asked:
    """A table with the columns of sources.csv, kept in the study's cache for the run to read.

    Every row is checked here: columns and cells, addresses, files on this machine (a relative path begins at the
    project's folder, and `within` is as in `asked_lines`), and that it has a rights basis of its own or that
    `rights_basis` stands for all.
    """
    from pipelines.ingest.sources import read_sources

    if not text.strip():
        return Asked()
    kept = study.cache / "asked" / hashlib.sha256(text.encode()).hexdigest()[:16] / TABLE
    write_text(kept, text if text.endswith("\n") else text + "\n")
    try:
        sources = read_sources(kept)
    except TableError as error:
        return Asked(problems=(str(error),))
    if not sources:
        return Asked(problems=(f"{TABLE}: has no rows; write one per recording under the header",))
    problems = [
        f"Row {number}, {words}"
        for number, source in enumerate(sources, start=1)
        for words in _row_problems(source, study.root, rights_basis, within)
    ]
    return Asked((str(kept),), len(sources), _told(problems))


def _row_problems(source: "Source", root: Path, rights_basis: str, within: Sequence[Path] | None) -> Sequence[str]:
    from pipelines.ingest.allowed_folders import is_within
    from pipelines.ingest.sources import canonical_url

    problems = []
    if source.is_url:
        try:
            canonical_url(source.uri)
        except MediaError as error:
            problems.append(f"column 'uri': {error}")
    elif within is not None and not is_within(_place(source.uri, root), within):
        problems.append(f"column 'uri': {_outside(within, root)}")
    elif not _place(source.uri, root).is_file():
        problems.append(f"column 'uri': there is no file {_place(source.uri, root)} on the server")
    if not source.rights_basis and not rights_basis:
        problems.append("column 'rights_basis': say on what ground it may be used, here or below for all")
    return problems


def _place(given: str, root: Path) -> Path:
    try:
        return root / Path(given).expanduser()
    except RuntimeError:  # nobody's home
        return root / given


def _outside(within: Sequence[Path], root: Path) -> str:
    """Said alike of what is there and of what is not."""
    named = ", ".join(str(folder.relative_to(root) if folder.is_relative_to(root) else folder) for folder in within)
    return (
        f"recordings of the server are taken here only out of {named}; put it there, or ask whoever keeps the server "
        "to add its folder to source_folders in private.toml"
    )


def _told(problems: Sequence[str]) -> tuple[str, ...]:
    if len(problems) <= MOST_TOLD:
        return tuple(problems)
    return (*problems[:MOST_TOLD], f"... and {len(problems) - MOST_TOLD} more.")
