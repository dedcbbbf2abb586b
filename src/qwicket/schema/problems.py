"""Refusals and failures."""

from __future__ import annotations

from qwicket.schema.base import Record


class Problem(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A refusal or failure (RFC 9457): what is wrong, and what helps.

    Attributes:
        type: Where its code is explained.
        title: What the code means.
        status: That of the answer.
        code: Stable.
        detail: What is wrong this time.
        remedy: What helps.
        field: Where the request is wrong, if one field is.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str
    field: str = ""
