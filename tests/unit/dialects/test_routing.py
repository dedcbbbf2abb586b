"""What the framework of dialects does by a route's declaration."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from qwicket.dialects.requests import REFUSAL, RESPONSE_MEMORY, Request
from qwicket.dialects.responses import json
from qwicket.dialects.routing import ANY_TOKEN, Body, Dialect, Open, Route
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES, ResponseMemory
from qwicket.model.accounts import Actor, Scope
from qwicket.model.errors import Conflict, NotFound, QwicketError, Unauthenticated, Unavailable
from qwicket.model.limits import Limits
from qwicket.server.router import Router
from support.response_memory import response_memory

ADA = Actor(
    account="1",
    account_name="Ada",
    role="member",
    project="2",
    token="3",
    scopes=frozenset({Scope.JOBS_READ}),
    devices=frozenset(),
)


class Handlers:
    """Handlers that let in a token that is the dialect's word."""

    word = "new"

    def __init__(self) -> None:
        self.n_sign_ins = 0

    @property
    def limits(self) -> Limits:
        return Limits()

    async def sign_in(self, request: Request[Any]) -> Actor:
        self.n_sign_ins += 1
        if request.token("bearer") != self.word:
            raise Unauthenticated("The token is unknown.")
        return ADA

    async def read_word(self, actor: Actor, request: Request[None]) -> Response:
        """Return which version answers."""
        return json([actor.account_name, self.word])

    async def send_body(self, actor: Actor, request: Request[tuple[str, int]]) -> Response:
        """Return what parsed a body, and its size."""
        return json(request.payload)

    async def fail(self, request: Request[None]) -> Response:
        """Raise one of two errors."""
        raise Conflict("It is so.") if "soft" in request.query_params else NotFound("It is not.")


class OldHandlers(Handlers):
    word = "old"


def parse(text: bytes, _: Limits) -> tuple[str, int]:
    return threading.current_thread().name, len(text)


def soften(error: QwicketError, request: Request[Any]) -> Response | None:
    return json({"path": request.url.path}, 200) if isinstance(error, Conflict) else None


ROUTES = (
    Route("POST", "/auth/token", Handlers.fail, Open("It signs in.")),
    Route("GET", "/secret", Handlers.read_word, ANY_TOKEN),
    Route("POST", "/secret", Handlers.send_body, ANY_TOKEN, Body(parse, inline_bytes=10)),
    Route("GET", "/old/secret", Handlers.read_word, ANY_TOKEN),
    Route("POST", "/secret/write", Handlers.send_body, Scope.JOBS_WRITE, Body(parse)),
    Route("GET", "/failing", Handlers.fail, Open("It fails."), on_error=soften),
)


def answer(
    method: str, path: str, token: str = "", handlers: Handlers | None = None, text: bytes = b""
) -> httpx.Response:
    dialect = Dialect(
        handlers or Handlers(),
        ROUTES,
        lambda error: error.code.encode(),
        hides=("/auth/", "/secret/"),
        versions={"/old/": OldHandlers()},
    )

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(Router({"": dialect}, Limits()))
        async with httpx.AsyncClient(transport=transport, base_url="http://qwicket") as client:
            headers = {"Authorization": f"Bearer {token}"}
            return await client.request(method, path, headers=headers, content=text)

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("method", "path", "stranger", "ada"),
    [
        ("GET", "/secret", 401, 200),
        ("HEAD", "/secret", 401, 200),
        ("PUT", "/secret", 401, 405),
        ("GET", "/secret/nothing", 401, 404),
        ("GET", "/secrets", 404, 404),
        ("GET", "/auth", 401, 404),
        ("GET", "/auth/token", 405, 405),
        ("POST", "/auth/token", 404, 404),
        ("POST", "/failing", 405, 405),
        ("GET", "/nothing", 404, 404),
        ("POST", "/secret/write", 401, 403),
    ],
)
def test_hidden_paths_reveal_nothing_to_other_accounts(
    method: str, path: str, stranger: int, ada: int
) -> None:
    refused = answer(method, path)
    assert refused.status_code == stranger
    assert refused.headers.get("WWW-Authenticate") == ("Bearer" if stranger == 401 else None)
    handlers = Handlers()
    assert answer(method, path, "new", handlers).status_code == ada
    assert handlers.n_sign_ins <= 1


def test_each_version_has_handlers_of_its_own() -> None:
    assert answer("GET", "/secret", "new").json() == ["Ada", "new"]
    assert answer("GET", "/old/secret", "old").json() == ["Ada", "old"]
    assert answer("GET", "/old/secret", "new").status_code == 401


def test_a_body_over_its_bound_is_parsed_in_a_thread() -> None:
    here = threading.current_thread().name
    assert answer("POST", "/secret", "new", text=10 * b"x").json() == [here, 10]
    name, size = answer("POST", "/secret", "new", text=11 * b"x").json()
    assert size == 11
    assert name != here


def test_a_route_may_answer_an_error_itself() -> None:
    assert answer("GET", "/failing?soft=").json() == {"path": "/failing"}
    refused = answer("GET", "/failing")
    assert (refused.status_code, refused.text) == (404, "not_found")


async def answered(
    outcome: QwicketError | bytes | ASGIApp,
    held: ResponseMemory | None = None,
    refusal: QwicketError | None = None,
) -> list[Any]:
    """Return what is sent by a dialect whose one route raises or answers this."""
    held = held or response_memory()

    async def receive() -> Any:
        raise AssertionError("nothing is to be read")

    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append((message, held._budget.held_bytes))

    async def handler(_: Handlers, request: Request[None]) -> ASGIApp:
        if isinstance(outcome, QwicketError):
            raise outcome
        return Response(outcome) if isinstance(outcome, bytes) else outcome

    routes = [Route("GET", "/x", handler, Open("It is public."))]
    dialect = Dialect(Handlers(), routes, lambda error: error.detail.encode())
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], RESPONSE_MEMORY: held}
    await dialect({**scope, REFUSAL: refusal}, receive, send)
    return messages


@pytest.mark.anyio
async def test_a_request_that_the_server_refused_reaches_no_route() -> None:
    (begin, _), *_ = await answered(b"done", refusal=Unavailable("busy"))
    assert begin["status"] == 503


@pytest.mark.anyio
async def test_an_error_is_raised_once_the_response_has_begun() -> None:
    """The server then closes the connection; a second response would look like the first's body."""

    async def broken(scope: ASGIScope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        await answered(broken)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("size", "account", "held_bytes"),
    [
        (SMALL_RESPONSE_BYTES, "ada", 0),
        (SMALL_RESPONSE_BYTES + 1, "ada", SMALL_RESPONSE_BYTES + 1),
        (SMALL_RESPONSE_BYTES + 1, "", 0),
    ],
)
async def test_a_large_answer_made_whole_is_counted_until_it_was_taken(
    size: int, account: str, held_bytes: int
) -> None:
    held = response_memory(account)
    messages = await answered(bytes(size), held)
    assert b"".join(each.get("body", b"") for each, _ in messages) == bytes(size)
    assert {held for _, held in messages} == {held_bytes}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("retry_after_s", "said"), [(0.0, "1"), (0.2, "1"), (1.6, "2"), (30.0, "30")]
)
async def test_no_retry_after_is_zero(retry_after_s: float, said: str) -> None:
    (begin, _), *_ = await answered(Unavailable("busy", retry_after_s=retry_after_s))
    assert begin["status"] == 503
    assert dict(begin["headers"])[b"retry-after"] == said.encode()
