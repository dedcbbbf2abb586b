"""HTTP over one connection that stays open, as light as it gets: it shares the servers' machine."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple, cast

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length: "
_RETRY_AFTER: Final = b"\r\nretry-after: "
_ANSWER_S: Final = 30.0


class Lost(Exception):
    """The request may have been executed or not."""


class NotConnected(Lost):
    """The request was not sent."""


class Answer(NamedTuple):
    """A complete response; without a header, `retry_after_s` is 0."""

    status: int
    retry_after_s: float
    body: bytes


class Connection:
    """One request at a time. It connects again for the next request when it was lost."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._exchange = _Exchange()

    async def ask(self, request: bytes) -> Answer:
        """Return the response.

        Raises:
            Lost: There was none.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_ANSWER_S):
                if not self._exchange.is_open:
                    try:
                        _, self._exchange = await loop.create_connection(_Exchange, *self._address)
                    except OSError as error:
                        raise NotConnected(str(error)) from error
                return await self._exchange.ask(request)
        except TimeoutError:
            self._exchange.close()
            raise Lost(f"no response within {_ANSWER_S} s") from None

    def close(self) -> None:
        self._exchange.close()


class _Exchange(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = _parse(self._received)
        if answer is not None:
            self._received.clear()
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Lost(f"the connection ended: {exc}"))


def _parse(received: bytearray) -> Answer | None:
    """Return a response of a declared length once it is complete."""
    head_end = received.find(_END)
    if head_end < 0:
        return None
    head = bytes(received[:head_end]).lower()
    status = int(head[9:12])
    body = bytes(received[head_end + len(_END) :])
    assert _LENGTH in head or status == 204, f"a response without a length: {head!r}"
    if len(body) < _number(head, _LENGTH):
        return None
    return Answer(status, _number(head, _RETRY_AFTER) if status >= 400 else 0, body)


def _number(head: bytes, name: bytes) -> int:
    _, _, rest = head.partition(name)
    value = rest.partition(b"\r\n")[0].strip()
    return int(value) if value.isdigit() else 0
