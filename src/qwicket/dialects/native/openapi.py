"""The description of `/v1` in OpenAPI 3.1, made from its routes and the structs of their JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

from qwicket import schema
from qwicket.dialects.descriptions import Description, describe, first_word
from qwicket.dialects.native import wire
from qwicket.model.accounts import Role, Scope
from qwicket.model.devices import Family
from qwicket.model.limits import INT64_MAX, Limits
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.dialects.routing import Route

_TEXT: Final[dict[str, Any]] = {"type": "string", "pattern": r"^[^\u0000]*$"}
_STATES: Final = "|".join(JobState)
_PARAMETERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "account": ("Of this account, by its name or e-mail address.", _TEXT),
    "project": ("Of this project.", _TEXT),
    "at": ("The moment, in ISO 8601; now by default.", {"type": "string", "format": "date-time"}),
    "before": (
        "What `next` of the page before said.",
        {"type": "integer", "minimum": 1, "maximum": INT64_MAX},
    ),
    "created_from": ("Not created before.", {"type": "string", "format": "date-time"}),
    "created_to": ("Not created after.", {"type": "string", "format": "date-time"}),
    "by": (
        "Whether each number is of a project, of a device, or of both.",
        {"enum": ["project,device", "device,project", "project", "device"]},
    ),
    "from": ("The first day in UTC; all by default.", {"type": "string", "format": "date"}),
    "to": ("The last day in UTC; all by default.", {"type": "string", "format": "date"}),
    "deleted": ("Those that were deleted and can be restored.", {"enum": ["false", "true"]}),
    "device": ("Of this device.", _TEXT),
    "dialect": ("Submitted in this dialect.", _TEXT),
    "format": ("As JSON or as arrays of NumPy.", {"enum": ["json", "npz"]}),
    "group": ("Of this group.", _TEXT),
    "hash": (
        "Hash that a former check returned.",
        {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    ),
    "series": ("Remove all windows of its weekly series.", {"enum": ["false", "true"]}),
    "include": ("Return the result with the job if it has ended.", {"enum": ["result"]}),
    "jobs": ("What becomes of its jobs.", {"enum": ["keep", "remove"]}),
    "limit": (
        "How many at most.",
        {"type": "integer", "minimum": 1, "maximum": Limits().requests.list_page},
    ),
    "name": ("Of this name.", _TEXT),
    "state": (
        "In one of these states, with commas between.",
        {"type": "string", "pattern": f"^({_STATES})(,({_STATES}))*$"},
    ),
    "tag": (
        "Bearing all these tags.",
        {"type": "array", "items": _TEXT, "maxItems": Limits().requests.tags},
    ),
    "wait": ("Seconds to wait for it.", {"type": "number", "minimum": 0}),
    "Idempotency-Key": (
        "One key makes one job within 24 h.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "If-None-Match": ("The response is 304 if the job's tag is among these.", {"type": "string"}),
    "Prefer": ("`wait=5` is the same as `?wait=5` (RFC 7240).", {"type": "string"}),
    "Last-Event-ID": (
        "Go on after this event.",
        {"type": "integer", "minimum": 0, "maximum": INT64_MAX},
    ),
    "{account}": ("Name or e-mail address of the account.", {"type": "string"}),
    "{agent}": (
        "What the agent calls itself.",
        {"type": "string", "pattern": "^[a-z0-9]{8,32}$"},
    ),
    "{budget}": ("Id of the budget.", {"type": "string"}),
    "{id}": ("The id, as it was answered.", {"type": "string"}),
    "{name}": (
        "Name of the device, worker or scaler.",
        {"type": "string", "examples": ["qpu.aria-1"]},
    ),
    "{project}": ("Name of the project.", {"type": "string"}),
    "{provider}": ("Name of the provider.", {"type": "string"}),
    "{invitation}": ("Id of the invitation.", {"type": "string"}),
    "{reservation}": ("Id of the reservation or maintenance window.", {"type": "string"}),
    "{secret}": ("Secret of the link.", {"type": "string"}),
    "{share}": ("Id of the share.", {"type": "string"}),
    "{token}": ("Id of the token.", {"type": "string"}),
    "{part}": ("Which circuit, from 0.", {"type": "integer", "minimum": 0}),
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
    schema.base.DeviceState: Literal["on", "draining", "away", "off"],
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
"""Types of fields that the server knows more closely than its clients."""
OPENQASM_TYPE: Final = "text/plain; charset=utf-8"
"""Media type of a compiled circuit: OpenQASM has none of its own."""


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the whole document, with an example and links between operations."""
    found = describe(_DESCRIPTION, {"/v1": routes})
    paths = found["paths"]
    paths["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["examples"] = {
        "bell": {"value": _BELL}
    }
    for path, methods in paths.items():
        if "201" in methods.get("post", {}).get("responses", ()):
            methods["post"]["responses"]["201"]["links"] = _links(path, paths)
    return found


def _name(route: Route) -> str:
    """Return a name for what generators of clients make of an operation: `get_jobs_id_result`."""
    return "_".join([route.method.lower(), *re.findall(r"[a-z]+", route.path)])


def _links(path: str, paths: Mapping[str, Any]) -> dict[str, Any]:
    """Return the links from a POST's response to the operations with its id in their paths."""
    below = [methods for each, methods in paths.items() if each.startswith(f"{path}/{{id}}")]
    names = [operation["operationId"] for methods in below for operation in methods.values()]
    return {
        name: {"operationId": name, "parameters": {"id": "$response.body#/id"}} for name in names
    }


def _tag(path: str) -> str:
    """Return the tag of a path: its first segment, or `agents` for all requests of agents."""
    if "/leases" in path or path.startswith("/agent/"):
        return "agents"
    word = first_word(path)
    return {"openapi.json": "description", "events": "jobs", "projects": "account"}.get(word, word)


_DESCRIPTION: Final = Description(
    title="Qwicket",
    server="",
    security={"token": {"type": "http", "scheme": "bearer"}},
    error=schema.problems.Problem,
    error_type=wire.PROBLEM_TYPE,
    parameters=_PARAMETERS,
    described_as=DESCRIBED_AS,
    tag=_tag,
    operation_id=_name,
)
