"""Formats of programs: from text to checked circuits. Independent of jobs and engines.

The functions `*_in_parser` run in parser processes, and return errors as values.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from qwicket.circuits import atom_costs, atoms, photonic
from qwicket.circuits.analysis import summarise
from qwicket.circuits.atoms import AtomCircuit
from qwicket.circuits.qubit import QubitCircuit, pack, unpack
from qwicket.circuits.summary import Checked
from qwicket.model.devices import Family, PhotonicSpec
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.model.suggestions import did_you_mean
from qwicket.programs import (
    batch,
    blackbird,
    cold_atoms,
    ionq_json,
    ionq_native,
    lab_atoms,
    openqasm,
    primitives,
    qobj,
)
from qwicket.programs.blackbird.bounds import BlackbirdLimits
from qwicket.programs.cold_atom_gates import MACHINES
from qwicket.programs.ionq_gates import IonQLimits
from qwicket.programs.ionq_native import Entangler
from qwicket.programs.openqasm.bounds import BraketLimits, OpenQASMLimits
from qwicket.programs.primitives.wire import PrimitiveLimits
from qwicket.programs.recognition import may_be_meant, recognise_format

__all__ = [
    "FORMATS",
    "LIMITS",
    "Entangler",
    "Format",
    "Layout",
    "Refusal",
    "check_layout_in_parser",
    "compile_in_parser",
    "compile_to_basis_in_parser",
    "format_title",
    "guess_format",
    "may_be_meant",
    "preload_qiskit",
    "read",
    "read_in_parser",
    "read_small",
    "recognise_format",
    "small_limits",
    "warm_up",
    "write_in_parser",
]


C = TypeVar("C", bound=Sequence[Any])
S = TypeVar("S", bound=msgspec.Struct)
Inputs = Mapping[str, float]
"""Values of a program's declared inputs; angles in radians."""


def _qubits_to_checked(circuits: tuple[QubitCircuit, ...]) -> Checked:
    return Checked(summarise(circuits), pack(circuits))


def _atoms_to_checked(circuits: tuple[AtomCircuit, ...]) -> Checked:
    return Checked(atom_costs.summarise(circuits), atoms.pack(circuits))


class Format(NamedTuple):
    """A language that programs come in.

    Attributes:
        name: Name of the format in submissions.
        version: Increased when the reader returns other circuits for the same source.
        read: Reads a source with the values of its inputs. Raises only `QwicketError`.
        inline_bytes: Size of the largest source that the server reads itself, without a parser
            process, under small limits; 0 for none.
        to_checked: Packs circuits and summarises them.
        title: Its name in a sentence; the formats `qlued.…` share one.
        description: Description in one sentence.
        family: Family of the devices that take it.
        must_measure: Whether a program without measurements is refused. Other formats measure
            everything at the end or declare what is measured. Qobj accepts such a program, as
            Qiskit's own simulators do, and returns zeros.
        is_for_labs: Whether a lab's device may take it.
    """

    name: str
    version: int
    read: Callable[[bytes, Limits, Inputs], Sequence[Any]]
    inline_bytes: int
    to_checked: Callable[..., Checked]
    title: str
    description: str
    family: Family = "qubit"
    must_measure: bool = False
    is_for_labs: bool = True


def _without_inputs(
    name: str, read: Callable[[bytes, Limits], C]
) -> Callable[[bytes, Limits, Inputs], C]:
    """Return a reader that rejects inputs, for a format without them."""

    def checked(source: bytes, limits: Limits, inputs: Inputs) -> C:
        if inputs:
            raise InvalidRequest(f"inputs: {name} has no inputs.", field="inputs")
        return read(source, limits)

    return checked


def _read_braket(source: bytes, limits: Limits) -> tuple[QubitCircuit, ...]:
    from qwicket.programs import braket  # late: only parser processes need it

    return braket.read(source, limits)


def _read_qir(source: bytes, limits: Limits) -> tuple[QubitCircuit, ...]:
    from qwicket.programs import qir  # late, as above

    return qir.read(source, limits)


def _read_ahs(source: bytes, limits: Limits) -> tuple[AtomCircuit, ...]:
    from qwicket.programs import ahs  # late: few servers get such programs

    return ahs.read(source, limits)


_INLINE_BYTES: Final = 4 << 10
"""Under the limits of `_SMALL`, texts up to this size are read within milliseconds."""

