"""Dask scheduler: connecting to it, and checking that its workers have the same versions as this machine."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from pipelines.errors import ConfigError
from pipelines.execution.remote_tasks import code_versions, version_differences
from pipelines.units import Seconds

#: A scheduler that does not answer in this time counts as unreachable.
CONNECT_TIMEOUT_S: Seconds = 8.0


def connect_client(address: str) -> Any:
    """A client of the scheduler at `address`, whose machines all have the versions of this one.

    Raises ConfigError: no answer within `CONNECT_TIMEOUT_S` seconds, no worker, or one with other versions.
    """
    try:
        from distributed import Client
        from distributed.comm.core import connect
        from distributed.security import Security
    except ImportError:
        raise ConfigError(
            "--scheduler needs one more package: pip install 'drama-emotion-workbench[cluster]'"
        ) from None

    async def handshake() -> None:
        # The handshake has no time limit of its own.
        comm = await asyncio.wait_for(
            connect(address, timeout=CONNECT_TIMEOUT_S, **Security().get_connection_args("client")), CONNECT_TIMEOUT_S
        )
        await comm.close()

    try:
        if not address.startswith("inproc://"):
            with ThreadPoolExecutor(1) as thread:  # this thread may run an event loop already
                thread.submit(asyncio.run, handshake()).result()
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False, name="workbench")
    except (ValueError, TypeError):
        raise ConfigError(
            f"--scheduler: '{address}' is not the address of a scheduler; give one such as tcp://10.0.0.5:8786"
        ) from None
    except (OSError, TimeoutError):
        raise ConfigError(
            f"no Dask scheduler answers at {address} within {CONNECT_TIMEOUT_S:g} s; start one with 'dask scheduler', "
            "or check that its port can be reached from here"
        ) from None
    try:
        _check_versions(client, address)
    except BaseException:
        client.close()
        raise
    return client


def _check_versions(client: Any, address: str) -> None:
    advice = "install the same version of this program and its dependencies on every machine"
    versions = {"the scheduler": client.run_on_scheduler(_versions)} | client.run(_versions, on_error="return")
    if len(versions) == 1:
        raise ConfigError(
            f"the scheduler at {address} has no workers; start some with 'dask worker {address} --nthreads 1'"
        )
    for name, theirs in versions.items():
        if isinstance(theirs, Exception):
            raise ConfigError(f"{name} cannot run these tasks ({theirs}); {advice}")
        differences = version_differences(theirs)
        if differences:
            raise ConfigError(f"{name} has other versions than this machine: {differences}; {advice}")


def _versions() -> Mapping[str, str]:
    return code_versions()


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Keep the library from logging a traceback for a lost connection; this program reports it in one sentence."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
