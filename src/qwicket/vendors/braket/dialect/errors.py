"""Errors in the form of AWS's services: JSON for Braket, XML for S3 and STS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal
from xml.sax.saxutils import escape

import msgspec

from qwicket.model.errors import (
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


Service = Literal["braket", "s3", "sts"]

Refusal = Literal["missing", "incomplete", "unknown", "wrong", "skewed"]
"""Why a signature is refused: it is absent, it is malformed, its key id is unknown, it does not
match the request or the secret, or its date is too long ago or ahead.
"""
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SIGNATURE_CODES: Final[Mapping[Service, Mapping[Refusal, str]]] = {
    "braket": {
        "missing": "MissingAuthenticationTokenException",
        "incomplete": "IncompleteSignatureException",
        "unknown": "UnrecognizedClientException",
        "wrong": "InvalidSignatureException",
        "skewed": "InvalidSignatureException",
    },
    "sts": {
        "missing": "MissingAuthenticationToken",
        "incomplete": "IncompleteSignature",
        "unknown": "InvalidClientTokenId",
        "wrong": "SignatureDoesNotMatch",
        "skewed": "SignatureDoesNotMatch",
    },
    "s3": {
        "missing": "AccessDenied",
        "incomplete": "AuthorizationHeaderMalformed",
        "unknown": "InvalidAccessKeyId",
        "wrong": "SignatureDoesNotMatch",
        "skewed": "RequestTimeTooSkewed",
    },
}
_MEMBER: Final = re.compile(r"programs\[([0-9]+)\](?:\.inputs\[([0-9]+)\])?")
"""Field of an error that is in one program of a program set."""
_Codes = tuple[tuple[type[QwicketError], str], ...]
"""Codes of a service. The first class that fits an error counts, so subclasses stand first."""
_BRAKET_CODES: Final[_Codes] = (
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
_STS_CODES: Final[_Codes] = (
    (Forbidden, "AccessDenied"),
    (NotFound, "InvalidAction"),  # of an unknown path
    (MethodNotAllowed, "MethodNotAllowed"),
    (TooManyRequests, "Throttling"),
    (NotOffered, "NotImplemented"),
    (Unavailable, "ServiceUnavailable"),
    (RequestTimeout, "RequestTimeout"),
    (InternalError, "InternalError"),
)


class SignatureRefused(Unauthenticated):
    """The signature is refused: AWS responds with 403 and a code for each `Refusal`.

    This class itself is for a key id that is unknown or cannot be used; its subclasses are for the
    other reasons.
    """

    status = 403
    refusal: ClassVar[Refusal] = "unknown"


class NoSignature(SignatureRefused):
    refusal = "missing"


class IncompleteSignature(SignatureRefused):
    refusal = "incomplete"


class WrongSignature(SignatureRefused):
    refusal = "wrong"


class SkewedSignature(SignatureRefused):
    refusal = "skewed"


class _Offline(DeviceOff):
    status = 424  # of DeviceOfflineException at AWS


class _InvalidAtAWS(InvalidRequest):
    """An error that Qwicket classifies otherwise, and AWS as an invalid request."""


class _NoBucket(NotFound):
    """The bucket does not exist; S3 has a code of its own for that."""


class _InvalidArgument(InvalidRequest):
    """A parameter of a request is malformed; S3 has a code of its own for that."""


class RangeRefused(InvalidRequest):
    """The requested range of bytes is outside of the object."""

    status = 416


_S3_CODES: Final[_Codes] = (
    (Forbidden, "AccessDenied"),
    (_NoBucket, "NoSuchBucket"),
    (NotFound, "NoSuchKey"),
    (MethodNotAllowed, "MethodNotAllowed"),
    (Conflict, "OperationAborted"),
    (RangeRefused, "InvalidRange"),
    (_InvalidArgument, "InvalidArgument"),
    (TooManyRequests, "SlowDown"),
    (NotOffered, "NotImplemented"),
    (Unavailable, "SlowDown"),
    (RequestTimeout, "RequestTimeout"),
    (InternalError, "InternalError"),
)


def no_bucket() -> NotFound:
    return _NoBucket("The specified bucket does not exist.")


def no_key() -> NotFound:
    return NotFound("The specified key does not exist.")


def invalid_argument(detail: str) -> InvalidRequest:
    return _InvalidArgument(detail)


def recast(error: QwicketError) -> QwicketError:
    """Return an error with the status that AWS's clients expect.

    Something unknown that a field names (`field` is set), such as a device, is an invalid request
    at Braket, not a 404.
    """
    if isinstance(error, SignatureRefused):
        return error
    if isinstance(error, Unauthenticated):
        return SignatureRefused(error.detail)
    if isinstance(error, DeviceOff):
        return _Offline(error.detail, field=error.field)
    if isinstance(error, KeyReused):
        return _InvalidAtAWS(
            "clientToken: another request has used it with other content.", field="clientToken"
        )
    if isinstance(error, NotFound) and error.field:
        return _InvalidAtAWS(error.detail, field=error.field)
    return error


def braket_body(error: QwicketError) -> bytes:
    """Return the body of an error of Braket."""
    code = _code("braket", error, _BRAKET_CODES, "ValidationException")
    body: dict[str, Any] = {"__type": code, "message": error.detail}
    if code == "ValidationException":
        failed = _MEMBER.fullmatch(error.field or "")
        if failed is not None:
            body["reason"] = "ProgramSetValidationFailed"
            body["message"] = f"{failed[0]}: {error.detail}"
            places = {"programIndex": failed[1], "inputsIndex": failed[2]}
            numbers = {name: int(place) for name, place in places.items() if place}
            body["programSetValidationFailures"] = [{**numbers, "errors": [error.detail]}]
    return msgspec.json.encode(body)


def sts_body(error: QwicketError) -> bytes:
    """Return the body of an error of STS."""
    code = _code("sts", error, _STS_CODES, "ValidationError")
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Type>{'Sender' if error.status < 500 else 'Receiver'}</Type><Code>{code}</Code>"
        f"<Message>{xml_text(error.detail)}</Message></Error></ErrorResponse>"
    ).encode()


def s3_body(error: QwicketError) -> bytes:
    """Return the body of an error of S3."""
    code = _code("s3", error, _S3_CODES, "InvalidRequest")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{xml_text(error.detail)}</Message></Error>"
    ).encode()


def xml_text(text: str) -> str:
    """Return a text escaped for XML; U+FFFD replaces characters that XML does not allow."""
    return escape(_CONTROL.sub("\ufffd", text))


def _code(
    service: Service,
    error: QwicketError,
    codes: _Codes,
    default: str,
) -> str:
    if isinstance(error, SignatureRefused):
        return _SIGNATURE_CODES[service][error.refusal]
    return next((code for kind, code in codes if isinstance(error, kind)), default)
