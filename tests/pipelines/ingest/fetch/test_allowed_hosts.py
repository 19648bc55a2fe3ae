"""Which addresses are of the public internet: IANA's registries of special addresses, range by range."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import MediaError
from pipelines.ingest.fetch.allowed_hosts import addresses

#: The registries of RFC 6890 as they stood in 2025, and what older standards kept apart; without what leads to an IPv4.
SPECIAL = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
    "::/128", "::1/128", "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/32",
    "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "3fff::/20", "4000::/2", "5f00::/16", "fc00::/7",
    "fe80::/10", "fec0::/10", "ff00::/8",
]  # fmt: skip


def asked(address: Any, allow_private: Any = False) -> tuple[str, ...]:
    return addresses("far.example", 443, allow_private, lambda *_, **__: [(0, 0, 0, "", (str(address), 443))])


@pytest.mark.parametrize("special", SPECIAL)
def test_no_address_of_a_special_range_is_public(special: str) -> None:
    network = ipaddress.ip_network(special)
    within = {network[0], network[-1], network[network.num_addresses // 2], network[min(1, network.num_addresses - 1)]}
    for address in within:
        with pytest.raises(MediaError, match="private network"):
            asked(address)
        assert asked(address, ["far.example"]) == (str(address),)


@given(st.sampled_from([ipaddress.ip_network(each) for each in SPECIAL]), st.data())
def test_nor_any_in_between_nor_behind_a_translation(network: Any, data: st.DataObject) -> None:
    address = network[data.draw(st.integers(0, network.num_addresses - 1))]
    ways = [address]
    if address.version == 4:
        ways += [
            ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(address) << shift)
            for prefix, shift in (("::ffff:0:0", 0), ("64:ff9b::", 0), ("2002::", 80))
        ]
    for way in ways:
        with pytest.raises(MediaError, match="private network"):
            asked(way)


@pytest.mark.parametrize(
    "public",
    [
        "1.1.1.1", "93.184.216.34", "192.0.1.1", "192.88.98.1", "198.20.0.1", "223.255.255.254",
        "2001:200::1", "2001:4860:4860::8888", "2606:2800:220:1:248:1893:25c8:1946", "2a00:1450:4001:80b::200e",
        "::ffff:93.184.216.34", "64:ff9b::5db8:d822", "2002:5db8:d822::1",
    ],
)  # fmt: skip
def test_what_lies_beside_them_is_public(public: str) -> None:
    assert asked(public) == (public,)
