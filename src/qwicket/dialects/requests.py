"""Requests as handlers see them: the values of one request, already checked by its route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

import starlette.requests
from starlette.requests import ClientDisconnect

from qwicket.model.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qwicket.gateway.response_budget import ResponseMemory

B = TypeVar("B")

REQUEST_ID: Final = "qwicket.request_id"
PUBLIC_URL: Final = "qwicket.public_url"
DIALECT_ADDRESS: Final = "qwicket.dialect_address"
PASSING: Final = "qwicket.passing"
STREAM_BODY: Final = "qwicket.stream_body"
BOUND_BODY: Final = "qwicket.bound_body"
UNSIGNED_BODY: Final = "qwicket.unsigned_body"
REFUSAL: Final = "qwicket.refusal"
RESPONSE_MEMORY: Final = "qwicket.response_memory"
DELIVERED: Final = "qwicket.delivered"
"""Keys of the ASGI scope that server/router.py sets: the request's id; the server's address in
responses; functions that bound the body by another limit, stream it, or count it in the memory for
requests before sign-in; the error of a request that is refused; the memory of a large response.
The dialect's address is without its path; it differs where a dialect has an address of its own. The
`PassingOn` of that address passes its requests on, if they are not for this server.
server/connection.py sets the last: a function that returns whether the client has the response, to
be called when it has been sent and then awaited.
"""
_MAX_KEY_CHARS: Final = 255


class Request(starlette.requests.Request, Generic[B]):
    """One request.

    Attributes:
        payload: The body as its route decodes it; None where the route declares no body.
    """

    payload: B

    @property
    def response_memory(self) -> ResponseMemory:
        """Return the memory for the response, for which large responses wait."""
        memory: ResponseMemory = self.scope[RESPONSE_MEMORY]
        return memory

    @property
    def address(self) -> str:
        """Return the client's address, as its socket or a trusted proxy gives it."""
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    @property
    def server_url(self) -> str:
        """Return the server's own address, without a path."""
        url: str = self.scope[PUBLIC_URL]
        return url

    @property
    def dialect_url(self) -> str:
        """Return the address of the request's dialect."""
        address: str = self.scope[DIALECT_ADDRESS]
        root: str = self.scope["root_path"]
        return address + root

    @property
    def idempotency_key(self) -> str | None:
        """Return the key under which a submission is stored only once, if the client gives one.

        Raises:
            InvalidRequest: The key is empty or too long.
        """
        key = self.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= _MAX_KEY_CHARS:
            raise InvalidRequest(
                f"Idempotency-Key must have 1 to {_MAX_KEY_CHARS} characters.",
                field="Idempotency-Key",
            )
        return key

    def token(self, scheme: str) -> str | None:
        """Return the token of the header `Authorization`, if it has this scheme."""
        given, _, secret = self.headers.get("authorization", "").partition(" ")
        return secret.strip() if given.lower() == scheme else None

    async def unsigned_body(self) -> bytes:
        """Return the body before sign-in: it counts in memory that signed-in clients do not use."""
        self.scope[UNSIGNED_BODY]()
        return await self.body()

    async def bounded_body(self, limit: str) -> bytes:
        """Return the body, bounded by the limit of this name in place of `body_bytes`."""
        self.scope[BOUND_BODY](limit)
        return await self.body()

    async def chunks(self, limit: str) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, bounded by the limit of this name."""
        self.scope[STREAM_BODY](limit)
        while True:
            # Starlette's own stream would wrap a refusal.
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            if body := message.get("body", b""):
                yield body
            if not message.get("more_body", False):
                return

    async def disconnected(self) -> None:
        """Return when the client has closed its connection."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
