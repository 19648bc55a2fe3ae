"""The bounds of one screen, moved in study.toml: its other lines, its comments too, stay as a person wrote them."""

import os
import re
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from pipelines.atomic_write import atomic_path
from pipelines.errors import ConfigError, UnknownName
from pipelines.ingest.selection.screens import SCREENS, bounds_of
from pipelines.study import Bounds, Study, StudySettings
from pipelines.toml_config import parse

_KEYS = tuple(Bounds.model_fields)
_HEADER = re.compile(r"\s*\[")
_TRIES = 20
_PATIENCE_S = 10.0


def set_bounds(study: Study, name: str, bounds: Bounds | None, *, seen: Bounds | None = None) -> Bounds | None:
    """Write `[screen.NAME]` into study.toml, or with None take it out, so that the screen's own bounds hold again.

    Returns what stood there before, None for nothing: given back, it undoes this. `seen`: the bounds that were in force
    when whoever asks looked. Raises UnknownName for a name that no screen has, and ConfigError where others are in
    force by now, where the file says it in a way that cannot be edited line by line, or where a lower bound lies above
    an upper one. The file is replaced whole or not at all. Two that change it do so one after the other; what an editor
    saves meanwhile is read again, up to the moment of the replacing.
    """
    if name not in SCREENS:
        raise UnknownName("screen", name, SCREENS)
    with _alone(study):
        for _ in range(_TRIES):
            found = study.settings_file.read_bytes()
            before, written = _moved(study, found, name, bounds, seen)
            if written == found or _replaced(study.settings_file, found, written):
                return before
    raise ConfigError(f"{study.settings_file.name}: somebody is saving it again and again just now; try again later")


def _moved(
    study: Study, found: bytes, name: str, bounds: Bounds | None, seen: Bounds | None
) -> tuple[Bounds | None, bytes]:
    """What the file says of the screen, and the file with other bounds in it."""
    text = found.decode("utf-8", errors="replace")
    is_windows = 0 < text.count("\n") == text.count("\r\n")
    text = text.replace("\r\n", "\n") if is_windows else text
    before = _settings(study, text)
    now = bounds_of(before)[name]
    if seen is not None and now != seen:
        raise ConfigError(
            f"somebody else has moved '{name}' meanwhile, to {_words(now)}; look at it again, then move it if you "
            "still want to"
        )
    wanted = with_bounds(before, name, bounds)
    bounds_of(wanted)
    written = _edited(text, name, bounds)
    if not _says(study, written, wanted):
        raise ConfigError(
            f"{study.settings_file.name}: its screens are written in a way that is not changed here; write "
            f"[screen.{name}] on a line of its own, or change it by hand"
        )
    return before.screen.get(name), (written.replace("\n", "\r\n") if is_windows else written).encode()


def _words(bounds: Bounds) -> str:
    told = bounds.model_dump(exclude_none=True)
    return ", ".join(f"{key} = {value:g}" for key, value in told.items()) or "no limit"


@contextmanager
def _alone(study: Study) -> Iterator[None]:
    """Nobody else changes the study's settings by this module meanwhile; the lock of one that was killed is free."""
    study.private.mkdir(parents=True, exist_ok=True)
    place = study.private / "settings.lock"
    with closing(sqlite3.connect(place, timeout=_PATIENCE_S, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            told = f"{study.settings_file.name}: somebody else is changing it just now; try again"
            raise ConfigError(told) from None
        yield


class _Saved(Exception):
    """The file is another one than it was."""


def _replaced(file: Path, found: bytes, written: bytes) -> bool:
    """Put `written` in the place of `found`; False, and nothing done, where somebody has saved something else."""
    try:
        with atomic_path(file) as temporary:
            with temporary.open("wb") as out:
                out.write(written)
                out.flush()
                os.fsync(out.fileno())  # what takes long comes before the last look
            if file.read_bytes() != found:
                raise _Saved
    except _Saved:
        return False
    return True


def with_bounds(settings: StudySettings, name: str, bounds: Bounds | None) -> StudySettings:
    """The settings with one screen's bounds replaced, or with None those of the screen itself."""
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


def _edited(text: str, name: str, bounds: Bounds | None) -> str:
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
    return f"{text}{gap}[screen.{name}]  # {SCREENS[name].says}\n{body}"


def _filled(lines: list[str], values: Mapping[str, float]) -> list[str]:
    """The table's lines with `values` in the place of the old ones, each with the remark that stood beside it."""
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
    """What stays of a table that is taken out: the comments on lines of their own, which may mean the next."""
    return [line for line in lines if line.lstrip().startswith("#")]


def _key(line: str) -> str | None:
    found = re.match(r"\s*[\"']?(\w+)[\"']?\s*=", line)
    return found.group(1) if found and found.group(1) in _KEYS else None


def _number(value: float) -> str:
    return repr(float(value)) if value != round(value) or abs(value) >= 1e15 else f"{value:.1f}"
