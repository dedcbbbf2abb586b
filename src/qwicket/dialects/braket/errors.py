"""Errors in the form of AWS's services: JSON for Braket, XML for S3 and STS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final, Literal
from xml.sax.saxutils import escape

import msgspec

from qwicket.model.errors import (
    BodyTooLarge,
    Conflict,
    DeviceOff,
    Forbidden,
    InternalError,
    InvalidRequest,
    KeyReused,
    MethodNotAllowed,
    NotFound,
    NotOffered,
    QwicketError,
    RequestTimeout,
    StorageFull,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.dialects.braket.sigv4 import Service

Refusal = Literal["missing", "incomplete", "unknown", "wrong", "late"]
"""Why a signature is refused: it is absent, it is malformed, its key id is unknown, it does not
match the request or the secret, or its date is too far from now.
"""
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SIGNATURE_CODES: Final[Mapping[Service, Mapping[Refusal, str]]] = {
    "braket": {
        "missing": "MissingAuthenticationTokenException",
        "incomplete": "IncompleteSignatureException",
        "unknown": "UnrecognizedClientException",
        "wrong": "InvalidSignatureException",
        "late": "InvalidSignatureException",
    },
    "sts": {
        "missing": "MissingAuthenticationToken",
        "incomplete": "IncompleteSignature",
        "unknown": "InvalidClientTokenId",
        "wrong": "SignatureDoesNotMatch",
        "late": "SignatureDoesNotMatch",
    },
    "s3": {
        "missing": "AccessDenied",
        "incomplete": "AuthorizationHeaderMalformed",
        "unknown": "InvalidAccessKeyId",
        "wrong": "SignatureDoesNotMatch",
        "late": "RequestTimeTooSkewed",
    },
}
_BRAKET: Final[tuple[tuple[type[QwicketError], str], ...]] = (
    (BodyTooLarge, "ValidationException"),
    (Forbidden, "AccessDeniedException"),
    (NotFound, "ResourceNotFoundException"),
    (MethodNotAllowed, "UnknownOperationException"),
    (Conflict, "ConflictException"),
    (DeviceOff, "DeviceOfflineException"),
    (TooManyRequests, "ThrottlingException"),
    (NotOffered, "NotImplementedException"),
    (Unavailable, "ServiceUnavailableException"),
    (RequestTimeout, "RequestTimeoutException"),
    (StorageFull, "ServiceQuotaExceededException"),
    (InternalError, "InternalServiceException"),
)
_XML: Final[tuple[tuple[type[QwicketError], str], ...]] = (
    (Forbidden, "AccessDenied"),
    (MethodNotAllowed, "MethodNotAllowed"),
    (Conflict, "OperationAborted"),
    (TooManyRequests, "Throttling"),
    (NotOffered, "NotImplemented"),
    (Unavailable, "ServiceUnavailable"),
    (RequestTimeout, "RequestTimeout"),
    (InternalError, "InternalError"),
)


class SignatureRefused(Unauthenticated):
    """AWS refuses a signature with 403 and a code; that of this class is for an unknown key id."""

    status = 403
    refusal: ClassVar[Refusal] = "unknown"


class NoSignature(SignatureRefused):
    refusal = "missing"


class IncompleteSignature(SignatureRefused):
    refusal = "incomplete"


class WrongSignature(SignatureRefused):
    refusal = "wrong"


class LateSignature(SignatureRefused):
    refusal = "late"


class _Offline(DeviceOff):
    status = 424


class _Misused(InvalidRequest):
    """An error that is of another kind here and an invalid request at AWS."""


class _NoBucket(NotFound):
    """The bucket does not exist; S3 has a code of its own for that."""


class _NoKey(NotFound):
    """The object does not exist."""


class RangeRefused(InvalidRequest):
    """The requested range of bytes is outside of the object."""

    status = 416


def no_bucket() -> NotFound:
    return _NoBucket("The specified bucket does not exist.")


def no_key() -> NotFound:
    return _NoKey("The specified key does not exist.")


def recast(error: QwicketError) -> QwicketError:
    """Return an error with the status that AWS's clients expect.

    An unknown device in a body (`field` is set) is an invalid request at Braket, not a 404.
    """
    if isinstance(error, SignatureRefused):
        return error
    if isinstance(error, Unauthenticated):
        return SignatureRefused(error.detail)
    if isinstance(error, DeviceOff):
        return _Offline(error.detail, field=error.field)
    if isinstance(error, KeyReused):
        return _Misused(
            "clientToken: another request has used it with other content.", field="clientToken"
        )
    if isinstance(error, NotFound) and error.field:
        return _Misused(error.detail, field=error.field)
    return error


def braket_body(error: QwicketError) -> bytes:
    """Return the body of an error of Braket."""
    code = _code("braket", error, _BRAKET, "ValidationException")
    body = {"__type": code, "message": error.detail}
    if code == "ValidationException":
        body["reason"] = "Other"
    return msgspec.json.encode(body)


def sts_body(error: QwicketError) -> bytes:
    """Return the body of an error of STS."""
    default = "InvalidAction" if isinstance(error, NotFound) else "ValidationError"
    code = _code("sts", error, _XML, default)
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Type>{'Sender' if error.status < 500 else 'Receiver'}</Type><Code>{code}</Code>"
        f"<Message>{_text(error.detail)}</Message></Error></ErrorResponse>"
    ).encode()


def s3_body(error: QwicketError) -> bytes:
    """Return the body of an error of S3."""
    default = "InvalidRequest"
    if isinstance(error, NotFound):
        default = "NoSuchBucket" if isinstance(error, _NoBucket) else "NoSuchKey"
    elif isinstance(error, RangeRefused):
        default = "InvalidRange"
    elif isinstance(error, TooManyRequests | Unavailable):
        default = "SlowDown"
    code = _code("s3", error, _XML, default)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{_text(error.detail)}</Message></Error>"
    ).encode()


def _text(detail: str) -> str:
    """Return a text escaped for XML, in which control characters are not allowed."""
    return escape(_CONTROL.sub("\ufffd", detail))


def _code(
    service: Service,
    error: QwicketError,
    codes: tuple[tuple[type[QwicketError], str], ...],
    default: str,
) -> str:
    if isinstance(error, SignatureRefused):
        return _SIGNATURE_CODES[service][error.refusal]
    return next((code for kind, code in codes if isinstance(error, kind)), default)
