"""Shared storage through which many machines exchange files: a shared folder or an object store, by URL (fsspec).

Each object is stored under the recording that it was made from, by the checksum of its own bytes:

    sha256/AB/RECORDING/HEX      bytes whose SHA-256 is HEX; the recording itself is HEX = RECORDING
    sha256/AB/RECORDING/NAME.is  says which HEX has a name, such as the digest of a task

So no object is written twice, every object that is read is known to be whole, folders are never listed, and one
recording can be deleted with all that was made from it. Everything here can be made again.
"""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelines.atomic_write import atomic_path, sha256_file
from pipelines.errors import ConfigError, PipelineError
from pipelines.study import Study, private_settings

URL_VARIABLE = "WORKBENCH_STORAGE_URL"

#: Stores whose uploads are atomic; anywhere else an object is renamed into location.
_ATOMIC_UPLOAD = frozenset(("memory", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci"))
_PACKAGE = {"s3": "drama-emotion-workbench[s3]", "s3a": "drama-emotion-workbench[s3]"}
_HEX = re.compile(r"[0-9a-f]{64}")


class StorageError(PipelineError):
    """The storage cannot be reached, is full, or denies access: a later try may succeed."""


class ObjectMissing(StorageError):
    """The storage has no intact object under this checksum; a damaged one has been deleted."""


class Storage:
    """Content-addressed bytes under one URL. Cheap to create; pickled as its URL alone.

    Each machine has its own credentials, found the way the store's library finds them: no URL holds a secret, and so no
    message or log can. Raises ConfigError for an invalid URL or a missing library.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self._protocol = urlsplit(self.url).scheme
        self._fs, self._root = _opened(self.url)

    def __repr__(self) -> str:
        return f"Storage({self.url!r})"

    def __reduce__(self) -> tuple[type["Storage"], tuple[str]]:
        return Storage, (self.url,)

    def check(self) -> None:
        """Write a few bytes, read them, delete them. Raises StorageError."""
        recording = secrets.token_hex(32)
        sha256 = self.put_bytes(recording, b"can this be written?")
        try:
            self.get_bytes(recording, sha256)
        finally:
            self.delete(recording)

    def has(self, recording: str, sha256: str) -> bool:
        """Whether there is an object under a checksum."""
        location = self._location(recording, sha256)
        with self._translated_errors("checked"):
            return bool(self._fs.exists(location))

    def put_bytes(self, recording: str, content: bytes) -> str:
        """Store bytes; return their checksum."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.has(recording, sha256):
            self._write(self._location(recording, sha256), content)
        return sha256

    def put_file(self, recording: str, path: Path, sha256: str = "") -> str:
        """Store a file; return its checksum, computed unless the caller gives it. Raises OSError of `path`."""
        sha256 = sha256 or sha256_file(path)
        target = self._location(recording, sha256)
        if not self.has(recording, sha256):
            path.stat()
            self._write(target, path)
        return sha256

    def get_bytes(self, recording: str, sha256: str) -> bytes:
        """The bytes under a checksum. Raises ObjectMissing."""
        location = self._location(recording, sha256)
        with self._translated_errors("read"):
            try:
                content: bytes = self._fs.cat_file(location)
            except FileNotFoundError:
                raise self._missing(sha256) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            self._remove(location)
            raise self._missing(sha256)
        return content

    def get_file(self, recording: str, sha256: str, target: Path) -> None:
        """Download an object to `target`, whole or not at all. Raises ObjectMissing, OSError of `target`."""
        location = self._location(recording, sha256)
        with atomic_path(target) as temporary:
            with self._translated_errors("read"):
                try:
                    self._fs.get_file(location, str(temporary))
                except FileNotFoundError:
                    raise self._missing(sha256) from None
            if sha256_file(temporary) != sha256:
                self._remove(location)
                raise self._missing(sha256)

    def set_name(self, recording: str, name: str, sha256: str) -> None:
        """Give the object under a checksum a `name` (64 hex digits)."""
        self._write(f"{self._location(recording, name)}.is", json.dumps({"sha256": sha256}).encode())

    def resolve(self, recording: str, name: str) -> str | None:
        """The checksum of the object of that name; None where there is none, or no valid one."""
        location = f"{self._location(recording, name)}.is"
        with self._translated_errors("read"):
            try:
                content = self._fs.cat_file(location)
            except FileNotFoundError:
                return None
        try:
            found = json.loads(content)["sha256"]
        except (ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, str) and _HEX.fullmatch(found) else None

    def delete(self, recording: str) -> None:
        """Delete a recording and all that was made from it; nothing where there is nothing."""
        location = self._recording_folder(recording)
        with self._translated_errors("deleted"):
            try:
                self._fs.rm(location, recursive=True)
            except FileNotFoundError:
                return

    def _recording_folder(self, recording: str) -> str:
        if not _HEX.fullmatch(recording):
            raise ValueError(f"a name in the storage has 64 hex digits, not {recording!r}")
        return f"{self._root}/sha256/{recording[:2]}/{recording}"

    def _location(self, recording: str, name: str) -> str:
        if not _HEX.fullmatch(name):
            raise ValueError(f"a name in the storage has 64 hex digits, not {name!r}")
        return f"{self._recording_folder(recording)}/{name}"

    def _write(self, location: str, content: bytes | Path) -> None:
        with self._translated_errors("written"):
            if self._protocol == "file":
                with atomic_path(Path(location)) as temporary:
                    if isinstance(content, Path):
                        shutil.copyfile(content, temporary)
                    else:
                        temporary.write_bytes(content)
                return
            whole = self._protocol in _ATOMIC_UPLOAD
            if not whole:
                self._fs.makedirs(location.rpartition("/")[0], exist_ok=True)
            first = location if whole else f"{location}.{secrets.token_hex(6)}.part"
            if isinstance(content, Path):
                self._fs.put_file(str(content), first)
            else:
                self._fs.pipe_file(first, content)
            if not whole:
                self._fs.mv(first, location)

    def _remove(self, location: str) -> None:
        with self._translated_errors("written"):
            try:
                self._fs.rm_file(location)
            except FileNotFoundError:
                return

    def _missing(self, sha256: str) -> ObjectMissing:
        return ObjectMissing(f"the storage {self.url} has no intact object {sha256[:12]}; ingest again")

    @contextmanager
    def _translated_errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except _errors() as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            reason = str(error) or type(error).__name__
            advice = "check that it exists and that this machine has access"
            raise StorageError(f"the storage {self.url} cannot be {action}: {reason}; {advice}") from None


def storage_url(study: Study) -> str:
    """The URL of the study's shared storage, or an empty string. Raises ConfigError."""
    return os.environ.get(URL_VARIABLE) or private_settings(study).storage_url


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        secret = parts.password or parts.username
    except ValueError:
        raise ConfigError(f"{URL_VARIABLE} is not a URL; give file:///a/shared/folder or s3://bucket/prefix") from None
    if "::" in url or not re.fullmatch(r"[a-z][a-z0-9+.-]*", parts.scheme) or "://" not in url:
        raise ConfigError(f"{URL_VARIABLE} is not a URL; give file:///a/shared/folder or s3://bucket/prefix")
    if secret or parts.query or parts.fragment:
        raise ConfigError(
            f"{URL_VARIABLE} holds more than a location ({parts.scheme}://...): user names and passwords would get "
            "onto every machine and into logs; set them in each machine's environment (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY for S3)"
        )
    if not url.isprintable() or ".." in parts.path.split("/") or not (parts.netloc + parts.path).strip("/"):
        raise ConfigError(
            f"{URL_VARIABLE} names no folder or bucket: give file:///a/shared/folder or s3://bucket/prefix"
        )
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        raise ConfigError(f"{URL_VARIABLE}: a folder needs three slashes: file:///a/shared/folder")
    return url.rstrip("/")


def _opened(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise ConfigError(
            "shared storage needs one more package: pip install 'drama-emotion-workbench[cluster]'"
        ) from None
    protocol = urlsplit(url).scheme
    try:
        fs, root = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        wanted = f"pip install '{_PACKAGE[protocol]}'" if protocol in _PACKAGE else str(error)
        raise ConfigError(f"{URL_VARIABLE}: the library for {protocol}:// is not installed: {wanted}") from None
    except ValueError as error:
        raise ConfigError(f"{URL_VARIABLE}: {error}") from None
    return fs, root.rstrip("/")


def _errors() -> tuple[type[BaseException], ...]:
    """Errors that stores raise: mostly OSError; the S3 library has some of its own."""
    kinds: tuple[type[BaseException], ...] = (OSError, ValueError)
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return kinds
    return (*kinds, BotoCoreError, ClientError)
