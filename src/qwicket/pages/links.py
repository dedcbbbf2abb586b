"""The page of a one-time link: it sets up a server, sets a password, or signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.routing import Open, Route
from qwicket.gateway.links import PAGE
from qwicket.model.errors import Conflict, InvalidRequest
from qwicket.pages.forms import FORM, FORM_BODY, FORM_S, Form, check_form, csrf, form_cookie

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.errors import QwicketError
    from qwicket.pages.handlers import Handlers

_PATH: Final = PAGE.removeprefix("/ui")
_BY_CODE: Final = Open("The code of a link is the credential.")
_TITLES: Final = {
    "set_up": "Set up this server",
    "password": "Set your password",
    "sign_in": "Sign in",
}


def routes(_handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of links."""
    return (
        Route("GET", _PATH, read_link, _BY_CODE, parameters=("code",)),
        Route("POST", _PATH, use_link, _BY_CODE, FORM_BODY),
    )


async def read_link(pages: Handlers, request: Request[None]) -> Response:
    """Read the page of a link, which changes nothing."""
    return await _page(pages, request, request.query_params.get("code", ""))


async def use_link(pages: Handlers, request: Request[Form]) -> Response:
    """Use a link, and sign in."""
    check_form(request, FORM)
    form, address = request.payload, request.client_address
    code, name, password = (form.get(key, "") for key in ("code", "name", "password"))
    try:
        actor = await pages.gateway.links.use(code, address, name=name, password=password)
    except (InvalidRequest, Conflict) as error:
        return await _page(pages, request, code, name, error)
    return await pages.start_session(request, actor)


async def _page(
    pages: Handlers,
    request: Request[Any],
    code: str,
    name: str = "",
    error: QwicketError | None = None,
) -> Response:
    link = await pages.gateway.links.find(code, request.client_address)
    cookie = form_cookie(request)
    response = pages.renderer.page(
        "link",
        200 if error is None else error.status,
        title=_TITLES[link.kind],
        wrong="" if error is None else error.detail,
        kind=link.kind,
        name=link.account or name,
        code=code,
        csrf=csrf(cookie),
    )
    pages.cookies.set(request, response, FORM, cookie, FORM_S)
    return response
