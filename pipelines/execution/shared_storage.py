"""Where many machines leave things for each other: a shared folder or an object store, by URL (fsspec).

Everything lies on the shelf of the recording that it was made of, under the checksum of its own bytes:

    sha256/AB/SHELF/HEX      bytes whose SHA-256 is HEX; the recording itself is HEX = SHELF
    sha256/AB/SHELF/NAME.is  says which HEX has a name, such as the digest of a task

so that what is there is never written twice, what comes back is known to be whole, nothing is ever listed, and one
recording with all that was made of it can be taken away. All of it can be made again.
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

#: Stores in which an object appears whole when its upload ends; anywhere else it is renamed into place.
_APPEARS_WHOLE = frozenset(("memory", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci"))
_PACKAGE = {"s3": "drama-emotion-workbench[s3]", "s3a": "drama-emotion-workbench[s3]"}
_HEX = re.compile(r"[0-9a-f]{64}")


class StorageError(PipelineError):
    """The storage cannot be reached, is full, or forbids it: another try may do."""


class NotThere(StorageError):
    """Nothing whole lies under this checksum; what was damaged has been taken away."""


class Storage:
    """Content-addressed bytes under one URL. Cheap to make; travels to other processes as its URL alone.

    Credentials are each machine's own, found the way the store's library finds them: no URL holds a secret, and so no
    message or log can. Raises ConfigError for a URL that will not do or whose library is missing.
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
        """Write a few bytes, read them, take them away. Raises StorageError."""
        shelf = secrets.token_hex(32)
        hexadecimal = self.put_bytes(shelf, b"can this be written?")
        try:
            self.get_bytes(shelf, hexadecimal)
        finally:
            self.clear(shelf)

    def has(self, shelf: str, hexadecimal: str) -> bool:
        """Whether something lies under a checksum."""
        place = self._place(shelf, hexadecimal)
        with self._speaking("looked into"):
            return bool(self._fs.exists(place))

    def put_bytes(self, shelf: str, content: bytes) -> str:
        """Leave bytes; return their checksum."""
        hexadecimal = hashlib.sha256(content).hexdigest()
        if not self.has(shelf, hexadecimal):
            self._write(self._place(shelf, hexadecimal), content)
        return hexadecimal

    def put_file(self, shelf: str, path: Path, hexadecimal: str = "") -> str:
        """Leave a file; return its checksum, which is computed unless the caller gives it. Raises OSError of `path`."""
        hexadecimal = hexadecimal or sha256_file(path)
        target = self._place(shelf, hexadecimal)
        if not self.has(shelf, hexadecimal):
            path.stat()
            self._write(target, path)
        return hexadecimal

    def get_bytes(self, shelf: str, hexadecimal: str) -> bytes:
        """The bytes under a checksum. Raises NotThere."""
        place = self._place(shelf, hexadecimal)
        with self._speaking("read"):
            try:
                content: bytes = self._fs.cat_file(place)
            except FileNotFoundError:
                raise self._missing(hexadecimal) from None
        if hashlib.sha256(content).hexdigest() != hexadecimal:
            self._remove(place)
            raise self._missing(hexadecimal)
        return content

    def get_file(self, shelf: str, hexadecimal: str, target: Path) -> None:
        """Bring what lies under a checksum to `target`, whole or not at all. Raises NotThere, OSError of `target`."""
        place = self._place(shelf, hexadecimal)
        with atomic_path(target) as temporary:
            with self._speaking("read"):
                try:
                    self._fs.get_file(place, str(temporary))
                except FileNotFoundError:
                    raise self._missing(hexadecimal) from None
            if sha256_file(temporary) != hexadecimal:
                self._remove(place)
                raise self._missing(hexadecimal)

    def name(self, shelf: str, name: str, hexadecimal: str) -> None:
        """Let `name` (64 hex digits) stand for what lies under a checksum."""
        self._write(f"{self._place(shelf, name)}.is", json.dumps({"sha256": hexadecimal}).encode())

    def named(self, shelf: str, name: str) -> str | None:
        """The checksum that a name stands for; None where it has none, or one that makes no sense."""
        place = f"{self._place(shelf, name)}.is"
        with self._speaking("read"):
            try:
                content = self._fs.cat_file(place)
            except FileNotFoundError:
                return None
        try:
            found = json.loads(content)["sha256"]
        except (ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, str) and _HEX.fullmatch(found) else None

    def clear(self, shelf: str) -> None:
        """Take away a recording and all that was made of it; nothing where there is nothing."""
        place = self._shelf(shelf)
        with self._speaking("cleared"):
            try:
                self._fs.rm(place, recursive=True)
            except FileNotFoundError:
                return

    def _shelf(self, shelf: str) -> str:
        if not _HEX.fullmatch(shelf):
            raise ValueError(f"a name in the storage has 64 hex digits, not {shelf!r}")
        return f"{self._root}/sha256/{shelf[:2]}/{shelf}"

    def _place(self, shelf: str, name: str) -> str:
        if not _HEX.fullmatch(name):
            raise ValueError(f"a name in the storage has 64 hex digits, not {name!r}")
        return f"{self._shelf(shelf)}/{name}"

    def _write(self, place: str, content: bytes | Path) -> None:
        with self._speaking("written"):
            if self._protocol == "file":
                with atomic_path(Path(place)) as temporary:
                    if isinstance(content, Path):
                        shutil.copyfile(content, temporary)
                    else:
                        temporary.write_bytes(content)
                return
            whole = self._protocol in _APPEARS_WHOLE
            if not whole:
                self._fs.makedirs(place.rpartition("/")[0], exist_ok=True)
            first = place if whole else f"{place}.{secrets.token_hex(6)}.part"
            if isinstance(content, Path):
                self._fs.put_file(str(content), first)
            else:
                self._fs.pipe_file(first, content)
            if not whole:
                self._fs.mv(first, place)

    def _remove(self, place: str) -> None:
        with self._speaking("written"):
            try:
                self._fs.rm_file(place)
            except FileNotFoundError:
                return

    def _missing(self, hexadecimal: str) -> NotThere:
        return NotThere(f"the storage {self.url} holds nothing whole under {hexadecimal[:12]}; ingest again")

    @contextmanager
    def _speaking(self, done: str) -> Iterator[None]:
        try:
            yield
        except _errors() as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            told = str(error) or type(error).__name__
            advice = "see that it is there and that this machine may use it"
            raise StorageError(f"the storage {self.url} cannot be {done}: {told}; {advice}") from None


