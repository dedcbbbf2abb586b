"""Requests of Braket's clients: quantum tasks, searches and tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from qwicket.dialects.bodies import check_document, decode, invalid
from qwicket.dialects.validation import invalid_field, malformed_body, quoted
from qwicket.model.errors import InvalidProgram, InvalidRequest
from qwicket.model.jobs import Submission
from qwicket.vendors.braket.dialect import analog
from qwicket.vendors.braket.dialect.catalogue import local_device_name, takes_noise
from qwicket.vendors.braket.dialect.names import DIALECT, check_arn, device_of, own_arn
from qwicket.vendors.braket.reader import BraketProgram, BraketSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.limits import Limits

FORMAT: Final = "braket.openqasm3"
_DEBIAS: Final = "braket.device_schema.error_mitigation.debias.Debias"
PROGRAM: Final = "braket.ir.openqasm.program"
PROGRAM_SET: Final = "braket.ir.openqasm.program_set"
_NOISE: Final = re.compile(r"^[ \t]*+#?pragma[ \t]++braket[ \t]++noise\b", re.MULTILINE)
_REFUSED_ACTIONS: Final = {
    "braket.ir.jaqcd.program": "JAQCD",
    "braket.ir.blackbird.program": "Blackbird",
    "braket.ir.annealing.problem": "annealing",
}
_Tags = Annotated[
    dict[
        Annotated[str, msgspec.Meta(min_length=1, max_length=128)],
        Annotated[str, msgspec.Meta(max_length=256)],
    ],
    msgspec.Meta(max_length=50),
]


class _Scheme(msgspec.Struct, frozen=True):
    type: str


class _Parameters(msgspec.Struct, frozen=True, rename="camel"):
    """Parameters of a device that have an effect."""

    error_mitigation: tuple[_Scheme, ...] | None = None


class CreateBody(msgspec.Struct, frozen=True, rename="camel"):
    """A new quantum task. `action` and `deviceParameters` are texts that contain JSON."""

    device_arn: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    action: str
    shots: Annotated[int, msgspec.Meta(ge=0)]
    output_s3_bucket: Annotated[str, msgspec.Meta(min_length=3, max_length=63)] = msgspec.field(
        name="outputS3Bucket"
    )
    output_s3_key_prefix: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] = (
        msgspec.field(name="outputS3KeyPrefix")
    )
    client_token: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    device_parameters: Annotated[str, msgspec.Meta(min_length=1, max_length=48_000)] = "{}"
    tags: _Tags = {}
    associations: tuple[msgspec.Raw, ...] = ()
    job_token: str | None = None


class CancelBody(msgspec.Struct, frozen=True, rename="camel"):
    """The cancellation of a task."""

    client_token: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Filter(msgspec.Struct, frozen=True):
    """A filter of a search."""

    name: str
    values: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    operator: Literal["LT", "LTE", "EQUAL", "GT", "GTE", "BETWEEN"] = "EQUAL"


class SearchBody(msgspec.Struct, frozen=True, rename="camel"):
    """A search of devices or tasks."""

    filters: tuple[Filter, ...]
    max_results: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100
    next_token: str | None = None


class TagsBody(msgspec.Struct, frozen=True):
    """Tags to add to a task."""

    tags: _Tags


class _Header(msgspec.Struct, frozen=True):
    name: str
    version: str = "1"


class _Action(msgspec.Struct, frozen=True):
    header: _Header = msgspec.field(name="braketSchemaHeader")
    source: str = ""
    inputs: dict[str, Any] | None = None
    setup: analog.Setup | None = None
    hamiltonian: msgspec.Raw = msgspec.Raw()
    programs: tuple[BraketProgram, ...] = ()

    @property
    def is_analog(self) -> bool:
        return self.header.name == analog.ACTION

    @property
    def is_set(self) -> bool:
        return self.header.name == PROGRAM_SET

    @property
    def n_executables(self) -> int:
        return sum(program.n_executables for program in self.programs) if self.is_set else 1

    @property
    def has_noise(self) -> bool:
        sources = [program.source for program in self.programs] if self.is_set else [self.source]
        return any(_NOISE.search(source) for source in sources)


class VendorFields(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields for Braket's clients alone, stored with the job and read by this dialect only.

    `shots` is the number that the client sent: of a program set, for all runs together.
    """

    device_arn: str = ""
    region: str = "us-east-1"
    bucket: str = ""
    prefix: str = ""
    shots: int = 0
    parameters: str = "{}"
    action: str = PROGRAM
    n_programs: int = 0
    n_executables: int = 0

    @property
    def is_analog(self) -> bool:
        return self.action == analog.ACTION

    @property
    def is_set(self) -> bool:
        return self.action == PROGRAM_SET

    def directory(self, job: str) -> str:
        """Return the folder of the results, without a slash at its end."""
        return f"{self.prefix}/{job}"


