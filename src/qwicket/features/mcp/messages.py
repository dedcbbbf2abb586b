"""Requests and answers of the protocol, and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.dialects.bodies import decode
from qwicket.features.mcp.arguments import decoded
from qwicket.features.mcp.envelope import (
    HANDSHAKE,
    STATELESS,
    VERSION_HEADER,
    Envelope,
    Params,
    headers,
    is_id,
)
from qwicket.features.mcp.tools import TOOLS
from qwicket.model.errors import InvalidRequest, NotFound, QwicketError

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.model.limits import Limits


class RPCError(InvalidRequest):
    """A request that the protocol refuses.

    Attributes:
        rpc_code: Code of JSON-RPC or of the protocol.
        data: What clients read of it.
    """

    rpc_code: int = -32600
    data: dict[str, Any] | None = None

    @classmethod
    def of(cls, rpc_code: int, detail: str, data: dict[str, Any] | None = None) -> RPCError:
        """Return an error of a code; `detail` is for the reader."""
        error = cls(detail)
        error.rpc_code, error.data = rpc_code, data
        return error


@dataclass(frozen=True)
class Message:
    """A request or a notification.

    Attributes:
        method: Its method; empty for an answer to a request, and this server sends none.
        id: Id of a request as JSON text; empty for a notification.
        params: Parameters.
        arguments: Arguments of the tool, decoded; or the error that they have.
    """

    method: str
    id: bytes
    params: Params
    arguments: Any = None


_envelopes: Final = msgspec.json.Decoder(Envelope)
_params: Final = msgspec.json.Decoder(Params)


def message(content: bytes, limits: Limits) -> Message:
    """Return the message in a request's body.

    Raises:
        RPCError: It is no JSON, no object of JSON-RPC 2.0, or its parameters are invalid.
    """
    try:
        envelope = decode(content, _envelopes)
    except InvalidRequest as error:
        is_json = not error.detail.startswith("The body is not")
        raise RPCError.of(-32600 if is_json else -32700, error.detail) from None
    request_id = bytes(envelope.id)
    if request_id and not is_id(request_id):
        raise RPCError.of(-32600, "id must be a number, or a text of at most 255 characters.")
    try:
        params = decode(bytes(envelope.params), _params)
    except InvalidRequest as error:
        raise RPCError.of(-32602, f"params: {error.detail}") from None
    arguments: Any = None
    tool = TOOLS.get(params.name) if envelope.method == "tools/call" else None
    if tool is not None:
        try:
            arguments = decoded(given(params), tool.arguments, limits)
        except QwicketError as error:  # the assistant reads and mends it
            arguments = error
    return Message(envelope.method, request_id, params, arguments)


def given(params: Params) -> bytes:
    """Return the arguments of a tool or prompt; some clients write null for none.

    Raises:
        InvalidRequest: They are no object.
    """
    text = bytes(params.arguments)
    if text == b"null":
        return b"{}"
    if not text.startswith(b"{"):
        raise InvalidRequest("arguments must be an object.", field="arguments")
    return text


def is_stateless(request: Request[Any], message: Message) -> bool:
    """Return whether a request is of the revision without a handshake.

    Raises:
        RPCError: The revision is unknown, or headers and body differ.
    """
    version, said = request.headers.get(VERSION_HEADER, HANDSHAKE[0]), message.params.meta.version
    if version in HANDSHAKE and said != STATELESS:
        return False
    if version not in (STATELESS, *HANDSHAKE):
        data = {"supported": [STATELESS], "requested": version[:64]}
        raise RPCError.of(-32022, "Unsupported protocol version.", data)
    for name, value in headers(message.method, message.params).items():
        if request.headers.get(name) != value:
            raise RPCError.of(-32020, f"The header {name} must repeat the body.")
    if said not in ("", STATELESS):
        raise RPCError.of(-32020, f"The header {VERSION_HEADER} must repeat the body.")
    return True


def error_object(error: QwicketError) -> dict[str, Any]:
    """Return an error as JSON-RPC has it."""
    if isinstance(error, RPCError):
        found: dict[str, Any] = {"code": error.rpc_code, "message": error.detail}
        return found | ({"data": error.data} if error.data is not None else {})
    code = -32602 if isinstance(error, InvalidRequest | NotFound) else -32603
    data = {"code": error.code, "remedy": error.remedy}
    return {"code": code, "message": error.detail, "data": data}


def error_body(error: QwicketError) -> bytes:
    """Return the body of an error of which the request's id is unknown."""
    return reply(b"null", error=error_object(error))


def reply(request_id: bytes, **content: Any) -> bytes:
    """Return an answer to a request, with its id as JSON text."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": msgspec.Raw(request_id), **content})


def status(error: QwicketError) -> int:
    """Return the HTTP status of an error in the revision without a handshake."""
    code = error_object(error)["code"]
    if code in (-32700, -32600, -32602, -32020, -32022):
        return 400
    return 404 if code == -32601 else 200