def storage_url(study: Study) -> str:
    """The URL that somebody named for many machines to share, or nothing. Raises ConfigError."""
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
            f"{URL_VARIABLE} holds more than a place ({parts.scheme}://...): names and secrets would travel to every "
            "machine and into logs; put them into each machine's environment (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY for S3)"
        )
    if not url.isprintable() or ".." in parts.path.split("/") or not (parts.netloc + parts.path).strip("/"):
        raise ConfigError(f"{URL_VARIABLE} names no place: give file:///a/shared/folder or s3://bucket/prefix")
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        raise ConfigError(f"{URL_VARIABLE}: a folder is written with three slashes: file:///a/shared/folder")
    return url.rstrip("/")


def _opened(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise ConfigError("storage needs one more package: pip install 'drama-emotion-workbench[cluster]'") from None
    protocol = urlsplit(url).scheme
    try:
        fs, root = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        wanted = f"pip install '{_PACKAGE[protocol]}'" if protocol in _PACKAGE else str(error)
        raise ConfigError(f"{URL_VARIABLE}: no library for {protocol}:// here: {wanted}") from None
    except ValueError as error:
        raise ConfigError(f"{URL_VARIABLE}: {error}") from None
    return fs, root.rstrip("/")


def _errors() -> tuple[type[BaseException], ...]:
    """What stores raise when they cannot: most of it OSError, the S3 library some of its own."""
    kinds: tuple[type[BaseException], ...] = (OSError, ValueError)
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return kinds
    return (*kinds, BotoCoreError, ClientError)