_create = msgspec.json.Decoder(CreateBody)
_action = msgspec.json.Decoder(_Action)
_parameters = msgspec.json.Decoder(_Parameters)
_fields = msgspec.json.Decoder(VendorFields)
_sources = msgspec.json.Decoder(BraketSource)
_encode = msgspec.json.Encoder().encode


def create_body(text: bytes, limits: Limits) -> CreateBody:
    """Return the body of a new task.

    Raises:
        InvalidRequest: The body is malformed.
        LimitExceeded: `deviceParameters` is too large, too deep or has too many keys.
    """
    body = decode(text, _create)
    check_document(body.device_parameters.encode(), "deviceParameters", limits)
    return body


def _asks_for_debiasing(parameters: str) -> bool:
    """Return whether the parameters of a device ask for debiasing.

    Raises:
        InvalidRequest: They ask for another mitigation of errors, or for none that is known.
    """
    place = "deviceParameters.errorMitigation"
    try:
        schemes = _parameters.decode(parameters).error_mitigation or ()
    except msgspec.DecodeError:
        raise InvalidRequest(
            f"{place} must be a list of objects with a type.", field="deviceParameters"
        ) from None
    for scheme in schemes:
        if scheme.type != _DEBIAS:
            raise InvalidRequest(
                f"{place}: {quoted(scheme.type)} is not supported, only {_DEBIAS}.",
                field="deviceParameters",
            )
    return bool(schemes)


def submission(body: CreateBody, region: str) -> Submission:
    """Return the submission of a new task.

    Raises:
        InvalidRequest: A field is malformed or asks for something that is not supported.
        NotFound: The device is a simulator that only AWS has.
    """
    arn = own_arn(check_arn(body.device_arn, "deviceArn"))
    name = device_of(arn)
    if name is None:
        detail = f"deviceArn: there is no device {quoted(body.device_arn)}."
        raise InvalidRequest(detail, field="deviceArn")
    if body.job_token is not None:
        raise InvalidRequest("jobToken: there are no hybrid jobs here.", field="jobToken")
    if body.associations:
        raise InvalidRequest(
            "associations: this server has no reservations of Amazon Braket; submit without one.",
            field="associations",
        )
    if body.shots == 0 and ":device/qpu/" in arn:
        raise invalid("shots: this device needs at least 1 shot", body.shots, "shots")
    action = _read_action(body.action)
    if not takes_noise(name) and action.has_noise:
        raise InvalidRequest(
            f"action: the device {name} takes no noise; the device dm1 does.", field="action"
        )
    debias = _asks_for_debiasing(body.device_parameters)
    if debias and (":device/qpu/" not in arn or action.is_analog or action.is_set):
        raise InvalidRequest(
            "deviceParameters.errorMitigation: only single programs on machines of qubits are"
            " debiased.",
            field="deviceParameters",
        )
    vendor_fields = VendorFields(
        device_arn=arn,
        region=region,
        bucket=body.output_s3_bucket,
        prefix=body.output_s3_key_prefix.rstrip("/"),
        shots=body.shots,
        parameters=body.device_parameters,
        action=action.header.name,
        n_programs=len(action.programs) if action.is_set else 0,
        n_executables=action.n_executables if action.is_set else 0,
    )
    shots = _shots_of_each(action, body.shots)
    return Submission(
        dialect=DIALECT,
        device=local_device_name(name, "deviceArn"),
        format=analog.FORMAT if action.is_analog else FORMAT,
        source=_source(action, shots),
        # A task of 0 shots is exact. The gateway needs at least 1; the source has the true number.
        shots=max(1, shots),
        outputs=("samples" if action.is_analog else "memory",),
        debias=debias,
        tags=tuple(tag_texts(body.tags)),
        idempotency_key=f"braket {body.client_token}",
        vendor_fields=_encode(vendor_fields),
    )


