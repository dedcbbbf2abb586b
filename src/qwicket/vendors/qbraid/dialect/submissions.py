"""Parses submissions of v0 and v1 into a common form, which becomes a `Submission`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from qwicket.circuits.outcomes import COUNTS, MEMORY, SAMPLES
from qwicket.dialects.bodies import (
    check_document,
    decode,
    decode_field,
    decode_or_none,
    invalid,
    lists,
    texts,
)
from qwicket.dialects.pass_through_rules import Submitted
from qwicket.model.errors import InvalidRequest, LimitExceeded, NotOffered
from qwicket.model.jobs import Submission
from qwicket.model.limits import INT64_MAX
from qwicket.programs import batch, guess_format
from qwicket.vendors.qbraid.dialect.wire import DIALECT, EMPTY, VendorFields
from qwicket.vendors.qbraid.limits import QBraidLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.devices import Device
    from qwicket.model.limits import Limits

DEFAULT_SHOTS: Final = 1_000

_FORMATS: Final = {
    "qasm2": "openqasm2",
    "qasm3": "openqasm3",
    "ionq.circuit.v0": "ionq.circuit.v1",
    "qir.ll": "qir",
    "qir.bc": "qir",
    "analog": "ahs",
}
"""This server's formats by their names in v1."""
_NOT_OFFERED: Final = ("pulser.sequence", "quil", "problem", "gst")
"""Formats of v1 that no device here runs."""
_NULL: Final = msgspec.Raw(b"null")
_EMPTY_VALUES: Final = (b"null", b"false", b'""', b"{}", b'"{}"', b'"null"')
"""Values that clients send for an option that their user did not set."""

_Int64 = Annotated[int, msgspec.Meta(ge=-INT64_MAX - 1, le=INT64_MAX)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
_Seed = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]


class Program(msgspec.Struct, frozen=True):
    """One program of v1."""

    format: str
    data: msgspec.Raw


class V1Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`POST /jobs` of v1. Clients send null for a field that is not set."""

    device_qrn: str
    program: Program | tuple[Program, ...]
    shots: _Int64 | None = None
    name: str | None = None
    tags: msgspec.Raw = EMPTY
    runtime_options: msgspec.Raw = EMPTY
    group_job_qrn: str | None = None


class V0Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`POST /quantum-jobs` of v0, with a field for each kind of program."""

    qbraid_device_id: str
    open_qasm: str | None = None
    bitcode: msgspec.Raw = _NULL
    qir: msgspec.Raw = _NULL
    ionq_circuit: msgspec.Raw = _NULL
    problem: msgspec.Raw = _NULL
    ahs: msgspec.Raw = _NULL
    sequence_builder: msgspec.Raw = _NULL
    circuit_num_qubits: _Size | None = None
    circuit_depth: _Size | None = None
    shots: _Int64 | None = None
    seed: _Seed | None = None
    memory: bool | None = None
    noise_model: str | None = None
    tags: msgspec.Raw = EMPTY
    runtime_options: msgspec.Raw = EMPTY
    preflight: msgspec.Raw = _NULL
    backend: msgspec.Raw = _NULL
    params: msgspec.Raw = _NULL
    error_mitigation: msgspec.Raw = _NULL
    entrypoint: msgspec.Raw = _NULL
    timeout: msgspec.Raw = _NULL


class _Options(msgspec.Struct, frozen=True, rename="camel"):
    """The `runtimeOptions` that have an effect; others are only stored and returned."""

    noise_model: str | None = None
    seed: _Seed | None = None
    memory: bool | None = None


_v1_decoder: Final = msgspec.json.Decoder(V1Body)
_v0_decoder: Final = msgspec.json.Decoder(V0Body)
_options_decoder: Final = msgspec.json.Decoder(_Options)
_text_decoder: Final = msgspec.json.Decoder(str)
_shots_decoder: Final = msgspec.json.Decoder(int | None)
_tags_decoder: Final = msgspec.json.Decoder(dict[str, str | bool | _Int64])


class ProgramText(NamedTuple):
    """One program: its format in v1's spelling, and its text."""

    format: str
    source: str
    is_object: bool = False


