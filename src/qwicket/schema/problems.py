"""Error bodies."""

from __future__ import annotations

from qwicket.schema.base import ResponsePart


class Problem(ResponsePart, frozen=True, kw_only=True, omit_defaults=True):
    """An error (RFC 9457): its cause and a remedy.

    Attributes:
        type: Address of the page that explains the code.
        title: Meaning of the code.
        status: HTTP status of the response.
        code: Stable code.
        detail: Cause of this error.
        remedy: What the user can do.
        field: Name of the wrong field, if one field is wrong.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str
    field: str = ""
