"""Which hosts may be asked: public ones, unless the study allows private addresses."""

import ipaddress
import socket
from urllib.parse import urlsplit

from pipelines.errors import MediaError


def check_host(url: str, allow_private: bool) -> None:
    """Raise MediaError unless every address of the host in `url` is public, or private ones are allowed.

    Keeps a list of addresses written by somebody else from reaching into the local network.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise MediaError("bad_address", f"'{url[:200]}': only http and https addresses are fetched", "gone")
    if allow_private:
        return
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise MediaError(
            "unreachable", f"{parts.hostname}: no such host is known; check the address and the connection", "retry"
        ) from None
    for entry in found:
        address = ipaddress.ip_address(str(entry[4][0]).split("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        if not (mapped or address).is_global:
            raise MediaError(
                "private_host",
                f"{parts.hostname} is in a private network; to allow it, set allow_private_hosts = true in study.toml",
            )
