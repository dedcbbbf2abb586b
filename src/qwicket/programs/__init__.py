"""Formats of programs: from text to checked circuits. Independent of jobs, devices and engines."""

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
from qwicket.model.devices import PhotonicSpec
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.model.suggestions import did_you_mean
from qwicket.programs import (
    ahs,
    basis,
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
from qwicket.programs.openqasm.bounds import BraketLimits
from qwicket.programs.primitives.wire import PrimitiveLimits
from qwicket.programs.recognition import format_title, may_be_meant, recognise_format

__all__ = [
    "FORMATS",
    "LIMITS",
    "Entangler",
    "Format",
    "Layout",
    "Refusal",
    "check_layout_in_worker",
    "compile_in_worker",
    "compile_to_basis_in_worker",
    "format_title",
    "guess_format",
    "may_be_meant",
    "preload_qiskit",
    "read",
    "read_in_worker",
    "read_small",
    "recognise_format",
    "requires_measurement",
    "warm_up",
    "write_in_worker",
]


C = TypeVar("C", bound=Sequence[Any])
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
        inline_bytes: Size of the largest source that the server reads without a worker process,
            under small limits; 0 for none.
        to_checked: Packs circuits and summarises them.
        description: Description in one sentence.
    """

    name: str
    version: int
    read: Callable[[bytes, Limits, Inputs], Sequence[Any]]
    inline_bytes: int
    to_checked: Callable[..., Checked]
    description: str


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
    from qwicket.programs import braket  # late: it runs in parser processes alone

    return braket.read(source, limits)


_read_ionq: Final = _without_inputs("ionq.circuit.v1", ionq_json.read)
_BATCH_READERS: Final[Mapping[str, batch.Reader]] = MappingProxyType(
    {
        "openqasm3": openqasm.read_openqasm3,
        "openqasm2": openqasm.read_openqasm2,
        "ionq.circuit.v1": _read_ionq,
    }
)


def _cold_atoms(machine: str) -> Format:
    name = f"qlued.{machine}"
    read = _without_inputs(name, partial(cold_atoms.read, machine=machine))
    description = f"Experiments on cold atoms in qlued's JSON, for the machine `{machine}`."
    return Format(name, cold_atoms.VERSION, read, 4 << 10, _atoms_to_checked, description)


_FORMATS: Final = (
    Format(
        "ionq.circuit.v1",
        ionq_json.VERSION,
        _read_ionq,
        4 << 10,
        _qubits_to_checked,
        "IonQ's JSON `input` object, gatesets `qis` and `native`, one circuit or several.",
    ),
    Format(
        "openqasm2",
        openqasm.VERSION,
        openqasm.read_openqasm2,
        0,
        _qubits_to_checked,
        "OpenQASM 2, the whole language.",
    ),
    Format(
        "openqasm3",
        openqasm.VERSION,
        openqasm.read_openqasm3,
        0,
        _qubits_to_checked,
        "OpenQASM 3 without run-time arithmetic, time and pulses.",
    ),
    Format(
        "qobj",
        qobj.VERSION,
        _without_inputs("qobj", qobj.read),
        4 << 10,
        _qubits_to_checked,
        "Qiskit's Qobj of type QASM, one experiment or several.",
    ),
    Format(
        "qiskit.primitives",
        primitives.VERSION,
        _without_inputs("qiskit.primitives", primitives.read),
        0,
        _qubits_to_checked,
        "Jobs of Qiskit's Sampler and Estimator: circuits in QPY, values, observables.",
    ),
    Format(
        "braket.openqasm3",
        openqasm.VERSION,
        _without_inputs("braket.openqasm3", _read_braket),
        0,
        _qubits_to_checked,
        "OpenQASM 3 as Amazon Braket writes it, with pragmas, in JSON with inputs and shots.",
    ),
    Format(
        "batch",
        batch.VERSION,
        _without_inputs("batch", partial(batch.read, readers=_BATCH_READERS)),
        0,
        _qubits_to_checked,
        "Several programs in one job, each in `openqasm3`, `openqasm2` or `ionq.circuit.v1`.",
    ),
    *map(_cold_atoms, MACHINES),
    Format(
        "qlued.lab",
        lab_atoms.VERSION,
        _without_inputs("qlued.lab", lab_atoms.read),
        4 << 10,
        lab_atoms.to_checked,
        "Experiments on cold atoms in qlued's JSON, for a lab's own machine; gates pass unread.",
    ),
    Format(
        "ahs",
        ahs.VERSION,
        _without_inputs("ahs", ahs.read),
        4 << 10,
        _atoms_to_checked,
        "Analog programs of Rydberg atoms, as Amazon Braket writes them.",
    ),
    Format(
        "blackbird",
        blackbird.VERSION,
        blackbird.read,
        0,
        photonic.to_checked,
        "Blackbird 1.x for photons, `tdm` programs included.",
    ),
)

_SMALL: Final[Mapping[str, int]] = MappingProxyType(
    {"circuits": 20, "clbits": 100, "clifford_qubits": 100, "operations": 1_000}
)
"""Limits under which every text of `inline_bytes` is read within milliseconds."""

_HEAD_BYTES: Final = 64 << 10
_QOBJ_KEYS: Final = (b'"qobj_id"', b'"experiments"')
_MUST_MEASURE: Final = frozenset({"batch", "openqasm2", "openqasm3", "qiskit.primitives"})
_NO_INPUTS: Final[Inputs] = MappingProxyType({})

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({known.name: known for known in _FORMATS})
"""Every known format by its name."""

LIMITS: Final = (IonQLimits, PrimitiveLimits, BlackbirdLimits, BraketLimits)
"""Limits that formats declare in addition to `Limits`."""


def read(format_name: str, source: bytes, limits: Limits, inputs: Inputs = _NO_INPUTS) -> Checked:
    """Read a program; return its packed circuits with their summary.

    Args:
        format_name: One of `FORMATS`.
        source: The program's text.
        limits: Limits on the program.
        inputs: A value for each input that the program declares.

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
    return known.to_checked(known.read(source, limits, inputs))


def requires_measurement(format_name: str) -> bool:
    """Return whether this format rejects a program without measurements.

    Other formats measure everything at the end or declare what is measured. Qobj accepts such a
    program, as Qiskit's own simulators do, and returns zeros.
    """
    return format_name in _MUST_MEASURE


def guess_format(source: bytes) -> str:
    """Return the most likely format of a source, by its beginning.

    A JSON object counts as a Qobj or as IonQ's JSON; other JSON formats are not guessed.
    """
    head = source[:_HEAD_BYTES]
    if head.lstrip()[:1] == b"{":
        return "qobj" if any(key in head for key in _QOBJ_KEYS) else "ionq.circuit.v1"
    if recognise_format(source) == "blackbird":
        return "blackbird"
    return f"openqasm{openqasm.guess_version(head)}"


class Refusal(NamedTuple):
    """Error of a program, in a form that a worker process can return."""

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
            # Counted in the summary first, so that no far longer program is unpacked.
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


def read_in_worker(
    format_name: str,
    source: bytes,
    limits: Limits,
    inputs: Inputs = _NO_INPUTS,
    layout: Layout | None = None,
) -> Checked | Refusal:
    """Read a program in a worker process: as `read`, but return an error as a value."""
    try:
        checked = read(format_name, source, limits, inputs)
        if layout is not None:
            layout.check(checked)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)
    return checked


