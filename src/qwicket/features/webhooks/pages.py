"""The page of the webhooks that an account has for one of its projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import structs

from qwicket.dialects.routing import Route, json_body
from qwicket.features.webhooks.model import DEFAULT_EVENTS, EVENTS
from qwicket.features.webhooks.service import Webhooks
from qwicket.model.accounts import Scope, project_name
from qwicket.model.errors import InvalidRequest, QwicketError
from qwicket.pages.forms import FORM_BODY, SESSION, Form, check_form, frame
from qwicket.pages.rendering import OWN_SCRIPT
from qwicket.schema.webhooks import AddWebhookBody

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.features.webhooks.requests import WebhookResponse
    from qwicket.features.webhooks.service import NewWebhook
    from qwicket.model.accounts import Actor
    from qwicket.pages.handlers import Handlers

_DEFAULT_FORM: Final = Form([("event", each) for each in DEFAULT_EVENTS])


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of webhooks."""
    path, write = "/projects/{name}/webhooks", Scope.JOBS_WRITE
    return (
        Route("GET", path, read_webhooks, Scope.JOBS_READ, on_error=handlers.to_sign_in),
        Route("POST", path, add_webhook, write, FORM_BODY),
        Route("POST", f"{path}/{{id}}", change_webhook, write, FORM_BODY),
    )


async def read_webhooks(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the account's webhooks for a project."""
    return await _page(pages, actor, request)


async def add_webhook(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Add a webhook, and show its secret once."""
    check_form(request, SESSION)
    form = request.payload
    project, _ = await pages.gateway.accounts.members(
        actor, project_name(request.path_params["name"])
    )
    body: dict[str, Any] = {"url": form.get("url", "").strip(), "events": form.all("event")}
    if device := form.get("device", ""):
        body["device"] = device
    try:
        new = json_body(AddWebhookBody).parse(msgspec.json.encode(body), pages.limits)
        of_project = structs.replace(actor, project=project.id)
        webhooks = pages.gateway.feature(Webhooks)
        made = await webhooks.add(of_project, new.url, new.events, new.device)
    except QwicketError as error:
        return await _page(pages, actor, request, fields=form, error=error)
    return await _page(pages, actor, request, made=made)


async def change_webhook(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Delete or test a webhook, or replace its secret."""
    check_form(request, SESSION)
    webhooks, webhook = pages.gateway.feature(Webhooks), request.path_params["id"]
    project, _ = await pages.gateway.accounts.members(
        actor, project_name(request.path_params["name"])
    )
    match request.payload.get("action"):
        case "delete":
            await webhooks.remove(actor, webhook)
            return pages.redirect(f"/projects/{project.address}/webhooks")
        case "test":
            sent = await webhooks.test(actor, webhook)
            return await _page(pages, actor, request, sent=sent)
        case "rotate":
            made = await webhooks.rotate(actor, webhook)
            return await _page(pages, actor, request, made=made, is_rotated=True)
    raise InvalidRequest("action: there is no such action.", field="action")


async def _page(
    pages: Handlers,
    actor: Actor,
    request: Request[Any],
    *,
    fields: Form = _DEFAULT_FORM,
    error: QwicketError | None = None,
    made: NewWebhook | None = None,
    is_rotated: bool = False,
    sent: WebhookResponse | None = None,
) -> Response:
    gateway = pages.gateway
    project, _ = await gateway.accounts.members(actor, project_name(request.path_params["name"]))
    found = await gateway.feature(Webhooks).of(actor)
    devices = await gateway.devices.offered("native")
    return pages.renderer.page(
        "webhooks",
        200 if error is None else error.status,
        scripts=OWN_SCRIPT if made else (),
        title=f"Webhooks of {project.name}",
        project=project,
        webhooks=[each for each in found if each.project == project.id],
        made=made,
        is_rotated=is_rotated,
        sent=sent,
        response_text=sent.body.decode(errors="replace") if sent else "",
        error=error,
        events=tuple(EVENTS.values()),
        chosen=fields.all("event"),
        fields=fields,
        devices=[each.name for each in devices],
        **frame(actor, request),
    )
