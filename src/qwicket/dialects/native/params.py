"""Query parameters of the native API's requests."""

from __future__ import annotations

import re
from datetime import date, datetime
from math import inf
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.bodies import invalid
from qwicket.model.budgets import USE_PARTS
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.jobs import JobQuery
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.schema.jobs import SLURM_CHARS, SLURM_NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from starlette.datastructures import QueryParams

    from qwicket.dialects.requests import Request
    from qwicket.model.budgets import UsePart
    from qwicket.model.limits import Limits


_SECONDS: Final = re.compile(r"[0-9]{1,310}(\.[0-9]{1,310})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
"""A number that is not negative, such as 5, 0.5 or 1e3."""
_DEFAULT_PAGE: Final = 50
_is_slurm_name: Final = re.compile(SLURM_NAME).fullmatch

SEARCH: Final = (
    "created_from",
    "created_to",
    "device",
    "dialect",
    "group",
    "name",
    "state",
    "tag",
)
"""Parameters that select jobs in lists."""


def query(params: QueryParams, limits: Limits, also: Sequence[str] = ()) -> JobQuery:
    """Return the query of a list of jobs.

    Args:
        params: Parameters of the request.
        limits: Limits of the server.
        also: Names of other parameters, which the caller reads.

    Raises:
        InvalidRequest: A parameter is unknown or malformed; `field` names it.
        LimitExceeded: The query names too many tags.
    """
    _check_texts(params, {"before", "limit", *SEARCH, *also})
    before, limit = page(params, limits.requests.list_page)
    tags = params.getlist("tag")
    if len(tags) > limits.requests.tags:
        raise LimitExceeded(f"tag: at most {limits.requests.tags} (limit tags).", field="tag")
    return JobQuery(
        dialect=params.get("dialect"),
        device=params.get("device"),
        group=params.get("group"),
        name=params.get("name"),
        tags=tuple(tags),
        states=states(params.get("state")),
        created_from=instant(params, "created_from") or 0,
        created_to=INT64_MAX if (to := instant(params, "created_to")) is None else to,
        before=before,
        limit=limit,
    )


def _check_texts(params: QueryParams, allowed: Collection[str]) -> None:
    """Reject unknown parameters, and NUL, which PostgreSQL cannot store."""
    for name, value in params.multi_items():
        if name not in allowed:
            known = ", ".join(sorted(allowed))
            detail = f"There is no parameter {name!r}. The parameters are {known}."
            raise InvalidRequest(detail, field=name)
        if "\0" in value:
            raise InvalidRequest(f"{name}: contains a NUL character.", field=name)


def states(text: str | None) -> tuple[JobState, ...]:
    """Return the states in a text, separated by commas; empty if there is no text.

    Raises:
        InvalidRequest: There is no such state.
    """
    if text is None:
        return ()
    try:
        return tuple(JobState(word) for word in text.split(","))
    except ValueError:
        known = ", ".join(JobState)
        raise invalid(f"state must be one of {known}", text, "state") from None


def integer(params: Mapping[str, str], name: str, *, minimum: int, maximum: int) -> int | None:
    """Return a query parameter as an integer; None if it is absent.

    Raises:
        InvalidRequest: The text is not an integer, or out of range.
    """
    text = params.get(name)
    if text is None:
        return None
    if not (
        text.isascii() and text.isdigit() and len(text) < 20 and minimum <= int(text) <= maximum
    ):
        raise invalid(f"{name} must be an integer from {minimum} to {maximum}", text, name)
    return int(text)


def seconds(params: Mapping[str, str], name: str, maximum: float) -> float:
    """Return a query parameter in seconds: 0 if it is absent, and at most `maximum`.

    Raises:
        InvalidRequest: The text is not a number.
    """
    text = params.get(name, "0")
    value = float(text) if _SECONDS.fullmatch(text) else inf
    if value == inf:
        raise invalid(f"{name} must be a number of seconds", text, name)
    return min(value, maximum)


def wait_s(request: Request[Any], maximum: float) -> tuple[float, bool]:
    """Return the seconds that a request may wait, and whether they are from its header `Prefer`.

    The parameter `wait` takes precedence. As RFC 7240 requires, preferences that are unknown or
    malformed are ignored.

    Raises:
        InvalidRequest: The parameter is not a number.
    """
    if "wait" in request.query_params:
        return seconds(request.query_params, "wait", maximum), False
    for preference in request.list_header("Prefer"):
        name, _, value = preference.partition(";")[0].partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "wait" and _SECONDS.fullmatch(value):
            return min(float(value), maximum), True
    return 0.0, False


def choice(params: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """Return a query parameter that must be one of `choices`; by default the first.

    Raises:
        InvalidRequest: It is another value.
    """
    text = params.get(name, choices[0])
    if text not in choices:
        raise invalid(f"{name} must be {' or '.join(choices)}", text, name)
    return text


def use_parts(params: Mapping[str, str], default: str) -> tuple[UsePart, ...]:
    """Return what the use of jobs is grouped by: the parameter `by`, names with commas.

    Raises:
        InvalidRequest: A name is unknown, or there twice.
    """
    text = params.get("by", default)
    names = text.split(",")
    found = tuple(part for name in names for part in USE_PARTS if part == name)
    if len(set(found)) < len(names):
        raise invalid(f"by must be some of {', '.join(USE_PARTS)}, with commas", text, "by")
    return found


def slurm_name(headers: Mapping[str, str], header: str) -> str | None:
    """Return the name of a job or an account of Slurm in a header, if the client sends it.

    Raises:
        InvalidRequest: It is too long, or has other characters than such names.
    """
    text = headers.get(header)
    if text is not None and not _is_slurm_name(text):
        raise InvalidRequest(
            f"{header} must be 1 to {SLURM_CHARS} letters, digits, or any of . _ + @ - after the"
            f" first, not {text[:SLURM_CHARS]!r}.",
            field=header,
        )
    return text


def is_included(params: Mapping[str, str], name: str) -> bool:
    """Return whether the parameter `include` has the value `name`.

    Raises:
        InvalidRequest: `include` has another value.
    """
    text = params.get("include")
    if text not in (None, name):
        raise invalid(f"include must be {name}", text, "include")
    return text is not None


def is_mitigated(params: Mapping[str, str]) -> bool:
    """Return whether the parameter `mitigation` is `readout`.

    Raises:
        InvalidRequest: `mitigation` has another value.
    """
    text = params.get("mitigation")
    if text not in (None, "readout"):
        raise invalid("mitigation must be readout", text, "mitigation")
    return text is not None


def instant(params: Mapping[str, str], name: str) -> int | None:
    """Return a query parameter, a time, as Unix milliseconds; None if it is absent.

    Raises:
        InvalidRequest: The text is not a time in ISO 8601 with an offset from UTC.
    """
    text = params.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError
        return round(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        example = "2026-01-31T12:00:00Z"
        raise invalid(f"{name} must be a time such as {example}", text, name) from None


def day(params: Mapping[str, str], name: str) -> date | None:
    """Return a query parameter as a day; None if it is absent.

    Raises:
        InvalidRequest: The text is not a day in ISO 8601.
    """
    text = params.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid(f"{name} must be a day such as 2026-01-31", text, name) from None


def page(params: Mapping[str, str], maximum: int) -> tuple[int | None, int]:
    """Return `before` (None for the first page) and `limit` of a list.

    Raises:
        InvalidRequest: A parameter is malformed.
    """
    before = integer(params, "before", minimum=1, maximum=INT64_MAX)
    limit = integer(params, "limit", minimum=1, maximum=maximum)
    return before, min(_DEFAULT_PAGE, maximum) if limit is None else limit
