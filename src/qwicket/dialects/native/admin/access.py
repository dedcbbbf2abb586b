"""Access of the handlers of `/v1/admin` to their service, and sign-in of administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from qwicket.model.accounts import Scope

if TYPE_CHECKING:
    from qwicket.compute import Cluster
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.gateway.admin import Admin
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits
    from qwicket.scheduling import QueuePosition

LEAD: Final = (Scope.ADMIN, Scope.TOKENS_WRITE)
"""Scopes for what administrators and, of their projects, leads do (`Admin.led_project`)."""


class Access(Protocol):
    """First argument of all handlers of `/v1/admin`.

    They are functions, not methods as in other dialects, because two classes have this protocol:
    `TokenAccess`, and one for commands that open the database (`cli/administration.py`).
    """

    @property
    def admin(self) -> Admin:
        """Return the service that does the work."""

    @property
    def limits(self) -> Limits:
        """Return the bounds on all requests."""

    @property
    def cluster(self) -> Cluster | None:
        """Return the cluster of the server, if it has one."""

    async def sign_in(self, request: Request[Any]) -> Actor:
        """Return the actor of a request.

        Raises:
            Unauthenticated: The token is absent, unknown, expired or revoked.
        """

    async def position(self, job: Job) -> QueuePosition | None:
        """Return the position of a waiting job; None without one, or without a running server."""


class TokenAccess:
    """Access at a running server, by an administrator's token.

    Args:
        gateway: The server's services.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @property
    def admin(self) -> Admin:
        return self.gateway.admin

    @property
    def limits(self) -> Limits:
        return self.gateway.limits

    @property
    def cluster(self) -> Cluster | None:
        return self.gateway.cluster

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self.gateway.auth.by_token(request.token("bearer"), request.client_address)

    async def position(self, job: Job) -> QueuePosition | None:
        return await self.gateway.queue.position(job)
