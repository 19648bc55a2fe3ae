"""BLAS threads: run matrix products in one thread. More threads slow many small products: measured 8 times the time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np  # noqa: F401 (its BLAS must be loaded to be found)

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within this context, matrix products of the whole process run in the calling thread. 10 us to enter."""
    with _controller().limit(limits=1):
        yield


@lru_cache(maxsize=1)
def _controller() -> "ThreadpoolController":
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
