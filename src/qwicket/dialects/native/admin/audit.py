"""The audit log for administrators, and the recording of requests in it."""

from __future__ import annotations

import functools
import hashlib
import re
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.dialects.bodies import invalid
from qwicket.dialects.native.admin import wire
from qwicket.dialects.native.params import page
from qwicket.dialects.responses import json
from qwicket.dialects.routing import Late
from qwicket.model.accounts import lower_ascii
from qwicket.model.errors import NotFound
from qwicket.model.limits import INT64_MAX
from qwicket.schema.budgets import NewBudgetBody
from qwicket.store.audit import ActRecorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp

    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.dialects.routing import Route
    from qwicket.model.accounts import Actor

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SECRETS: Final = ("password",)
"""Fields of requests that are not recorded."""
_MAX_DETAILS_BYTES: Final = 10_000
"""Of requests longer than this, only the size, the hash, and what lists have are recorded."""
_SHOWN_NAMES: Final = 200


async def list_acts(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """List acts of administrators, newest first."""
    before, limit = page(request.query_params, access.limits.requests.list_page)
    found = await access.admin.acts(INT64_MAX if before is None else before, limit)
    return json(wire.act_list(found, limit))


async def verify_audit(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """Check the audit log's chain of hashes; with `?hash=` also that it contains this hash."""
    known = request.query_params.get("hash")
    if known is not None and not _HASH.fullmatch(known):
        raise invalid("hash must be 64 hexadecimal digits in lower case", known, "hash")
    return json(wire.verification(await access.admin.verify_audit(bytes.fromhex(known or ""))))


async def list_refusals(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """List refused sign-ins by minute and network address, newest first.

    A page has `limit` rows and the rest of its last minute. For the next page, set `before` to
    `next`: this minute in Unix milliseconds.
    """
    before, limit = page(request.query_params, access.limits.requests.list_page)
    found = await access.admin.refusals(INT64_MAX if before is None else before, limit)
    return json(wire.refusal_list(found, limit))


def record_requests(route: Route) -> Callable[..., Awaitable[ASGIApp]]:
    """Return the handler of a route, with its requests recorded in the audit log."""
    handler = route.handler
    # The kind of object is in the path: `/accounts/{account}`, `/bulk/accounts`.
    words = [word for word in route.path.split("/") if word and "{" not in word]
    default = (words[-1] if words[0] == "bulk" else words[0]).removesuffix("s")

    async def handle(access: Access, actor: Actor, request: Request[Any]) -> ASGIApp:
        payload = getattr(request, "payload", None)  # absent in requests without a body from `/ui`
        kind, keys = _subject(default, request.path_params, payload)
        act = ActRecorder(
            at=time.time_ns() // 1_000_000,
            actor=actor.account,
            actor_name=actor.account_name,
            address=request.client_address,
            action=handler.__name__,
            kind=kind,
            keys=keys,
            details=_details(payload, request.query_params),
        )
        with act.recorded():
            return await handler(access, actor, request)

    functools.update_wrapper(handle, handler)
    if isinstance(handler, Late):
        handle.__doc__ = handler.doc
    return handle


def _subject(default: str, names: dict[str, str], payload: Any) -> tuple[str, tuple[str, ...]]:
    """Return the kind and the names of the object that a request changes.

    Raises:
        NotFound: A name has a NUL character, which PostgreSQL cannot store.
    """
    if any("\0" in name for name in names.values()):
        raise NotFound("There is nothing of this name: it contains a NUL character.")
    if "project" in names and "account" in names:
        return "member", (names["project"], lower_ascii(names["account"]))
    for kind in ("account", "project", "provider", "token"):
        if kind in names:
            return kind, (lower_ascii(names[kind]) if kind == "account" else names[kind],)
    if isinstance(payload, NewBudgetBody):
        of_what = [payload.project, payload.device or "", payload.unit, payload.period]
        return "budget", ("/".join([*of_what, *([payload.member] if payload.member else [])]),)
    if "name" in names:
        return "device", (names["name"],)
    name = getattr(payload, "name", None)
    return default, (*names.values(), *([] if name is None else [name]))


def _details(payload: Any, query: Any) -> dict[str, Any]:
    details = {**dict(query), **(msgspec.to_builtins(payload) if payload is not None else {})}
    details = {name: value for name, value in details.items() if name not in _SECRETS}
    if "csv" in details:
        details["csv"] = f"sha256:{hashlib.sha256(details['csv'].encode()).hexdigest()}"
    text = msgspec.json.encode(details)
    if len(text) > _MAX_DETAILS_BYTES:
        lists = {
            name: _summary(value) for name, value in details.items() if isinstance(value, list)
        }
        return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest(), **lists}
    return details


def _summary(items: list[Any]) -> dict[str, Any]:
    """Return the number of the items of a long list, and the names of the first ones."""
    named = [
        each["name"] for each in items[:_SHOWN_NAMES] if isinstance(each, dict) and "name" in each
    ]
    return {"number": len(items), **({"names": named} if named else {})}
