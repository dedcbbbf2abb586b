"""Requests as handlers see them: the values of one request, already checked by its route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import starlette.requests

from qwicket.gateway.fair_threads import OWNER
from qwicket.model.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qwicket.dialects.turns import Turns
    from qwicket.gateway.response_budget import ResponseMemory

B = TypeVar("B")

REQUEST_ID: Final = "qwicket.request_id"
PUBLIC_URL: Final = "qwicket.public_url"
DIALECT_ADDRESS: Final = "qwicket.dialect_address"
PASS_THROUGH: Final = "qwicket.pass_through"  # noqa: S105 - not a password
CONTENT: Final = "qwicket.content"
BODY: Final = "qwicket.body"
REFUSAL: Final = "qwicket.refusal"
TURNS: Final = "qwicket.turns"
RESPONSE_MEMORY: Final = "qwicket.response_memory"
DELIVERED: Final = "qwicket.delivered"
"""Keys of the ASGI scope. server/router.py sets them; `CONTENT` and `DELIVERED` are from
server/connection.py.

- `REQUEST_ID`: the request's id.
- `PUBLIC_URL`: URL of the server in responses, without a path.
- `DIALECT_ADDRESS`: the same for the dialect; it differs where a dialect has an address of its own.
- `PASS_THROUGH`: at such an address, the `PassThrough` that passes requests on; None if this server
  handles them.
- `CONTENT`: the whole body, if it is small and came with the head.
- `BODY`: the `RequestBody`.
- `REFUSAL`: if set, the error with which the dialect responds in place of handling the request.
- `TURNS`: the `Turns` of the server's requests.
- `RESPONSE_MEMORY`: the `ResponseMemory` of the request.
- `DELIVERED`: function to call after the response was sent; it returns
  an awaitable of whether the client has received the response.
"""
MAX_ESCAPES: Final = 8_192
"""Escapes such as `%20` in a path, and in a query; a filter by 1,000 ids has 4,000."""
MAX_PARAMETERS: Final = 2_048
"""Parameters of a query; a list of 1,000 jobs names each id in one. Of the 30,000 that a request
line has room for, the event loop would parse for 20 to 70 ms."""
_MAX_KEY_CHARS: Final = 255
_MAX_LIST_CHARS: Final = 8 << 10
_MAX_COOKIE_CHARS: Final = 32 << 10
"""Bounds of headers that are split: 128,000 entries would take 20 ms of the event loop. Browsers
send the cookies of all servers on a host, at most 4 kB each."""


class RequestBody(Protocol):
    """The body of a request, with limits on size, time and memory.

    Its methods raise `BodyTooLarge`, `RequestTimeout`, `TooManyRequests`, `Unavailable`, and
    `ClientDisconnect`.
    """

    async def read(self, limit: str) -> bytes:
        """Return the whole body, bounded by the limit of this name; also a second time."""

    async def read_before_sign_in(self) -> bytes:
        """Return the whole body. Bodies before sign-in have a memory budget of their own."""

    def chunks(self, limit: str) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, bounded by the limit of this name."""


class Request(starlette.requests.Request, Generic[B]):
    """One request.

    Attributes:
        payload: The body as its route decodes it; not set where the route declares no body.
    """

    payload: B

    @property
    def response_memory(self) -> ResponseMemory:
        """Return the memory for the response, for which large responses wait."""
        memory: ResponseMemory = self.scope[RESPONSE_MEMORY]
        return memory

    @property
    def client_address(self) -> str:
        """Return the client's network address, from its socket or from a trusted proxy."""
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    @property
    def server_url(self) -> str:
        """Return the URL of the server, without a path."""
        url: str = self.scope[PUBLIC_URL]
        return url

    @property
    def dialect_url(self) -> str:
        """Return the URL of the request's dialect, with the path that it is mounted at."""
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

    @property
    def cookies(self) -> dict[str, str]:
        """Return the cookies.

        Raises:
            InvalidRequest: They are too long.
        """
        length = sum(map(len, self.headers.getlist("cookie")))
        if length > _MAX_COOKIE_CHARS:
            raise InvalidRequest(
                f"Cookie has {length} characters; at most {_MAX_COOKIE_CHARS} are allowed.",
                field="Cookie",
            )
        return super().cookies

    def list_header(self, name: str) -> list[str]:
        """Return the entries of a header that is a list, without the spaces around them.

        A header of more than 8,192 characters is ignored, as it only states preferences.
        """
        lines = self.headers.getlist(name)
        if not lines:
            return []
        if sum(map(len, lines)) > _MAX_LIST_CHARS:
            return []
        return [entry.strip() for line in lines for entry in line.split(",")]

    def token(self, scheme: str) -> str | None:
        """Return the token of the header `Authorization`, if it has this scheme."""
        given, _, secret = self.headers.get("authorization", "").partition(" ")
        return secret.strip() if given.lower() == scheme else None

    @property
    def content(self) -> RequestBody:
        """Return the body, to be read."""
        body: RequestBody = self.scope[BODY]
        return body

    async def take_turn(self) -> None:
        """Wait for the turn of the account, or of the address if nobody has signed in."""
        turns: Turns | None = self.scope.get(TURNS)
        if turns is not None:
            await turns.wait(OWNER.get()())

    async def wait_until_disconnected(self) -> None:
        """Wait until the client has closed its connection."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def check_query(query: bytes) -> None:
    """Refuse a query that would take long to parse.

    Raises:
        InvalidRequest: It has too many parameters or escapes.
    """
    n_parameters, n_escapes = query.count(b"&") + 1, query.count(b"%")
    if n_parameters > MAX_PARAMETERS:
        counted = f"{n_parameters} parameters; at most {MAX_PARAMETERS}"
    elif n_escapes > MAX_ESCAPES:
        counted = f"{n_escapes} escapes such as %20; at most {MAX_ESCAPES}"
    else:
        return
    raise InvalidRequest(f"The query has {counted} are allowed.")