_read_ionq: Final = _without_inputs("ionq.circuit.v1", ionq_json.read)
_BATCH_READERS: Final[Mapping[str, batch.Reader]] = MappingProxyType(
    {
        "openqasm3": openqasm.read_openqasm3,
        "openqasm2": openqasm.read_openqasm2,
        "ionq.circuit.v1": _read_ionq,
        "qir": _without_inputs("qir", _read_qir),
    }
)


def _cold_atoms(machine: str) -> Format:
    name = f"qlued.{machine}"
    read = _without_inputs(name, partial(cold_atoms.read, machine=machine))
    description = f"Experiments on cold atoms in qlued's JSON, for the machine `{machine}`."
    return Format(
        name=name,
        version=cold_atoms.VERSION,
        read=read,
        inline_bytes=_INLINE_BYTES,
        to_checked=_atoms_to_checked,
        title="experiments in qlued's JSON",
        description=description,
        family="atoms",
    )


_FORMATS: Final = (
    Format(
        name="ionq.circuit.v1",
        version=ionq_json.VERSION,
        read=_read_ionq,
        inline_bytes=_INLINE_BYTES,
        to_checked=_qubits_to_checked,
        title="a circuit in IonQ's JSON",
        description=(
            "IonQ's JSON `input` object, gatesets `qis` and `native`, one circuit or several."
        ),
    ),
    Format(
        name="openqasm2",
        version=openqasm.VERSION,
        read=openqasm.read_openqasm2,
        inline_bytes=_INLINE_BYTES,
        to_checked=_qubits_to_checked,
        title="OpenQASM 2",
        description="OpenQASM 2, the whole language.",
        must_measure=True,
    ),
    Format(
        name="openqasm3",
        version=openqasm.VERSION,
        read=openqasm.read_openqasm3,
        inline_bytes=_INLINE_BYTES,
        to_checked=_qubits_to_checked,
        title="OpenQASM 3",
        description="OpenQASM 3 without run-time arithmetic and pulses.",
        must_measure=True,
    ),
    Format(
        name="qobj",
        version=qobj.VERSION,
        read=_without_inputs("qobj", qobj.read),
        inline_bytes=_INLINE_BYTES,
        to_checked=_qubits_to_checked,
        title="a Qobj",
        description="Qiskit's Qobj of type QASM, one experiment or several.",
    ),
    Format(
        name="qiskit.primitives",
        version=primitives.VERSION,
        read=_without_inputs("qiskit.primitives", primitives.read),
        inline_bytes=0,
        to_checked=_qubits_to_checked,
        title="a document of Qiskit's primitives",
        description="Jobs of Qiskit's Sampler and Estimator: circuits in QPY, values, observables.",
        must_measure=True,
    ),
    Format(
        name="qir",
        version=1,
        read=_without_inputs("qir", _read_qir),
        inline_bytes=0,
        to_checked=_qubits_to_checked,
        title="QIR",
        description="QIR of the base profile, as LLVM's text.",
    ),
    Format(
        name="braket.openqasm3",
        version=openqasm.VERSION,
        read=_without_inputs("braket.openqasm3", _read_braket),
        inline_bytes=0,
        to_checked=_qubits_to_checked,
        title="OpenQASM 3 as Amazon Braket writes it, in JSON",
        description=(
            "OpenQASM 3 as Amazon Braket writes it, with pragmas, in JSON with inputs and shots."
        ),
        is_for_labs=False,
    ),
    Format(
        name="batch",
        version=batch.VERSION,
        read=_without_inputs("batch", partial(batch.read, readers=_BATCH_READERS)),
        inline_bytes=0,
        to_checked=_qubits_to_checked,
        title="a batch of programs in JSON",
        description=(
            "Several programs in one job, each in `openqasm3`, `openqasm2`, `ionq.circuit.v1` or"
            " `qir`."
        ),
        must_measure=True,
        is_for_labs=False,
    ),
    *map(_cold_atoms, MACHINES),
    Format(
        name="qlued.lab",
        version=lab_atoms.VERSION,
        read=_without_inputs("qlued.lab", lab_atoms.read),
        inline_bytes=_INLINE_BYTES,
        to_checked=lab_atoms.to_checked,
        title="experiments in qlued's JSON",
        description=(
            "Experiments on cold atoms in qlued's JSON, for a lab's own machine; gates pass unread."
        ),
        family="atoms",
    ),
    Format(
        name="ahs",
        version=1,
        read=_without_inputs("ahs", _read_ahs),
        inline_bytes=_INLINE_BYTES,
        to_checked=_atoms_to_checked,
        title="an analog program of Rydberg atoms in JSON (ahs)",
        description="Analog programs of Rydberg atoms, as Amazon Braket writes them.",
        family="atoms",
        is_for_labs=False,
    ),
    Format(
        name="blackbird",
        version=blackbird.VERSION,
        read=blackbird.read,
        inline_bytes=0,
        to_checked=photonic.to_checked,
        title="Blackbird",
        description="Blackbird 1.x for photons, `tdm` programs included.",
        family="photonic",
    ),
)

