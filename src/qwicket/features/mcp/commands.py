"""`qwicket mcp`: the server's tools over standard input and output."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from qwicket.cli import options
from qwicket.clients.http.messages import Request
from qwicket.features.mcp.envelope import STATELESS, Envelope, Params, headers

if TYPE_CHECKING:
    from qwicket.clients.http import HTTPClient
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

    printing, free = Lock(), BoundedSemaphore(_AT_ONCE)
    client = HTTPClient(chosen.url, click.ClickException, url_source=chosen.url_source)

    def answer(line: bytes) -> None:
        try:
            if text := _answer(client, chosen.token, line):
                with printing:
                    sys.stdout.buffer.write(text + b"\n")
                    sys.stdout.buffer.flush()
        finally:
            free.release()

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        while line := sys.stdin.buffer.readline(_MAX_LINE_BYTES + 1):
            if line.strip():
                free.acquire()
                threads.submit(answer, line)
    client.close()


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
    if response.status < 400 or b'"id":null' not in response.content:
        return response.content
    return _error(message_id, *_cause(response.content))


def _read(line: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the id of a message as JSON text, and the headers that repeat what it says.

    The server says what is wrong with a message that cannot be read.
    """
    try:
        message = msgspec.json.decode(line, type=Envelope)
        params = msgspec.json.decode(message.params, type=Params)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b"null", {}
    is_stateless = params.meta.version == STATELESS
    return bytes(message.id), headers(message.method, params) if is_stateless else {}


def _cause(content: bytes) -> tuple[int, str]:
    """Return code and text of an error that has no id, such as that of a wrong token."""
    try:
        error: dict[str, Any] = msgspec.json.decode(content)["error"]
        return int(error["code"]), str(error["message"])
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError):
        return -32603, "The server's answer is not of this protocol."


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
