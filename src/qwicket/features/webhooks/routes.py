"""Routes of `/v1` for webhooks."""

from __future__ import annotations

from functools import partial
from typing import Final

from qwicket import schema
from qwicket.dialects.routing import Late, Route, json_body
from qwicket.model.accounts import Scope

_late = partial(Late, "qwicket.features.webhooks.handlers")


_READ, _WRITE = Scope.JOBS_READ, Scope.JOBS_WRITE

ROUTES: Final = (
    Route(
        "GET", "/webhooks", _late("list_webhooks"), _READ, responses=(schema.webhooks.WebhookList,)
    ),
    Route(
        "POST",
        "/webhooks",
        _late("add_webhook"),
        _WRITE,
        json_body(schema.webhooks.AddWebhookBody),
        responses=(schema.webhooks.NewWebhookBody,),
        status=201,
    ),
    Route("DELETE", "/webhooks/{id}", _late("remove_webhook"), _WRITE, status=204),
    Route(
        "POST",
        "/webhooks/{id}/rotate",
        _late("rotate_webhook"),
        _WRITE,
        responses=(schema.webhooks.NewWebhookBody,),
    ),
    Route(
        "POST",
        "/webhooks/{id}/test",
        _late("test_webhook"),
        _WRITE,
        responses=(schema.webhooks.WebhookTestBody,),
    ),
)
