"""Handlers of `/v1` for webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs
from starlette.responses import Response

from qwicket import schema
from qwicket.dialects.native.wire import iso_time
from qwicket.dialects.responses import json
from qwicket.features.webhooks.service import Webhooks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.dialects.native.handlers import Handlers
    from qwicket.dialects.requests import Request
    from qwicket.features.webhooks.model import Webhook
    from qwicket.features.webhooks.service import NewWebhook
    from qwicket.model.accounts import Actor


async def list_webhooks(native: Handlers, actor: Actor, _request: Request[None]) -> Response:
    """List the account's webhooks."""
    found = await native.gateway.feature(Webhooks).of(actor)
    names = await _project_names(native, actor)
    bodies = tuple(_webhook(each, names) for each in found)
    return json(schema.webhooks.WebhookList(webhooks=bodies))


async def add_webhook(
    native: Handlers, actor: Actor, request: Request[schema.webhooks.AddWebhookBody]
) -> Response:
    """Register a URL that receives events about the jobs of the token's project."""
    body = request.payload
    made = await native.gateway.feature(Webhooks).add(actor, body.url, body.events, body.device)
    return await _with_secret(native, actor, made, 201)


async def remove_webhook(native: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Remove a webhook."""
    await native.gateway.feature(Webhooks).remove(actor, request.path_params["id"])
    return Response(status_code=204)


async def rotate_webhook(native: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Replace the secret of a webhook; for 24 hours events are signed with the old one too."""
    rotated = await native.gateway.feature(Webhooks).rotate(actor, request.path_params["id"])
    return await _with_secret(native, actor, rotated, 200)


async def test_webhook(native: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Send an event to a webhook now, and return the receiver's response."""
    sent = await native.gateway.feature(Webhooks).test(actor, request.path_params["id"])
    return json(
        schema.webhooks.WebhookTestBody(
            delivered=sent.is_success,
            status=sent.status,
            body=sent.body.decode("utf-8", "replace"),
            error=sent.error,
            seconds=round(sent.seconds, 3),
        )
    )


async def _with_secret(native: Handlers, actor: Actor, made: NewWebhook, status: int) -> Response:
    body = structs.asdict(_webhook(made.webhook, await _project_names(native, actor)))
    created = schema.webhooks.NewWebhookBody(**body, secret=made.secret)
    return json(created, status, **{"Cache-Control": "no-store"})


async def _project_names(native: Handlers, actor: Actor) -> dict[str, str]:
    projects = await native.gateway.accounts.projects(actor)
    return {each.id: each.name for each in projects}


def _webhook(webhook: Webhook, projects: Mapping[str, str]) -> schema.webhooks.WebhookBody:
    return schema.webhooks.WebhookBody(
        id=webhook.id,
        url=webhook.url,
        events=webhook.events,
        device=webhook.device,
        project=projects.get(webhook.project, ""),
        created_at=iso_time(webhook.created_at),
        delivered_at=iso_time(webhook.delivered_at),
        failing_since=iso_time(webhook.failing_since),
        last_error=webhook.last_error,
        disabled_at=iso_time(webhook.disabled_at),
        disabled_reason=webhook.disabled_reason,
    )
