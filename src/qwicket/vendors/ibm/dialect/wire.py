"""Request bodies of the dialect `ibm`, vendor fields stored with jobs, and error bodies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from qwicket.circuits.outcomes import COUNTS, MEMORY
from qwicket.dialects.bodies import decode
from qwicket.model.errors import (
    InvalidRequest,
    LimitExceeded,
    NotFound,
    QwicketError,
    TooManyRequests,
    Unavailable,
)
from qwicket.model.jobs import Submission
from qwicket.model.limits import ResponseLimits
from qwicket.vendors.ibm import qobj
from qwicket.vendors.ibm.dialect.names import DIALECT, DIRECT, STORED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits

_DEFAULT_SHOTS: Final = 1024
CLIENT: Final = "x-qx-client-application"
CLIENT_CHARS: Final = 512
_ABSENT: Final = msgspec.Raw(b"")
_MISPRINT: Final = "experiements"
"""How IBM's printed document spells `experiments`."""
_METHODS: Final = {
    None: "",
    "automatic": "",
    "statevector": "statevector",
    "stabilizer": "clifford",
    "matrix_product_state": "aer-mps",
}
"""Engine for each simulation method of Qiskit; the server chooses one if it is empty."""


_Short = Annotated[str, msgspec.Meta(max_length=1_000)]


class _Device(msgspec.Struct, frozen=True):
    name: str


class JobBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`POST /jobs`. Unknown keys are ignored: other versions of the client send others."""

    backend: _Device
    q_object: msgspec.Raw = _ABSENT
    allow_object_storage: bool | None = None
    shots: int | None = None
    name: str | None = None
    tags: tuple[str, ...] | None = None
    experiment_tag: str | None = None
    live_data_enabled: bool | None = None
    share_level: str | None = None

    @property
    def has_program(self) -> bool:
        beginning = memoryview(self.q_object)[:5]  # the whole may have 16 MB
        return bytes(beginning) not in (b"", b"null")


class TokenBody(msgspec.Struct, frozen=True, rename="camel"):
    api_token: str


class PasswordBody(msgspec.Struct, frozen=True):
    email: _Short
    password: _Short


class ChangeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`PUT /jobs/{id}`: a name or tags. The access token may be in the body, too."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    access_token: str | None = None


class _Signed(msgspec.Struct, frozen=True):
    access_token: str | None = None


class VendorFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields for IBM's clients alone; stored with the job, and read by this dialect only."""

    kind: str
    client: str = ""
    experiment: str = ""
    share: str = ""
    is_live: bool = False
    n_qubits: int | None = None
    memory_slots: int | None = None
    memory: bool = False

    def client_info(self) -> dict[str, str]:
        """Return name and version of the submitting client from its header."""
        name, _, rest = self.client.partition("/")
        return {"name": name, "version": rest.partition("/")[0]}


_job_decoder: Final = msgspec.json.Decoder(JobBody)
_signed_decoder: Final = msgspec.json.Decoder(_Signed)
_vendor_fields_decoder: Final = msgspec.json.Decoder(VendorFields)
_pairs_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def token_of(text: bytes) -> str | None:
    """Return the access token in a body; None if there is none."""
    try:
        return _signed_decoder.decode(text).access_token
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_job(text: bytes, _: Limits) -> JobBody:
    """Decode the body of a submission. Raw fields are copied, so that the body can be released.

    Raises:
        InvalidRequest: The body is malformed.
    """
    body = decode(text, _job_decoder)
    return msgspec.structs.replace(body, q_object=body.q_object.copy())


def draft(body: JobBody, headers: Headers, limits: Limits) -> Submission:
    """Return the submission of a job whose program is uploaded later.

    Raises:
        LimitExceeded: A text is too long.
    """
    for name, text in (("experimentTag", body.experiment_tag), ("shareLevel", body.share_level)):
        if len(text or "") > limits.requests.name_chars:
            raise LimitExceeded(
                f"{name} has more than {limits.requests.name_chars} characters (limit name_chars).",
                field=name,
            )
    return Submission(
        dialect=DIALECT,
        device=body.backend.name,
        format="qobj",
        source=b"",
        shots=_DEFAULT_SHOTS if body.shots is None else body.shots,
        name=body.name or "",
        tags=body.tags or (),
        vendor_fields=msgspec.json.encode(_vendor_fields(STORED, body, headers)),
    )


def from_draft(job: Job, document: bytes) -> Submission:
    """Return the submission of a job that is stored without its program."""
    return Submission(
        dialect=DIALECT,
        device=job.device,
        format="qobj",
        source=b"",
        shots=job.shots,
        name=job.name,
        tags=job.tags,
        vendor_fields=document,
    )


def direct(body: JobBody, headers: Headers, limits: Limits) -> Submission:
    """Return the submission of a job whose program is in the body.

    Raises:
        InvalidRequest: The Qobj is malformed, or requests an unsupported feature.
        LimitExceeded: The Qobj is too large, or a text is too long.
    """
    source = bytes(body.q_object)
    maximum = limits.programs.program_json_bytes
    if len(source) > maximum:
        raise LimitExceeded(
            f"qObject has {len(source)} bytes, {maximum} are allowed in a body"
            " (limit program_json_bytes); upload it instead.",
            field="qObject",
        )
    return submission(source, draft(body, headers, limits), DIRECT, body.shots)


