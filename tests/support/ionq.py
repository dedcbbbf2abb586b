"""Holds the answers of the IonQ dialect to its description."""

from __future__ import annotations

from typing import Final

import httpx

from qwicket.vendors.ionq.dialect.routes import V03_ROUTES, V04_ROUTES
from support.described import Described

ROUTES: Final = {"/v0.4": V04_ROUTES, "/v0.3": V03_ROUTES}


def hold_to_description(http: httpx.Client) -> dict[str, Described]:
    """Check each answer that a client receives; return what checks them, by prefix of paths."""
    described = {
        f"{root}{version}": Described(f"{root}{version}", routes)
        for version, routes in ROUTES.items()
        for root in ("/ionq", "")
    }
    http.event_hooks = {"response": list(described.values())}
    return described
