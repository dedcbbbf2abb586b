"""Decode the server's JSON, with errors for responses of other servers."""

from __future__ import annotations

from threading import Lock
from typing import Any, Final, TypeVar

import msgspec

from qwicket import schema
from qwicket.clients.native.errors import UnexpectedResponse

T = TypeVar("T")

_preparing: Final = Lock()
_decoders: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}


class JobsBody(msgspec.Struct, frozen=True):
    jobs: list[dict[str, Any]]
    next: int | None = None


class DevicesBody(msgspec.Struct, frozen=True):
    devices: list[dict[str, Any]]


class WebhooksBody(msgspec.Struct, frozen=True):
    webhooks: list[dict[str, Any]]


class SharesBody(msgspec.Struct, frozen=True):
    shares: list[dict[str, Any]]


class ConfirmationsBody(msgspec.Struct, frozen=True):
    confirmations: list[dict[str, Any]]


class SessionsBody(msgspec.Struct, frozen=True):
    sessions: list[dict[str, Any]]


def decoder(of: type[T]) -> msgspec.json.Decoder[T]:
    """Return the decoder of a type.

    msgspec 0.22 completes a struct type at its first use. If another thread uses the type at this
    moment, the process dies of a segmentation fault. So the first use is here, under a lock.
    """
    found = _decoders.get(of)
    if found is None:
        with _preparing:
            found = _decoders.setdefault(of, msgspec.json.Decoder(of))
    return found


def decode(content: bytes, of: type[T]) -> T:
    """Decode the body of a response.

    Raises:
        UnexpectedResponse: The body does not have the type `of`.
    """
    try:
        return decoder(of).decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = str(error)
    except RecursionError:
        reason = "nested too deeply"
    raise _not_qwicket(reason)


def job(body: dict[str, Any]) -> schema.jobs.JobBody:
    """Return a job's document as its struct.

    Raises:
        UnexpectedResponse: The document does not describe a job.
    """
    return convert(body, schema.jobs.JobBody)


def convert(body: dict[str, Any], of: type[T]) -> T:
    """Convert a document to a struct.

    Raises:
        UnexpectedResponse: The document does not have the type `of`.
    """
    decoder(of)  # completes the type
    try:
        return msgspec.convert(body, of)
    except msgspec.ValidationError as error:
        reason = str(error)
    raise _not_qwicket(reason)


def _not_qwicket(reason: str) -> UnexpectedResponse:
    return UnexpectedResponse(
        f"The response is not one of Qwicket's API ({reason}). Is the address right?"
    )


def problem(content: bytes) -> dict[str, Any]:
    """Decode the document of an error; return {} for another body, such as a proxy's page."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
