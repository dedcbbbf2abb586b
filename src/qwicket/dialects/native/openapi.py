"""The description of `/v1` in OpenAPI 3.1, made from the structs that decode its requests.

Answers have structs of their own where no request has the same shape (`answers`).
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec

from qwicket.dialects.native import account_wire, agent_wire, answers, wire
from qwicket.dialects.native.arrays import NPZ_TYPE
from qwicket.dialects.native.schemas import REF, Schemas
from qwicket.model.accounts import Scope
from qwicket.model.calibrations import Calibration
from qwicket.model.limits import INT64_MAX, Limits
from qwicket.model.states import JobState

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
_HEADERS: Final = {"Idempotency-Key", "If-None-Match", "Last-Event-ID"}
_PAGE: Final = ("limit", "before")


class Operation(NamedTuple):
    """What one method of one path does.

    Attributes:
        summary: A sentence.
        scope: What the token must hold; None is any token.
        body: Struct of the request, if it has a body.
        answer: Struct of the answer, where it has one.
        takes: Names of query parameters and headers.
        status: Of success.
        other_type: Another content type than JSON that the answer may have, or has alone.
        is_public: Whether it needs no token.
    """

    summary: str
    scope: Scope | None = None
    body: type[msgspec.Struct] | None = None
    answer: type[msgspec.Struct] | None = None
    takes: tuple[str, ...] = ()
    status: int = 200
    other_type: str | None = None
    is_public: bool = False


_R, _W, _D, _S = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ, Scope.DEVICES_SERVE
_T: Final = Scope.TOKENS_WRITE
_SSE: Final = "text/event-stream"
OPENQASM_TYPE: Final = "text/plain; charset=utf-8"
"""Of a compiled circuit: OpenQASM has no media type of its own."""

OPERATIONS: Final[dict[str, Operation]] = {
    "GET /openapi.json": Operation("Read this description.", is_public=True),
    "GET /account": Operation(
        "Read who asks, and with which token.", answer=account_wire.AccountBody
    ),
    "GET /projects": Operation("List the account's projects.", answer=answers.ProjectList),
    "GET /tokens": Operation("List the tokens that still sign in.", answer=answers.TokenList),
    "POST /tokens": Operation(
        "Make a token of no more rights.",
        _T,
        account_wire.TokenWish,
        account_wire.NewTokenBody,
        status=201,
    ),
    "DELETE /tokens/{id}": Operation(
        "Revoke a token of no more rights, and all that were made with it.", _T, status=204
    ),
    "GET /devices": Operation("List the devices.", _D, answer=answers.DeviceList),
    "GET /devices/{name}": Operation("Read a device and its queue.", _D, answer=answers.DeviceBody),
    "GET /devices/{name}/calibration": Operation(
        "Read what was measured of a device.", _D, answer=answers.CalibrationBody, takes=("at",)
    ),
    "GET /jobs": Operation(
        "List jobs, the newest first.",
        _R,
        answer=answers.JobList,
        takes=(
            *_PAGE,
            *sorted(
                {"state", "device", "door", "group", "name", "tag", "created_from", "created_to"}
            ),
        ),
    ),
    "POST /jobs": Operation(
        "Submit a job.", _W, wire.SubmitBody, wire.JobBody, ("Idempotency-Key",), 201
    ),
    "GET /jobs/{id}": Operation(
        "Read a job.", _R, answer=wire.JobBody, takes=("wait", "If-None-Match")
    ),
    "DELETE /jobs/{id}": Operation("Forget a job that has ended.", _W, status=204),
    "POST /jobs/{id}/cancel": Operation("Cancel a job.", _W, answer=wire.JobBody),
    "GET /jobs/{id}/events": Operation(
        "List what happened to a job.", _R, answer=answers.EventList
    ),
    "GET /jobs/{id}/stream": Operation(
        "Stream the changes of a job to its end.", _R, takes=("Last-Event-ID",), other_type=_SSE
    ),
    "GET /events": Operation(
        "Stream the changes of all jobs.", _R, takes=("Last-Event-ID",), other_type=_SSE
    ),
    "GET /jobs/{id}/result": Operation(
        "Read what a job gave.", _R, answer=answers.ResultBody, takes=("wait",)
    ),
    "GET /jobs/{id}/parts/{part}": Operation(
        "Read what one circuit gave.",
        *(_R, None, answers.PartAnswer, ("wait", "format"), 200, NPZ_TYPE),
    ),
    "GET /jobs/{id}/parts/{part}/compiled": Operation(
        "Read one circuit as its lab's device gets it.", _R, other_type="text/plain"
    ),
    "GET /groups": Operation(
        "List groups, the newest first.", _R, answer=answers.GroupList, takes=_PAGE
    ),
    "POST /groups": Operation("Open a group.", _W, wire.GroupBody, answers.GroupAnswer, status=201),
    "GET /groups/{id}": Operation("Read a group.", _R, answer=answers.GroupAnswer),
    "POST /groups/{id}/close": Operation("Take no more jobs.", _W, answer=answers.GroupAnswer),
    "POST /groups/{id}/cancel": Operation(
        "Cancel what has not ended of a group.", _W, answer=answers.CancelledBody
    ),
    "PUT /agent/devices/{name}": Operation(
        "Announce a device.", _S, agent_wire.AnnounceBody, answers.AnnouncedBody
    ),
    "PUT /agent/devices/{name}/calibration": Operation(
        "Say what was measured of a device.", _S, Calibration, answers.CalibratedBody
    ),
    "DELETE /agent/devices/{name}/agents/{agent}": Operation(
        "Serve a device no more.", _S, answer=answers.Answer
    ),
    "POST /devices/{name}/leases": Operation(
        "Ask for a job to run.", _S, agent_wire.ClaimBody, answers.ClaimedBody, takes=("wait",)
    ),
    "POST /leases/{id}/renew": Operation(
        "Go on with jobs.", _S, agent_wire.RenewBody, answers.OrdersBody
    ),
    "POST /leases/{id}/finish": Operation(
        "Bring a job's results.", _S, agent_wire.FinishBody, answers.JobEnd
    ),
    "POST /leases/{id}/release": Operation(
        "Give a job back.", _S, agent_wire.ReleaseBody, answers.JobEnd
    ),
}
"""By method and path, all that `/v1` answers to."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal or failure (RFC 9457): what is wrong, and what helps.

    Attributes:
        type: Where its code is explained.
        title: What the code means.
        status: That of the answer.
        code: Stable.
        detail: What is wrong this time.
        remedy: What helps.
        field: Where the request is wrong, if one field is.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str
    field: str = ""