def submission(
    source: bytes, draft: Submission, kind: str = STORED, shots: int | None = None
) -> Submission:
    """Return a submission with its program, and with the settings in the program.

    Args:
        source: The Qobj.
        draft: The submission without its program.
        kind: How the program was sent.
        shots: Shots in the same body as the program. Those that precede an upload are not
            compared, because IBM's older client sends 1 there.

    Raises:
        InvalidRequest: As for `direct`.
    """
    source = _with_misprint_corrected(source)
    settings = qobj.settings(source)
    place, others = "config", settings.config_shots
    if others is None:
        place, others = "experiments[0].config", settings.shots  # all experiments agree
    if None not in (shots, others) and shots != others:
        raise InvalidRequest(
            f"shots is {shots}, but qObject.{place}.shots is {others}."
            " Send one of them, or the same number in both.",
            field="shots",
        )
    if settings.method not in _METHODS:
        names = ", ".join(name for name in _METHODS if name)
        raise InvalidRequest(
            f"config.method must be one of {names}, not {str(settings.method)[:64]!r}.",
            field="config.method",
        )
    memory = any(each.memory for each in settings.experiments)
    stored_fields = msgspec.structs.replace(
        vendor_fields(draft.vendor_fields),
        kind=kind,
        n_qubits=settings.n_qubits,
        memory_slots=settings.memory_slots,
        memory=memory,
    )
    return msgspec.structs.replace(
        draft,
        source=source,
        shots=draft.shots if settings.shots is None else settings.shots,
        seed=settings.seed,
        engine=_METHODS[settings.method],
        outputs=(COUNTS, MEMORY) if memory else (COUNTS,),
        vendor_fields=msgspec.json.encode(stored_fields),
    )


def vendor_fields(document: bytes) -> VendorFields:
    """Return the vendor fields of a job."""
    return _vendor_fields_decoder.decode(document)


def _vendor_fields(kind: str, body: JobBody, headers: Headers) -> VendorFields:
    return VendorFields(
        kind=kind,
        client=headers.get(CLIENT, "")[:CLIENT_CHARS],
        experiment=body.experiment_tag or "",
        share=body.share_level or "",
        is_live=bool(body.live_data_enabled),
    )


def _with_misprint_corrected(source: bytes) -> bytes:
    """Return a Qobj with the misprint of `experiments` corrected."""
    if _MISPRINT.encode() not in source:
        return source
    try:
        pairs = _pairs_decoder.decode(source)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return source  # the reader of programs reports what is wrong
    if "experiments" in pairs or _MISPRINT not in pairs:
        return source
    pairs["experiments"] = pairs.pop(_MISPRINT)
    return msgspec.json.encode(pairs)


# --- errors ---------------------------------------------------------------------------------------


class JobNotFound(NotFound):
    """A job that does not exist; IBM's clients know the number 3250 of this error."""

    code = "job_not_found"


class JobLimit(LimitExceeded):
    """Too many unfinished jobs of a project on a device; clients have an error class for 3458."""

    code = "job_limit_reached"


RAN_TOO_LONG: Final = 1305
_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_NUMBERS: Final[Mapping[str, int]] = {
    "unauthenticated": 3001,
    "forbidden": 3002,
    "budget_spent": 3005,
    **dict.fromkeys(("bound_reached", "confirmation_needed", "confirmation_refused"), 3005),
    "method_not_allowed": 3003,
    "request_timeout": 3004,
    "invalid_request": 3100,
    "invalid_program": 3101,
    "limit_exceeded": 3102,
    "body_too_large": 3103,
    "not_found": 3200,
    "job_not_found": 3250,
    "conflict": 3300,
    "not_finished": 3301,
    "no_result": 3302,
    "too_many_requests": 3400,
    "job_limit_reached": 3458,
    "draft_expired": 3500,
    "unavailable": 3900,
    "device_off": 3900,
    "storage_full": 3901,
    "run_time_exceeded": RAN_TOO_LONG,
}
"""3250, 3458 and 1305 are IBM's numbers, the others this server's."""

_OTHER: Final = 3999
_FIELD_NAMES: Final[Mapping[str, str]] = {
    "device": "backend.name",
    "program": "qObject",
    "seed": "config.seed_simulator",
}


def recast(error: QwicketError) -> QwicketError:
    """Return an error with a status that clients retry only if a retry can help.

    Clients retry 503, also of submissions, and never 429. A device that is off stays off for some
    time, so its error becomes a 400. A large result can soon be sent, so its 429 becomes a 503. Too
    many unfinished jobs become IBM's own error, a 400.
    """
    if isinstance(error, Unavailable) and error.field == "device":
        return InvalidRequest(error.detail, field="device")
    if isinstance(error, TooManyRequests) and error.field == "jobs":
        return JobLimit(error.detail)
    if isinstance(error, TooManyRequests) and error.limit in ResponseLimits.__struct_fields__:
        return Unavailable(error.detail, retry_after_s=error.retry_after_s)
    return error


def number(code: str | None) -> int:
    """Return the number of an error code; clients show it beside the text.

    A code that is a number, as other clouds and test beds give, stays as it is.
    """
    found = _NUMBERS.get(code or "")
    return found or (int(code) if code and _NUMBER.fullmatch(code) else _OTHER)


def problem(error: QwicketError, field_names: Mapping[str, str] = _FIELD_NAMES) -> bytes:
    """Return the body of an error, with fields named as in the dialect."""
    body: dict[str, Any] = {
        "status": error.status,
        "message": message(error, field_names),
        "code": number(error.code),
        "name": error.code.upper(),
    }
    return msgspec.json.encode({"error": body})


def message(error: QwicketError, field_names: Mapping[str, str]) -> str:
    """Return the detail of an error, after the name of its field in the dialect."""
    name = field_names.get(error.field or "")
    return f"{name}: {error.detail}" if name else error.detail
