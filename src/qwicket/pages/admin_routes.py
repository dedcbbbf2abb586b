"""The routes of administrators' pages, whose module is imported with the first request."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from qwicket.dialects.routing import Late, Route
from qwicket.model.accounts import Scope
from qwicket.pages.forms import FORM_BODY

if TYPE_CHECKING:
    from qwicket.pages.handlers import Handlers

_late = partial(Late, "qwicket.pages.admin")
_PARAMETERS: Final = (
    *("q", "which", "after", "before", "from", "to", "by", "show", "done", "action", "account"),
    *("project", "device", "state", "tag", "name", "dialect", "created_from", "created_to"),
    *("client", "below_from"),
)
"""Parameters of the pages: of lists, of usage, and of the lists' files, as `/v1/admin` has them."""


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of administrators' pages."""
    admin, back, given = Scope.ADMIN, handlers.to_sign_in, _PARAMETERS
    read, execute = _late("read_page"), _late("execute")
    return (
        Route("GET", "/admin", _late("read_overview"), admin, parameters=("done",), on_error=back),
        Route(
            "GET", "/admin/{page}.csv", _late("read_csv"), admin, parameters=given, on_error=back
        ),
        Route(
            "GET", "/admin/usage.json", _late("read_json"), admin, parameters=given, on_error=back
        ),
        Route("GET", "/admin/{page}", read, admin, parameters=given, on_error=back),
        Route("GET", "/admin/{page}/{name}", read, admin, parameters=given, on_error=back),
        Route("POST", "/admin/{page}", execute, admin, FORM_BODY, parameters=given),
        Route("POST", "/admin/{page}/{name}", execute, admin, FORM_BODY, parameters=given),
    )
