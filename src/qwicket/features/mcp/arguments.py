"""Arguments of the tools. Their JSON schemas and descriptions are made from these structs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType, structs

from qwicket.dialects.bodies import check_document, decode
from qwicket.dialects.native import wire
from qwicket.model.jobs import Submission
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from qwicket.model.limits import Limits

WAIT_S: Final = 20.0
"""Longest wait of a tool in seconds: hosts give up after 30 to 60 s."""
MAX_LISTED: Final = 50


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of a tool."""

    def prepared(self) -> Arguments | Submission:
        """Return what the tool gets; a large program is prepared in a thread."""
        return self


class NoArguments(Arguments, frozen=True):
    """No arguments."""


class DeviceFilter(Arguments, frozen=True):
    """Which devices are listed."""

    family: Annotated[str, Meta(description="Only this family, such as qubit.")] = ""
    online: Annotated[bool, Meta(description="Only devices that run jobs now.")] = False


class DeviceName(Arguments, frozen=True):
    """One device."""

    device: Annotated[str, Meta(description="Name of the device.")]


class Program(Arguments, frozen=True):
    """A program for a device."""

    device: Annotated[
        str, Meta(description="Name of the device, from list_devices; best lets the server choose.")
    ]
    program: Annotated[
        msgspec.Raw,
        Meta(
            description="The program: a text such as OpenQASM 3, or JSON.",
            extra_json_schema={"anyOf": [{"type": "string"}, {"type": "object"}]},
        ),
    ]
    format: Annotated[str, Meta(description="Its format; by default detected.")] = ""
    shots: Annotated[int, Meta(description="Number of shots.")] = 1000
    seed: Annotated[int | None, Meta(description="Seed of a simulation.")] = None
    noise: Annotated[str | None, Meta(description="A noise model of the device.")] = None
    engine: Annotated[str, Meta(description="An engine of the device.")] = ""
    inputs: Annotated[
        dict[str, float], Meta(description="Values of inputs that the program declares.")
    ] = {}
    outputs: Annotated[
        tuple[str, ...], Meta(description="Such as counts, probabilities, memory.")
    ] = ("counts",)

    def prepared(self) -> Submission:
        """Return the submission of the program."""
        return Submission(
            dialect=wire.DIALECT,
            device=self.device,
            candidates=wire.candidates(self.device),
            format=self.format,
            source=wire.source(self.program),
            shots=self.shots,
            seed=self.seed,
            noise=self.noise,
            engine=self.engine,
            inputs=self.inputs,
            outputs=self.outputs,
        )


class NewJob(Program, frozen=True):
    """A program to run."""

    name: Annotated[str, Meta(description="Name of the job.")] = ""
    tags: Annotated[tuple[str, ...], Meta(description="Tags of the job.")] = ()
    idempotency_key: Annotated[
        Annotated[str, Meta(min_length=1, max_length=255)] | None,
        Meta(description="Any new text; calls with the same key and program are one job."),
    ] = None

    def prepared(self) -> Submission:
        """Return the submission of the job."""
        return structs.replace(
            super().prepared(),
            name=self.name,
            tags=self.tags,
            idempotency_key=self.idempotency_key,
        )


class JobId(Arguments, frozen=True):
    """One job."""

    id: Annotated[str, Meta(description="Id of the job.")]


class Wait(JobId, frozen=True):
    """How long to wait for the end of a job."""

    seconds: Annotated[float, Meta(ge=0, le=WAIT_S, description="Longest wait.")] = WAIT_S


class Part(JobId, frozen=True):
    """The result of one circuit."""

    part: Annotated[int, Meta(ge=0, description="Number of the circuit, from 0.")] = 0
    plot: Annotated[bool, Meta(description="Also draw the shown outcomes, in their order.")] = False


class JobFilter(Arguments, frozen=True):
    """Which jobs are listed."""

    device: Annotated[str | None, Meta(description="Only of this device.")] = None
    state: Annotated[JobState | None, Meta(description="Only in this state.")] = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LISTED, description="Number of jobs.")] = 10
    before: Annotated[
        Annotated[int, Meta(ge=1, le=INT64_MAX)] | None,
        Meta(description="`before` of the previous page."),
    ] = None


class _Documents(msgspec.Struct, frozen=True):
    """Fields of free form, which are bounded before they are decoded."""

    inputs: msgspec.Raw | UnsetType = UNSET
    outputs: msgspec.Raw | UnsetType = UNSET
    tags: msgspec.Raw | UnsetType = UNSET


_documents: Final = msgspec.json.Decoder(_Documents)


@cache
def _decoder(kind: type[Arguments]) -> msgspec.json.Decoder[Arguments]:
    return msgspec.json.Decoder(kind)


def decoded(content: bytes, kind: type[Arguments], limits: Limits) -> Arguments | Submission:
    """Return the arguments of a tool, as the tool gets them.

    Raises:
        InvalidRequest: An argument is missing, unknown or invalid; `field` names it.
        LimitExceeded: A document is too large.
    """
    documents = decode(content, _documents)
    for name in _Documents.__struct_fields__:
        value = getattr(documents, name)
        if value is not UNSET:
            check_document(value, name, limits)
    return decode(content, _decoder(kind)).prepared()


@cache
def schema(kind: type[Arguments]) -> dict[str, Any]:
    """Return the JSON schema of the arguments of a tool, without references."""
    _, named = msgspec.json.schema_components([kind], ref_template="{name}")
    found: dict[str, Any] = named[kind.__name__]
    for name, value in found["properties"].items():
        found["properties"][name] = _inlined(value, named)
    return {"type": "object"} | {
        key: found[key]
        for key in ("properties", "required", "additionalProperties")
        if key in found
    }


def _inlined(value: Any, named: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            return {"type": "string", "enum": named[value["$ref"]]["enum"]}
        return {key: _inlined(each, named) for key, each in value.items()}
    if isinstance(value, list):
        return [_inlined(each, named) for each in value]
    return value
