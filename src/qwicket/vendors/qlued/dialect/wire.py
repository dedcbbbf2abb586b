"""Request bodies of qlued's dialect, and the StatusMsg: its status of a job, and its error body.

Every field of a StatusMsg is a text; the text `None` stands for a missing value.
"""

from __future__ import annotations

import json as json_of_python
from contextlib import suppress
from math import nan
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec

from qwicket.circuits.outcomes import SAMPLES
from qwicket.dialects.bodies import decode, refuse_lookalikes, unique_fields
from qwicket.dialects.pass_through_rules import Submitted
from qwicket.dialects.validation import quoted
from qwicket.model.errors import (
    BodyTooLarge,
    BudgetSpent,
    Conflict,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    QwicketError,
    Unauthenticated,
    Unavailable,
)
from qwicket.model.jobs import Submission
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import QueryParams

    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits

T = TypeVar("T")

DIALECT: Final = "qlued"
UNKNOWN_DEVICE: Final = "Unknown back-end!"

Status = Literal["INITIALIZING", "QUEUED", "DONE", "ERROR"]

_OLD_STATUSES: Final = {"DONE": "finished", "ERROR": "error"}
_ABSENT: Final = "None"
_RECEIVED: Final = "Got your json."
_RUN: Final = f"{_RECEIVED}; Passed json sanity check; Compilation done. Shots sent to solver."
_NO_CREDENTIALS: Final = "Invalid credentials!"
_REQUIRED: Final = "Field required"
_NO_JSON: Final = "The encoding of your json seems not work out!"
_MAX_FIELDS: Final = 16
"""Limit on the fields of a form. Clients send three."""
_MAX_COLONS_PER_EXPERIMENT: Final = 10
"""Colons per experiment above which a job's shots are not counted: five or six are usual, one
after its name and after each key."""
_LENIENT_BYTES: Final = 64 << 10
"""Longest text for Python's JSON parser, which blocks all other requests while it runs."""


class Unprocessable(InvalidRequest):
    """The body or query cannot be read, or a field is missing or of the wrong type.

    `field` is a path with dots.
    """

    status = 422


class JobRejected(InvalidRequest):
    """The request is complete, but its job is invalid, unknown or not accepted."""

    status = 406


class UnknownJob(JobRejected):
    """No job of this token and device has the id."""

    def __init__(self, id_text: str, **details: Any) -> None:
        super().__init__("Could not find the status file.", **details)
        self.job_id = id_text


# --- what comes in --------------------------------------------------------------------------------


class Posted(NamedTuple):
    """The body of a submission.

    Attributes:
        token: Token of the sender; None if it is in a header.
        job: The experiments as JSON text.
    """

    token: str | None
    job: bytes

    def __repr__(self) -> str:
        return f"Posted(job={len(self.job)} bytes)"


class _Body(msgspec.Struct, frozen=True):
    """`POST /{device}/post_job`. Raw fields are checked one by one, for qlued's error texts."""

    job: msgspec.Raw = msgspec.Raw(b"")
    token: msgspec.Raw = msgspec.Raw(b"")
    password: msgspec.Raw = msgspec.Raw(b"")
    payload: msgspec.Raw = msgspec.Raw(b"")


class _Named(msgspec.Struct, frozen=True):
    job_id: str


class _Shots(msgspec.Struct, frozen=True):
    shots: int = 1


_body_decoder: Final = msgspec.json.Decoder(_Body)
_named_decoder: Final = msgspec.json.Decoder(_Named)
_text_decoder: Final = msgspec.json.Decoder(str)
_any_decoder: Final = msgspec.json.Decoder(msgspec.Raw)
_job_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_numbers: Final = msgspec.json.Decoder(int | float)
_shots_decoder: Final = msgspec.json.Decoder(_Shots)


def read_posted(body: bytes, limits: Limits) -> Posted:
    """Read a submission of version 2: JSON, or the form fields that old clients send.

    Raises:
        Unprocessable: The body is neither; a field is missing or not text; or a form is too large,
            because parsing a form needs many times its size.
    """
    if body.lstrip()[:1] == b"{":
        fields = _fields(body)
        token = fields.token if bytes(fields.token) else fields.password
        return Posted(_text(token, "token"), _text(fields.job, "job").encode())
    maximum = limits.requests.document_bytes
    if len(body) > maximum:
        text = f"A form may have at most {maximum} bytes (limit document_bytes)."
        raise Unprocessable(text, field="body")
    form = _form(body)
    for name, known in (("job", ("json", "job")), ("token", ("password", "token"))):
        if not any(key in form for key in known):
            raise _missing("body.data", name)
    token_text = form["token"] if "token" in form else form["password"]
    return Posted(token_text, (form["json"] if "json" in form else form["job"]).encode())


