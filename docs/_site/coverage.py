"""The calls of vendors' APIs: which clients make each, and what this server does with it.

    python docs/_site/coverage.py > docs/reports/coverage.md

States follow from the routes, clients from `client_calls.toml`.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple, cast

from qwicket.dialects import mounts, offered
from qwicket.dialects.routing import Route
from qwicket.features.mcp.envelope import METHODS

MCP = "/mcp"
CALLS = Path(__file__).parent / "client_calls.toml"
HEAD = """# Coverage of the vendors' APIs

`python docs/_site/coverage.py` writes this page, from the routes of the server and a table of what
each client calls. A test keeps it current.

| state | meaning |
|---|---|
| works | a route serves the call |
| refused | the server answers that it does not offer the call, with 404, 405 or 501 |
| unknown | the vendor documents the call, but not enough to serve it; it is refused |

A [test bed](../howto/testing.md#the-journal-what-your-code-has-sent) answers every call without a
route with 501, marks it in its journal, and counts it in `cloud.unknown_calls()`. A call without a
client is one that none of the tested clients makes.
"""


class Call(NamedTuple):
    """One call below the address of a dialect."""

    method: str
    path: str
    clients: tuple[str, ...]
    state: str


def table() -> dict[str, dict[str, Any]]:
    """Return what clients call, by the address of the dialect."""
    return {at: calls for at, calls in _all_calls().items() if at != MCP}


def _all_calls() -> dict[str, dict[str, Any]]:
    return tomllib.loads(CALLS.read_text("utf-8"))


def methods() -> list[Call]:
    """Return the methods of the Model Context Protocol, which one path takes."""
    states = {True: "works", False: "refused"}
    return [
        Call("POST", name, tuple(clients), states[name in METHODS])
        for name, clients in _all_calls()[MCP].items()
    ]


def routes_at(address: str) -> tuple[Route, ...]:
    """Return the routes of the dialect at an address."""
    return mounts(cast("Any", None))[address].routes


def calls_at(address: str, known: dict[str, Any]) -> list[Call]:
    """Return the calls of a dialect: those that clients make, and the rest of its routes."""
    dialect = mounts(cast("Any", None))[address]
    unknown = known.get("unknown", [])
    made = {name: clients for name, clients in known.items() if name != "unknown"}
    found = []
    for name, clients in [*made.items(), *((name, []) for name in unknown)]:
        method, path = name.split(" ", 1)
        route = _route(dialect.routes, method, path)
        works = route is not None and route.name != "refuse"
        state = "works" if works else "unknown" if name in unknown else "refused"
        found.append(Call(method, path, tuple(clients), state))
    listed = {(each.method, each.path) for each in found}
    for route in dialect.routes:
        call = route.method, re.sub(r"\{[^}]*\}", "{}", route.path)
        if call not in listed and route.name != "refuse":
            found.append(Call(*call, (), "works"))
    return found


def refused_at(address: str) -> list[str]:
    """Return the paths below an address that are refused as a whole."""
    paths = [each.path for each in routes_at(address) if each.name == "refuse"]
    return [*dict.fromkeys(re.sub(r"\{\w+:path\}", "…", each) for each in paths)]


def _route(routes: tuple[Route, ...], method: str, path: str) -> Route | None:
    """Return the route that serves a call, the first that fits, as the server finds it."""
    text = path.replace("{}", "x1")
    for route in routes:
        form = re.sub(r"\{\w+:path\}", ".*", route.path)
        form = re.sub(r"\{\w+\}", "[^/]+", form)
        serves = {"GET", "HEAD"} if route.method == "GET" else {route.method}
        if method in serves and re.fullmatch(form, text):
            return route
    return None


def page() -> str:
    """Return the page as Markdown."""
    known = table()
    parts = [HEAD]
    for registration in offered():
        parts.append(f"\n## {registration.title}\n")
        parts += [
            _section(address, calls_at(address, known.get(address, {})))
            for address in registration.mounts
            if routes_at(address)
        ]
    rows = "".join(
        f"| `{each.path}` | {', '.join(each.clients)} | {each.state} |\n" for each in methods()
    )
    works = sum(each.state == "works" for each in methods())
    parts.append("\n## Model Context Protocol\n")
    parts.append(f"\nIn messages to `POST {MCP}`: {works} of {len(methods())} methods work.\n\n")
    parts.append(f"| method | clients | state |\n|---|---|---|\n{rows}")
    return "".join(parts)


def _section(address: str, calls: list[Call]) -> str:
    rows = "".join(
        f"| `{call.method} {call.path}` | {', '.join(call.clients)} | {call.state} |\n"
        for call in calls
    )
    works = sum(call.state == "works" for call in calls)
    where = f"Below `{address}`" if address else "Below the root"
    text = f"\n{where}: {works} of {len(calls)} calls work.\n\n"
    text += f"| call | clients | state |\n|---|---|---|\n{rows}"
    refused = refused_at(address)
    if refused:
        shown = ", ".join(f"`{each}`" for each in refused)
        text += f"\nEvery other call below these paths is refused, too: {shown}.\n"
    return text


if __name__ == "__main__":
    sys.stdout.write(page())
