"""Webhooks of a person on administrators' pages, and those that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.features.webhooks.store import WebhookStore
from qwicket.model.errors import NotFound
from qwicket.pages.admin_parts import Card, Part

if TYPE_CHECKING:
    from qwicket.pages.admin_view import View

_SHOWN: Final = 10


async def _card(view: View, name: str) -> dict[str, Any]:
    """Return the webhooks of a person; those of a deleted account are not shown."""
    try:
        account = await view.gateway.admin.account(name)
    except NotFound:
        return {"name": name, "webhooks": [], "more": 0}
    found = await view.gateway.store.feature(WebhookStore).of_account(account.id)
    found.sort(key=lambda each: each.failing_since is None)
    return {"name": name, "webhooks": found[:_SHOWN], "more": len(found) - _SHOWN}


PART: Final = Part(cards={"person": Card("admin-webhooks.html", _card)})
