"""Request bodies of both versions of IonQ's dialect, and error bodies.

A job is stored in one form for both versions, so that either can read it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from qwicket.circuits.outcomes import COUNTS, PROBABILITIES
from qwicket.dialects.bodies import check_document, decode, invalid
from qwicket.dialects.validation import quoted
from qwicket.model.errors import (
    Conflict,
    InvalidRequest,
    LimitExceeded,
    NoResult,
    NotFinished,
    NotFound,
    QwicketError,
    Unavailable,
)
from qwicket.model.jobs import Job, Submission
from qwicket.model.limits import INT64_MAX, Limits

if TYPE_CHECKING:
    from qwicket.gateway import Program

DIALECT: Final = "ionq"
CIRCUIT: Final = "ionq.circuit.v1"
MULTI: Final = "ionq.multi-circuit.v1"
QASM3: Final = "ionq.qasm3.v1"
QIR: Final = "qir"
"""Type of a job whose `input.format` in version 0.3 was this word."""
_FORMATS: Final = {QASM3: "openqasm3", QIR: "qir"}
"""Formats of programs by the type of the job; other types are IonQ's JSON."""
IDEAL: Final = "ideal"
DEFAULT_QPU: Final = "qpu.aria-1"
"""The device that the name `qpu` stands for, which cirq-ionq sends."""
_ANY_QPU: Final = "qpu"

_DEFAULT_SHOTS: Final = 100
_SAME_NOISE: Final = {"harmony-1": "harmony", "harmony-2": "harmony"}
"""IonQ's names of noise models for which this server has one model."""
_EMPTY: Final = msgspec.Raw(b"{}")
_ABSENT: Final = msgspec.Raw(b"")

_Seed = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]


def device_name(word: str) -> str:
    """Return the name of a device; the word `qpu` stands for `DEFAULT_QPU`."""
    return DEFAULT_QPU if word == _ANY_QPU else word


class Noise(msgspec.Struct, frozen=True):
    model: str = IDEAL
    seed: _Seed | None = None


