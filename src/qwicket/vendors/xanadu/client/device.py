"""Devices of the server. Their documents are fetched at first use and cached until `clear`."""

from __future__ import annotations

from datetime import time
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from requests.exceptions import RequestException

from qwicket.vendors.xanadu.client import responses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.vendors.xanadu.client.connection import Connection

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CACHED = ("_details", "specification", "certificate")


class Device:
    """Device of the server.

    Args:
        target: Name of the device.
        connection: Connection to the server.
    """

    def __init__(self, target: str, connection: Connection) -> None:
        self._target = target
        self._connection = connection

    @staticmethod
    def list(connection: Connection, status: str | None = None) -> Sequence[Device]:
        """Return the server's devices, or those with this status (`online`, `offline`).

        Raises:
            requests.exceptions.RequestException: The request failed; see `Connection.request`.
        """
        found = []
        for details in responses.entries(connection.request("GET", "/devices"), "target"):
            device = Device(details["target"], connection)
            device.__dict__["_details"] = details
            if status in (None, device.status):
                found.append(device)
        return found

    @property
    def target(self) -> str:
        return self._target

    @property
    def overview(self) -> Mapping[str, Any]:
        """Name and status."""
        return {"target": self.target, "status": self.status}

    @property
    def status(self) -> str:
        """`online` or `offline`."""
        return str(self._details.get("status"))

    @property
    def up(self) -> bool:
        """Whether the device is online."""
        return self.status == "online"

    @property
    def expected_uptime(self) -> Mapping[str, tuple[time, time] | None]:
        """Start and end of the device's hours, by lower-case day; None for days off."""
        found: dict[str, tuple[time, time] | None] = dict.fromkeys(_DAYS)
        hours = self._details.get("expected_uptime")
        try:
            for day, (up, down) in dict(hours or {}).items():
                found[str(day)] = time.fromisoformat(up), time.fromisoformat(down)
        except (TypeError, ValueError):
            found = {}
        else:
            return found
        raise RequestException(f"The hours of device {self._target} have an unknown format.")

    @cached_property
    def specification(self) -> Mapping[str, Any]:
        """Specification for compiling programs."""
        return self._read("/specifications")

    @cached_property
    def certificate(self) -> Mapping[str, Any]:
        """Certificate: properties of the hardware."""
        return self._read("/certificate")

    @cached_property
    def _details(self) -> Mapping[str, Any]:
        return self._read("")

    def _read(self, path: str) -> Mapping[str, Any]:
        at = f"/devices/{quote(self._target, safe='')}{path}"
        return responses.content(self._connection.request("GET", at))

    def clear(self) -> None:
        """Clear the cached documents."""
        for name in _CACHED:
            self.__dict__.pop(name, None)

    def __repr__(self) -> str:
        return f"<Device: target={self._target}>"
