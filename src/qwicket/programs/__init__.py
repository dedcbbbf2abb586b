"""Formats of programs: from text to checked circuits. Independent of jobs and engines.

The functions `*_in_parser` run in parser processes, and return errors as values.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import structs

from qwicket.circuits import twins
from qwicket.circuits.analysis import to_checked
from qwicket.circuits.formats import Format
from qwicket.circuits.noise import NoiseModel
from qwicket.circuits.outcomes import Encoded
from qwicket.circuits.qubit import Entangler, QubitCircuit, unpack
from qwicket.circuits.summary import Checked
from qwicket.model.devices import PhotonicSpec
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.model.suggestions import did_you_mean
from qwicket.programs import batch, estimation, openqasm, recognition
from qwicket.programs.estimation import EstimationLimits
from qwicket.programs.known import FORMATS
from qwicket.programs.openqasm.bounds import OpenQASMLimits
from qwicket.programs.recognition import may_be_meant
from qwicket.registrations import vendors

__all__ = [
    "FORMATS",
    "LIMITS",
    "Format",
    "Layout",
    "Refusal",
    "check_layout_in_parser",
    "compile_in_parser",
    "compile_to_basis_in_parser",
    "fidelity_in_parser",
    "format_title",
    "guess_format",
    "may_be_meant",
    "mitigate_in_parser",
    "preload_qiskit",
    "read",
    "read_batch",
    "read_estimation",
    "read_in_parser",
    "read_small",
    "recognise_format",
    "small_limits",
    "warm_up",
    "write_in_parser",
]

S = TypeVar("S", bound=msgspec.Struct)
Inputs = Mapping[str, float]
"""Values of a program's declared inputs; angles in radians."""

_SMALL: Final[Mapping[str, int]] = MappingProxyType(
    {"circuits": 20, "clbits": 100, "clifford_qubits": 100, "operations": 1_000}
)
_SMALL_OPENQASM: Final[Mapping[str, int]] = MappingProxyType(
    {"openqasm_tokens": 2_000, "openqasm_steps": 4_000}
)
"""Limits for programs that the server reads itself: 4 kB of text may expand to a million
operations, or repeat nothing as often."""

_NO_INPUTS: Final[Inputs] = MappingProxyType({})

LIMITS: Final[tuple[type[msgspec.Struct], ...]] = (
    OpenQASMLimits,
    EstimationLimits,
    *[resolve_name(name) for it in vendors() for name in it.limits],
)
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
    completed = known.complete(source, limits)
    circuits = known.read(completed, limits, inputs)
    checked = known.to_checked(circuits)
    if checked.summary.n_delays and not with_delays:
        checked = known.to_checked(tuple([circuit.without_delays() for circuit in circuits]))
    return checked if completed is source else structs.replace(checked, completed=completed)


def format_title(name: str) -> str:
    """Return the title of a format; the quoted name if unknown."""
    known = FORMATS.get(name)
    return known.title if known else repr(name[:64])


def recognise_format(source: bytes) -> str:
    """Return a program's format, one of several with the same marks; empty if unknown."""
    return recognition.recognise(source, FORMATS.values())


def guess_format(source: bytes) -> str:
    """Return the most likely format of a source that a submission without a format has."""
    return recognition.guess(source, FORMATS.values())


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
        _layouts().check(checked, self.device, self.spec)


def _layouts() -> Any:
    """Return the module that reads layouts, or raise `InvalidProgram` where there is none."""
    found = [known.layouts for known in FORMATS.values() if known.layouts]
    if not found:
        raise InvalidProgram("this server reads no layouts")
    return importlib.import_module(found[0])


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
    """Return the limits under which `read_small` reads a program; import the readers for it."""
    for known in FORMATS.values():
        if known.inline_bytes:
            known.load()
    others = [each for each in limits.own if not isinstance(each, OpenQASMLimits)]
    return structs.replace(
        limits,
        programs=_lowered(limits.programs, _SMALL),
        own=(_lowered(limits.of(OpenQASMLimits), _SMALL_OPENQASM), *others),
    )


def _lowered(limits: S, maxima: Mapping[str, int]) -> S:
    lower = {name: min(getattr(limits, name), maximum) for name, maximum in maxima.items()}
    return structs.replace(limits, **lower)


def check_layout_in_parser(text: str) -> Refusal | None:
    """Return the error of a photonic device's layout, or None if it is valid."""
    try:
        _layouts().read_layout(text)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)
    return None


def compile_in_parser(
    circuits: bytes, number: int, limits: Limits, entangler: Entangler
) -> bytes | Refusal:
    """Return one of a job's packed circuits in native gates as JSON, or an error."""
    compilers = [known.native_compiler for known in FORMATS.values() if known.native_compiler]
    if not compilers:
        return Refusal(InvalidRequest.code, "This server compiles to no native gates.", None)
    try:
        native = resolve_name(compilers[0])(unpack(circuits)[number], entangler, limits)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)
    return msgspec.json.encode(native)


