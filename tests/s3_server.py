"""S3 server for tests: moto's server in a process of its own on loopback, and a bucket in it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: The environment of every process that uses the server.
SECRETS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def object_store() -> Iterator[str]:
    """Yield the URL of an empty bucket; the environment names the server for as long, for child processes too."""
    import s3fs

    server, port = _start_server()
    new = {**SECRETS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    before = {key: os.environ.get(key) for key in new}
    os.environ.update(new)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        s3fs.S3FileSystem().mkdir("bucket")
        yield "s3://bucket"
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
        server.terminate()
        server.wait(60)


def _start_server() -> "tuple[subprocess.Popen[bytes], int]":
    """A server that answers, and its port; another port where the first was taken meanwhile."""
    for _ in range(5):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if _answers(server, port):
            return server, port
    raise RuntimeError(f"the S3 server ended five times, the last time with {server.returncode}")


def _answers(server: "subprocess.Popen[bytes]", port: int) -> bool:
    """Whether the server answers; False where it has ended."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if server.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            if server.poll() is None:
                return True
    server.kill()
    server.wait()
    raise RuntimeError("the S3 server does not answer")