def read_posted_object(body: bytes, _: Limits) -> Posted:
    """Read a submission of version 3: the experiments are an object, the token is elsewhere.

    Raises:
        Unprocessable: The body is not JSON, or has no object `payload`.
    """
    payload = bytes(_fields(body).payload)
    if not payload:
        raise _missing("body.data", "payload")
    if payload[:1] != b"{":
        detail = f"Input should be an object, not {quoted(msgspec.Raw(payload))}."
        raise Unprocessable(detail, field="body.data.payload")
    return Posted(None, payload)


def job_id(query: QueryParams) -> str:
    """Return the id of the job in a query. It may be any text.

    Raises:
        Unprocessable: The id is missing, or `json` is malformed.
    """
    found = query.get("job_id")
    if found is None and "json" in query:
        found = _decoded(query["json"].encode(), _named_decoder, "query.json").job_id
    if found is None:
        raise _missing("query", "job_id")
    return found


def token(query: QueryParams) -> str:
    """Return the token in a query of version 2.

    Raises:
        Unprocessable: The token or the job's id is missing; a missing id is reported first.
    """
    job_id(query)
    found = query.get("token", query.get("password"))
    if found is None:
        raise _missing("query", "token")
    return found


def _fields(body: bytes) -> _Body:
    return _decoded(body, _body_decoder, "body.data")


def _decoded(text: bytes, decoder: msgspec.json.Decoder[T], where: str) -> T:
    try:
        return decode(text, decoder)
    except InvalidRequest as error:
        field = f"{where}.{error.field}" if error.field else where
        raise Unprocessable(error.detail, field=field) from None


def _text(raw: msgspec.Raw, name: str) -> str:
    if not bytes(raw):
        raise _missing("body.data", name)
    try:
        return _text_decoder.decode(raw)
    except msgspec.ValidationError:
        body = "" if name in ("token", "password") else f", not {quoted(raw)}"
        raise Unprocessable(f"Input should be a text{body}.", field=f"body.data.{name}") from None


