"""Request bodies of sign-in and search, and the bodies of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from starlette.responses import Response

from qwicket.dialects.bodies import small_form
from qwicket.model.errors import QwicketError, Unauthenticated
from qwicket.vendors.ibm.dialect import wire as ibm
from qwicket.vendors.ibm.dialect.runtime.wire import FIELD_NAMES

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.model.budgets import BudgetState
    from qwicket.model.limits import Limits

KEY_GRANT: Final = "urn:ibm:params:oauth:grant-type:apikey"
REFRESH_GRANT: Final = "refresh_token"
_BAD_KEY: Final = "BXNIM0415E"
"""IBM's code for an unknown API key."""


class Grant(NamedTuple):
    """Form that requests an access token; a missing field is empty."""

    type: str
    key: str
    refresh_token: str


class SearchBody(msgspec.Struct, frozen=True):
    """`POST /search/v3/resources/search`. Other keys are ignored: there is only one page."""

    query: str = ""


def grant(body: bytes, limits: Limits) -> Grant:
    """Return the grant in a form that requests an access token.

    Raises:
        LimitExceeded: The form is too large or has too many fields.
    """
    fields = small_form(body, limits)
    names = ("grant_type", "apikey", "refresh_token")
    return Grant(*(fields.get(name, "") for name in names))


def problem(error: QwicketError) -> bytes:
    """Return the body of an error."""
    return msgspec.json.encode(_problem(error))


def _problem(error: QwicketError) -> dict[str, Any]:
    refusal = {"code": ibm.number(error.code), "message": ibm.message(error, FIELD_NAMES)}
    return {"errors": [refusal], "error": refusal}


def refused_key(error: QwicketError, _: Request[Any]) -> Response | None:
    """Return IBM's response to a wrong API key or refresh token; None for another error."""
    if not isinstance(error, Unauthenticated):
        return None
    body = {**_problem(error), "errorCode": _BAD_KEY, "errorMessage": error.detail}
    return Response(msgspec.json.encode(body), 400, media_type="application/json")


def usage_limit(budget: BudgetState | None) -> dict[str, Any]:
    """Return the limit and the use of a budget of seconds; {} without a budget."""
    if budget is None:
        return {}
    return {
        "usage_consumed_seconds": budget.used,
        "usage_limit_seconds": budget.maximum,
        "usage_limit_reached": budget.left <= 0,
    }
