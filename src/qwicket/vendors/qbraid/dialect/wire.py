"""Error bodies of qBraid's API, and the vendor fields that are stored with jobs."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from qwicket.model.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    KeyReused,
    LimitExceeded,
    MethodNotAllowed,
    NotFound,
    NotOffered,
    QwicketError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

DIALECT: Final = "qbraid"
EMPTY: Final = msgspec.Raw(b"{}")


class VendorFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields for qBraid's clients alone; stored with the job, and read by this dialect only.

    Attributes:
        device: QRN of the device; empty until the device is found.
        formats: Name of each program's format, as submitted.
        is_batch: Whether the programs were in a list, even of one.
        objects: Indices of the programs that were sent as JSON objects, not as text.
        tags: Tags as submitted.
        options: Options as submitted.
        n_qubits: Number of qubits, as submitted.
        depth: Depth of the circuit, as submitted.
    """

    device: str = ""
    formats: tuple[str, ...]
    is_batch: bool = False
    objects: tuple[int, ...] = ()
    tags: msgspec.Raw = EMPTY
    options: msgspec.Raw = EMPTY
    n_qubits: int | None = None
    depth: int | None = None

    @property
    def size_bytes(self) -> int:
        """Return the size of the fields that lists show."""
        return len(bytes(self.tags)) + len(bytes(self.options))


_vendor_fields_decoder: Final = msgspec.json.Decoder(VendorFields)


def vendor_fields(document: bytes) -> VendorFields:
    """Return the vendor fields of a job."""
    return _vendor_fields_decoder.decode(document)


# --- errors ---------------------------------------------------------------------------------------

_CODES: Final = (
    (Unauthenticated, "UNAUTHORIZED"),
    (Forbidden, "FORBIDDEN"),
    (NotFound, "NOT_FOUND"),
    (InvalidRequest | LimitExceeded | KeyReused, "VALIDATION_ERROR"),
    (Conflict, "INVALID_STATE"),
    (TooManyRequests, "RATE_LIMITED"),
    (NotOffered, "NOT_IMPLEMENTED"),
    (MethodNotAllowed, "METHOD_NOT_ALLOWED"),
)


def recast(error: QwicketError) -> QwicketError:
    """Return an error, as a conflict if a device is off, because clients would repeat a 503."""
    if isinstance(error, Unavailable) and error.field == "device":
        return Conflict(error.detail, field=error.field)
    return error


def problem(error: QwicketError) -> bytes:
    """Return the body of an error in a shape that all three generations read."""
    code = next((word for kind, word in _CODES if isinstance(error, kind)), error.code.upper())
    inner: dict[str, Any] = {"message": error.detail, "code": code}
    if error.field is not None:
        inner["field"] = error.field
    return msgspec.json.encode({"success": False, "message": error.detail, "error": inner})
