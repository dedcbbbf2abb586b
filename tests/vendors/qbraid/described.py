"""Holds the answers of the qBraid dialect to its description."""

from __future__ import annotations

from typing import Final

import httpx

from qwicket.vendors.qbraid.dialect.handlers import with_one_leading_slash
from qwicket.vendors.qbraid.dialect.v0.routes import ROUTES as V0_ROUTES
from qwicket.vendors.qbraid.dialect.v1.routes import ROUTES as V1_ROUTES
from support.described import Described

ROUTES: Final = {"/qbraid/api/v1": V1_ROUTES, "/qbraid/api": V0_ROUTES}


def hold_to_description(http: httpx.Client) -> dict[str, Described]:
    """Check each answer that a client receives; return what checks them, by prefix of paths."""
    described = {
        prefix: Described(prefix, routes, with_one_leading_slash)
        for prefix, routes in ROUTES.items()
    }
    http.event_hooks = {"response": list(described.values())}
    return described
