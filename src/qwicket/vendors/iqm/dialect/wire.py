"""IQM Server's JSON: bodies of submissions, jobs and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from qwicket.circuits.outcomes import COUNTS, MEMORY
from qwicket.dialects.bodies import check_objects, decode, decode_field, invalid
from qwicket.dialects.pass_through_rules import Submitted
from qwicket.dialects.times import format_time
from qwicket.gateway.program_checks import NotConnected
from qwicket.model.errors import (
    BodyTooLarge,
    InvalidProgram,
    InvalidRequest,
    LimitExceeded,
    QwicketError,
)
from qwicket.model.jobs import Submission
from qwicket.model.states import JobState
from qwicket.vendors.iqm.limits import IQMLimits
from qwicket.vendors.iqm.names import DIALECT, SOURCE, no_calibration_id, qubit_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sized

    from starlette.datastructures import QueryParams

    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits

_STATUSES: Final = {
    JobState.DRAFT: "waiting",
    JobState.QUEUED: "waiting",
    JobState.RUNNING: "processing",
    JobState.CANCELLING: "processing",
    JobState.UNCERTAIN: "processing",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}
_ARTIFACTS: Final = [{"type": "measurements"}, {"type": "measurement_counts"}]


class SubmitBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST jobs/{alias}/circuit`.

    The parser of the format `iqm.circuits` reads the circuits and the mapping. Options without an
    effect on a simulation are not here; they are ignored.
    """

    circuits: msgspec.Raw
    qubit_mapping: msgspec.Raw = msgspec.Raw(b"null")
    shots: int = 1
    calibration_set_id: UUID | None = None
    heralding_mode: str = "none"
    dd_mode: str = "disabled"


class VendorFields(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields that only IQM's clients need; stored with the job, read by this dialect alone.

    Attributes:
        calibration_set_id: The requested calibration set, if the client named one.
        messages: What the job does without.
    """

    calibration_set_id: str | None = None
    messages: tuple[str, ...] = ()


class _Circuit(msgspec.Struct, frozen=True):
    """A circuit of which nothing is read."""


_circuits: Final = msgspec.json.Decoder(list[_Circuit | str])
_shots: Final = msgspec.json.Decoder(int)
_submit_decoder: Final = msgspec.json.Decoder(SubmitBody)
_vendor_fields_decoder: Final = msgspec.json.Decoder(VendorFields)


# --- in -------------------------------------------------------------------------------------------


def submission(text: bytes, limits: Limits) -> Submission:
    """Return the submission in a body, without its device, which the path names.

    Raises:
        InvalidRequest: A field is malformed, or asks for something that is not supported.
        LimitExceeded: There are too many instructions.
    """
    _check_objects(text, limits)
    body = decode(text, _submit_decoder)
    if body.heralding_mode != "none":
        raise invalid("heralding_mode must be none", body.heralding_mode, "heralding_mode")
    messages = []
    if body.dd_mode != "disabled":
        messages.append("dd_mode: no dynamical decoupling is applied; the circuits run without it.")
    calibration = str(body.calibration_set_id) if body.calibration_set_id else None
    return Submission(
        dialect=DIALECT,
        device="",
        format="iqm.circuits",
        source=text,
        shots=body.shots,
        outputs=(COUNTS, MEMORY),
        vendor_fields=msgspec.json.encode(VendorFields(calibration, tuple(messages))),
    )


def outline(fields: Mapping[str, msgspec.Raw], limits: Limits) -> Submitted:
    """Read what is checked before a submission is passed on to the machine's own server.

    Raises:
        InvalidRequest: `shots` is not an integer, or `circuits` no list of circuits.
        LimitExceeded: There are too many instructions.
    """
    _check_objects(fields.get("circuits", b""), limits)
    circuits: Sized = ()
    if "circuits" in fields:
        circuits = decode_field(fields["circuits"], _circuits, "circuits")
    shots = decode_field(fields["shots"], _shots, "shots") if "shots" in fields else 1
    return Submitted({}, shots * max(1, len(circuits)))


def check_query(query: QueryParams) -> None:
    """Refuse a submission to a time slot.

    Raises:
        InvalidRequest: `use_timeslot` is not false.
    """
    text = query.get("use_timeslot")
    if text not in (None, "false"):
        raise invalid(
            "use_timeslot must be false, because a job of a project with a reservation starts in it"
            " by itself",
            text,
            "use_timeslot",
        )


def _check_objects(text: bytes | msgspec.Raw, limits: Limits) -> None:
    # Each instruction is an object with one in it, each circuit has one for metadata.
    maximum = 2 * (limits.of(IQMLimits).iqm_instructions + limits.programs.circuits)
    check_objects(bytes(text), maximum, "limits iqm_instructions, circuits", "circuits")


def vendor_fields(document: bytes) -> VendorFields:
    """Return the vendor fields of a job."""
    return _vendor_fields_decoder.decode(document)


# --- out ------------------------------------------------------------------------------------------


def job(job: Job, fields: VendorFields, ahead: int | None) -> dict[str, Any]:
    """Return the body of a job.

    Args:
        job: The job.
        fields: Its vendor fields.
        ahead: Number of jobs ahead of it, if it waits.
    """
    status = _STATUSES[job.state]
    times = ((job.created_at, "created"), (job.started_at, "processing"), (job.ended_at, status))
    return {
        "id": job.id,
        "type": "circuit",
        "status": status,
        "queue_position": ahead if job.state is JobState.QUEUED else None,
        "execution": None,
        "compilation": {"calibration_set_id": job.calibration or no_calibration_id(job.device)},
        "messages": [{"source": SOURCE, "message": each} for each in fields.messages],
        "errors": _errors(job),
        "timeline": [
            {"source": SOURCE, "status": word, "timestamp": format_time(at)}
            for at, word in times
            if at is not None
        ],
        "artifacts": _ARTIFACTS if job.state is JobState.COMPLETED else [],
    }


def _errors(job: Job) -> list[dict[str, str]]:
    if job.state is not JobState.FAILED:
        return []
    return [_error(job.error_text or "The job failed.", job.error_code or "failed")]


# --- errors ---------------------------------------------------------------------------------------


class Unprocessable(InvalidRequest):
    """A request that is well-formed, but whose content is refused: clients' `ValidationError`.

    Attributes:
        reason: Code of the error in whose place it is.
    """

    status = 422
    reason = InvalidRequest.code


def not_connected(error: NotConnected, device: str) -> InvalidProgram:
    """Return the error of a gate on a pair that a device does not connect, with IQM's names."""
    first, second = map(qubit_name, error.pair)
    detail = f"cz: {device} does not connect {first} and {second}"
    return InvalidProgram(detail, field="circuits")


def recast(error: QwicketError) -> QwicketError:
    """Return an error with the status by which clients choose their exception.

    What a body contains is refused with 422. A body that is not JSON has no field and stays 400.
    """
    is_content = isinstance(error, InvalidRequest) and error.field is not None
    is_limit = isinstance(error, LimitExceeded) and not isinstance(error, BodyTooLarge)
    is_program = isinstance(error, InvalidProgram)
    if not (is_content or is_limit or is_program):
        return error
    found = Unprocessable(error.detail, field=error.field)
    found.reason = error.code
    return found


def problem(error: QwicketError) -> bytes:
    """Return the body of an error."""
    code = error.reason if isinstance(error, Unprocessable) else error.code
    return msgspec.json.encode(_error(error.detail, code))


def _error(message: str, code: str) -> dict[str, str]:
    return {"message": message, "error_code": code, "source": SOURCE}
