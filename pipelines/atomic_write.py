"""Files that appear whole or not at all: written under a temporary name, synced, renamed."""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

#: The temporary names given below.
_LEFT = re.compile(r"\.(.*)\.[0-9a-f]{12}\.[^.]*", re.DOTALL)

#: Bytes of a file that are read at once for its checksum.
_BLOCK = 2**18

#: How many files AtomicPaths holds back: more gain nothing.
_BATCH = 64


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on a clean exit sync it and rename it over `target`, else remove it."""
    with AtomicPaths() as files, files.path(target) as temporary:
        yield temporary


class AtomicPaths:
    """Many files, each of which appears whole or not at all: synced and renamed by the batch, by the end of a `with`.

    The disk writes one while the next is made, so that waiting for all of them takes little more than for one.
    """

    def __init__(self) -> None:
        #: Each with an open descriptor, so that an error of the disk while it writes is not forgotten.
        self._waiting: list[tuple[int, Path, Path]] = []
        self._folders: set[Path] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._land()
        finally:
            for descriptor, temporary, _ in self._waiting:
                os.close(descriptor)
                temporary.unlink(missing_ok=True)
            for folder in sorted(self._folders):
                sync_folder(folder)

    @contextmanager
    def path(self, target: Path) -> Iterator[Path]:
        """Yield a temporary path beside `target`, which takes its place after a clean exit, else is removed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}{target.suffix or '.tmp'}")
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less what the umask takes away
        try:
            yield temporary
            descriptor = _being_written(temporary)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._waiting.append((descriptor, temporary, target))
        if len(self._waiting) == _BATCH:
            self._land()

    def _land(self) -> None:
        for descriptor, _, _ in self._waiting:
            os.fsync(descriptor)
        while self._waiting:
            descriptor, temporary, target = self._waiting.pop(0)
            os.close(descriptor)  # Windows renames no open file
            try:
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            self._folders.add(target.parent)


def _being_written(path: Path) -> int:
    """A descriptor of the file, which the disk begins to write, where the system can be told so (Linux)."""
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):  # a hint, which not every file system takes
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return descriptor


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `target`; on a clean exit sync its files and rename it to `target`.

    Raises FileExistsError, and leaves both as they were before, when a folder with content is there already.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}")
    temporary.mkdir()  # its mode is that which the user's umask leaves, as for any file and folder made in it
    try:
        yield temporary
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                with path.open("rb") as written:
                    os.fsync(written.fileno())
        try:
            temporary.rename(target)
        except OSError as error:
            if target.exists():
                raise FileExistsError(f"{target} is there already") from error
            raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(target.parent)


def write_bytes(target: Path, content: bytes) -> bool:
    """Write `content` to `target` atomically; leave an identical file untouched. Returns whether anything changed."""
    if target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content:
        return False
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
    return True


def write_text(target: Path, content: str) -> bool:
    """`write_bytes` for UTF-8 text with `\\n` line ends."""
    return write_bytes(target, content.encode())


def write_json(target: Path, document: Any) -> bool:
    """Write one JSON document, indented, keys in the order given, no NaN."""
    return write_text(target, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sweep(folder: Path, *names: str) -> None:
    """Take away what killed writers of this module left in `folder` of files `names`, or of all of them.

    Call it only while nobody else writes those.
    """
    for path in folder.glob(".*") if folder.is_dir() else ():
        left = _LEFT.fullmatch(path.name)
        if left and (not names or left[1] in names) and not path.is_dir():
            path.unlink(missing_ok=True)


def move_into_place(partial: Path, target: Path) -> None:
    """Give a whole file its name: on disk before it has it, and the name on disk before this returns.

    A rename alone may outlive a loss of power that the bytes do not, and leaves an empty file under a name that says
    that it is whole. `target` may lie on another disk. Raises OSError; then `partial` is still there.
    """
    descriptor = _being_written(partial)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        partial.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic_path(target) as temporary:
            shutil.copyfile(partial, temporary)
        partial.unlink()
    else:
        sync_folder(target.parent)


def sha256_file(path: Path, tell: Callable[[int], None] | None = None) -> str:
    """Hex SHA-256 of a file, read in blocks. `tell` hears after each how many bytes were read; it may raise to stop."""
    whole, done = hashlib.sha256(), 0
    block = memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(block):
            whole.update(block[:size])
            done += size
            if tell is not None:
                tell(done)
    return whole.hexdigest()


def sync_folder(folder: Path) -> None:
    """Let the names in `folder` outlive a loss of power."""
    if os.name == "nt":  # Windows cannot open a folder to sync it, and renames are journalled there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
