"""Opening the database: where it is, how it must behave, and bringing it up to date."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipelines.study import Study, private_settings
from workbench.errors import StoreError
from workbench.store.migrations import HEAD

URL_VARIABLE = "WORKBENCH_STORE_URL"

_WAIT_S = 30
_LOCK = 0x6C6162656C  # any number, the same in every process that shares a PostgreSQL database


def store_url(study: Study) -> str:
    """A URL somebody named, or empty for the study's own SQLite file."""
    return os.environ.get(URL_VARIABLE) or private_settings(study).store_url


def connect(study: Study) -> sa.Engine:
    """The study's database, up to date. Raises StoreError when it cannot be opened or holds another study."""
    named = store_url(study)
    engine = _named_engine(named) if named else _file_engine(study.labels_db)
    try:
        if _version(engine) != HEAD:
            _migrate(engine)
        if named:
            _claim(engine, study)
    except sa.exc.DatabaseError as error:
        engine.dispose()
        check = (
            f"see that {URL_VARIABLE} names it and that it runs"
            if named
            else ("see that the file may be written and the disk is not full, or restore it from a backup")
        )
        raise StoreError(f"the label store {_where(engine)} cannot be opened: {error.orig}; {check}") from None
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction that no other writer, thread or process, can come between; committed on a clean exit."""
    with engine.connect().execution_options(immediate=True) as connection, connection.begin():
        if engine.dialect.name != "sqlite":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield connection


def _file_engine(path: Path) -> sa.Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    return _sqlite_engine(sa.URL.create("sqlite", database=str(path)))


def _named_engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise StoreError(f"{URL_VARIABLE} is not a database URL, such as postgresql+psycopg://host/name") from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed)
    try:
        return sa.create_engine(parsed, pool_pre_ping=True)
    except (ImportError, sa.exc.NoSuchModuleError):
        raise StoreError(
            f"no driver for '{parsed.drivername}' here: pip install 'drama-emotion-workbench[postgres]' "
            "and write the URL as postgresql+psycopg://..."
        ) from None


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": _WAIT_S, "check_same_thread": False})
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late: _begin says it
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_WAIT_S * 1000}")
    cursor.execute("PRAGMA foreign_keys = ON")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    # Two processes that open a new file at once: the switch to WAL does not wait for locks as statements do.
    end = time.monotonic() + _WAIT_S
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def _begin(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _version(connectable: sa.Engine | sa.Connection) -> str | None:
    if not sa.inspect(connectable).has_table("alembic_version"):
        return None
    query = sa.text("SELECT version_num FROM alembic_version")
    if isinstance(connectable, sa.Connection):
        found = connectable.scalar(query)
    else:
        with connectable.connect() as connection:
            found = connection.scalar(query)
    return None if found is None else str(found)


def _migrate(engine: sa.Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        version = _version(connection)
        if version == HEAD:  # another process was quicker
            return
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if version is not None and version not in known:
            raise StoreError(
                f"the label store {_where(engine)} was made by a newer version (step {version}; this one knows "
                f"{HEAD}): update the workbench"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _claim(engine: sa.Engine, study: Study) -> None:
    query = sa.text("SELECT value FROM facts WHERE key = 'study'")
    with engine.connect() as connection:
        holder = connection.scalar(query)
    if holder is None:
        with writing(engine) as connection:
            holder = connection.scalar(query)
            if holder is None:
                insert = sa.text("INSERT INTO facts (key, value) VALUES ('study', :name)")
                connection.execute(insert, {"name": study.name})
                holder = study.name
    if holder != study.name:
        raise StoreError(
            f"the label store {_where(engine)} belongs to study '{holder}', not '{study.name}': "
            "give each study its own database"
        )


def _where(engine: sa.Engine) -> str:
    if engine.dialect.name == "sqlite":
        return Path(str(engine.url.database)).name
    return engine.url.render_as_string(hide_password=True)
