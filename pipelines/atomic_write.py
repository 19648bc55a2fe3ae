"""Atomic writes: files that appear whole or not at all, written under a temporary name, synced and renamed."""

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

#: The temporary names used below.
_TEMPORARY_NAME = re.compile(r"\.(.*)\.[0-9a-f]{12}\.[^.]*", re.DOTALL)

#: Bytes of a file that are read at once for its checksum.
_BLOCK = 2**18

#: Files that AtomicPaths syncs together: more bring no gain.
_BATCH = 64


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on a clean exit sync it and rename it over `target`, else remove it."""
    with AtomicPaths() as files, files.path(target) as temporary:
        yield temporary


class AtomicPaths:
    """Many files, each of which appears whole or not at all: synced and renamed in batches, by the end of a `with`.

    The disk writes one file while the next is made, so that waiting for all takes little more than waiting for one.
    """

    def __init__(self) -> None:
        #: Each with an open descriptor, so that a disk error while writing is not lost.
        self._pending: list[tuple[int, Path, Path]] = []
        self._folders: set[Path] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._commit()
        finally:
            for descriptor, temporary, _ in self._pending:
                os.close(descriptor)
                temporary.unlink(missing_ok=True)
            for folder in sorted(self._folders):
                sync_folder(folder)

    @contextmanager
    def path(self, target: Path) -> Iterator[Path]:
        """Yield a temporary path beside `target`; after a clean exit it replaces `target`, else it is removed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}{target.suffix or '.tmp'}")
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # minus the umask
        try:
            yield temporary
            descriptor = _start_flush(temporary)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._pending.append((descriptor, temporary, target))
        if len(self._pending) == _BATCH:
            self._commit()

    def _commit(self) -> None:
        for descriptor, _, _ in self._pending:
            os.fsync(descriptor)
        while self._pending:
            descriptor, temporary, target = self._pending.pop(0)
            os.close(descriptor)  # Windows cannot rename an open file
            try:
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            self._folders.add(target.parent)


def _start_flush(path: Path) -> int:
    """A descriptor of the file; the system starts writing it to disk where it can be asked to (Linux)."""
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):  # a hint that not every file system supports
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return descriptor


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `target`; on a clean exit sync its files and rename it to `target`.

    Raises FileExistsError, and changes nothing, when `target` exists and is not empty.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}")
    temporary.mkdir()  # with the mode of the user's umask, as every file and folder in it
    try:
        yield temporary
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        try:
            temporary.rename(target)
        except OSError as error:
            if target.exists():
                raise FileExistsError(f"{target} already exists") from error
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


def remove_leftovers(folder: Path, *names: str) -> None:
    """Remove temporary files that killed writers left in `folder`: those of the files `names`, or of all files.

    Call it only while nobody else writes those files.
    """
    for path in folder.glob(".*") if folder.is_dir() else ():
        leftover = _TEMPORARY_NAME.fullmatch(path.name)
        if leftover and (not names or leftover[1] in names) and not path.is_dir():
            path.unlink(missing_ok=True)


def move_into_place(partial: Path, target: Path) -> None:
    """Rename a complete file: its content is synced before the rename, and the new name before this returns.

    A rename alone may outlive a loss of power that the bytes do not, and leaves an empty file under a name that says
    that it is whole. `target` may lie on another disk. Raises OSError; then `partial` is still there.
    """
    descriptor = _start_flush(partial)
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


def sha256_file(path: Path, on_progress: Callable[[int], None] | None = None) -> str:
    """Hex SHA-256 of a file, read in blocks. `on_progress` gets the bytes read after each; it may raise to cancel."""
    checksum, done = hashlib.sha256(), 0
    block = memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(block):
            checksum.update(block[:size])
            done += size
            if on_progress is not None:
                on_progress(done)
    return checksum.hexdigest()


def sync_folder(folder: Path) -> None:
    """Sync the names in `folder`, so that they survive a power loss."""
    if os.name == "nt":  # Windows cannot open a folder to sync it, which journals renames
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
