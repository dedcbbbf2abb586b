"""The description of `/v1` in OpenAPI 3.1, made from its routes and the structs of their JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

from qwicket import schema
from qwicket.dialects.native import wire
from qwicket.dialects.routing import Open
from qwicket.dialects.schemas import REF, Schemas, parsed
from qwicket.model.accounts import Role, Scope
from qwicket.model.devices import Family
from qwicket.model.limits import INT64_MAX, Limits
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

    from qwicket.dialects.routing import Route

_PROBLEM: Final = {"$ref": REF.format(name="Problem")}

_TEXT: Final[dict[str, Any]] = {"type": "string", "pattern": r"^[^\u0000]*$"}
_STATES: Final = "|".join(JobState)
_PARAMETERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "at": ("The moment, in ISO 8601; now by default.", {"type": "string", "format": "date-time"}),
    "before": (
        "What `next` of the page before said.",
        {"type": "integer", "minimum": 1, "maximum": INT64_MAX},
    ),
    "created_from": ("Not created before.", {"type": "string", "format": "date-time"}),
    "created_to": ("Not created after.", {"type": "string", "format": "date-time"}),
    "device": ("Of this device.", _TEXT),
    "door": ("Submitted through this door.", _TEXT),
    "format": ("As JSON or as arrays of NumPy.", {"enum": ["json", "npz"]}),
    "group": ("Of this group.", _TEXT),
    "limit": (
        "How many at most.",
        {"type": "integer", "minimum": 1, "maximum": Limits().list_page},
    ),
    "name": ("Of this name.", _TEXT),
    "state": (
        "In one of these states, with commas between.",
        {"type": "string", "pattern": f"^({_STATES})(,({_STATES}))*$"},
    ),
    "tag": (
        "Bearing all these tags.",
        {"type": "array", "items": _TEXT, "maxItems": Limits().tags},
    ),
    "wait": ("Seconds to wait for it.", {"type": "number", "minimum": 0}),
    "Idempotency-Key": (
        "One key makes one job within 24 h.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "If-None-Match": ("Answer 304 if the job's tag is among these.", {"type": "string"}),
    "Last-Event-ID": (
        "Go on after this event.",
        {"type": "integer", "minimum": 0, "maximum": INT64_MAX},
    ),
}
_IN_PATHS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "agent": (
        "What the agent calls itself.",
        {"type": "string", "pattern": "^[a-z0-9]{8,32}$"},
    ),
    "id": ("The id, as it was answered.", {"type": "string"}),
    "name": ("Name of the device.", {"type": "string", "examples": ["qpu.aria-1"]}),
    "part": ("Which circuit, from 0.", {"type": "integer", "minimum": 0}),
}
_BELL: Final = {
    "device": "simulator",
    "shots": 1000,
    "program": {
        "gateset": "qis",
        "qubits": 2,
        "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
    },
}
DESCRIBED_AS: Final[dict[Any, Any]] = {
    schema.agents.Base64: str,
    schema.base.DeviceState: Literal["on", "away", "off"],
    schema.base.Directive: Literal["go on", "stop", "lost"],
    schema.base.Family: Family,
    schema.base.Id: str,
    schema.base.Role: Role,
    schema.results.Samples: list[Any],
    schema.base.Scope: Scope,
    schema.base.State: JobState,
    "SubmitBody.inputs": dict[str, float],
    "SubmitBody.outputs": tuple[str, ...],
    "SubmitBody.program": str | dict[str, Any],
    "SubmitBody.tags": tuple[str, ...],
}
"""What the server knows of a field's values beyond what its clients rely on."""
_HEADERS: Final = {"Idempotency-Key", "If-None-Match", "Last-Event-ID"}
OPENQASM_TYPE: Final = "text/plain; charset=utf-8"
"""Of a compiled circuit: OpenQASM has no media type of its own."""


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the whole document, made from the routes of `/v1`."""
    bodies = [each.body.struct for each in routes if each.body and each.body.struct]
    answers = [answer for each in routes for answer in each.answers]
    schemas = Schemas([schema.problems.Problem, *bodies, *answers], DESCRIBED_AS)
    for each in schemas.components.values():
        _describe(each)
        _spell_patterns(each)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        of_path = paths.setdefault(f"/v1{route.path}", {})
        of_path[route.method.lower()] = _operation(route, routes, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Qwicket", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _describe(of: dict[str, Any]) -> None:
    of["description"], attributes = parsed(of.get("description", ""))
    for name, field in of.get("properties", {}).items():
        if name in attributes:
            field["description"] = attributes[name]


def _spell_patterns(of: Any) -> None:
    """Let patterns end with `$`, which says in JSON Schema what Python's capital Z says."""
    if isinstance(of, dict):
        if isinstance(of.get("pattern"), str):
            of["pattern"] = of["pattern"].replace(r"\Z", "$")
        for each in of.values():
            _spell_patterns(each)
    elif isinstance(of, list | tuple):
        for each in of:
            _spell_patterns(each)


