"""`qwicket mcp`: the server's tools over standard input and output."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any, Final, Literal

import click
import msgspec

from qwicket.cli import options
from qwicket.clients.http.messages import Request
from qwicket.features.mcp.envelope import STATELESS, Envelope, Params, headers, is_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.clients.http import HTTPClient, Response
    from qwicket.clients.native.config import Settings

_AT_ONCE: Final = 8
"""Messages that are passed on together, so that a wait holds up no other."""
_MAX_LINE_BYTES: Final = 16 << 20
_LIMIT_S: Final = 60.0


@click.command(short_help="Offer the server's devices to an assistant.")
@options.server_settings
def mcp(chosen: Settings) -> None:
    """Offer the server's tools to a program that speaks MCP over its pipes.

    Each line of standard input is a message and goes to the server's /mcp, and each line of
    standard output is an answer. Editors and chat applications start this command.
    """
    from qwicket.clients.http import HTTPClient
    from qwicket.clients.http.text import validated_header

    token = validated_header(chosen.token, "token", click.ClickException)
    printing, free = Lock(), BoundedSemaphore(_AT_ONCE)
    client = HTTPClient(chosen.url, click.ClickException, url_source=chosen.url_source)

    def answer(line: bytes) -> None:
        try:
            if text := _answer(client, token, line):
                with printing:
                    sys.stdout.buffer.write(text + b"\n")
                    sys.stdout.buffer.flush()
        finally:
            free.release()

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for line in _lines():
            free.acquire()
            threads.submit(answer, line)
    client.close()


def _lines() -> Iterator[bytes]:
    """Yield the lines of standard input; of one that is too long only the beginning."""
    read = sys.stdin.buffer.readline
    while line := read(_MAX_LINE_BYTES + 1):
        rest = line
        while len(rest) > _MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = read(_MAX_LINE_BYTES + 1)
        if line.strip():
            yield line


def _answer(client: HTTPClient, token: str, line: bytes) -> bytes:
    """Pass a message on; return the answer, empty for a notification."""
    from qwicket.clients.http import InvalidResponse, NoResponse

    if len(line) > _MAX_LINE_BYTES:
        return _error(b"null", -32600, f"A message has at most {_MAX_LINE_BYTES:,} bytes.")
    message_id, about = _read(line)
    about |= {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = Request(
        *("POST", "/mcp", about, line, _LIMIT_S),
        secrets=(token,),
        can_repeat=False,
        can_be_empty=True,
    )
    try:
        response = client.exchange(request)
    except (NoResponse, InvalidResponse) as error:
        return _error(message_id, -32603, str(error))
    if not response.content and response.status < 300:
        return b""
    return _checked(response, message_id)


def _read(line: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the id of a message as JSON text, and the headers that repeat what it says.

    The server says what is wrong with a message that cannot be read.
    """
    try:
        message = msgspec.json.decode(line, type=Envelope)
        params = msgspec.json.decode(message.params, type=Params)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b"null", {}
    message_id = bytes(message.id)
    if message_id and not is_id(message_id):
        message_id = b"null"
    if params.meta.version != STATELESS:
        return message_id, {}
    found = headers(message.method, params).items()
    # No header can hold the others, and the server refuses a message without its headers.
    return message_id, {k: text for k, text in found if text.isascii() and text.isprintable()}


class _Cause(msgspec.Struct, frozen=True):
    """Why a message was refused."""

    code: int
    message: str


class _Reply(msgspec.Struct, frozen=True):
    """An answer of the server, with the parts that are read here."""

    jsonrpc: Literal["2.0"]
    id: Any
    error: _Cause | None = None


def _checked(response: Response, message_id: bytes) -> bytes:
    """Return an answer as one line; hosts read nothing else.

    An error without an id, such as that of a wrong token, gets that of the message. An error
    replaces the page of a proxy.
    """
    try:
        reply = msgspec.json.decode(response.content, type=_Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        status = f"the answer with status {response.status} is not of this protocol"
        return _error(message_id, -32603, f"{status}; a proxy may have sent it.")
    if reply.id is None and reply.error is not None:
        return _error(message_id, reply.error.code, reply.error.message)
    return b"".join(response.content.splitlines())


def _error(message_id: bytes, code: int, text: str) -> bytes:
    """Return an error as an answer; empty for a notification, which has none."""
    if not message_id:
        return b""
    return msgspec.json.encode(
        {
            "jsonrpc": "2.0",
            "id": msgspec.Raw(message_id),
            "error": {"code": code, "message": text},
        }
    )
