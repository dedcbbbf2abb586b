"""Holds the answers of a dialect to the types that its description gives of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import httpx
import msgspec
from starlette.routing import compile_path

from qwicket.dialects.routing import Route

Canonical = Callable[[str], str]


class Described:
    """Checks each successful JSON answer below a prefix; a hook of `httpx` for responses.

    Attributes:
        checked: Names of the routes whose answers were checked.
    """

    def __init__(
        self, prefix: str, routes: Sequence[Route], canonical: Canonical = lambda path: path
    ) -> None:
        self.checked: set[str] = set()
        self._prefix = prefix
        self._canonical = canonical
        self._routes = [(route, compile_path(route.path)[0]) for route in routes]

    def __call__(self, response: httpx.Response) -> None:
        path = response.request.url.path
        if not path.startswith(self._prefix) or not response.is_success:
            return
        if "fields" in str(response.request.url.query):  # the client asked for a part
            return
        route = self._route(response.request.method, self._canonical(path[len(self._prefix) :]))
        if route is not None and route.responses:
            assert response.status_code == route.status
            check(response.read(), route)
            self.checked.add(route.name)

    def _route(self, method: str, path: str) -> Route | None:
        found = (
            route for route, form in self._routes if route.method == method and form.match(path)
        )
        return next(found, None)


def described_by(routes: Sequence[Route]) -> set[str]:
    """Return the names of the routes whose answers are described."""
    return {route.name for route in routes if route.responses}


def check(text: bytes, route: Route) -> None:
    """Check that an answer has one of the types of its route."""
    errors: list[Any] = []
    for kind in route.responses:
        try:
            msgspec.json.decode(text, type=kind)
        except msgspec.ValidationError as error:
            errors.append(error)
        else:
            return
    raise AssertionError(f"{route.method} {route.path}: {errors}: {text[:2000]!r}")
