"""The doors, and where each is mounted: a new dialect is a folder and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.dialects import ionq, native, xanadu

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.gateway import Gateway

__all__ = ["mounts"]


def mounts(gateway: Gateway) -> dict[str, ASGIApp]:
    """Return every prefix with its door. The longest prefix that fits a path answers for it."""
    ionq_v03, ionq_v04 = ionq.v03(gateway), ionq.v04(gateway)
    return {
        "/v1": native.door(gateway),
        "/ionq/v0.4": ionq_v04,
        "/v0.4": ionq_v04,
        "/ionq/v0.3": ionq_v03,
        "/v0.3": ionq_v03,
        "/ionq": ionq.unknown_version(),
        "": xanadu.door(),
    }
