"""Amplifies the noise of a circuit by folding gates: G becomes G (G⁻¹ G)^k, which does the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import pi
from random import Random
from typing import Final

from msgspec import structs

from qwicket.circuits.qubit import DELAY, Branch, Folding, Gate, Jump, Op, QubitCircuit

_INVERSES: Final = {
    "s": "sdg",
    "sdg": "s",
    "t": "tdg",
    "tdg": "t",
    "sx": "sxdg",
    "sxdg": "sx",
}


def inverse(gate: Gate) -> Gate:
    """Return the inverse of a gate, with the same targets and controls."""
    name, params = gate.name, gate.params
    match name:
        case "u":
            theta, phi, lam = params
            params = (-theta, -lam, -phi)
        case "gpi":
            pass  # as X, each is its own inverse
        case "gpi2":
            params = (params[0] + pi,)
        case "ms":
            params = (*params[:2], -params[2])
        case "unitary":
            params = _adjoint(params)
        case _ if name in _INVERSES:
            name = _INVERSES[name]
        case _:
            params = tuple([-each for each in params])
    return structs.replace(gate, name=name, params=params)


def _adjoint(params: Sequence[float]) -> tuple[float, ...]:
    """Return the conjugate transpose of a matrix: re, im, re, … row by row."""
    size = round((len(params) / 2) ** 0.5)
    places = [2 * (row * size + column) for column in range(size) for row in range(size)]
    return tuple([part for at in places for part in (params[at], -params[at + 1])])


def foldable(ops: Iterable[Op]) -> list[int]:
    """Return the indices of the gates that are folded.

    These are the gates on two qubits or more, controls included, whose noise dominates. If there
    are none, these are all gates.
    """
    gates = [(index, op) for index, op in enumerate(ops) if type(op) is Gate and op.name != DELAY]
    joint = [index for index, op in gates if len(op.targets) + len(op.controls) > 1]
    return joint or [index for index, op in gates if op.targets]


def n_folds(n_gates: int, noise_factor: float) -> int:
    """Return how often gates are folded in all. Each adds two gates."""
    return round(n_gates * (noise_factor - 1) / 2)


def reached(n_gates: int, noise_factor: float) -> float:
    """Return the noise factor that folding reaches, which is closest to a wanted one."""
    return 1 + 2 * n_folds(n_gates, noise_factor) / n_gates if n_gates else 1.0


def fold(
    circuit: QubitCircuit, noise_factor: float, folding: Folding, rng: Random | None = None
) -> QubitCircuit:
    """Return a circuit that does the same with more noise.

    Args:
        circuit: The circuit.
        noise_factor: Wanted number of gates over that of the circuit, among those that are folded.
        folding: Which gates are folded once more than the others.
        rng: Random numbers, for the folding `random`.
    """
    places = foldable(circuit.ops)
    total = n_folds(len(places), noise_factor)
    if not total:
        return circuit
    each, more = divmod(total, len(places))
    if folding == "random":
        assert rng is not None
        chosen = rng.sample(places, more)
    else:
        chosen = places[:more] if folding == "front" else places[len(places) - more :]
    times = Counter(dict.fromkeys(places, each)) + Counter(chosen)
    # How many operations come before each place, which a jump may lead to.
    starts = list(accumulate([1 + 2 * times[k] for k in range(len(circuit.ops))], initial=0))
    ops: list[Op] = []
    for index, op in enumerate(circuit.ops):
        if type(op) is Branch or type(op) is Jump:
            skip = starts[index + 1 + op.skip] - starts[index + 1]
            op = structs.replace(op, skip=skip)
        ops.append(op)
        if type(op) is Gate and times[index]:
            ops += [inverse(op), op] * times[index]
    return structs.replace(circuit, ops=tuple(ops))