def compile_to_basis_in_parser(
    circuits: bytes,
    gates: Sequence[str],
    device: str,
    language: Any,
    limits: Limits,
    pairs: Sequence[tuple[int, int]] = (),
    expand_seed: int | None = None,
) -> Checked | Refusal:
    """Return a program's packed circuits in the gates of a remote device, or an error.

    Args:
        circuits: The program's circuits, packed.
        gates: Names of the device's gates; empty if it takes every gate.
        device: Name of the device, for errors.
        language: Language in which the device gets its programs; empty for the format of the job.
            Circuits that it cannot express are refused.
        limits: Limits on the compiled circuits.
        pairs: Pairs of qubits to which the gates are routed; empty for no routing.
        expand_seed: Seed of the runs of estimations, which the device gets in their place; None
            leaves estimations as they are.
    """
    try:
        compiled = unpack(circuits)
        if expand_seed is not None:
            return _expanded(compiled, gates, device, limits, expand_seed)
        if gates:
            from qwicket.programs import basis  # late: only parser processes need it

            compiled = basis.compile_circuits(compiled, gates, device, limits)
            if pairs:
                from qwicket.programs.routing import route

                if routed := route(compiled, pairs):
                    compiled = basis.compile_circuits(routed, gates, device, limits)  # the swaps
        if language:
            from qwicket.programs.rewriting import rewrite  # late: few devices need it

            rewrite(compiled, language)  # for its errors: the driver writes the program again
            return FORMATS[language].to_checked(compiled)
        return to_checked(compiled)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)


def _expanded(
    circuits: tuple[QubitCircuit, ...],
    gates: Sequence[str],
    device: str,
    limits: Limits,
    seed: int,
) -> Checked:
    """Return the runs of estimations in the gates of a device.

    Estimations are compiled before, so that the device's own gates are folded, and their runs
    after: changes of basis, flips and inverse gates need not be gates of the device.
    """
    from qwicket.programs import basis  # late: as above

    if gates:
        circuits = basis.compile_circuits(circuits, gates, device, limits)
    runs, combinations, n_shots = estimation.expand(circuits, limits, seed)
    if gates:
        runs = basis.compile_circuits(runs, gates, device, limits)
    checked = to_checked(runs)
    observables = [terms for each in combinations for terms in each.estimation.observables]
    summary = structs.replace(
        checked.summary,
        n_parts=len(circuits),
        n_terms=sum(map(len, observables)),
        is_estimation=True,
        mitigated_shots=n_shots,
    )
    return structs.replace(checked, summary=summary, combinations=combinations)


def mitigate_in_parser(
    circuits: bytes,
    number: int,
    result: Encoded,
    errors: Sequence[tuple[float, float]],
    limits: Limits,
) -> bytes | Refusal:
    """Return the mitigated counts of one of a job's packed circuits as JSON, or an error."""
    from qwicket.circuits.mitigation.counts import ReadoutErrors  # late: they import NumPy
    from qwicket.programs import counts

    try:
        of_qubits = [ReadoutErrors(*each) for each in errors]
        return counts.mitigate(unpack(circuits)[number], result, of_qubits, limits)
    except (InvalidRequest, LimitExceeded) as error:
        return Refusal(error.code, error.detail, error.field)


def fidelity_in_parser(circuits: bytes, device: NoiseModel | twins.Machine) -> float:
    """Return the expected fidelity of a job's packed circuits on a device, given by its noise."""
    from qwicket.circuits.fidelity import expected_fidelity  # late: few jobs have candidates

    model = device if isinstance(device, NoiseModel) else twins.noise(*device)
    return expected_fidelity(unpack(circuits), model)


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


def read_batch(source: bytes, limits: Limits) -> tuple[QubitCircuit, ...]:
    """Read the programs of a batch; as `batch.read`."""
    readers = {known.name: known.read for known in FORMATS.values() if known.in_batches}
    return batch.read(source, limits, readers, guess_format)


def read_estimation(source: bytes, limits: Limits, inputs: Inputs) -> tuple[QubitCircuit, ...]:
    """Read an estimation; as `estimation.read`."""
    readers = {known.name: known.read for known in FORMATS.values() if known.in_batches}
    return estimation.read(source, limits, inputs, readers, guess_format)


def warm_up() -> None:
    """Import what this module imports late and programs often need."""
    importlib.import_module("qwicket.programs.basis")
    for known in FORMATS.values():
        known.load()


def preload_qiskit() -> None:
    """Import Qiskit if installed, so that the first QPY of a process does not wait a second."""
    with suppress(ImportError):
        importlib.import_module("qiskit.qpy")
