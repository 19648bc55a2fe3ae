"""Reaching a Dask scheduler: one sentence where it is not there, or where its machines are not like this one."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from pipelines.errors import ConfigError
from pipelines.execution.shipping import code, differences
from pipelines.units import Seconds

#: What does not answer in this time is not there.
ANSWER_S: Seconds = 8.0


def connected(address: str) -> Any:
    """A client of the scheduler at `address`, whose machines have all been compared with this one.

    Raises ConfigError: nobody answers in `ANSWER_S` seconds, there is no worker, or one has other versions.
    """
    try:
        from distributed import Client
        from distributed.comm.core import connect
        from distributed.security import Security
    except ImportError:
        raise ConfigError(
            "--scheduler needs one more package: pip install 'drama-emotion-workbench[cluster]'"
        ) from None

    async def knock() -> None:
        # The handshake has no time limit of its own.
        comm = await asyncio.wait_for(
            connect(address, timeout=ANSWER_S, **Security().get_connection_args("client")), ANSWER_S
        )
        await comm.close()

    try:
        if not address.startswith("inproc://"):
            with ThreadPoolExecutor(1) as knocking:  # this thread may run an event loop already
                knocking.submit(asyncio.run, knock()).result()
        client = Client(address, timeout=ANSWER_S, set_as_default=False, name="workbench")
    except (ValueError, TypeError):
        raise ConfigError(
            f"--scheduler: '{address}' is no address of a scheduler, such as tcp://10.0.0.5:8786"
        ) from None
    except (OSError, TimeoutError):
        raise ConfigError(
            f"no Dask scheduler answers at {address} within {ANSWER_S:g} s; start one with 'dask scheduler', or see "
            "that its port can be reached from here"
        ) from None
    try:
        _check_versions(client, address)
    except BaseException:
        client.close()
        raise
    return client


def _check_versions(client: Any, address: str) -> None:
    advice = "install the same version of this program, with all that it needs, on every machine"
    found = {"the scheduler": client.run_on_scheduler(_there)} | client.run(_there, on_error="return")
    if len(found) == 1:
        raise ConfigError(
            f"the scheduler at {address} has no workers; start some with 'dask worker {address} --nthreads 1'"
        )
    for name, theirs in found.items():
        if isinstance(theirs, Exception):
            raise ConfigError(f"{name} cannot do this work ({theirs}); {advice}")
        what = differences(theirs)
        if what:
            raise ConfigError(f"{name} has other versions than this machine: {what}; {advice}")


def _there() -> Mapping[str, str]:
    return code()


@contextmanager
def quiet() -> Iterator[None]:
    """The library tells a lost connection with a traceback; here it is a sentence."""
    loud = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [one.level for one in loud]
    for one in loud:
        one.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for one, level in zip(loud, before, strict=True):
            one.setLevel(level)
