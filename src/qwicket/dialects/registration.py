"""Registration of a dialect: its paths, devices, limits and description."""

from __future__ import annotations

from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from qwicket.dialects.openapi import Description
from qwicket.model.accounts import ACCESS_TOKEN_S

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from qwicket.model.devices import Device


@dataclass(frozen=True)
class DialectSettings:
    """Settings of dialects.

    Attributes:
        public_url: The server's public URL, if it differs from that of its sockets.
        access_token_s: Life of an access token in seconds, for clients that renew it.
        dialects: Names of the vendors' dialects that are offered; None for all.
        in_force: Returns all settings of the server by name, without secrets, for administrators.
    """

    public_url: str = ""
    access_token_s: float = ACCESS_TOKEN_S
    dialects: frozenset[str] | None = None
    in_force: Callable[[], Sequence[tuple[str, str]]] = tuple

    def offers(self, name: str) -> bool:
        """Return whether a dialect is offered; the native one always is."""
        return name == "native" or self.dialects is None or name in self.dialects


@dataclass(frozen=True, kw_only=True)
class Registration(Description):
    """Registration of a dialect, with what its description says.

    Attributes:
        name: Its name in paths (`/docs/NAME`), in jobs, and in lists of devices.
        mounts: Functions that make its applications, as "module:function", by the beginning of
            their paths. They are imported when first needed.
        aliases: Other beginnings of paths and those in `mounts` that they stand for; its
            description does not name them.
        described_at: Further paths of its description, beside those below `/docs`: those that end
            in `/openapi.json` return the description, those that end in `/docs` its page.
        supports_websocket: Whether it has websockets.
        device_name: Function that returns what its clients' programs call a device, as
            "module:function", from the device and a program; by default the device's own name.
        ignores: What its unmodified clients send although no route declares it: parameters, and
            fields of bodies as JSON pointers.
        shows_plain_jobs: Whether it shows jobs of its own that were stored without its fields, as
            those of a test bed's past.
        root: Beginning of its paths that is left out at an address (host and port) that serves
            this dialect alone.
    """

    name: str
    mounts: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    described_at: tuple[str, ...] = ()
    supports_websocket: bool = False
    device_name: str = ""
    ignores: Collection[str] = ()
    shows_plain_jobs: bool = False
    root: str = ""

    def name_of(self, device: Device, program: str) -> str:
        """Return what its clients call a device that runs a program."""
        if not self.device_name:
            return device.name
        return str(resolve_name(self.device_name)(device, program))

    def at_own_address(self) -> dict[str, str]:
        """Return the usual paths of applications by their paths at the dialect's own address."""
        return {each.removeprefix(self.root): each for each in (*self.aliases, *self.mounts)}
