"""PostgreSQL server for tests: a server of their own on a socket of their own, with new databases on request."""

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

#: Debian keeps the server's programs out of PATH.
_PLACES = "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin"
#: The account that runs the server, since root may not.
_SERVER_ACCOUNT = "postgres"
_USER = "workbench"


@dataclass(slots=True)
class Postgres:
    """A server that answers on a socket in `folder`."""

    programs: Path
    folder: Path
    process: "subprocess.Popen[bytes]"
    made: int = 0

    def url(self, database: str) -> str:
        """The URL of a database on this server, for WORKBENCH_STORE_URL."""
        return f"postgresql+psycopg://{_USER}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Create an empty database; return its URL."""
        self.made += 1
        name = f"made{self.made}"
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        self.execute(f'DROP DATABASE "{sa.make_url(url).database}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Execute one statement as superuser. Raises what SQLAlchemy raises."""
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def crash_and_restart(self) -> None:
        """Kill the server without a checkpoint and start it again: it recovers what was committed."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        self.process = _start_server(self.programs, self.folder)


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, or None; None, too, where root has no account to run them."""
    if os.geteuid() == 0 and _SERVER_ACCOUNT not in {entry.pw_name for entry in pwd.getpwall()}:
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
    """Run a server with the programs in `where`; afterwards it is removed with all its databases.

    Its folder has a short name, since a socket's path has at most 107 bytes. It does not sync to disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _SERVER_ACCOUNT)
        options = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            [where / "initdb", "-D", folder / "data", "-U", _USER, *options],
            capture_output=True, text=True, check=False, **_account_options(),
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        running = Postgres(where, folder, _start_server(where, folder))
        try:
            yield running
        finally:
            running.process.send_signal(signal.SIGQUIT)
            running.process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_server(where: Path, folder: Path) -> "subprocess.Popen[bytes]":
    """Start a server and wait until it answers."""
    settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "max_connections": 60}
    said = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [where / "postgres", "-D", folder / "data", *said],
            stdout=log, stderr=log, start_new_session=True, **_account_options(),
        )  # fmt: skip
    end = time.monotonic() + 60
    asked = [where / "pg_isready", "-q", "-h", folder, "-U", _USER, "-d", "postgres"]
    while subprocess.run(asked, check=False).returncode:
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            process.wait()
            raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    return process


def _account_options() -> dict[str, Any]:
    return (
        {"user": _SERVER_ACCOUNT, "group": _SERVER_ACCOUNT, "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}
    )
