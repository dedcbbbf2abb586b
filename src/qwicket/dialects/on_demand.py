"""Dialects that are imported when first needed, because few servers use all of them."""

from __future__ import annotations

import asyncio
import threading
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from qwicket.dialects.registration import DialectSettings
    from qwicket.dialects.routing import Dialect, Route
    from qwicket.gateway import Gateway


class DialectOnDemand:
    """A dialect as an ASGI application, made when it is first needed.

    Args:
        made_by: The function that makes the dialect, as "module:function".
        gateway: Does the work.
        settings: Settings of the dialects.
        supports_websocket: Whether the dialect has websockets.
    """

    def __init__(
        self,
        made_by: str,
        gateway: Gateway,
        settings: DialectSettings,
        *,
        supports_websocket: bool = False,
    ) -> None:
        self.supports_websocket = supports_websocket
        self._made_by = made_by
        self._gateway = gateway
        self._settings = settings
        self._lock = threading.Lock()
        self._dialect: Dialect | None = None

    @property
    def routes(self) -> tuple[Route, ...]:
        """The dialect's routes, in the order in which they are tried."""
        return self._make().routes

    def route(self, method: str, path: str) -> Route | None:
        """Return the route of a method and path below the dialect's address; None without one."""
        return self._make().route(method, path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        made = self._dialect
        if made is None:
            made = await asyncio.to_thread(self._make)
        await made(scope, receive, send)

    def _make(self) -> Dialect:
        with self._lock:
            if self._dialect is None:
                self._dialect = resolve_name(self._made_by)(self._gateway, self._settings)
            return self._dialect
