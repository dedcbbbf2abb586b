"""Webhooks of a person on administrators' pages, and those that fail."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from qwicket.features.webhooks.store import WebhookStore
from qwicket.model.errors import NotFound
from qwicket.pages.admin_parts import Card, Concern, Part
from qwicket.pages.formats import clip

if TYPE_CHECKING:
    from qwicket.pages.admin_view import View

_SHOWN: Final = 10
_MAX_CONCERNS: Final = 5
_MAX_NAME_CHARS: Final = 20


async def _card(view: View, name: str) -> dict[str, Any]:
    """Return the webhooks of a person; those of a deleted account are not shown."""
    try:
        account = await view.gateway.admin.account(name)
    except NotFound:
        return {"name": name, "webhooks": [], "more": 0}
    found = await view.gateway.store.feature(WebhookStore).of_account(account.id)
    found.sort(key=lambda each: each.failing_since is None)
    return {"name": name, "webhooks": found[:_SHOWN], "more": len(found) - _SHOWN}


async def _concerns(view: View) -> list[Concern]:
    return [
        Concern(
            "warnish",
            f"A webhook of {name} fails since {_time(each.failing_since or 0, view)}",
            f"/admin/people/{quote(name)}",
            f"{each.url}: {each.disabled_reason or each.last_error or ''}",
            f"Open {clip(name, _MAX_NAME_CHARS)}",
        )
        for each, name in await view.gateway.store.feature(WebhookStore).failing(_MAX_CONCERNS)
    ]


def _time(at_ms: int, view: View) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, view.zone)
    return f"{at.day} {at:%b %H:%M}"


PART: Final = Part(cards={"person": Card("admin-webhooks.html", _card)}, concerns=_concerns)
