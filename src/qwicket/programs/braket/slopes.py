"""Derivatives of a circuit's angles by the inputs of its program, for gradients.

The program is read again with each input a little smaller and larger. Differences of angles of the
fourth order are exact for angles that are linear in the input, but for the rounding of floats, and
to about 1e-12 for other functions. The gradient itself is exact (`engines/qubit/gradients.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from qwicket.circuits.qubit import Gate, Parameter, QubitCircuit, Readout
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.programs.openqasm.bounds import MAX_STEPS

Results = list[tuple[Readout, int]]

_STEP: Final = 2.0**-10
"""A power of two, so that sums with most inputs are exact. The error of the difference is below
`_STEP`⁴/30 = 3e-14 for a sine, and that of rounding is about 1e-13."""
_MAX_INPUT: Final = 1 << 20
"""Floats above are so far apart that a step would be lost, and with it the derivative."""
_WEIGHTS: Final = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
"""Places and weights of the central difference of the fourth order."""
_DIFFERENTIABLE: Final = frozenset({"p", "rx", "ry", "rz", "rxx", "ryy", "rzz", "u", "gphase"})
_ROUNDING: Final = 1e-11
"""Derivatives below are taken for 0; that of an angle that uses its input is larger."""


def completed(
    results: Results,
    circuit: QubitCircuit,
    inputs: Mapping[str, Any],
    steps: int,
    read: Callable[[Mapping[str, Any]], QubitCircuit],
) -> Results:
    """Return result types with the slopes of their parameters.

    Args:
        results: Result types; a gradient without parameters is by all inputs.
        circuit: The circuit.
        inputs: Values of the inputs that the program declares.
        steps: Steps that reading the program took.
        read: Function that reads the program with other values.

    Raises:
        InvalidProgram: A parameter is no input with a real value, or decides which gates run.
        LimitExceeded: The program is too long to be read once more for each parameter.
    """
    numbers = {name: float(inputs[name]) for name in inputs if type(inputs[name]) in (int, float)}
    asked = [
        [each.name for each in readout.parameters] or sorted(numbers)
        for readout, _ in results
        if readout.kind == "adjoint_gradient"
    ]
    names = list(dict.fromkeys(name for each in asked for name in each))
    for name in names:
        if name not in numbers:
            raise InvalidProgram(
                f"adjoint_gradient: {name[:64]!r} is not an input of the program with a real value"
            )
        if abs(numbers[name]) > _MAX_INPUT:
            raise InvalidProgram(
                f"adjoint_gradient: the value of the input {name[:64]!r} is {numbers[name]:g};"
                f" for derivatives it must be at most {_MAX_INPUT:,}"
            )
    n_reads = len(_WEIGHTS) * len(names)
    # The reader bounds the steps of one reading only; here it is read again for each input.
    if steps * n_reads > MAX_STEPS:
        raise LimitExceeded(
            f"adjoint_gradient: the program has {steps:,} tokens, which are read {n_reads} times"
            f" for the derivatives by {len(names)} inputs; {MAX_STEPS:,} in all are allowed"
        )
    gates = _counted(circuit)
    parameters = {name: _parameter(name, numbers[name], gates, inputs, read) for name in names}
    remaining = iter(asked)
    return [
        (replace(readout, parameters=tuple([parameters[name] for name in next(remaining)])), at)
        if readout.kind == "adjoint_gradient"
        else (readout, at)
        for readout, at in results
    ]


def _counted(circuit: QubitCircuit) -> list[Gate]:
    """Return gates without global phases, which no expectation value depends on."""
    gates = [op for op in circuit.ops if type(op) is Gate]
    return [gate for gate in gates if gate.name != "gphase" or gate.controls]


def _parameter(
    name: str,
    value: float,
    gates: Sequence[Gate],
    inputs: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], QubitCircuit],
) -> Parameter:
    sums: dict[tuple[int, int], float] = {}
    for place, weight in _WEIGHTS:
        try:
            shifted = _counted(read({**inputs, name: value + place * _STEP}))
        except InvalidProgram as error:  # such as an input of an integer type
            raise InvalidProgram(
                f"adjoint_gradient: there is no derivative by the input {name!r}: {error.detail}"
            ) from None
        # With other gates, the angles before and after could not be compared.
        if [_without_angles(gate) for gate in shifted] != [_without_angles(gate) for gate in gates]:
            raise InvalidProgram(
                f"adjoint_gradient: the input {name!r} decides which gates run, so there is no"
                " derivative by it"
            )
        for number, (gate, other) in enumerate(zip(gates, shifted, strict=True)):
            if other.params != gate.params:
                for angle, (here, there) in enumerate(zip(gate.params, other.params, strict=True)):
                    # Differences from the middle, so that equal angles add exactly 0.
                    key = number, angle
                    sums[key] = sums.get(key, 0.0) + weight * (there - here) / _STEP
    found = []
    for (number, angle), slope in sums.items():
        if abs(slope) > _ROUNDING:
            if gates[number].name not in _DIFFERENTIABLE:
                raise InvalidProgram(
                    f"adjoint_gradient: the gate {gates[number].name!r} has no derivative here"
                )
            found.append((number, angle, slope))
    return Parameter(name, tuple(found))


def _without_angles(gate: Gate) -> tuple[object, ...]:
    return gate.name, gate.targets, gate.controls, gate.terms, len(gate.params)
