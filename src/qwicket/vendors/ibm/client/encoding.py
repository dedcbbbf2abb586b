"""Encode requests of the API: headers, paths and bodies."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, Final

from qwicket import __version__
from qwicket.clients.http.text import json_bytes, quoted_path
from qwicket.vendors.ibm.client.errors import IBMQXClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": f"qwicket/{__version__} python/{platform.python_version()}",
    "X-Qx-Client-Application": f"qwicket/{__version__}",
}


def path(*parts: object) -> str:
    """Return a path of these parts, quoted."""
    return quoted_path(parts, "id or name", IBMQXClientError)


def body(fields: Mapping[str, Any]) -> bytes:
    """Return the fields of a body as JSON."""
    return json_bytes(fields, "The body", IBMQXClientError, (",", ":"))


def with_shots(qobj: Mapping[str, Any], shots: int) -> dict[str, Any]:
    """Return a Qobj with these shots in its config, which is where a server reads them."""
    config = qobj.get("config")
    return {**qobj, "config": {**(config if isinstance(config, dict) else {}), "shots": shots}}


def shots_of(qobj: Mapping[str, Any]) -> dict[str, int]:
    """Return the shots that a Qobj's config states; the server refuses any that are no number."""
    config = qobj.get("config")
    shots = config.get("shots") if isinstance(config, dict) else None
    return {"shots": shots} if isinstance(shots, int) else {}
