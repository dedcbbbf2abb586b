"""The wheel of a server, made once, and to whom it is offered."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from qwicket.features.distribution import install_from
from qwicket.model.errors import Forbidden, NotFound, Unavailable
from qwicket.server.probes import is_local, is_loopback

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.features.distribution.wheel import Wheel
    from qwicket.gateway import Gateway

_RETRY_S: Final = 600.0
"""Seconds until clients repeat a request for a wheel that cannot be made: an administrator must
act first."""

_log = logging.getLogger(__name__)


class NotEncrypted(Forbidden):
    """The request came over http from another machine."""

    title = "The request is not encrypted."
    remedy = (
        "Use the server's https address. Administrators: name a proxy in --trusted-proxy, or set"
        " --dist all in a network that you trust."
    )


class Dist:
    """The wheel of this server's installation.

    Args:
        offer: The setting `--dist`: tls, all or off.
    """

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> Dist:
        """Return the service of a gateway."""
        return cls(gateway.dist)

    def __init__(self, offer: str) -> None:
        self._offer = offer
        self._making: asyncio.Task[Wheel | str] | None = None

    async def wheel(self, request: Request[None]) -> Wheel:
        """Return the wheel for a request.

        Raises:
            NotFound: The setting `--dist` is off.
            NotEncrypted: The request came over http from another machine.
            Unavailable: The installation was changed.
        """
        if self._offer == "off":
            raise NotFound("This server does not offer its package (--dist off).")
        is_safe = request.scope["scheme"] == "https" or is_local(request)
        if not is_safe and self._offer != "all":
            raise NotEncrypted(
                "This server offers its package over https, and over http to its own machine only,"
                " because people run what they install."
            )
        made = await self._made()
        if isinstance(made, str):
            raise Unavailable(made, retry_after_s=_RETRY_S)
        return made

    async def command(self, url: str) -> str | None:
        """Return the command that installs the wheel from the server's address, if it is offered.

        Args:
            url: Address of the server, as users know it.
        """
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or is_loopback(parts.hostname or "")
        if self._offer == "off" or not (is_safe or self._offer == "all"):
            return None
        made = await self._made()
        return None if isinstance(made, str) else install_from(url, made.link)

    async def _made(self) -> Wheel | str:
        """Return the wheel, or why there is none. All callers share one task that makes it."""
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(_wheel_or_reason))
        return await asyncio.shield(self._making)


def _wheel_or_reason() -> Wheel | str:
    from qwicket.features.distribution.wheel import NotOffered, build  # late: servers start faster

    try:
        return build()
    except NotOffered as error:
        _log.warning("no package is offered at /dist: %s", error)
        return f"{error} Install it again and restart the server."


async def install_command(gateway: Gateway, url: str) -> str | None:
    """Return the command that installs this server's package, as `Dist.command`."""
    return await gateway.feature(Dist).command(url)
