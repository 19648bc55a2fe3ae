"""Releases in the formats of other tools. A format is one file and one line here."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from pipelines.atomic_write import atomic_folder
from pipelines.errors import ConfigError, UnknownName
from pipelines.export.datapackage import datapackage
from pipelines.release import Release

#: Fills an empty folder from a release.
Export: TypeAlias = Callable[[Release, Path], None]

EXPORTS: Mapping[str, Export] = {
    "datapackage": datapackage,
}


def export(release: Release, name: str, out: Path) -> tuple[Path, ...]:
    """Write `release` in format `name` into the new folder `out`, whole or not at all; returns the files.

    Raises UnknownName for the format, ConfigError when `out` holds something already.
    """
    if name not in EXPORTS:
        raise UnknownName("export format", name, EXPORTS)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is there already and not empty: name a new folder with --out")
    with atomic_folder(out.resolve()) as folder:
        EXPORTS[name](release, folder)
    return tuple(sorted(path for path in out.rglob("*") if path.is_file()))


__all__ = ["EXPORTS", "Export", "export"]
