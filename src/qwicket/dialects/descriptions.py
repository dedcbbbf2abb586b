"""Descriptions of dialects in OpenAPI 3.1, made from their routes.

A response has a schema where its route names its types; otherwise it is any JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.routing import Open
from qwicket.dialects.schemas import Schemas
from qwicket.model.accounts import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.dialects.registration import Registration
    from qwicket.dialects.routing import Dialect, Route

_JSON: Final = "application/json"
_PARAMETER: Final = re.compile(r"{(\w+)(?::\w+)?}")
SERVER: Final = "{the server's address}"
"""Stands where the address of the server that shows the description goes."""


def describe(about: Registration, dialects: Mapping[str, Dialect]) -> dict[str, Any]:
    """Return the description of a dialect.

    Args:
        about: Its registration.
        dialects: Its applications by their addresses.
    """
    listed = [
        (prefix, route)
        for prefix, dialect in dialects.items()
        for route in dialect.routes
        if route.is_listed
    ]
    structs = [about.error]
    for _, route in listed:
        structs += [route.body.struct] if route.body and route.body.struct else []
        structs += route.answers
    schemas = Schemas(structs)
    for schema in schemas.components.values():
        schema["description"] = str(schema.get("description", "")).partition("\n")[0]
    paths: dict[str, dict[str, Any]] = {}
    for prefix, route in listed:
        operation = _operation(about, schemas, route)
        paths.setdefault(prefix + _plain(route.path), {})[route.method.lower()] = operation
    _number(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": about.title, "version": "1", "description": about.lead},
        "servers": [{"url": SERVER}],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": dict(about.security)},
        "security": [{scheme: []} for scheme in about.security],
    }


def _operation(about: Registration, schemas: Schemas, route: Route) -> dict[str, Any]:
    name = about.operations.get(route.name, route.name)
    answer = [schemas[each] for each in route.answers]
    shown: dict[str, Any] = {
        "operationId": name,
        "summary": route.summary,
        "tags": [about.tag or _first_word(route.path)],
        "parameters": [*_in_path(route.path), *map(_in_query, route.query)],
        "responses": {
            "2XX": _response("Done.", {"anyOf": answer} if len(answer) > 1 else dict(*answer)),
            "default": _response("Refused or failed.", schemas[about.error]),
        },
    }
    if route.body is not None and route.body.struct is not None:
        schema = schemas[route.body.struct]
        shown["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
    if isinstance(route.access, Scope):
        shown["description"] = f"Needs the scope `{route.access}`."
    elif isinstance(route.access, Open):
        shown["security"] = []
    return shown


def _response(said: str, schema: Any) -> dict[str, Any]:
    return {"description": said, "content": {_JSON: {"schema": schema}}}


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": "As it was answered.",
            "schema": {"type": "string"},
        }
        for name in _PARAMETER.findall(path)
    ]


def _in_query(name: str) -> dict[str, Any]:
    return {
        "name": name.removesuffix("!"),
        "in": "query",
        "required": name.endswith("!"),
        "description": "",
        "schema": {"type": "string"},
    }


def _plain(path: str) -> str:
    """Return a path as OpenAPI writes it: without what Starlette says of its parameters."""
    return _PARAMETER.sub(r"{\1}", path)


def _first_word(path: str) -> str:
    return next((word for word in path.split("/") if word and "{" not in word), "other")


def _number(paths: Mapping[str, Mapping[str, Any]]) -> None:
    """Let every operation have a name of its own."""
    seen: dict[str, int] = {}
    for methods in paths.values():
        for operation in methods.values():
            name = operation["operationId"]
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                operation["operationId"] = f"{name}_{seen[name]}"
