"""JSON of the routes that labs' agents use, as typed structs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket import schema
from qwicket.circuits.calibrations import Calibration
from qwicket.circuits.outcomes import Encoded
from qwicket.dialects.bodies import check_document, check_length, check_objects, decode
from qwicket.model.devices import DeviceSpec, Family
from qwicket.model.errors import InvalidRequest
from qwicket.model.failures import Failure
from qwicket.model.jobs import Lease, Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.gateway.agents import ClaimedJob
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Directive, Job
    from qwicket.model.limits import Limits


class AnnounceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PUT /v1/agent/devices/{name}`: a lab's device.

    Attributes:
        family: Family of the programs that it runs.
        spec: Capabilities of the device.
        dialects: Dialects that show it, besides the native one.
    """

    family: Family
    spec: DeviceSpec
    dialects: tuple[str, ...] = ()


class AnnouncedBody(schema.base.ResponseBody, frozen=True, kw_only=True):
    """A lab's device as it was announced.

    Attributes:
        name: Name of the device in submissions.
        family: Family of the programs that it runs.
        provider: Name of the account that announced it first.
        dialects: Dialects that show it.
        spec: Capabilities of the device.
    """

    name: str
    family: Family
    provider: str
    dialects: tuple[str, ...]
    spec: DeviceSpec


class CalibrationBody(Calibration, frozen=True, kw_only=True):
    """One calibration.

    Attributes:
        id: Id of the calibration, as jobs show it.
        device: Name of the device.
    """

    id: str
    device: str


class CalibratedBody(schema.base.ResponseBody, frozen=True, kw_only=True):
    """A stored calibration.

    Attributes:
        valid_from: Time from which it is valid.
    """

    valid_from: datetime


_announce: Final = msgspec.json.Decoder(AnnounceBody)
_calibration: Final = msgspec.json.Decoder(Calibration)
_claim: Final = msgspec.json.Decoder(schema.agents.ClaimBody)
_renew: Final = msgspec.json.Decoder(schema.agents.RenewBody)
_release: Final = msgspec.json.Decoder(schema.agents.ReleaseBody)
_finish: Final = msgspec.json.Decoder(schema.agents.FinishBody)
_agent_name: Final = msgspec.json.Decoder(schema.agents.AgentName)


def announcement(text: bytes, limits: Limits) -> AnnounceBody:
    """Decode the announcement of a lab's device.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: The body is too large.
    """
    check_document(text, "body", limits)
    return decode(text, _announce)


def calibration(text: bytes, limits: Limits) -> Calibration:
    """Decode a calibration.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: The body is too large.
    """
    check_document(text, "body", limits)
    return decode(text, _calibration)


def claim(text: bytes, limits: Limits) -> schema.agents.ClaimBody:
    """Decode an agent's request for a job.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: It reports too many leases.
    """
    _check_leases(text, limits)
    body = decode(text, _claim)
    check_length(body.held, "held", limits.agents.held_leases, "held_leases")
    return body


def renewal(text: bytes, limits: Limits) -> schema.agents.RenewBody:
    """Decode an agent's renewal of leases; it raises as `claim` does."""
    _check_leases(text, limits)
    body = decode(text, _renew)
    check_length(body.held, "held", limits.agents.held_leases, "held_leases")
    return body


def _check_leases(text: bytes, limits: Limits) -> None:
    # Beside the body, each lease is one object.
    check_objects(text, 1 + limits.agents.held_leases, "limit held_leases", "held")


def release(text: bytes, _: Limits) -> schema.agents.ReleaseBody:
    return decode(text, _release)


def finish(text: bytes, limits: Limits) -> schema.agents.FinishBody:
    """Decode an agent's report of results.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: It has too many objects.
    """
    # The body, and for each circuit a part with an error.
    check_objects(text, 2 + 2 * limits.programs.circuits, "limit circuits", "parts")
    return decode(text, _finish)


