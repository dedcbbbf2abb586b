"""Forms and cookies of the pages, and what protects them from other sites.

A form has a hidden field that is derived from a cookie of the same browser. Another site can make
the browser send the cookie, but it cannot read it, so it does not know the field.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from qwicket.dialects.routing import Body
from qwicket.dialects.validation import SMALL_FORM_BYTES
from qwicket.model.errors import Forbidden, InvalidRequest, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor, Theme
    from qwicket.model.limits import Limits

Row = TypeVar("Row")
SESSION: Final = "qwicket_session"
FORM: Final = "qwicket_form"
PROVIDER: Final = "qwicket_provider"
NEXT: Final = "qwicket_next"
THEME: Final = "qwicket_theme"
"""Cookies: of a session, of the forms of a browser without a session, of a sign-in that has begun
at the identity provider, the path of the page that follows the next sign-in, and the theme for the
pages under `/docs`, which know no session."""
FORM_S: Final = 3_600.0
"""Life in seconds of the cookies of a browser's forms and of its next page."""
_PATH: Final = re.compile(r"/[\w-]+(/[\w-]+)*(\?[\w=&%-]*)?", re.ASCII)
_MAX_PATH_CHARS: Final = 200
_MAX_FIELDS: Final = 64
_MAX_BYTES: Final = 2 << 20
"""The longest program of the editor takes 1.2 MB with its escapes. Of 16 MB that are all escapes,
the list of 5 million parts would keep the garbage collection, which runs on the event loop."""
_MAX_COOKIE_CHARS: Final = 64
_FIELD: Final = "csrf"
_OWN_SITES: Final = (None, "same-origin", "none")
"""Accepted values of Sec-Fetch-Site. Old browsers do not send it; "none" is a request without a
page before it, as after a typed address."""


class Form(dict[str, str]):
    """Fields of a form. As a mapping it has the last of several fields with one name."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__(fields)
        self._fields = fields

    def all(self, name: str) -> list[str]:
        """Return the values of all fields with a name."""
        return [value for key, value in self._fields if key == name]


def _form(content: bytes, _limits: Limits) -> Form:
    """Return the fields of a form.

    Raises:
        LimitExceeded: The body is too long.
        InvalidRequest: The body is not a form, has too many fields, or a value contains a NUL.
    """
    if len(content) > _MAX_BYTES:
        raise LimitExceeded(f"The form has {len(content)} bytes; at most {_MAX_BYTES} are allowed.")
    try:
        fields = parse_qsl(
            content.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise InvalidRequest(
            f"The body must be a form of at most {_MAX_FIELDS} fields in UTF-8."
        ) from None
    for name, value in fields:
        if "\0" in value:
            raise InvalidRequest(f"The field {name[:100]!r} contains a NUL.", field=name[:100])
    return Form(fields)


FORM_BODY: Final = Body(_form, dict[str, str], inline_bytes=SMALL_FORM_BYTES)


def form_cookie(request: Request[Any]) -> str:
    """Return the cookie of the browser's forms, or a new one."""
    found = request.cookies.get(FORM, "")
    return found if 20 <= len(found) <= _MAX_COOKIE_CHARS else secrets.token_urlsafe(32)


def next_path(request: Request[Any]) -> str:
    """Return the path, below that of the pages, which follows a sign-in; empty for the overview."""
    found = request.cookies.get(NEXT, "")
    return found if len(found) <= _MAX_PATH_CHARS and _PATH.fullmatch(found) else ""


def csrf(cookie: str) -> str:
    """Return the value of the hidden field of forms in a browser with this cookie."""
    return hashlib.sha256(f"csrf {cookie}".encode()).hexdigest()


def frame(actor: Actor, request: Request[Any]) -> dict[str, Any]:
    """Return the template values that every page of a signed-in person needs."""
    return {
        "csrf": csrf(request.cookies[SESSION]),
        "person": actor.account_name,
        "is_admin": actor.role == "admin",
        "theme": actor.preferences.theme or "",
        "zone": zone_of(actor),
    }


def zone_of(actor: Actor) -> tzinfo:
    """Return the time zone in which a person reads times."""
    name = actor.preferences.time_zone
    try:
        return UTC if name is None else ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # the zone was named at another server
        return UTC


def check_form(request: Request[Form], cookie_name: str) -> None:
    """Refuse a form that another site has sent.

    Raises:
        Forbidden: Its hidden field does not belong to the browser's cookie, or the browser says
            that another site has sent it.
    """
    cookie = request.cookies.get(cookie_name, "")
    given = request.payload.get(_FIELD, "")
    is_ours = bool(cookie) and hmac.compare_digest(csrf(cookie).encode(), given.encode())
    if not is_ours or request.headers.get("sec-fetch-site") not in _OWN_SITES:
        raise Forbidden("This form has expired, or is not from this site. Load the page again.")


class ListPage(NamedTuple, Generic[Row]):
    """The rows of a list that a page shows.

    Attributes:
        rows: The rows.
        parameter: Parameter of the query with the index of the first row.
        previous: Index of the first row of the page before; None on the first page.
        following: Index of the first row of the page after; None on the last page.
    """

    rows: Sequence[Row]
    parameter: str
    previous: int | None
    following: int | None


def list_page(
    request: Request[Any], rows: Sequence[Row], count: int, parameter: str = "from"
) -> ListPage[Row]:
    """Return up to `count` rows of a list, from the index that a parameter of the query has."""
    given = request.query_params.get(parameter, "")
    first = int(given) if given.isdecimal() and len(given) < 10 else 0
    end = first + count
    previous = max(0, first - count) if first else None
    return ListPage(rows[first:end], parameter, previous, end if len(rows) > end else None)


class Cookies:
    """Sets and deletes cookies.

    Args:
        base: Path of the pages; the browser sends cookies nowhere else, but `THEME` to `/docs`.
        is_secure: Whether the public address of the server begins with `https`.
    """

    def __init__(self, base: str, *, is_secure: bool) -> None:
        self._base = base
        self._docs = f"{base.removesuffix('/ui')}/docs"
        self._is_secure = is_secure

    def set(
        self, request: Request[Any], response: Response, name: str, value: str, life_s: float
    ) -> None:
        """Set a cookie that no script reads and that POST forms of other sites do not send."""
        response.set_cookie(
            name,
            value,
            max_age=round(life_s),
            path=self._docs if name == THEME else self._base,
            secure=self._is_secure or request.scope["scheme"] == "https",
            httponly=True,
            samesite="lax",
        )

    def set_theme(
        self, request: Request[Any], response: Response, theme: Theme | None, life_s: float
    ) -> None:
        """Set the theme of the pages under `/docs`; None leaves it to the browser."""
        self.set(request, response, THEME, theme or "", life_s if theme else 0)

    def delete(self, request: Request[Any], response: Response, name: str) -> None:
        """Delete a cookie."""
        self.set(request, response, name, "", 0)