_SMALL: Final[Mapping[str, int]] = MappingProxyType(
    {"circuits": 20, "clbits": 100, "clifford_qubits": 100, "operations": 1_000}
)
_SMALL_OPENQASM: Final[Mapping[str, int]] = MappingProxyType(
    {"openqasm_tokens": 2_000, "openqasm_steps": 4_000}
)
"""Limits for programs that the server reads itself: 4 kB of text may expand to a million
operations, or repeat nothing as often."""

_HEAD_BYTES: Final = 64 << 10
_QOBJ_KEYS: Final = (b'"qobj_id"', b'"experiments"')
_NO_INPUTS: Final[Inputs] = MappingProxyType({})

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({known.name: known for known in _FORMATS})
"""Every known format by its name."""

LIMITS: Final = (IonQLimits, PrimitiveLimits, BlackbirdLimits, OpenQASMLimits, BraketLimits)
"""Limits that formats declare in addition to `Limits`."""


def read(
    format_name: str,
    source: bytes,
    limits: Limits,
    inputs: Inputs = _NO_INPUTS,
    *,
    with_delays: bool = False,
) -> Checked:
    """Read a program; return its packed circuits with their summary.

    Args:
        format_name: One of `FORMATS`.
        source: The program's text.
        limits: Limits on the program.
        inputs: A value for each input that the program declares.
        with_delays: Whether circuits keep their delays, for a device on which qubits that wait
            change.

    Raises:
        InvalidRequest: The format is unknown, or has no inputs although some are given.
        InvalidProgram: The source is refused.
        LimitExceeded: A limit is exceeded.
    """
    known = FORMATS.get(format_name)
    if known is None:
        names = ", ".join(sorted(FORMATS))
        near = did_you_mean(format_name, FORMATS)
        detail = f"format {format_name[:64]!r} is not known; known: {names}{near and '.' + near}"
        raise InvalidRequest(detail, field="format")
    circuits = known.read(source, limits, inputs)
    checked = known.to_checked(circuits)
    if checked.summary.n_delays and not with_delays:
        return known.to_checked(tuple([circuit.without_delays() for circuit in circuits]))
    return checked


def format_title(name: str) -> str:
    """Return the title of a format, or of several such as `qlued`; the quoted name if unknown."""
    known = FORMATS.get(name) or next((it for it in _FORMATS if may_be_meant(it.name, name)), None)
    return known.title if known else repr(name[:64])


def guess_format(source: bytes) -> str:
    """Return the most likely format of a source, by its beginning.

    A JSON object counts as a Qobj or as IonQ's JSON; other JSON formats are not guessed.
    """
    head = source[:_HEAD_BYTES]
    if head.lstrip()[:1] == b"{":
        return "qobj" if any(key in head for key in _QOBJ_KEYS) else "ionq.circuit.v1"
    recognised = recognise_format(source)
    if recognised in ("blackbird", "qir"):
        return recognised
    return f"openqasm{openqasm.guess_version(head)}"


class Refusal(NamedTuple):
    """Error of a program, in a form that a parser process can return."""

    code: str
    detail: str
    field: str | None

    def error(self) -> InvalidRequest | LimitExceeded:
        """Return the error as an exception."""
        return _REFUSALS[self.code](self.detail, field=self.field)


_REFUSALS: Final = {kind.code: kind for kind in (InvalidRequest, InvalidProgram, LimitExceeded)}


class Layout(NamedTuple):
    """The one circuit that a photonic device runs.

    Attributes:
        device: Name of the device.
        spec: Specification with the layout's text and the allowed values of its parameters.
    """

    device: str
    spec: PhotonicSpec

    def check(self, checked: Checked) -> None:
        """Check that a program is this circuit.

        Raises:
            InvalidProgram: The program differs from the layout.
        """
        layout = blackbird.read_layout(self.spec.layout)
        if layout is None:
            return
        try:
            # Counted in the summary first, so that a far longer program is not unpacked.
            n_gates = checked.summary.n_ops_1q + checked.summary.n_ops_2q
            if n_gates > len(layout.ops):
                raise InvalidProgram(f"the program has {n_gates} gates, too many")
            (circuit,) = photonic.unpack(checked.circuits)
            blackbird.check_fits(circuit.ops, layout, self.spec.gate_parameters)
        except InvalidProgram as error:
            raise InvalidProgram(
                f"{self.device} runs only the circuit of its layout: {error.detail}. Strawberry"
                " Fields compiles programs to it.",
                field="program",
            ) from None