class V04Body(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /v0.4/jobs`. Unknown keys are ignored: clients add parameters of their users."""

    backend: str
    input: msgspec.Raw
    type: str = CIRCUIT
    shots: int | str = _DEFAULT_SHOTS
    name: str | None = None
    metadata: msgspec.Raw = _EMPTY
    noise: Noise | None = None
    settings: msgspec.Raw = _EMPTY
    session_id: str | None = None
    dry_run: bool | None = None


class V03Mitigation(msgspec.Struct, frozen=True):
    debias: bool | None = None


class V03Body(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /v0.3/jobs`. Older versions of cirq-ionq send `body` in place of `input`."""

    target: str
    input: msgspec.Raw = _ABSENT
    body: msgspec.Raw = _ABSENT
    shots: int | str = _DEFAULT_SHOTS
    name: str | None = None
    metadata: msgspec.Raw = _EMPTY
    noise: Noise | None = None
    settings: msgspec.Raw = _EMPTY
    registers: msgspec.Raw = _EMPTY
    error_mitigation: V03Mitigation | None = None
    session_id: str | None = None
    dry_run: bool | None = None


class CloneBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /jobs/{id}/clone`: the fields that differ from the job's.

    Without `session_id` the clone is in no session, even if the job is in one.
    """

    backend: str | None = None
    shots: int | str | None = None
    name: str | None = None
    metadata: msgspec.Raw = _ABSENT
    noise: Noise | None = None
    settings: msgspec.Raw = _ABSENT
    session_id: str | None = None
    dry_run: bool | None = None


class IdsBody(msgspec.Struct, frozen=True):
    """The body of a bulk operation."""

    ids: tuple[str, ...]


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """Name and registers of one of several circuits; they are stored and returned."""

    name: str = ""
    registers: msgspec.Raw = _EMPTY


class VendorFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields for IonQ's clients alone; stored with the job, and read by this dialect only."""

    type: str
    metadata: msgspec.Raw
    noise: Noise
    settings: msgspec.Raw
    registers: msgspec.Raw = _EMPTY
    members: tuple[Member, ...] = ()
    is_debiased: bool = False
    # Stored under its former name, so that jobs of older servers are read.
    dry_run: bool = msgspec.field(default=False, name="is_dry")

    @property
    def is_multi(self) -> bool:
        return self.type == MULTI


class _Mitigation(msgspec.Struct, frozen=True):
    debiasing: bool | None = None
    symmetry_verification: bool | None = None


class _Settings(msgspec.Struct, frozen=True):
    error_mitigation: _Mitigation | None = None


class _Named(msgspec.Struct, frozen=True):
    name: Any = None
    registers: msgspec.Raw = _EMPTY


class _Outline(msgspec.Struct, frozen=True):
    """Fields of an `input` that this dialect needs; the parser of its format checks all of it."""

    circuits: tuple[_Named, ...] | None = None
    format: Any = None
    data: Any = None


_v04_decoder: Final = msgspec.json.Decoder(V04Body)
_v03_decoder: Final = msgspec.json.Decoder(V03Body)
_ids_decoder: Final = msgspec.json.Decoder(IdsBody)
_vendor_fields_decoder: Final = msgspec.json.Decoder(VendorFields)
_settings_decoder: Final = msgspec.json.Decoder(_Settings)
_outline_decoder: Final = msgspec.json.Decoder(_Outline)


class _CommonSubmission(NamedTuple):
    """Fields of a submission that both versions have."""

    vendor_fields: VendorFields
    device: str
    source: bytes
    shots: int | str
    name: str | None
    session: str | None

    def to_submission(self) -> Submission:
        noise = self.vendor_fields.noise
        return Submission(
            dialect=DIALECT,
            device=device_name(self.device),
            format=_FORMATS.get(self.vendor_fields.type, CIRCUIT),
            source=self.source,
            shots=_shots(self.shots),
            outputs=(COUNTS, PROBABILITIES),
            seed=noise.seed,
            noise=None if noise.model == IDEAL else _SAME_NOISE.get(noise.model, noise.model),
            name=self.name or "",
            group=self.session,
            debias=self.vendor_fields.is_debiased,
            dry_run=self.vendor_fields.dry_run,
            vendor_fields=msgspec.json.encode(self.vendor_fields),
        )


def parse_v04(text: bytes, limits: Limits) -> Submission:
    """Return the submission in a body of version 0.4; raises as `v04_submission`."""
    return v04_submission(decode(text, _v04_decoder), limits)


def parse_v03(text: bytes, limits: Limits) -> Submission:
    """Return the submission in a body of version 0.3; raises as `v03_submission`."""
    return v03_submission(decode(text, _v03_decoder), limits)


def v04_submission(body: V04Body, limits: Limits) -> Submission:
    """Return the submission of a body of version 0.4.

    Raises:
        InvalidRequest: A field is malformed, or requests something that is not supported.
        LimitExceeded: A document, or the number of shots, is too large.
    """
    if body.type not in (CIRCUIT, MULTI, QASM3):
        known = f"{CIRCUIT}, {MULTI} and {QASM3} are"
        detail = f"type: {quoted(body.type)} is not supported; {known}."
        raise InvalidRequest(detail, field="type")
    outline = _outline(body.input)
    if body.type == MULTI and outline.circuits is None:
        raise InvalidRequest("input.circuits is missing.", field="input.circuits")
    settings = _document(body.settings, "settings", limits)
    vendor_fields = VendorFields(
        type=_type(body.type, outline),
        metadata=_document(body.metadata, "metadata", limits),
        noise=body.noise or Noise(),
        settings=settings,
        members=_members(outline, limits),
        is_debiased=_is_debiased(settings),
        dry_run=bool(body.dry_run),
    )
    source = _text(outline, "OpenQASM 3") if body.type == QASM3 else bytes(body.input)
    return _CommonSubmission(
        vendor_fields, body.backend, source, body.shots, body.name, body.session_id
    ).to_submission()


def v03_submission(body: V03Body, limits: Limits) -> Submission:
    """Return the submission of a body of version 0.3.

    The job has several circuits if `input.circuits` is present. `input.format` may be `qir`, with
    the program in base64 in `input.data`, as CUDA-Q sends it.

    Raises:
        InvalidRequest: As for `v04_submission`.
        LimitExceeded: As for `v04_submission`.
    """
    program = body.input if bytes(body.input) else body.body
    if not bytes(program):
        raise InvalidRequest("input is missing.", field="input")
    outline = _outline(program)
    is_qir = outline.format == QIR
    mitigation = body.error_mitigation or V03Mitigation()
    vendor_fields = VendorFields(
        type=QIR if is_qir else _type(CIRCUIT, outline),
        metadata=_document(body.metadata, "metadata", limits),
        noise=body.noise or Noise(),
        settings=_document(body.settings, "settings", limits),
        registers=_document(body.registers, "registers", limits),
        members=_members(outline, limits),
        is_debiased=bool(mitigation.debias),
        dry_run=bool(body.dry_run),
    )
    source = _text(outline, "QIR") if is_qir else bytes(program)
    return _CommonSubmission(
        vendor_fields, body.target, source, body.shots, body.name, body.session_id
    ).to_submission()


def clone(
    body: CloneBody, job: Job, vendor_fields: VendorFields, program: Program, limits: Limits
) -> Submission:
    """Return the submission of a job's clone.

    Raises:
        InvalidRequest: As for `v04_submission`.
        LimitExceeded: As for `v04_submission`.
    """
    changes: dict[str, Any] = {}
    if bytes(body.metadata):
        changes["metadata"] = _document(body.metadata, "metadata", limits)
    if bytes(body.settings):
        changes["settings"] = _document(body.settings, "settings", limits)
        changes["is_debiased"] = _is_debiased(changes["settings"])
    if body.noise is not None:
        changes["noise"] = body.noise
    if body.dry_run is not None:
        changes["dry_run"] = body.dry_run
    return _CommonSubmission(
        msgspec.structs.replace(vendor_fields, **changes),
        job.device if body.backend is None else body.backend,
        program.source,
        job.shots if body.shots is None else body.shots,
        job.name if body.name is None else body.name,
        body.session_id,
    ).to_submission()


def parse_ids(text: bytes, limits: Limits) -> list[str]:
    """Return the ids of a bulk operation, each once.

    Raises:
        InvalidRequest: The body is malformed.
        LimitExceeded: There are more ids than a page of a list has entries.
    """
    found = decode(text, _ids_decoder).ids
    maximum = limits.requests.list_page
    if len(found) > maximum:
        raise LimitExceeded(f"ids has more than {maximum} (limit list_page).", field="ids")
    return list(dict.fromkeys(found))


def vendor_fields(document: bytes) -> VendorFields:
    """Return the vendor fields of a job."""
    return _vendor_fields_decoder.decode(document)


def warnings(job: Job, vendor_fields: VendorFields) -> list[str]:
    """Return warnings about options that had no effect."""
    found = []
    if vendor_fields.is_debiased and job.calibration is None:
        found.append("Debiasing is for QPUs: the simulator ran without it.")
    mitigation = _mitigation(vendor_fields.settings)
    if mitigation.symmetry_verification:
        found.append("Symmetry verification is not available: the job ran without it.")
    return found


def _outline(raw: msgspec.Raw) -> _Outline:
    try:
        return _outline_decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Outline()  # the parser of programs reports what is wrong


def _type(requested: str, outline: _Outline) -> str:
    return MULTI if requested != QASM3 and outline.circuits is not None else requested


def _members(outline: _Outline, limits: Limits) -> tuple[Member, ...]:
    found = tuple(
        Member(
            name=each.name if isinstance(each.name, str) else "",
            registers=each.registers.copy() if bytes(each.registers)[:1] == b"{" else _EMPTY,
        )
        for each in outline.circuits or ()
    )
    maximum = limits.requests.document_bytes
    if sum(len(each.name) + len(bytes(each.registers)) for each in found) > maximum:
        raise LimitExceeded(
            "input.circuits: names and registers are together over"
            f" {maximum} bytes (limit document_bytes).",
            field="input.circuits",
        )
    return found if any(each != Member() for each in found) else ()


def _text(outline: _Outline, language: str) -> bytes:
    if not isinstance(outline.data, str):
        raise InvalidRequest(f"input.data must be text in {language}.", field="input.data")
    return outline.data.encode()


def _document(raw: msgspec.Raw, field: str, limits: Limits) -> msgspec.Raw:
    """Return a JSON object unchanged. Null becomes an empty object: clients fail on null."""
    check_document(raw, field, limits)
    if bytes(raw) == b"null":
        return _EMPTY
    if bytes(raw)[:1] != b"{":
        raise invalid(f"{field} must be an object", msgspec.Raw(bytes(raw)), field)
    return raw.copy()


def _is_debiased(settings: msgspec.Raw) -> bool:
    try:
        mitigation = decode(bytes(settings), _settings_decoder).error_mitigation
    except InvalidRequest as error:
        field = f"settings.{error.field}"
        raise InvalidRequest(f"settings.{error.detail}", field=field) from None
    return bool(mitigation and mitigation.debiasing)


def _mitigation(settings: msgspec.Raw) -> _Mitigation:
    try:
        return _settings_decoder.decode(settings).error_mitigation or _Mitigation()
    except msgspec.ValidationError:  # the settings of version 0.3 are not checked
        return _Mitigation()


def _shots(shots: int | str) -> int:
    text = str(shots)
    if not (text.isascii() and text.isdigit()):
        raise invalid("shots must be a whole number", shots, "shots")
    if len(text) > 18:
        detail = f"shots is far beyond any backend (limit shots): {quoted(text)}."
        raise LimitExceeded(detail, field="shots")
    return int(text)


# --- errors ---------------------------------------------------------------------------------------

# Python changed these two phrases between versions.
_PHRASES: Final = {413: "Payload Too Large", 422: "Unprocessable Entity"}
_FIELD_NAMES: Final = {"device": "backend", "noise": "noise.model", "group": "session_id"}


def recast(error: QwicketError) -> QwicketError:
    """Return an error with a status that clients do not retry, if a retry cannot help.

    Some clients retry 409 and 503 for an hour or without end. A missing result becomes a 404. Any
    other conflict and a device that is off become a 400; other 503s remain. An unknown device or
    session in a body becomes a 400 too, because cirq-ionq does not show the message of a 404.
    """
    if isinstance(error, NotFinished | NoResult):
        return NotFound(error.detail)
    is_named = isinstance(error, NotFound | Unavailable) and error.field in ("device", "group")
    if isinstance(error, Conflict) or is_named:
        return InvalidRequest(error.detail, field=error.field)
    return error


def _with_field_name(error: QwicketError) -> str:
    """Return the detail of an error, with the name of the field in this dialect."""
    word = _FIELD_NAMES.get(error.field or "")
    if word is None:
        return error.detail
    detail = error.detail.removeprefix(f"{error.field}: ")
    if error.field == "group":
        detail = detail.replace("group", "session", 1)  # the id after it stays as it was sent
    return f"{word}: {detail}"


def problem(error: QwicketError) -> bytes:
    """Return the body of an error."""
    return msgspec.json.encode(
        {
            "statusCode": error.status,
            "error": _PHRASES.get(error.status) or HTTPStatus(error.status).phrase,
            "message": _with_field_name(error),
        }
    )