def _form(body: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise Unprocessable("The body is neither JSON nor a form.", field="body") from None
    return dict(pairs)


def _missing(where: str, name: str) -> Unprocessable:
    return Unprocessable(_REQUIRED, field=f"{where}.{name}")


def submission(device: Device, job: bytes, limits: Limits) -> Submission:
    """Return the submission of a job's text. The parser of its format checks the experiments.

    Raises:
        JobRejected: The text is not a JSON object.
    """
    _check_object(job)
    return Submission(
        dialect=DIALECT,
        device=device.name,
        format=device.spec.formats[0],
        source=job,
        shots=_shots(job, min(limits.jobs.shots, device.spec.max_shots), limits.programs.circuits),
        outputs=(SAMPLES,),
    )


def outline_v2(fields: Mapping[str, msgspec.Raw], _: Limits) -> Submitted:
    """Read what is checked before a submission of version 2 is passed on to the device's server.

    This is the number of shots; the path names the device.

    Raises:
        Unprocessable: There is no job, or it is not a text.
        JobRejected: The text is not a JSON object, or has shots that cannot be counted.
    """
    return Submitted({}, _all_shots(_text(fields.get("job", msgspec.Raw(b"")), "job").encode()))


def outline_v3(fields: Mapping[str, msgspec.Raw], _: Limits) -> Submitted:
    """Read what is checked before a submission of version 3 is passed on to the device's server.

    This is the number of shots; the path names the device.

    Raises:
        JobRejected: There is no object `payload`, or it has shots that cannot be counted.
    """
    return Submitted({}, _all_shots(bytes(fields.get("payload", b""))))


def _all_shots(job: bytes) -> int:
    """Return the sum of the shots of all experiments, at least 1.

    The parser of the device's own server may be more lenient than this one. Shots that cannot be
    counted for certain are refused, because they would run without a budget.
    """
    try:
        experiments = unique_fields(job)
    except InvalidRequest:
        raise JobRejected(_NO_JSON, field="job") from None
    total = 0
    for name, experiment in experiments.items():
        shots: int | float = nan
        fields: Mapping[str, msgspec.Raw] = {}
        with suppress(InvalidRequest, msgspec.MsgspecError):
            fields = unique_fields(bytes(experiment))
            shots = _numbers.decode(fields.get("shots", b""))
        refuse_lookalikes(fields, ("shots",))
        if isinstance(shots, float) and not shots.is_integer():
            text = f"{name[:100]}: shots must be a whole number; no field may be there twice."
            raise JobRejected(text, field="job")
        total += max(1, int(shots))
    return max(1, total)


def _check_object(job: bytes) -> None:
    try:
        job.decode()
        is_object = bytes(_any_decoder.decode(job)).lstrip()[:1] == b"{"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        is_object = _is_object_to_python(job)
    if not is_object:
        raise JobRejected(_NO_JSON, field="job")


def _is_object_to_python(job: bytes) -> bool:
    """Return whether a text is an object with NaN or infinity, which clients in Python write."""
    if len(job) > _LENIENT_BYTES or not (b"NaN" in job or b"Infinity" in job):
        return False
    try:
        return isinstance(json_of_python.loads(job), dict)
    except (ValueError, RecursionError):
        return False


def _shots(job: bytes, maximum: int, max_experiments: int) -> int:
    """Return the greatest number of shots of an experiment, or `maximum` for too many keys.

    Lists of jobs show this number. Each experiment is run with its own shots. The parser of
    programs reports malformed experiments.
    """
    if job.count(b":") > _MAX_COLONS_PER_EXPERIMENT * max_experiments:
        return maximum
    found = 1
    with suppress(msgspec.DecodeError, RecursionError):
        for text in _job_decoder.decode(job).values():
            with suppress(msgspec.DecodeError, RecursionError):
                found = max(found, _shots_decoder.decode(text).shots)
    return min(found, maximum)


# --- what goes out --------------------------------------------------------------------------------


def status_msg(
    status: Status, detail: str, *, job_id: str = _ABSENT, error: str = _ABSENT
) -> dict[str, str]:
    return {"job_id": job_id, "status": status, "detail": detail, "error_message": error}


def with_old_statuses(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with the statuses `finished` and `error` in place of `DONE` and `ERROR`.

    Otherwise qiskit-cold-atom would poll forever, because it does not know the newer statuses.
    """
    return {**body, "status": _OLD_STATUSES.get(body["status"], body["status"])}


def submission_response(job: Job) -> dict[str, str]:
    """Return the response to a submission, which is the same for accepted and refused jobs."""
    return status_msg("INITIALIZING", _RECEIVED, job_id=job.id)


def job_status(job: Job) -> dict[str, str]:
    """Return the status of a job."""
    match job.state:
        case JobState.COMPLETED:
            return status_msg("DONE", _RUN, job_id=job.id)
        case JobState.FAILED | JobState.CANCELLED:
            reason = job.error_text or f"The job was {job.state}."
            detail = f"{_RECEIVED}; {reason}"
            return status_msg("ERROR", detail, job_id=job.id, error=reason)
        case JobState.DRAFT:  # no job of this dialect is a draft
            return status_msg("INITIALIZING", _RECEIVED, job_id=job.id)
    return status_msg("QUEUED", _RECEIVED, job_id=job.id)


def recast(error: QwicketError) -> QwicketError:
    """Return an error with one of the statuses of this dialect (401, 404, 406, 422) if possible."""
    is_content = isinstance(error, InvalidRequest | LimitExceeded)
    is_ours = isinstance(error, Unprocessable | JobRejected | BodyTooLarge)
    is_off = isinstance(error, Unavailable) and error.field == "device"
    is_final = isinstance(error, BudgetSpent | Conflict)
    if (is_content and not is_ours) or is_off or is_final:
        return JobRejected(error.detail, field=error.field)
    return error


def problem(error: QwicketError) -> bytes:
    """Return the body of an error: a StatusMsg, except for errors of status 422."""
    if error.status == Unprocessable.status:
        where = (error.field or "body").split(".")
        kind = "missing" if error.detail == _REQUIRED else "value_error"
        entry = {"type": kind, "loc": where, "msg": error.detail}
        return msgspec.json.encode({"detail": [entry]})
    return msgspec.json.encode(refusal(error))


def refusal(error: QwicketError) -> dict[str, str]:
    """Return the StatusMsg of an error."""
    if isinstance(error, UnknownJob):
        text = f"Missing status file for {error.job_id}."
        return status_msg("ERROR", error.detail, job_id=error.job_id, error=text)
    if isinstance(error, Unauthenticated):
        return status_msg("ERROR", _NO_CREDENTIALS, error=_NO_CREDENTIALS)
    if isinstance(error, NotFound) and error.field == "device":
        return status_msg("ERROR", error.detail, error=UNKNOWN_DEVICE)
    return status_msg("ERROR", error.detail, error=error.detail)
