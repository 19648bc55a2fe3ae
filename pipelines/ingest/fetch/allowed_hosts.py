"""Which hosts may be asked: public ones, and private ones that the study allows, all or by name."""

import ipaddress
import socket
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

from pipelines.errors import MediaError

#: False: none; True: any but the addresses of cloud metadata; names: those hosts only.
Private = bool | Collection[str]

#: What getaddrinfo answers with: (family, type, protocol, canonical name, socket address) per address.
Resolve = Callable[..., Sequence[Any]]

#: Where clouds answer machines with secrets about themselves. Reached only by a study that names the address.
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: All of IPv6 that leads over the internet to somebody (RFC 4291, section 2.4; IANA gives out nothing else so far).
#: Outside it are old site-local addresses (fec0::/10), local NAT64 (64:ff9b:1::/48) and segment routing (5f00::/16).
_UNICAST = ipaddress.ip_network("2000::/3")
#: Ranges that IANA's registries of special addresses (RFC 6890) keep from the public, or for protocols that serve no
#: files, and that `is_global` of one Python or another lets pass: protocol assignments, relays of 6to4, Teredo and
#: ORCHID, documentation.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "2001::/23", "2001:db8::/32", "3fff::/20",
    )
)  # fmt: skip

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_host(url: str, allow_private: Private, resolve: Resolve = socket.getaddrinfo) -> None:
    """Raise MediaError unless every address of the host in `url` may be asked: see `addresses`.

    Keeps a list of addresses written by somebody else from reaching into the local network.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise MediaError("bad_address", f"'{url[:200]}': only http and https addresses are fetched", "gone")
    addresses(parts.hostname, parts.port or (80 if parts.scheme == "http" else 443), allow_private, resolve)


def addresses(host: str, port: int, allow_private: Private, resolve: Resolve = socket.getaddrinfo) -> tuple[str, ...]:
    """The numeric addresses of `host`, all of them checked: one that may not be asked refuses the host.

    Raises MediaError: unreachable where no answer comes, private_host where an answer is private, loopback, link-local,
    multicast, kept by IANA for something else than the public internet, or a cloud's metadata, and the study does not
    allow it.
    """
    try:
        found = resolve(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise MediaError(
            "unreachable", f"{host}: no such host is known; check the address and the connection", "retry"
        ) from None
    numeric = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    named = not isinstance(allow_private, bool) and host.lower() in {name.lower() for name in allow_private}
    for text in numeric:
        address = _meant(ipaddress.ip_address(text.split("%")[0]))
        if named or _is_public(address) or (allow_private is True and address not in _METADATA):
            continue
        general = "" if address in _METADATA else "set allow_private_hosts = true in study.toml, or "
        raise MediaError(
            "private_host",
            f"{host} is in a private network; to allow it, {general}name it in study.toml: allow_private_hosts = "
            f'["{host}"]',
        )
    return numeric


def _is_public(address: _Address) -> bool:
    if address in _METADATA or any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _meant(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