def description() -> dict[str, Any]:
    """Return the whole document."""
    operations = OPERATIONS.values()
    schemas = Schemas(
        [Problem, *(each.body for each in operations), *(each.answer for each in operations)]
    )
    paths: dict[str, dict[str, Any]] = {}
    for way, operation in OPERATIONS.items():
        method, path = way.split(" ")
        paths.setdefault(f"/v1{path}", {})[method.lower()] = _worded(
            operation, method, path, schemas
        )
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


def _worded(of: Operation, method: str, path: str, schemas: Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if of.status != 204:
        is_other = of.answer is None and of.other_type is not None
        success["content"] = {} if is_other else schemas.content(of.answer)
        if of.other_type is not None:
            success["content"][of.other_type] = {}
    worded: dict[str, Any] = {
        "operationId": _name(method, path),
        "summary": of.summary,
        "tags": [_tag(path)],
        "parameters": [*map(_in_path, re.findall(r"{(\w+)}", path)), *map(_taken, of.takes)],
        "responses": {
            str(of.status): success,
            "default": {
                "description": "Refused or failed.",
                "content": {wire.PROBLEM_TYPE: {"schema": _PROBLEM}},
            },
        },
    }
    if method == "POST" and of.status == 201:
        success["links"] = _links(path)
    if "If-None-Match" in of.takes:
        worded["responses"]["304"] = {"description": "It is as it was."}
    if of.scope is not None:
        worded["description"] = f"Needs the scope `{of.scope}`."
    if of.body is not None:
        content = schemas.content(of.body)
        if of.body is wire.SubmitBody:
            content["application/json"]["examples"] = {"bell": {"value": _BELL}}
        worded["requestBody"] = {"required": True, "content": content}
    if of.is_public:
        worded["security"] = []
    return worded


def _name(method: str, path: str) -> str:
    """Return a name for what generators of clients make of an operation: `get_jobs_id_result`."""
    return "_".join([method.lower(), *re.findall(r"[a-z]+", path)])


def _links(path: str) -> dict[str, Any]:
    """Return what can be done with what a POST made: all that has its id in the path."""
    below = [way.split(" ") for way in OPERATIONS if way.split(" ")[1].startswith(f"{path}/{{id}}")]
    return {
        _name(method, there): {
            "operationId": _name(method, there),
            "parameters": {"id": "$response.body#/id"},
        }
        for method, there in below
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


def _taken(name: str) -> dict[str, Any]:
    said, schema = _PARAMETERS[name]
    where = "header" if name in _HEADERS else "query"
    return {"name": name, "in": where, "description": said, "schema": schema}
