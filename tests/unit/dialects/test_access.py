"""Every route of every dialect declares a scope, or says why it needs none."""

from __future__ import annotations

from typing import Any, cast

import pytest

from qwicket.dialects import mounts
from qwicket.dialects.routing import ANY_TOKEN, Open, Route
from qwicket.model.accounts import Scope
from qwicket.server import docs, probes

ROUTES: tuple[tuple[str, Route], ...] = (
    *((at, route) for at, of in mounts(cast(Any, None)).items() for route in of.routes),
    *(("", route) for route in (*docs.ROUTES, *probes.ROUTES)),
)
OWN_ACCOUNT = {
    *("GET /v1/account", "GET /v1/projects", "GET /v1/tokens", "DELETE /v1/tokens/{id}"),
    *("GET /v1/account/sessions", "GET /healthz", "POST /sts/"),
}
"""Routes for every token: they show its own account, or only that the token is valid."""
READS = {
    "POST /qbraid/api/get-user-jobs": "a search",
    "POST /braket/devices": "a search",
    "POST /braket/quantum-tasks": "a search",
    "PUT /s3/{bucket}": "a note of a bucket: every name is there, and nothing is stored",
    "POST /ibm/runtime/search/v3/resources/search": "a search",
    "PUT /qbraid/api/update-job": "a read, unless it brings both words of a status",
    "POST /ibm/api/jobs/{id}/resultdownloaded": "an acknowledgement that changes nothing",
}


def named(access: object) -> set[str]:
    return {f"{route.method} {at}{route.path}" for at, route in ROUTES if route.access == access}


@pytest.mark.needs_vendors
def test_every_route_declares_a_scope_or_says_why_it_is_open() -> None:
    assert len(ROUTES) > 150
    for at, route in ROUTES:
        if isinstance(route.access, Open):
            assert route.access.reason.endswith("."), (at, route.path)
            assert " " in route.access.reason, (at, route.path)
        else:
            assert isinstance(route.access, Scope | tuple) or route.access == ANY_TOKEN, (
                at,
                route.path,
            )
    assert named(ANY_TOKEN) == OWN_ACCOUNT


def test_a_route_that_changes_something_needs_a_scope_to_write() -> None:
    for scope in (Scope.JOBS_READ, Scope.DEVICES_READ):
        changing = {
            f"{route.method} {at}{route.path}"
            for at, route in ROUTES
            if route.access == scope and route.method != "GET" and route.is_listed
        }
        assert changing <= READS.keys()


def test_no_route_is_declared_twice() -> None:
    names = [(at, route.method, route.path) for at, route in ROUTES]
    assert len(names) == len(set(names))