class ParsedJob(NamedTuple):
    """A submission of either version. Until `for_device`, the device has its name there."""

    device: str
    programs: tuple[ProgramText, ...]
    vendor_fields: VendorFields
    shots: int | None
    options: _Options
    name: str = ""
    group: str | None = None

    def for_device(self, device: Device, qrn: str) -> ParsedJob:
        """Return the submission with both names of the device: on this server, and in v1.

        Args:
            device: The device.
            qrn: Its name in v1, under which the job is shown.

        Raises:
            InvalidRequest: The device does not take such a program, or a batch.
        """
        taken = [name for name, ours in _FORMATS.items() if ours in device.spec.formats]
        for program in self.programs:
            if program.format not in taken:
                detail = f"The device {device.name} takes programs in {', '.join(taken)}"
                raise InvalidRequest(f"{detail}, not in {program.format}.", field="program.format")
        if self.vendor_fields.is_batch and "batch" not in device.spec.formats:
            detail = f"The device {device.name} takes no batches: send one program a job."
            raise InvalidRequest(detail, field="program")
        vendor_fields = msgspec.structs.replace(self.vendor_fields, device=qrn)
        return self._replace(device=device.name, vendor_fields=vendor_fields)

    def to_submission(self, group: str | None, key: str | None) -> Submission:
        """Return the submission for the gateway.

        Args:
            group: Id of the group on this server.
            key: Idempotency key.
        """
        formats = [_FORMATS[program.format] for program in self.programs]
        return Submission(
            dialect=DIALECT,
            device=self.device,
            format="batch" if self.vendor_fields.is_batch else formats[0],
            source=self._joined(formats),
            shots=DEFAULT_SHOTS if self.shots is None else self.shots,
            outputs=self._outputs(formats[0]),
            seed=self.options.seed,
            noise=self.options.noise_model or None,
            name=self.name,
            tags=flat_tags(self.vendor_fields.tags),
            group=group,
            idempotency_key=key,
            vendor_fields=msgspec.json.encode(self.vendor_fields),
        )

    def _joined(self, formats: list[str]) -> bytes:
        if not self.vendor_fields.is_batch:
            return self.programs[0].source.encode()
        pairs = zip(formats, self.programs, strict=True)
        members = [batch.Member(format=name, source=each.source) for name, each in pairs]
        return batch.write(tuple(members))

    def _outputs(self, first: str) -> tuple[str, ...]:
        if first == "ahs":
            return (SAMPLES,)
        return (COUNTS, MEMORY) if self.options.memory else (COUNTS,)


def parse_v1(text: bytes, limits: Limits) -> ParsedJob:
    """Return the submission in a body of v1.

    Raises:
        InvalidRequest: A field is malformed.
        LimitExceeded: The tags or the options are too large or nested too deeply.
        NotOffered: The program is in a format that no device here runs.
    """
    body = decode(text, _v1_decoder)
    is_batch = isinstance(body.program, tuple)
    members = body.program if isinstance(body.program, tuple) else (body.program,)
    if not members:
        raise InvalidRequest("program must not be an empty list.", field="program")
    programs = tuple([_program_text(member) for member in members])
    options = document(body.runtime_options, "runtimeOptions", limits)
    vendor_fields = VendorFields(
        formats=tuple([program.format for program in programs]),
        is_batch=is_batch,
        objects=tuple([number for number, program in enumerate(programs) if program.is_object]),
        tags=_tags(body.tags, limits),
        options=options,
    )
    run_options = decode_field(options, _options_decoder, "runtimeOptions")
    group = body.group_job_qrn or None
    return ParsedJob(
        body.device_qrn, programs, vendor_fields, body.shots, run_options, body.name or "", group
    )


def outline(fields: Mapping[str, msgspec.Raw], _: Limits) -> Submitted:
    """Read what is checked before a submission of v1 is passed on to the device's own server.

    This is the device that it names, and the shots of all its programs.

    Raises:
        InvalidRequest: `shots` is not a whole number.
    """
    device = decode_or_none(texts, fields.get("deviceQrn"))
    shots = decode_field(fields.get("shots", _NULL), _shots_decoder, "shots")
    programs = decode_or_none(lists, fields.get("program")) or ()
    total = (DEFAULT_SHOTS if shots is None else shots) * max(1, len(programs))
    return Submitted({"deviceQrn": device}, total)


def parse_v0(text: bytes, limits: Limits) -> ParsedJob:
    """Return the submission in a body of v0. Raises the errors of `parse_v1`."""
    body = decode(text, _v0_decoder)
    unsupported = {
        "preflight": body.preflight,
        "backend": body.backend,
        "params": body.params,
        "errorMitigation": body.error_mitigation,
        "entrypoint": body.entrypoint,
        "timeout": body.timeout,
    }
    for name, value in unsupported.items():
        if bytes(value) not in _EMPTY_VALUES:
            raise InvalidRequest(f"{name} is not supported by any device: omit it.", field=name)
    program = _v0_program_text(body)
    options = document(_unwrapped(body.runtime_options), "runtimeOptions", limits)
    further = decode_field(options, _options_decoder, "runtimeOptions")
    vendor_fields = VendorFields(
        formats=(program.format,),
        objects=(0,) if program.is_object else (),
        tags=_tags(_unwrapped(body.tags), limits),
        options=options,
        n_qubits=body.circuit_num_qubits,
        depth=body.circuit_depth,
    )
    run_options = _Options(
        body.noise_model or further.noise_model,
        further.seed if body.seed is None else body.seed,
        further.memory if body.memory is None else body.memory,
    )
    return ParsedJob(body.qbraid_device_id, (program,), vendor_fields, body.shots, run_options)


