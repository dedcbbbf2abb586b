"""Xanadu Cloud's JSON: bodies of requests, jobs and errors."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from qwicket.circuits.outcomes import SAMPLES
from qwicket.dialects.bodies import (
    decode,
    decode_field,
    decode_or_none,
    invalid,
    small_form,
    texts,
)
from qwicket.dialects.pass_through_rules import Submitted
from qwicket.dialects.validation import quoted
from qwicket.model.errors import InvalidRequest, LimitExceeded, NotFound, QwicketError
from qwicket.model.jobs import Submission
from qwicket.model.states import JobState
from qwicket.vendors.xanadu import blackbird

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits

DIALECT: Final = "xanadu"
OPEN: Final = "open"
CANCELLED: Final = "cancelled"

_LANGUAGE: Final = re.compile(r"blackbird:1(\.[0-9]{1,9})?")
_USUAL_LANGUAGE: Final = "blackbird:1.0"
_QUEUED: Final = (JobState.QUEUED, JobState.RUNNING, JobState.UNCERTAIN)
STATES: Final[Mapping[str, tuple[JobState, ...]]] = {
    OPEN: (JobState.DRAFT,),  # only the response to a submission: no stored job is a draft
    "queued": _QUEUED,  # there is no status for a running job
    "cancel_pending": (JobState.CANCELLING,),
    "complete": (JobState.COMPLETED,),
    "failed": (JobState.FAILED,),
    CANCELLED: (JobState.CANCELLED,),
}
"""The dialect's statuses, each with the states of jobs that it stands for."""
_STATUSES: Final = {state: word for word, states in STATES.items() for state in states}


class SubmitBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /jobs`. Versions of Strawberry Fields before `xcc` send the circuit alone."""

    circuit: str
    name: str | None = None
    target: str | None = None
    language: str = _USUAL_LANGUAGE


class PatchBody(msgspec.Struct, frozen=True):
    """`PATCH /jobs/{id}`."""

    status: str


class VendorFields(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields that only Xanadu's clients need; stored with the job, read by this dialect alone."""

    name: str | None = None  # null is returned as null; the job's own name is then empty
    language: str = _USUAL_LANGUAGE


class Grant(NamedTuple):
    """Form that requests an access token; a missing field is empty."""

    type: str
    token: str


_ABSENT: Final = msgspec.Raw(b"null")
_submit_decoder: Final = msgspec.json.Decoder(SubmitBody)
_patch_decoder: Final = msgspec.json.Decoder(PatchBody)
_vendor_fields_decoder: Final = msgspec.json.Decoder(VendorFields)


# --- in -------------------------------------------------------------------------------------------


def grant(body: bytes, limits: Limits) -> Grant:
    """Return the grant in a form that requests an access token.

    Raises:
        LimitExceeded: The form is too large or has too many fields.
    """
    fields = small_form(body, limits)
    return Grant(fields.get("grant_type", ""), fields.get("refresh_token", ""))


def submission(text: bytes, limits: Limits) -> Submission:
    """Return the submission in a body; the number of shots is in the circuit's header.

    Raises:
        InvalidRequest: A field or the circuit's header is malformed.
        LimitExceeded: The circuit is too long.
    """
    body = decode(text, _submit_decoder)
    if not body.circuit:
        raise InvalidRequest("circuit must not be empty.", field="circuit")
    if not _LANGUAGE.fullmatch(body.language):
        raise invalid("language must be blackbird:1 or blackbird:1.N", body.language, "language")
    source = body.circuit.encode()
    try:
        header = blackbird.read_header(source, limits)
    except (InvalidRequest, LimitExceeded) as error:
        raise with_dialect_field(error) from None
    return Submission(
        dialect=DIALECT,
        device=_target(body.target, header.target),
        format="blackbird",
        source=source,
        shots=header.shots,
        outputs=(SAMPLES,),
        name=body.name or "",
        vendor_fields=msgspec.json.encode(VendorFields(body.name, body.language)),
    )


def outline(fields: Mapping[str, msgspec.Raw], limits: Limits) -> Submitted:
    """Read what is checked before a submission is passed on to the device's own server.

    This is every name given for the device, by field, and the shots in the circuit's header.

    Raises:
        InvalidRequest: There is no circuit, or its header is malformed.
        LimitExceeded: The circuit is too long.
    """
    circuit = decode_field(fields.get("circuit", _ABSENT), texts, "circuit")
    try:
        header = blackbird.read_header(circuit.encode(), limits)
    except (InvalidRequest, LimitExceeded) as error:
        raise with_dialect_field(error) from None
    named: dict[str, str | None] = {"circuit": header.target} if header.target else {}
    # Null is absent. If nothing names a device, `target` is None, which is refused.
    if fields.get("target", _ABSENT) != _ABSENT or not named:
        named["target"] = decode_or_none(texts, fields.get("target"))
    return Submitted(named, header.shots)


def _target(requested: str | None, written: str) -> str:
    """Return the requested device, from the field `target`, the circuit, or both if they agree.

    Raises:
        InvalidRequest: `target` is empty, or absent while the circuit names no device; or the two
            differ.
    """
    target = written if requested is None else requested
    if not target:
        raise InvalidRequest("target must name a device.", field="target")
    if written and written != target:
        detail = f"target: the circuit is for {quoted(written)}, the job for {quoted(target)}."
        raise InvalidRequest(detail, field="target")
    return target


def with_dialect_field(error: QwicketError) -> QwicketError:
    """Return a submission's error, with its `field` changed to the name in this dialect.

    Shots, modes and operations have no field of their own: the circuit declares them.
    """
    field_names = {"device": "target", "name": "name", "target": "target"}
    error.field = field_names.get(error.field or "", "circuit")
    return error


def check_cancel(text: bytes, _: Limits) -> None:
    """Check that the requested change of a job is its cancellation.

    Raises:
        InvalidRequest: Another change is requested, or the body is malformed.
    """
    status = decode(text, _patch_decoder).status
    if status != CANCELLED:
        raise invalid(f"status can only be set to {CANCELLED}", status, "status")


def states(word: str | None) -> tuple[JobState, ...]:
    """Return the states that a status in a filter stands for; empty for all states.

    Raises:
        InvalidRequest: There is no such status.
    """
    if word is None:
        return ()
    if word not in STATES:
        raise invalid(f"status must be one of {', '.join(STATES)}", word, "status")
    return STATES[word]


# --- out ------------------------------------------------------------------------------------------


def granted(access_token: str, refresh_token: str, life_s: float) -> dict[str, Any]:
    """Return the body of a grant, as in OpenID Connect.

    Args:
        access_token: The new access token.
        refresh_token: The user's own token, which stays the refresh token.
        life_s: Life of the access token in seconds.
    """
    return {
        "access_token": access_token,
        "expires_in": round(life_s),
        "refresh_expires_in": 0,
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": "profile email",
    }


def vendor_fields(document: bytes) -> VendorFields:
    """Return the vendor fields of a job."""
    return _vendor_fields_decoder.decode(document)


def job(job: Job, vendor_fields: VendorFields, status: str | None = None) -> dict[str, Any]:
    """Return the body of a job. All keys are always present, because clients read all of them.

    Args:
        job: The job.
        vendor_fields: Its vendor fields.
        status: Status to show instead: a new job is always shown as `open`.
    """
    return {
        "id": job.id,
        "name": vendor_fields.name,
        "status": status or _STATUSES[job.state],
        "target": job.device,
        "language": vendor_fields.language,
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.ended_at),
        "running_time": _running_s(job),
        "meta": _failure(job),
    }


def _failure(job: Job) -> dict[str, str]:
    if job.state is not JobState.FAILED:
        return {}
    code = (job.error_code or "failed").replace("_", "-")
    return {"error-code": code, "error-detail": job.error_text or ""}


def _running_s(job: Job) -> float | None:
    if job.started_at is None or job.ended_at is None:
        return None
    return max(0, job.ended_at - job.started_at) / 1000


def _time(ms: int | None) -> str | None:
    """Return a time that `fromisoformat` of all versions of Python reads: six digits and no `Z`."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="microseconds")


# --- errors ---------------------------------------------------------------------------------------

_CODES: Final = {
    400: "invalid-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    429: "rate-limited",
}


def recast(error: QwicketError) -> QwicketError:
    """Return an error; a 404 for the device of a submission becomes an invalid field.

    Such a 404 names the field. One without a field is for the resource in the path.
    """
    if isinstance(error, NotFound) and error.field:
        return InvalidRequest(error.detail, field=error.field)
    return error


def problem(error: QwicketError) -> bytes:
    """Return the body of an error.

    Clients need a text in `detail`. For an invalid field they show the texts in `meta` instead.
    """
    is_of_field = error.status == 400 and error.field is not None
    code = _CODES.get(error.status, error.code.replace("_", "-"))
    return msgspec.json.encode(
        {
            "status": error.status,
            "status_code": error.status,  # for Strawberry Fields up to 0.18
            "code": "validation-error" if is_of_field else code,
            "detail": error.detail,
            "meta": {error.field: [error.detail]} if is_of_field else {},
        }
    )


def refused_grant(code: str, description: str) -> dict[str, str]:
    """Return the body of a refused grant (OAuth 2.0, RFC 6749, 5.2)."""
    return {"error": code, "error_description": description}