def _content(schemas: Schemas, of: type[msgspec.Struct] | None) -> dict[str, Any]:
    """Return what a body of this struct, or of none, is described by."""
    return {"application/json": {"schema": schemas[of] if of else {"type": "object"}}}


def _operation(route: Route, routes: Sequence[Route], schemas: Schemas) -> dict[str, Any]:
    method, path = route.method, route.path
    answer = route.answers[0] if route.answers else None
    success: dict[str, Any] = {"description": "Done."}
    if route.status != 204:
        is_other = answer is None and route.media_type is not None
        success["content"] = {} if is_other else _content(schemas, answer)
        if route.media_type is not None:
            success["content"][route.media_type] = {}
    shown: dict[str, Any] = {
        "operationId": _name(method, path),
        "summary": route.summary,
        "tags": [_tag(path)],
        "parameters": [
            *map(_in_path, re.findall(r"{(\w+)}", path)),
            *map(_parameter, route.query),
        ],
        "responses": {
            str(route.status): success,
            "default": {
                "description": "Refused or failed.",
                "content": {wire.PROBLEM_TYPE: {"schema": _PROBLEM}},
            },
        },
    }
    if method == "POST" and route.status == 201:
        success["links"] = _links(path, routes)
    if "If-None-Match" in route.query:
        shown["responses"]["304"] = {"description": "It is as it was."}
    if isinstance(route.access, Scope):
        shown["description"] = f"Needs the scope `{route.access}`."
    if route.body is not None:
        content = _content(schemas, route.body.struct)
        if route.body.struct is schema.jobs.SubmitBody:
            content["application/json"]["examples"] = {"bell": {"value": _BELL}}
        shown["requestBody"] = {"required": True, "content": content}
    if isinstance(route.access, Open):
        shown["security"] = []
    return shown


def _name(method: str, path: str) -> str:
    """Return a name for what generators of clients make of an operation: `get_jobs_id_result`."""
    return "_".join([method.lower(), *re.findall(r"[a-z]+", path)])


def _links(path: str, routes: Sequence[Route]) -> dict[str, Any]:
    """Return what can be done with what a POST made: all that has its id in the path."""
    below = [each for each in routes if each.path.startswith(f"{path}/{{id}}")]
    names = [_name(each.method, each.path) for each in below]
    return {
        name: {"operationId": name, "parameters": {"id": "$response.body#/id"}} for name in names
    }


def _tag(path: str) -> str:
    """Return what a path is about: its first word, and whatever agents ask is about agents."""
    if "/leases" in path or path.startswith("/agent/"):
        return "agents"
    word = path.split("/")[1]
    return {"openapi.json": "description", "events": "jobs", "projects": "account"}.get(word, word)


def _in_path(name: str) -> dict[str, Any]:
    said, schema = _IN_PATHS[name]
    return {"name": name, "in": "path", "required": True, "description": said, "schema": schema}


def _parameter(name: str) -> dict[str, Any]:
    said, schema = _PARAMETERS[name]
    where = "header" if name in _HEADERS else "query"
    return {"name": name, "in": where, "description": said, "schema": schema}
