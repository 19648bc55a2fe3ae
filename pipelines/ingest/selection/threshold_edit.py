"""Threshold edit in study.toml: changes the thresholds of one screen; other lines and comments stay as they are."""

import os
import re
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from pipelines.atomic_write import atomic_path
from pipelines.errors import ConfigError, UnknownName
from pipelines.ingest.selection.screens import SCREENS, effective_thresholds
from pipelines.study import ScreenThresholds, Study, StudySettings
from pipelines.toml_config import parse

_KEYS = tuple(ScreenThresholds.model_fields)
_HEADER = re.compile(r"\s*\[")
_TRIES = 20
_LOCK_TIMEOUT_S = 10.0


def set_thresholds(
    study: Study, name: str, bounds: ScreenThresholds | None, *, seen: ScreenThresholds | None = None
) -> ScreenThresholds | None:
    """Write `[screen.NAME]` into study.toml, or with None remove it, so that the defaults of the screen apply.

    Returns what the file said before (None for nothing): pass it back to undo. `seen`: the thresholds that were in
    effect when the caller read them. Raises UnknownName for an unknown screen, and ConfigError if other thresholds are
    in effect by now, if the file cannot be edited line by line, or if a lower threshold is above an upper one. The file
    is replaced atomically. Concurrent calls run one after the other; if an editor saves the file in the meantime, it is
    read again, up to the moment of replacement.
    """
    if name not in SCREENS:
        raise UnknownName("screen", name, SCREENS)
    with _exclusive(study):
        for _ in range(_TRIES):
            found = study.settings_file.read_bytes()
            before, written = _with_edit(study, found, name, bounds, seen)
            if written == found or _replaced(study.settings_file, found, written):
                return before
    raise ConfigError(f"{study.settings_file.name}: another program keeps saving it; try again later")


def _with_edit(
    study: Study, found: bytes, name: str, bounds: ScreenThresholds | None, seen: ScreenThresholds | None
) -> tuple[ScreenThresholds | None, bytes]:
    """What the file says about the screen, and the file with the new thresholds."""
    text = found.decode("utf-8", errors="replace")
    is_windows = 0 < text.count("\n") == text.count("\r\n")
    text = text.replace("\r\n", "\n") if is_windows else text
    before = _settings(study, text)
    now = effective_thresholds(before)[name]
    if seen is not None and now != seen:
        raise ConfigError(
            f"somebody else has changed '{name}' in the meantime, to {_words(now)}; check it, then change it if you "
            "still want to"
        )
    wanted = with_thresholds(before, name, bounds)
    effective_thresholds(wanted)
    written = _edited(text, name, bounds)
    if not _says(study, written, wanted):
        raise ConfigError(
            f"{study.settings_file.name}: cannot edit its screens as they are written; write "
            f"[screen.{name}] on a line of its own, or edit the file by hand"
        )
    return before.screen.get(name), (written.replace("\n", "\r\n") if is_windows else written).encode()


def _words(bounds: ScreenThresholds) -> str:
    told = bounds.model_dump(exclude_none=True)
    return ", ".join(f"{key} = {value:g}" for key, value in told.items()) or "no limit"


@contextmanager
def _exclusive(study: Study) -> Iterator[None]:
    """Exclusive lock on the settings of the study for this module; the lock of a killed process is released."""
    study.private.mkdir(parents=True, exist_ok=True)
    place = study.private / "settings.lock"
    with closing(sqlite3.connect(place, timeout=_LOCK_TIMEOUT_S, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            told = f"{study.settings_file.name}: somebody else is changing it; try again"
            raise ConfigError(told) from None
        yield


class _Saved(Exception):
    """The file changed since it was read."""


def _replaced(file: Path, found: bytes, written: bytes) -> bool:
    """Replace `found` by `written`; False, and no change, if somebody saved something else in the meantime."""
    try:
        with atomic_path(file) as temporary:
            with temporary.open("wb") as out:
                out.write(written)
                out.flush()
                os.fsync(out.fileno())  # slow work comes before the last check
            if file.read_bytes() != found:
                raise _Saved
    except _Saved:
        return False
    return True


def with_thresholds(settings: StudySettings, name: str, bounds: ScreenThresholds | None) -> StudySettings:
    """The settings with the thresholds of one screen replaced; None: its defaults."""
    screen = {key: value for key, value in settings.screen.items() if key != name}
    if bounds is not None:
        screen[name] = bounds
    return settings.model_copy(update={"screen": screen})


def _settings(study: Study, text: str) -> StudySettings:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{study.settings_file.name}: not valid TOML ({error})") from None
    return parse(StudySettings, document, study.settings_file.name)


def _says(study: Study, text: str, wanted: StudySettings) -> bool:
    try:
        return _settings(study, text) == wanted
    except ConfigError:
        return False


def _edited(text: str, name: str, bounds: ScreenThresholds | None) -> str:
    lines = text.splitlines(keepends=True)
    title = re.compile(rf"\s*\[\s*screen\s*\.\s*(?:{name}|\"{name}\"|'{name}')\s*\]\s*(?:#.*)?$")
    start = next((number for number, line in enumerate(lines) if title.match(line.rstrip("\r\n"))), None)
    values = {} if bounds is None else bounds.model_dump(exclude_none=True)
    if start is None:
        return text if bounds is None else _appended(text, name, values)
    end = next((number for number in range(start + 1, len(lines)) if _HEADER.match(lines[number])), len(lines))
    if bounds is None:
        kept = "".join(lines[:start] + _remarks(lines[start + 1 : end]) + lines[end:])
        return kept if end < len(lines) else kept.rstrip("\n") + "\n"
    return "".join(lines[: start + 1] + _filled(lines[start + 1 : end], values) + lines[end:])


def _appended(text: str, name: str, values: Mapping[str, float]) -> str:
    gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
    body = "".join(f"{key} = {_number(value)}\n" for key, value in values.items())
    return f"{text}{gap}[screen.{name}]  # {SCREENS[name].description}\n{body}"


def _filled(lines: list[str], values: Mapping[str, float]) -> list[str]:
    """The lines of the table with `values` in place of the old ones; comments at the end of lines stay."""
    left = dict(values)
    found: list[str] = []
    last = 0
    for line in lines:
        key = _key(line)
        if key is None:
            found.append(line)
        elif key in left:
            remark = re.search(r"\s*#.*", line)
            found.append(f"{key} = {_number(left.pop(key))}{remark.group().rstrip() if remark else ''}\n")
            last = len(found)
    return found[:last] + [f"{key} = {_number(value)}\n" for key, value in left.items()] + found[last:]


def _remarks(lines: list[str]) -> list[str]:
    """What stays of a removed table: comments on lines of their own, which may belong to the next table."""
    return [line for line in lines if line.lstrip().startswith("#")]


def _key(line: str) -> str | None:
    found = re.match(r"\s*[\"']?(\w+)[\"']?\s*=", line)
    return found.group(1) if found and found.group(1) in _KEYS else None


def _number(value: float) -> str:
    return repr(float(value)) if value != round(value) or abs(value) >= 1e15 else f"{value:.1f}"
