"""Webhooks: addresses that receive events when jobs of a project change."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Command, Feature

FEATURE: Final = Feature(
    name="webhooks",
    has_statements=True,
    columns={
        "webhook": "webhook.id, webhook.account, webhook.project, webhook.url, webhook.events,"
        " webhook.device, webhook.created_at, webhook.delivered_at, webhook.failing_since,"
        " webhook.last_error, webhook.disabled_at, webhook.disabled_reason"
    },
    on_changes="qwicket.features.webhooks.store:record_events",
    routes="qwicket.features.webhooks.routes:ROUTES",
    admin_pages="qwicket.features.webhooks.admin_pages:PART",
    page_routes="qwicket.features.webhooks.pages:routes",
    commands=(Command("webhook", "qwicket.features.webhooks.commands"),),
    task="qwicket.features.webhooks.delivery:run",
    metrics="qwicket.features.webhooks.delivery:metrics",
)
