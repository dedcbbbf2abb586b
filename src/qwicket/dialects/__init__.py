"""The dialects: their registrations, and the address of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects import ibm, ionq, native, qbraid, qlued, xanadu
from qwicket.dialects.descriptions import describe
from qwicket.dialects.ibm import description as of_ibm
from qwicket.dialects.ionq import description as of_ionq
from qwicket.dialects.qbraid import description as of_qbraid
from qwicket.dialects.qlued import description as of_qlued
from qwicket.dialects.xanadu import description as of_xanadu
from qwicket.model.accounts import LONG_PASS_S, PASS_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.dialects.routing import Dialect
    from qwicket.gateway import Gateway
    from qwicket.model.devices import Family

__all__ = ["descriptions", "mounts", "shown_by"]

_DIALECTS: Final = (
    of_ionq.ABOUT,
    *(of_ibm.ABOUT, of_ibm.RUNTIME),
    *(of_qbraid.ABOUT, of_qlued.ABOUT, of_xanadu.ABOUT),
)


def descriptions(dialects: Mapping[str, Dialect]) -> dict[str, dict[str, Any]]:
    """Return the description of each vendor's dialect in OpenAPI, by the dialect's name.

    Args:
        dialects: What `mounts` returned.
    """
    return {
        about.name: describe(about, {prefix: dialects[prefix] for prefix in about.prefixes})
        for about in _DIALECTS
    }


def shown_by(family: Family) -> tuple[str, ...]:
    """Return the names of the dialects that show devices of a family."""
    return ("native", *(about.name for about in _DIALECTS if family in about.families))


def mounts(
    gateway: Gateway,
    *,
    pass_s: float = PASS_S,
    ibm_pass_s: float = LONG_PASS_S,
    public_url: str = "",
) -> dict[str, Dialect]:
    """Return every prefix with its door. The longest prefix that fits a path answers for it.

    Args:
        gateway: What is behind the doors.
        pass_s: Life of a pass for clients that renew it.
        ibm_pass_s: Life of a pass for clients that do not.
        public_url: The server's address, where it has one beside those of its sockets.
    """
    ionq_v03, ionq_v04 = ionq.v03(gateway), ionq.v04(gateway)
    return {
        "/v1": native.dialect(gateway, shown_by, public_url),
        "/ionq/v0.4": ionq_v04,
        "/v0.4": ionq_v04,
        "/ionq/v0.3": ionq_v03,
        "/v0.3": ionq_v03,
        "/ionq": ionq.unknown_version(gateway),
        "/qlued": qlued.dialect(gateway),
        "/ibm/api": ibm.dialect(gateway, pass_s=ibm_pass_s),
        "/ibm/runtime/classic": ibm.runtime.dialect(gateway),
        "/qbraid/api/v1": qbraid.v1.dialect(gateway),
        "/qbraid/api": qbraid.v0.dialect(gateway),
        "/qbraid": qbraid.unknown_path(gateway),
        "": xanadu.dialect(gateway, pass_s),
    }