def read_in_parser(
    format_name: str,
    source: bytes,
    limits: Limits,
    inputs: Inputs = _NO_INPUTS,
    layout: Layout | None = None,
    with_delays: bool = False,
) -> Checked | Refusal:
    """Read a program in a parser process: as `read`, but return an error as a value."""
    try:
        checked = read(format_name, source, limits, inputs, with_delays=with_delays)
        if layout is not None:
            layout.check(checked)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)
    return checked


def read_small(
    format_name: str,
    source: bytes,
    limits: Limits,
    inputs: Inputs = _NO_INPUTS,
    *,
    with_delays: bool = False,
) -> Checked | None:
    """Read a program within a few milliseconds; return None if it needs a parser process.

    A program that exceeds `limits`, those of `small_limits`, is left to `read_in_parser`.

    Raises:
        InvalidRequest: The program is refused, as `read` would do.
    """
    if len(source) > FORMATS[format_name].inline_bytes:
        return None
    try:
        return read(format_name, source, limits, inputs, with_delays=with_delays)
    except LimitExceeded:
        return None


def small_limits(limits: Limits) -> Limits:
    """Return the limits under which `read_small` reads a program."""
    others = [each for each in limits.own if not isinstance(each, OpenQASMLimits)]
    return msgspec.structs.replace(
        limits,
        programs=_lowered(limits.programs, _SMALL),
        own=(_lowered(limits.of(OpenQASMLimits), _SMALL_OPENQASM), *others),
    )


def _lowered(limits: S, maxima: Mapping[str, int]) -> S:
    lower = {name: min(getattr(limits, name), maximum) for name, maximum in maxima.items()}
    return msgspec.structs.replace(limits, **lower)


def check_layout_in_parser(text: str) -> Refusal | None:
    """Return the error of a photonic device's layout, or None if it is valid."""
    try:
        blackbird.read_layout(text)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)
    return None


def compile_in_parser(
    circuits: bytes, number: int, limits: Limits, entangler: Entangler
) -> bytes | Refusal:
    """Return one of a job's packed circuits in native gates as JSON, or an error."""
    try:
        native = ionq_native.compile_circuit(unpack(circuits)[number], entangler, limits)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)
    return msgspec.json.encode(native)


def compile_to_basis_in_parser(
    circuits: bytes, gates: Sequence[str], device: str, language: Any, limits: Limits
) -> Checked | Refusal:
    """Return a program's packed circuits in the gates of a remote device, or an error.

    Args:
        circuits: The program's circuits, packed.
        gates: Names of the device's gates; empty if it takes every gate.
        device: Name of the device, for errors.
        language: Language in which the device gets its programs; empty for the format of the job.
            Circuits that it cannot express are refused.
        limits: Limits on the compiled circuits.
    """
    try:
        compiled = unpack(circuits)
        if gates:
            from qwicket.programs import basis  # late: only parser processes need it

            compiled = basis.compile_circuits(compiled, gates, device, limits)
        if language:
            from qwicket.programs.rewriting import rewrite  # late: few devices need it

            rewrite(compiled, language)  # for its errors: the driver writes the program again
        return _qubits_to_checked(compiled)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)


def write_in_parser(circuits: bytes, number: int) -> str | Refusal:
    """Return one of a job's packed circuits as OpenQASM 3, or an error."""
    try:
        return openqasm.write(unpack(circuits)[number])
    except (openqasm.NotWritable, RecursionError) as error:
        reason = (
            str(error) if isinstance(error, openqasm.NotWritable) else "it is nested too deeply"
        )
        text = f"The circuit cannot be written as OpenQASM 3: {reason}"
        return Refusal(InvalidProgram.code, text, "part")


def warm_up() -> None:
    """Import what this module imports late and programs often need."""
    for name in ("basis", "braket", "qir"):
        importlib.import_module(f"qwicket.programs.{name}")


def preload_qiskit() -> None:
    """Import Qiskit if installed, so that the first QPY of a process does not wait a second."""
    with suppress(ImportError):
        importlib.import_module("qiskit.qpy")
