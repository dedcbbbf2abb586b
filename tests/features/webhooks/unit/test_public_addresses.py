"""Which addresses are public, and how they may be written."""

from __future__ import annotations

import ipaddress

import pytest

from qwicket.features.webhooks.public_addresses import is_public, literal_address
from support.for_each import for_each

# IANA's registries of special-purpose addresses (RFC 6890), of multicast, and former blocks.
SPECIAL = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23"),
    *("2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "2002::/16"),
    *("2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10"),
    "ff00::/8",
]
METADATA = ["169.254.169.254", "168.63.129.16", "192.0.0.192", "100.100.100.200", "fd00:ec2::254"]
"""Addresses at which clouds give a machine its credentials."""
WITH_IPV4 = [
    *("::127.0.0.1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:168.63.129.16"),
    *("64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::808:808", "2002:7f00:1::"),
    *("2002:808:808::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1"),
    *("168.63.129.15", "192.0.1.0", "192.88.98.255", "223.255.255.255", "2001:200::1"),
    *("2606:4700::1111", "2003::1", "::ffff:8.8.8.8", "64:ff9b::808:808"),
]


@for_each("block", SPECIAL)
def test_no_address_of_a_special_block_is_public(block: str) -> None:
    network = ipaddress.ip_network(block)
    assert not is_public(str(network[0]))
    assert not is_public(str(network[-1]))


@for_each("address", [*METADATA, *WITH_IPV4, "fe80::1%lo"])
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@for_each("address", PUBLIC)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("example.org", None),
    ],
)
def test_an_address_is_recognised_in_all_spellings(host: str, address: str | None) -> None:
    assert literal_address(host) == address
