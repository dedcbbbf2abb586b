"""Derivatives of a circuit's angles with respect to the inputs of its program, for gradients.

The program is read again with each input a little smaller and larger. Fourth-order central
differences of the angles are exact, except for rounding, where angles are linear in the input. For
other functions f the error is h⁴f⁽⁵⁾/30 with the step h = 2⁻¹⁰: 3e-14 for sin x, 3e-4 for
sin 100x. The gradient itself is exact (`engines/qubit/gradients.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from qwicket.circuits.qubit import DELAY, Gate, Parameter, QubitCircuit, Readout
from qwicket.model.errors import InvalidProgram, LimitExceeded

Results = list[tuple[Readout, int]]

_STEP: Final = 2.0**-10
"""A power of two, so that sums with most inputs are exact. Rounding of an angle a adds an error of
about 3e-13 |a|."""
_MAX_INPUT: Final = 1 << 20
"""Above, rounding would make derivatives worse than about 1e-7."""
_WEIGHTS: Final = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
"""Offsets in steps, and weights, of the fourth-order central difference."""
_DIFFERENTIABLE: Final = frozenset({"p", "rx", "ry", "rz", "rxx", "ryy", "rzz", "u", "gphase"})
_SMALLEST_SLOPE: Final = 1e-11
"""Smaller derivatives count as 0. The bound is multiplied by the angle where that is above 1."""


def with_slopes(
    results: Results,
    circuit: QubitCircuit,
    inputs: Mapping[str, Any],
    steps: int,
    max_steps: int,
    read: Callable[[Mapping[str, Any]], QubitCircuit],
) -> Results:
    """Return result types with the slopes of their parameters.

    Args:
        results: Result types, each with the index of its token; a gradient without parameters is
            with respect to all inputs that are numbers.
        circuit: The circuit that the program describes.
        inputs: Values of the inputs that the program declares.
        steps: Number of tokens that were read, those that are repeated again and again.
        max_steps: The limit `openqasm_steps`.
        read: Function that reads the program with other values; it may raise InvalidProgram.

    Raises:
        InvalidProgram: A parameter is not an input with a real value, is too large, decides which
            gates run, or changes an angle of a gate without a derivative.
        LimitExceeded: The program is too long to be read four times more for each parameter.
    """
    numbers = {name: float(inputs[name]) for name in inputs if type(inputs[name]) in (int, float)}
    names_by_gradient = [
        [each.name for each in readout.parameters] or sorted(numbers)
        for readout, _ in results
        if readout.kind == "adjoint_gradient"
    ]
    names = list(dict.fromkeys(name for names in names_by_gradient for name in names))
    for name in names:
        if name not in numbers:
            raise InvalidProgram(
                f"adjoint_gradient: {name[:64]!r} is not an input of the program with a real value"
            )
        if abs(numbers[name]) > _MAX_INPUT:
            raise InvalidProgram(
                f"adjoint_gradient: the value of the input {name[:64]!r} is {numbers[name]:g};"
                f" for derivatives its absolute value must be at most {_MAX_INPUT:,}"
            )
    n_reads = len(_WEIGHTS) * len(names)
    # The reader bounds the steps of one reading only; here the text is read again for each input.
    if steps * n_reads > max_steps:
        raise LimitExceeded(
            f"adjoint_gradient: the program has {steps:,} tokens, which are read {n_reads} times"
            f" for derivatives with respect to {len(names)} inputs; {max_steps:,} in all are"
            " allowed (limit openqasm_steps)"
        )
    gates = _gates_with_effect(circuit)
    parameters = {name: _parameter(name, numbers[name], gates, inputs, read) for name in names}
    remaining = iter(names_by_gradient)
    return [
        (replace(readout, parameters=tuple([parameters[name] for name in next(remaining)])), at)
        if readout.kind == "adjoint_gradient"
        else (readout, at)
        for readout, at in results
    ]


def _gates_with_effect(circuit: QubitCircuit) -> list[Gate]:
    """Return gates that change exact expectation values: no global phases, no delays."""
    gates = [op for op in circuit.ops if type(op) is Gate and op.name != DELAY]
    return [gate for gate in gates if gate.name != "gphase" or gate.controls]


def _parameter(
    name: str,
    value: float,
    gates: Sequence[Gate],
    inputs: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], QubitCircuit],
) -> Parameter:
    sums: dict[tuple[int, int], float] = {}
    for offset, weight in _WEIGHTS:
        try:
            shifted = _gates_with_effect(read({**inputs, name: value + offset * _STEP}))
        except InvalidProgram as error:  # such as an input of an integer type
            raise InvalidProgram(
                f"adjoint_gradient: there is no derivative with respect to the input {name!r}:"
                f" {error.detail}"
            ) from None
        # With other gates, the angles before and after could not be compared.
        if [_without_angles(gate) for gate in shifted] != [_without_angles(gate) for gate in gates]:
            raise InvalidProgram(
                f"adjoint_gradient: the input {name!r} decides which gates run, so there is no"
                " derivative with respect to it"
            )
        for gate_index, (gate, other) in enumerate(zip(gates, shifted, strict=True)):
            if other.params != gate.params:
                for index, (angle, moved) in enumerate(zip(gate.params, other.params, strict=True)):
                    # Differences from the middle, so that equal angles add exactly 0.
                    key = gate_index, index
                    sums[key] = sums.get(key, 0.0) + weight * (moved - angle) / _STEP
    slopes = []
    for (gate_index, index), slope in sums.items():
        gate = gates[gate_index]
        if abs(slope) > _SMALLEST_SLOPE * max(1.0, abs(gate.params[index])):
            if gate.name not in _DIFFERENTIABLE:
                raise InvalidProgram(
                    f"adjoint_gradient: the gate {gate.name!r} has no derivative here"
                )
            slopes.append((gate_index, index, slope))
    return Parameter(name, tuple(slopes))


def _without_angles(gate: Gate) -> tuple[object, ...]:
    return gate.name, gate.targets, gate.controls, gate.terms, len(gate.params)
