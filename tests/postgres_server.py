"""A real PostgreSQL for tests: a server of their own on a socket of their own, and a new database whenever asked."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

#: Debian keeps a server's programs out of the path.
_PLACES = "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"
#: Who may run a server where root may not.
_SERVANT = "postgres"
_USER = "workbench"


@dataclass(slots=True)
class Postgres:
    """A server that answers on a socket in `folder`."""

    programs: Path
    folder: Path
    process: "subprocess.Popen[bytes]"
    made: int = 0

    def url(self, database: str) -> str:
        """Of that database on this server, as WORKBENCH_STORE_URL has it."""
        return f"postgresql+psycopg://{_USER}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The URL of an empty one."""
        self.made += 1
        name = f"made{self.made}"
        self.say(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop(self, url: str) -> None:
        """Take that database away, whoever is still connected."""
        self.say(f'DROP DATABASE "{sa.make_url(url).database}" WITH (FORCE)')

    def say(self, statement: str) -> None:
        """One statement as the owner of everything. Raises what SQLAlchemy raises."""
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def crash_and_return(self) -> None:
        """End it without a checkpoint, its clients cut off, and begin it again: it recovers what was committed."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        self.process = _begun(self.programs, self.folder)


def programs() -> Path | None:
    """The folder of PostgreSQL's programs here, or None; None, too, where root is alone."""
    if os.geteuid() == 0 and _SERVANT not in {entry.pw_name for entry in pwd.getpwall()}:
        return None
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(
        folder for place in _PLACES for folder in Path("/").glob(place[1:]) if (folder / "initdb").is_file()
    )
    return folders[-1] if folders else None


@contextmanager
def server(where: Path) -> Iterator[Postgres]:
    """One of the programs in `where`, gone with all its databases afterwards.

    Its folder has a short name, since a socket's path holds no more than 107 bytes. It does not sync to disk: its
    processes may die, the machine does not.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _SERVANT)
        options = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            [where / "initdb", "-D", folder / "data", "-U", _USER, *options],
            capture_output=True, text=True, check=False, **_servant(),
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        running = Postgres(where, folder, _begun(where, folder))
        try:
            yield running
        finally:
            running.process.send_signal(signal.SIGQUIT)
            running.process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _begun(where: Path, folder: Path) -> "subprocess.Popen[bytes]":
    """A server that answers."""
    settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "max_connections": 60}
    said = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [where / "postgres", "-D", folder / "data", *said],
            stdout=log, stderr=log, start_new_session=True, **_servant(),
        )  # fmt: skip
    end = time.monotonic() + 60
    asked = [where / "pg_isready", "-q", "-h", folder, "-U", _USER, "-d", "postgres"]
    while subprocess.run(asked, check=False).returncode:
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            process.wait()
            raise RuntimeError(f"PostgreSQL does not begin: {(folder / 'log').read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    return process


def _servant() -> dict[str, Any]:
    return {"user": _SERVANT, "group": _SERVANT, "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}
