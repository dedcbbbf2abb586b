"""Descriptions of dialects in OpenAPI 3.1, made from their routes.

A JSON response whose route names no type has the schema `{}`: any JSON.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.routing import Open
from qwicket.dialects.schemas import Schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import msgspec

    from qwicket.dialects.routing import Route

_JSON: Final = "application/json"
_PARAMETER: Final = re.compile(r"{(\w+)(?::\w+)?}")
_ANY_TEXT: Final = {"type": "string"}
_FROM_RESPONSE: Final = "As an earlier response gave it."
SERVER: Final = "{the server's address}"
"""Stands for the server's address, which `server/docs` fills in for each request."""


def first_word(path: str) -> str:
    """Return the first word of a path, parameters left out."""
    return next((word for word in path.split("/") if word and "{" not in word), "other")


@dataclass(frozen=True, kw_only=True)
class Description:
    """Description of a dialect, in addition to its routes.

    Attributes:
        title: Name of the API, for people.
        lead: Introduction for people: how to sign in, and which clients exist.
        server: Address of the server; empty where the description does not name it.
        security: Security schemes of OpenAPI; a request needs one of them.
        error: Struct of an error body.
        error_type: Content type of an error body.
        parameters: Description and schema of parameters by name; names in paths are in braces.
        described_as: Types that the schemas show in place of others, by type or by STRUCT.FIELD.
        tag: Returns the tag of a path (as in `Route.path`); pages group operations by tag.
        operation_id: Returns the name of a route's operation.
    """

    title: str
    lead: str = ""
    server: str = SERVER
    security: Mapping[str, Any]
    error: type[msgspec.Struct]
    error_type: str = _JSON
    parameters: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    described_as: Mapping[Any, Any] = field(default_factory=dict)
    tag: Callable[[str], str] = first_word
    operation_id: Callable[[Route], str] = lambda route: route.name


def describe(about: Description, routes: Mapping[str, Sequence[Route]]) -> dict[str, Any]:
    """Return the description of a dialect.

    Args:
        about: Title, sign-in and other data that routes lack.
        routes: The dialect's routes, by the prefix of their paths, such as `/v1`.
    """
    listed = [(at, route) for at, found in routes.items() for route in found if route.is_listed]
    bodies = [route.body.struct for _, route in listed if route.body and route.body.struct]
    responses = [body for _, route in listed for body in route.responses]
    schemas = Schemas([about.error, *bodies, *responses], about.described_as)
    paths: dict[str, dict[str, Any]] = {}
    n_of_name: Counter[str] = Counter()
    for at, route in listed:
        of_path = paths.setdefault(at + _PARAMETER.sub(r"{\1}", route.printed or route.path), {})
        of_path[route.method.lower()] = operation = _operation(about, schemas, route)
        name = operation["operationId"]
        n_of_name[name] += 1
        if n_of_name[name] > 1:  # OpenAPI requires unique names
            operation["operationId"] = f"{name}_{n_of_name[name]}"
    info = {"title": about.title, "version": "1"}
    return {
        "openapi": "3.1.0",
        "info": info | ({"description": about.lead} if about.lead else {}),
        **({"servers": [{"url": about.server}]} if about.server else {}),
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": dict(about.security)},
        "security": [{scheme: []} for scheme in about.security],
    }


def _operation(about: Description, schemas: Schemas, route: Route) -> dict[str, Any]:
    in_path = (f"{{{name}}}" for name in _PARAMETER.findall(route.printed or route.path))
    body: dict[str, Any] = {
        "operationId": about.operation_id(route),
        "summary": route.summary,
        "tags": [about.tag(route.path)],
        "parameters": [_parameter(about, name) for name in (*in_path, *route.parameters)],
        "responses": {
            str(route.status): {"description": "Success.", **_content(schemas, route)},
            "default": {
                "description": "Error.",
                "content": {about.error_type: {"schema": schemas[about.error]}},
            },
        },
    }
    if "If-None-Match" in route.parameters:
        body["responses"]["304"] = {"description": "Not modified."}
    if isinstance(route.access, str | tuple):
        scopes = (route.access,) if isinstance(route.access, str) else route.access
        body["description"] = f"Needs the scope `{'` or `'.join(scopes)}`."
    if route.body is not None and route.body.struct is not None:
        schema = schemas[route.body.struct]
        body["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
    if isinstance(route.access, Open):
        body["security"] = []
    return body


def _content(schemas: Schemas, route: Route) -> dict[str, Any]:
    """Return the content of a successful response, if it has any."""
    if route.status == 204:
        return {}
    found = [schemas[each] for each in route.responses]
    content: dict[str, Any] = {}
    if found or route.media_type is None:
        # No type: `{}`, any JSON. One type: its schema. Several: any of them.
        content[_JSON] = {"schema": {"anyOf": found} if len(found) > 1 else dict(*found)}
    if route.media_type is not None:
        content[route.media_type] = {}
    return {"content": content}


def _parameter(about: Description, name: str) -> dict[str, Any]:
    """Return a parameter.

    A name in braces is in the path, one that begins with a capital is a header, others are in the
    query. A `!` at its end means required.
    """
    is_in_path, plain = name.startswith("{"), name.strip("{!}")
    text, schema = about.parameters.get(
        name.rstrip("!"), (_FROM_RESPONSE if is_in_path else "", _ANY_TEXT)
    )
    return {
        "name": plain,
        "in": "path" if is_in_path else "header" if plain[0].isupper() else "query",
        **({"required": True} if is_in_path or name.endswith("!") else {}),
        "description": text,
        "schema": schema,
    }
