"""The description of `/v1` in OpenAPI 3.1, made from its routes and the structs of their JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

from qwicket import schema
from qwicket.dialects.native import wire
from qwicket.dialects.openapi import Description, describe, first_word
from qwicket.model.accounts import Role, Scope
from qwicket.model.devices import Family
from qwicket.model.limits import INT64_MAX, Limits
from qwicket.model.states import JobState
from qwicket.schema.jobs import SLURM_ACCOUNT, SLURM_JOB, SLURM_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.dialects.routing import Route

_TEXT: Final[dict[str, Any]] = {"type": "string", "pattern": r"^[^\u0000]*$"}
_SLURM: Final[dict[str, Any]] = {"type": "string", "pattern": f"^{SLURM_NAME}$"}
_STATES: Final = "|".join(JobState)
_PARAMETERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {  # names in braces are in the path
    "account": ("Name or e-mail address of the account whose jobs are listed.", _TEXT),
    "project": ("Name of the project whose jobs are listed.", _TEXT),
    "after": (
        "Lists the oldest jobs first: those after the value of `next` in the previous page, or 0.",
        {"type": "integer", "minimum": 0, "maximum": INT64_MAX},
    ),
    "at": (
        "Time in ISO 8601 whose calibration is returned; by default now.",
        {"type": "string", "format": "date-time"},
    ),
    "before": (
        "Value of `next` in the previous page.",
        {"type": "integer", "minimum": 1, "maximum": INT64_MAX},
    ),
    "created_from": ("Created at this time or later.", {"type": "string", "format": "date-time"}),
    "created_to": ("Created at this time or earlier.", {"type": "string", "format": "date-time"}),
    "by": (
        "What the numbers are grouped by, with commas: some of `project`, `account`, `device`,"
        " `day`, `slurm_account` and `slurm_job`.",
        {"type": "string", "default": "project,device"},
    ),
    "from": (
        "First day in UTC that counts; by default the oldest.",
        {"type": "string", "format": "date"},
    ),
    "to": ("Last day in UTC that counts; by default today.", {"type": "string", "format": "date"}),
    "deleted": ("List deleted accounts that can be restored.", {"enum": ["false", "true"]}),
    "device": ("Name of the device of the jobs.", _TEXT),
    "dialect": ("Dialect in which the jobs were submitted.", _TEXT),
    "format": ("JSON, or NumPy arrays.", {"enum": ["json", "npz"]}),
    "mitigation": (
        "Return the counts with readout errors mitigated, as `quasi_probabilities`.",
        {"enum": ["readout"]},
    ),
    "group": ("Id of the group of the jobs.", _TEXT),
    "hash": (
        "Hash of the audit that an earlier verification returned.",
        {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    ),
    "series": ("Remove all windows of the weekly series.", {"enum": ["false", "true"]}),
    "include": ("Return the result with the job if it has ended.", {"enum": ["result"]}),
    "jobs": (
        "Whether the jobs of the deleted account are kept or removed.",
        {"enum": ["keep", "remove"]},
    ),
    "limit": (
        "Greatest number of entries; by default 50.",
        {"type": "integer", "minimum": 1, "maximum": Limits().requests.list_page},
    ),
    "name": ("Name of the jobs.", _TEXT),
    "state": (
        "States of the jobs, separated by commas.",
        {"type": "string", "pattern": f"^({_STATES})(,({_STATES}))*$"},
    ),
    "tag": (
        "A tag of the jobs; if repeated, they have all of the tags.",
        {"type": "array", "items": _TEXT, "maxItems": Limits().requests.tags},
    ),
    "tree": ("Whether the projects below count with each project.", {"enum": ["false", "true"]}),
    "wait": ("Longest time to wait, in seconds.", {"type": "number", "minimum": 0}),
    "Idempotency-Key": (
        "Requests with the same key within 24 hours submit one job.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "If-None-Match": (
        "ETags of earlier responses; if one is still valid, the response is 304.",
        {"type": "string"},
    ),
    "Prefer": ("`wait=5` is the same as `?wait=5` (RFC 7240).", {"type": "string"}),
    SLURM_JOB: ("Job of Slurm in which the client runs.", _SLURM),
    SLURM_ACCOUNT: ("Account of that job. It only describes the job.", _SLURM),
    "Last-Event-ID": (
        "Number of the last event that the client has received.",
        {"type": "integer", "minimum": 0, "maximum": INT64_MAX},
    ),
    "{account}": ("Name or e-mail address of the account.", {"type": "string"}),
    "{agent}": (
        "Name that the agent has chosen.",
        {"type": "string", "pattern": "^[a-z0-9]{8,32}$"},
    ),
    "{budget}": ("Id of the budget.", {"type": "string"}),
    "{confirmation}": ("Id of the question.", {"type": "string"}),
    "{id}": ("Id, as an earlier response gave it.", {"type": "string"}),
    "{name}": (
        "Name of the device, worker or scaler.",
        {"type": "string", "examples": ["qpu.aria-1"]},
    ),
    "{project}": ("Name of the project.", {"type": "string"}),
    "{provider}": ("Name of the provider.", {"type": "string"}),
    "{invitation}": ("Id of the invitation.", {"type": "string"}),
    "{reservation}": ("Id of the reservation or maintenance window.", {"type": "string"}),
    "{secret}": ("Secret in the link to a shared job.", {"type": "string"}),
    "{session}": ("Id of the session at the pages.", {"type": "string"}),
    "{share}": ("Id of the share.", {"type": "string"}),
    "{token}": ("Id of the token.", {"type": "string"}),
    "{part}": ("Number of the circuit, from 0.", {"type": "integer", "minimum": 0}),
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
DOCUMENTED_TYPES: Final[dict[Any, Any]] = {
    schema.pilots.Base64: str,
    schema.base.DeviceState: Literal["on", "draining", "away", "off"],
    schema.base.Directive: Literal["stop", "lost"],
    schema.base.Family: Family,
    schema.base.Id: str,
    schema.base.PageUrl: str,
    schema.base.Role: Role,
    schema.results.Samples: list[Any],
    schema.base.Scope: Scope,
    schema.base.State: JobState,
    "SubmitBody.device": str | tuple[str, ...],
    "SubmitBody.inputs": dict[str, float],
    "SubmitBody.outputs": tuple[str, ...],
    "SubmitBody.program": str | dict[str, Any],
    "SubmitBody.tags": tuple[str, ...],
}
"""Types that the document shows in place of those in `qwicket.schema`, by type or STRUCT.FIELD."""
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


def _operation_id(route: Route) -> str:
    """Return the id of an operation, such as `get_jobs_id_result`, which generated clients use."""
    return "_".join([route.method.lower(), *re.findall(r"[a-z]+", route.path)])


def _links(path: str, paths: Mapping[str, Any]) -> dict[str, Any]:
    """Return the links from a POST's response to the operations with its id in their paths."""
    below = [methods for each, methods in paths.items() if each.startswith(f"{path}/{{id}}")]
    names = [operation["operationId"] for methods in below for operation in methods.values()]
    return {
        name: {"operationId": name, "parameters": {"id": "$response.body#/id"}} for name in names
    }


def _tag(path: str) -> str:
    """Return the tag of a path: usually its first segment; `agents` for all requests of agents."""
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
    described_as=DOCUMENTED_TYPES,
    tag=_tag,
    operation_id=_operation_id,
)