def read_small(
    format_name: str, source: bytes, limits: Limits, inputs: Inputs = _NO_INPUTS
) -> Checked | None:
    """Read a program within a few milliseconds; return None if it needs a worker process.

    A short text may expand: 4 kB of IonQ's JSON to a million operations. So it is read under small
    limits, and a program that exceeds them or is invalid is left to `read_in_worker`.
    """
    if len(source) > FORMATS[format_name].inline_bytes:
        return None
    programs = limits.programs
    small = {name: min(getattr(programs, name), maximum) for name, maximum in _SMALL.items()}
    limits = msgspec.structs.replace(limits, programs=msgspec.structs.replace(programs, **small))
    try:
        return read(format_name, source, limits, inputs)
    except (InvalidRequest, LimitExceeded):
        return None


def check_layout_in_worker(text: str) -> Refusal | None:
    """Return the error of a photonic device's layout, or None. Runs in a worker process."""
    try:
        blackbird.read_layout(text)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)
    return None


def compile_in_worker(
    circuits: bytes, number: int, limits: Limits, entangler: Entangler
) -> bytes | Refusal:
    """Return one of a job's packed circuits in native gates as JSON, or an error."""
    try:
        found = ionq_native.compile_circuit(unpack(circuits)[number], entangler, limits)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)
    return msgspec.json.encode(found)


def compile_to_basis_in_worker(
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
        found = unpack(circuits)
        if gates:
            found = basis.compile_circuits(found, gates, device, limits)
        if language:
            from qwicket.programs.rewriting import rewrite  # late: few devices need it

            rewrite(found, language)
        return _qubits_to_checked(found)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)


def write_in_worker(circuits: bytes, number: int) -> str | Refusal:
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
    """Import Braket's reader, which this module imports late."""
    importlib.import_module("qwicket.programs.braket")


def preload_qiskit() -> None:
    """Import Qiskit if installed, so that the first QPY of a process does not wait a second."""
    with suppress(ImportError):
        importlib.import_module("qiskit.qpy")
