"""The doors, and where each is mounted: a new dialect is a folder and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.dialects import ibm, ionq, native, qbraid, qlued, xanadu
from qwicket.model.accounts import LONG_PASS_S, PASS_S

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.gateway import Gateway

__all__ = ["mounts"]


def mounts(
    gateway: Gateway,
    *,
    pass_s: float = PASS_S,
    ibm_pass_s: float = LONG_PASS_S,
    public_url: str = "",
) -> dict[str, ASGIApp]:
    """Return every prefix with its door. The longest prefix that fits a path answers for it.

    Args:
        gateway: What is behind the doors.
        pass_s: Life of a pass for clients that renew it.
        ibm_pass_s: Life of a pass for clients that do not.
        public_url: The server's address, where it has one beside those of its sockets.
    """
    ionq_v03, ionq_v04 = ionq.v03(gateway), ionq.v04(gateway)
    return {
        "/v1": native.door(gateway, public_url),
        "/ionq/v0.4": ionq_v04,
        "/v0.4": ionq_v04,
        "/ionq/v0.3": ionq_v03,
        "/v0.3": ionq_v03,
        "/ionq": ionq.unknown_version(),
        "/qlued": qlued.door(gateway),
        "/ibm/api": ibm.door(gateway, pass_s=ibm_pass_s),
        "/ibm/runtime/classic": ibm.runtime_door(gateway),
        "/qbraid/api/v1": qbraid.current(gateway),
        "/qbraid/api": qbraid.former(gateway),
        "/qbraid": qbraid.unknown_path(),
        "": xanadu.door(gateway, pass_s),
    }