def _read_action(text: str) -> _Action:
    try:
        action = _action.decode(text)
    except msgspec.ValidationError as error:
        raise invalid_field(error, text.encode(), _action.type, "action") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed_body(error) from None
    except RecursionError:
        raise InvalidRequest("action is nested too deeply.", field="action") from None
    name = action.header.name
    if name not in (PROGRAM, PROGRAM_SET, analog.ACTION):
        kind = _REFUSED_ACTIONS.get(name, "another kind of action")
        raise InvalidRequest(
            f"action: must be {PROGRAM}, {PROGRAM_SET} or {analog.ACTION}, not {quoted(name)}:"
            f" {kind} is not supported here.",
            field="action",
        )
    if action.is_set and not action.programs:
        raise InvalidRequest("action: programs is missing or empty.", field="action")
    for number, program in enumerate(action.programs):
        if len({len(values) for values in (program.inputs or {}).values()}) > 1:
            raise InvalidProgram(
                "all lists of inputs of a program must have the same length",
                field=f"programs[{number}]",
            )
        if not program.n_executables:
            raise InvalidProgram("a list of inputs is empty", field=f"programs[{number}]")
    return action


def _shots_of_each(action: _Action, shots: int) -> int:
    """Return the shots of one run; a program set states the sum of all its runs."""
    if not action.is_set:
        return shots
    n_executables = action.n_executables
    if not shots or shots % n_executables:
        detail = f"shots must be a multiple of {n_executables}, the number of executables"
        raise invalid(detail, shots, "shots")
    return shots // n_executables


def _source(action: _Action, shots: int) -> bytes:
    if action.is_set:
        return _encode(BraketSource("", shots, programs=action.programs))
    if not action.is_analog:
        if not action.source:
            raise InvalidRequest("action: source is missing.", field="action")
        return _encode(BraketSource(action.source, shots, action.inputs or {}))
    if action.setup is None:
        raise InvalidRequest("action: setup is missing.", field="action")
    if not bytes(action.hamiltonian):
        raise InvalidRequest("action: hamiltonian is missing.", field="action")
    return analog.source(action.setup, action.hamiltonian)


def vendor_fields(document: bytes) -> VendorFields:
    return _fields.decode(document)


def source_of(program: bytes) -> BraketSource:
    """Return the program of a task, as this dialect stores it."""
    return _sources.decode(program)


def tag_texts(tags: Mapping[str, str]) -> list[str]:
    """Return tags as a job stores them: `key=value`, with `%` and `=` in keys percent-encoded."""
    return [f"{key.replace('%', '%25').replace('=', '%3D')}={tags[key]}" for key in sorted(tags)]


def tags_of(texts: tuple[str, ...]) -> dict[str, str]:
    """Return the tags of a job; a tag without `=`, from another dialect, has an empty value."""
    pairs = (text.partition("=")[::2] for text in texts)
    return {key.replace("%3D", "=").replace("%25", "%"): value for key, value in pairs}


def parse_next_token(text: str | None) -> int | None:
    """Return the position at which a search continues; None for its beginning.

    Raises:
        InvalidRequest: The text is not a token of this server.
    """
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", text):
        raise invalid("nextToken must be from a response", text, "nextToken")
    return int(text)
