"""Which IP addresses belong to the public Internet.

The table is our own, because that of Python's `ipaddress` differs between patch releases.
"""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from typing import Final

_SPECIAL: Final = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private use",
    "100.64.0.0/10": "shared address space, with 100.100.100.200, a cloud's metadata",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "in no registry: a cloud's metadata",
    "169.254.0.0/16": "link local, with 169.254.169.254, clouds' metadata",
    "172.16.0.0/12": "private use",
    "192.0.0.0/24": "IETF protocol assignments, with 192.0.0.192, a cloud's metadata",
    "192.0.2.0/24": "documentation (TEST-NET-1)",
    "192.31.196.0/24": "AS112-v4",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "deprecated (6to4 relay anycast)",
    "192.168.0.0/16": "private use",
    "192.175.48.0/24": "direct delegation AS112 service",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation (TEST-NET-2)",
    "203.0.113.0/24": "documentation (TEST-NET-3)",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, with the limited broadcast",
    "2001::/23": "IETF protocol assignments, with Teredo, benchmarking, ORCHID and others",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "direct delegation AS112 service",
    "3fff::/20": "documentation",
}
"""Blocks of IANA's registries of special-purpose addresses, and of multicast, with their names.

The special blocks of IPv6 that are not listed are outside `_GLOBAL_UNICAST`.
Sources: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
"""
_BLOCKS: Final = [ipaddress.ip_network(block) for block in _SPECIAL]
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_WITH_IPV4: Final = (
    ipaddress.IPv6Network("::ffff:0:0/96"),  # IPv4-mapped, to which the kernel connects by IPv4
    ipaddress.IPv6Network("64:ff9b::/96"),  # hosts without IPv4 reach others so (RFC 6052)
)


def is_public(text: str) -> bool:
    """Return whether an address belongs to the public Internet.

    An IPv6 address that is IPv4-mapped or in 64:ff9b::/96 is judged by the IPv4 address in it. All
    others with an IPv4 address in them (6to4, Teredo, 64:ff9b:1::/48) are not public.
    """
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text)
    if any(address in block for block in _WITH_IPV4):
        address = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in block for block in _BLOCKS)


def literal_address(host: str) -> str | None:
    """Return the address if a host in a URL is written as one, or None for a name.

    The system also takes `127.1`, `0x7f000001` and `2130706433` for IPv4 addresses.
    """
    with suppress(ValueError):
        return str(ipaddress.ip_address(host))
    with suppress(OSError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return None
