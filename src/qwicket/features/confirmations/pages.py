"""The page on which a person confirms or refuses a job of an assistant."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.routing import Route
from qwicket.features.confirmations.service import Confirmations
from qwicket.model.accounts import Scope
from qwicket.model.errors import Conflict, InvalidRequest
from qwicket.model.ids import parse_id
from qwicket.pages.forms import FORM_BODY, FORM_S, NEXT, SESSION, Form, check_form, frame

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.errors import QwicketError
    from qwicket.pages.handlers import Handlers

_ANSWERS: Final = {"confirm": True, "refuse": False}


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of confirmations."""
    path, write, back = "/confirmations/{id}", Scope.JOBS_WRITE, partial(_to_sign_in, handlers)
    return (
        Route("GET", path, read_confirmation, write, on_error=back),
        Route("POST", path, answer_confirmation, write, FORM_BODY),
    )


async def read_confirmation(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read what a token asks its owner."""
    return await _page(pages, actor, request)


async def answer_confirmation(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Confirm or refuse a job."""
    check_form(request, SESSION)
    id, answer = request.path_params["id"], request.payload.get("answer", "")
    if answer not in _ANSWERS:
        raise InvalidRequest("answer must be confirm or refuse.", field="answer")
    confirmations = pages.gateway.feature(Confirmations)
    try:
        await confirmations.answer(actor, id, is_confirmed=_ANSWERS[answer])
    except Conflict as error:
        return await _page(pages, actor, request, error)
    return pages.redirect(f"/confirmations/{id}")


async def _page(
    pages: Handlers, actor: Actor, request: Request[Any], error: QwicketError | None = None
) -> Response:
    confirmations = pages.gateway.feature(Confirmations)
    asked = await confirmations.get(actor, request.path_params["id"])
    return pages.renderer.page(
        "confirmation",
        200 if error is None else error.status,
        title="Submit this job?",
        asked=asked,
        state=confirmations.state(asked),
        error=error,
        **frame(actor, request),
    )


def _to_sign_in(pages: Handlers, error: QwicketError, request: Request[Any]) -> Response | None:
    """Return a redirect to the sign-in page, after which the browser comes back."""
    response = pages.to_sign_in(error, request)
    asked = request.path_params["id"]
    if response is not None and parse_id(asked) is not None:
        pages.cookies.set(request, response, NEXT, f"/confirmations/{asked}", FORM_S)
    return response