def flat_tags(raw: msgspec.Raw) -> tuple[str, ...]:
    """Return tags in the form that lists search for: `key=value` for values of any type."""
    return tuple([flat_tag(key, value) for key, value in _tags_decoder.decode(raw).items()])


def flat_tag(key: str, value: object) -> str:
    return f"{key}={str(value).lower() if isinstance(value, bool) else value}"


def read_tags(text: str) -> tuple[str, ...]:
    """Return the tags of a filter, which is a JSON object in the query of a list.

    Raises:
        InvalidRequest: The text is not such an object.
    """
    try:
        return flat_tags(msgspec.Raw(text.encode()))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        detail = "tags must be a JSON object of texts, whole numbers, true and false."
        raise InvalidRequest(detail, field="tags") from None


def _program_text(program: Program) -> ProgramText:
    if program.format in _NOT_OFFERED:
        detail = f"Programs in {program.format} are not run here; {', '.join(_FORMATS)} are."
        raise NotOffered(detail, field="program.format")
    if program.format not in _FORMATS:
        detail = f"program.format must be one of {', '.join(_FORMATS)}"
        raise invalid(detail, program.format, "program.format")
    return _text(program.format, program.data, "program.data")


def _v0_program_text(body: V0Body) -> ProgramText:
    """Return the program of a body, which may have OpenQASM as a description of another program.

    An IonQ circuit or an analog program is run in place of the OpenQASM. Beside any other program
    the OpenQASM is run: beside QIR, and beside kinds that no device here runs.
    """
    for name, format_, given in (
        ("ionqCircuit", "ionq.circuit.v0", body.ionq_circuit),
        ("ahs", "analog", body.ahs),
    ):
        if bytes(given) not in _EMPTY_VALUES:
            return _text(format_, given, name)
    if body.open_qasm:
        is_2 = guess_format(body.open_qasm.encode()) == "openqasm2"
        return ProgramText("qasm2" if is_2 else "qasm3", body.open_qasm)
    for name, format_, given in (("qir", "qir.ll", body.qir), ("bitcode", "qir.bc", body.bitcode)):
        if bytes(given) not in _EMPTY_VALUES:
            return _text(format_, given, name)
    others = {
        "problem": body.problem,
        "sequenceBuilder": body.sequence_builder,
    }
    for name, given in others.items():
        if bytes(given) not in _EMPTY_VALUES:
            known = "openQasm, ionqCircuit, qir and ahs"
            detail = f"Programs in {name} are not run here; {known} are."
            raise NotOffered(detail, field=name)
    raise InvalidRequest("openQasm is missing, or another program.", field="openQasm")


def _text(format_: str, data: msgspec.Raw, field: str) -> ProgramText:
    """Return a program that was sent as text or, if its format is JSON, as an object."""
    raw = bytes(data)
    if raw[:1] == b"{" and not format_.startswith(("qasm", "qir")):
        return ProgramText(format_, raw.decode(), is_object=True)
    source = decode_field(data, _text_decoder, field)
    if not source.strip():
        raise InvalidRequest(f"{field} is empty.", field=field)
    return ProgramText(format_, source)


def _unwrapped(raw: msgspec.Raw) -> msgspec.Raw:
    """Return JSON that may be wrapped in a text, as clients of v0 send objects."""
    if bytes(raw)[:1] != b'"':
        return raw
    text: str = _text_decoder.decode(raw)
    return msgspec.Raw(text.strip().encode() or b"{}")


def document(raw: msgspec.Raw, field: str, limits: Limits) -> msgspec.Raw:
    """Return a JSON object unchanged; null becomes an empty one.

    Raises:
        InvalidRequest: The text is not a JSON object.
        LimitExceeded: The object is nested too deeply or too large.
    """
    maximum = limits.of(QBraidLimits).options_bytes
    if len(bytes(raw)) > maximum:
        detail = f"{field} is over {maximum} bytes (limit options_bytes)."
        raise LimitExceeded(detail, field=field)
    check_document(raw, field, limits)
    if bytes(raw) == b"null":
        return EMPTY
    try:
        value: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise invalid(f"{field} must be an object", msgspec.Raw(bytes(raw)), field)
    if b"\\u0000" in bytes(raw) or b"\0" in bytes(raw):
        raise InvalidRequest(f"{field}: contains a NUL character.", field=field)
    return raw.copy()


def _tags(raw: msgspec.Raw, limits: Limits) -> msgspec.Raw:
    tags = document(raw, "tags", limits)
    decode_field(tags, _tags_decoder, "tags")
    return tags
