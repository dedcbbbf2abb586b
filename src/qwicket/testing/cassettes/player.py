"""Answer requests from a cassette."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from qwicket.testing.cassettes.listening import body_of, cut, drop
from qwicket.testing.cassettes.matching import differences
from qwicket.testing.cassettes.tape import ORIGIN, Body, RecordedRequest

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from qwicket.testing.cassettes.tape import Cassette, RecordedResponse

_REFUSED: Final = 400
"""Status for requests that do not match: most clients do not repeat a request after it."""
_WITHOUT_LENGTH: Final = (204, 304)
"""Statuses whose responses have no header Content-Length."""


class Player:
    """ASGI application that answers from a cassette.

    Args:
        cassette: The recording.
        strict: Whether requests must come in the recorded order with the recorded queries and
            bodies. Otherwise each request gets an unused response to its method and path: one to
            the same query and body if the cassette has any, else the closest. When all of these
            were used, the last is sent again.

    Attributes:
        problems: A text for each request that did not match, in their order.
    """

    def __init__(self, cassette: Cassette, *, strict: bool = True) -> None:
        self._exchanges = cassette.exchanges
        self._strict = strict
        self._next = 0
        self._used: Counter[int] = Counter()
        self.problems: list[str] = []

    def missing(self) -> list[str]:
        """Return the requests that a strict replay still waits for."""
        if not self._strict:
            return []
        return [
            f"Request {number} was not sent: {each.request.method} {each.request.path}"
            for number, each in enumerate(self._exchanges[self._next :], self._next + 1)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in scope["headers"]}
        sent = RecordedRequest(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=Body.of(await body_of(receive)),
        )
        response = self._next_response(sent) if self._strict else self._best_response(sent)
        if response is None:
            await _refuse(send, self.problems[-1])
        else:
            server = scope["server"]
            await _replay(response, f"http://{server[0]}:{server[1]}", send)

    def _next_response(self, sent: RecordedRequest) -> RecordedResponse | None:
        number = self._next + 1
        if self._next >= len(self._exchanges):
            self.problems.append(
                f"The cassette has {len(self._exchanges)} requests; a further one came:"
                f" {sent.method} {sent.path}"
            )
            return None
        expected = self._exchanges[self._next]
        if found := differences(expected.request, sent):
            lines = "".join(f"\n  {each}" for each in found)
            self.problems.append(f"Request {number} is not as it was recorded:{lines}")
            return None
        self._next += 1
        return expected.response

    def _best_response(self, sent: RecordedRequest) -> RecordedResponse | None:
        alike = [
            (differences(each.request, sent), number) for number, each in enumerate(self._exchanges)
        ]
        fitting = [
            (len(found), self._used[number], number)
            for found, number in alike
            if not any(each.where in ("method", "path") for each in found)
        ]
        if not fitting:
            self.problems.append(
                f"The cassette has no response to {sent.method} {sent.path}; it has:"
                + "".join(f"\n  {each}" for each in self._calls())
            )
            return None
        exact = [each for each in fitting if each[0] == 0] or fitting
        unused = [each for each in exact if each[1] == 0]
        # The first that was not used yet. When all were used, the last again, as in a poll.
        number = min(unused)[2] if unused else max(number for *_, number in exact)
        self._used[number] += 1
        return self._exchanges[number].response

    def _calls(self) -> list[str]:
        calls = (f"{each.request.method} {each.request.path}" for each in self._exchanges)
        return [*dict.fromkeys(calls)]


async def _replay(response: RecordedResponse, url: str, send: Send) -> None:
    if response.status == 0:
        await drop(send)
        return
    content = response.body.content.replace(ORIGIN.encode(), url.encode())
    headers = [
        (name.encode("latin-1"), value.replace(ORIGIN, url).encode("latin-1"))
        for name, value in response.headers.items()
    ]
    if response.status not in _WITHOUT_LENGTH:
        length = len(content) + response.is_cut  # more than is sent, so that the client notices
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": response.is_cut})
    if response.is_cut:
        await cut(send)


async def _refuse(send: Send, text: str) -> None:
    body = msgspec.json.encode(dict.fromkeys(("error", "message", "detail", "title"), text))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": _REFUSED, "headers": headers})
    await send({"type": "http.response.body", "body": body})