def agent_name(text: str) -> str:
    """Return an agent's name from a path.

    Raises:
        InvalidRequest: The name is malformed.
    """
    return decode(msgspec.json.encode(text), _agent_name)


def result(body: schema.agents.FinishBody, limits: Limits) -> list[Encoded | Failure] | Failure:
    """Return the reported parts of a job, or its failure."""
    return read_parts(body.parts, body.error, limits)


def read_parts(
    parts: Sequence[schema.agents.PartReportBody] | None,
    error: schema.agents.RunErrorBody | None,
    limits: Limits,
) -> list[Encoded | Failure] | Failure:
    """Return the reported parts of a job, or its failure.

    Raises:
        InvalidRequest: There are both parts and an error, or neither; or a part is neither an
            outcome with its sha256 nor an error alone.
        LimitExceeded: There are too many parts.
    """
    if (parts is None) == (error is None):
        raise InvalidRequest("There must be either parts or an error.", field="parts")
    check_length(parts or (), "parts", limits.programs.circuits, "circuits")
    if error is not None:
        return _failure(error)
    return [_part(number, part) for number, part in enumerate(parts or ())]


def _part(number: int, part: schema.agents.PartReportBody) -> Encoded | Failure:
    if part.error is not None and part.outcome is None and part.sha256 is None:
        return _failure(part.error)
    if part.outcome is None or part.sha256 is None or part.error is not None:
        where = f"parts[{number}]"
        raise InvalidRequest(f"{where} must have either outcome and sha256, or error.", field=where)
    return Encoded(part.outcome, bytes.fromhex(part.sha256))


def _failure(error: schema.agents.RunErrorBody) -> Failure:
    return Failure(error.code, error.message)


def leases(held: Sequence[schema.agents.HeldLeaseBody]) -> list[Lease]:
    # The gateway sets the runner.
    return [Lease(job=each.id, fence=each.fence, nonce=each.nonce, runner="") for each in held]


def progress(held: Sequence[schema.agents.HeldLeaseBody]) -> dict[str, Progress]:
    return {each.id: Progress(each.done, each.text) for each in held if each.done is not None}


def device(device: Device) -> AnnouncedBody:
    """Return a lab's device as it was announced."""
    return AnnouncedBody(
        name=device.name,
        family=device.family,
        provider=device.provider,
        dialects=device.dialects,
        spec=device.spec,
    )


def claimed_body(
    claimed: ClaimedJob | None, renew_s: float, limits: Limits
) -> schema.agents.ClaimedBody:
    """Return a claimed job with its lease; `lease` is null if no job was claimed."""
    if claimed is None:
        return schema.agents.ClaimedBody(lease=None, renew_s=renew_s)
    lease, full_program = claimed.assignment.lease, claimed.full_program
    inputs: Any = msgspec.Raw(full_program.inputs.encode())  # stored as JSON
    return schema.agents.ClaimedBody(
        lease=schema.agents.LeaseBody(id=lease.job, fence=lease.fence, nonce=lease.nonce),
        renew_s=renew_s,
        device=claimed.assignment.device,
        family=claimed.family,
        format=full_program.format,
        source=full_program.source.decode("utf-8", "replace"),
        inputs=inputs,
        shots=claimed.options.shots,
        seed=claimed.options.seed,
        outputs=claimed.options.outputs,
        circuits=full_program.circuits,
        attempts=claimed.assignment.attempts,
        outcome_bytes=limits.bodies.outcome_bytes,  # limit on the body of a report
    )


def directives(
    directives_by_job: Mapping[str, Directive], renew_s: float
) -> schema.agents.DirectivesBody:
    return schema.agents.DirectivesBody(directives={**directives_by_job}, renew_s=renew_s)


def job_state(job: Job) -> schema.agents.JobStateBody:
    return schema.agents.JobStateBody(id=job.id, state=job.state)
