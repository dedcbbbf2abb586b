"""Writes flat circuits as pubs of Qiskit's primitives, for devices behind IBM's APIs.

Circuits are texts in OpenQASM 3 with registers c0, c1, ... One with an estimation becomes a pub of
an estimator, whose options ask for the circuit's own error mitigation and no other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from qwicket.circuits.qubit import Estimation, Mitigation, QubitCircuit, Register
from qwicket.programs.openqasm.writer import NotWritable
from qwicket.programs.openqasm.writer import write as write_openqasm
from qwicket.vendors.ibm.primitives.wire import ESTIMATOR, SAMPLER

_AMPLIFIERS: Final = {
    "random": "gate_folding",
    "front": "gate_folding_front",
    "back": "gate_folding_back",
}


def write(circuits: Sequence[QubitCircuit]) -> bytes:
    """Return circuits as a document of the format `qiskit.primitives`.

    Raises:
        NotWritable: A circuit has what OpenQASM 3 or an estimator cannot express.
    """
    program, params = as_primitive(circuits)
    return msgspec.json.encode({"program": program, "params": params})


def as_primitive(
    circuits: Sequence[QubitCircuit],
    shots: int | None = None,
    *,
    no_values: Any = None,
    is_physical: bool = True,
) -> tuple[str, dict[str, Any]]:
    """Return the primitive that runs circuits, and its parameters with one pub for each circuit.

    Args:
        circuits: Circuits of one job; all or none have an estimation.
        shots: Shots of those that have no number of their own.
        no_values: What stands in a pub for the values of no parameters.
        is_physical: Whether the texts name qubits as those of a machine.

    Raises:
        NotWritable: As for `write`.
    """
    params: dict[str, Any] = {"options": {}, "version": 2, "support_qiskit": True}
    texts = [_text(circuit, is_physical=is_physical) for circuit in circuits]
    if all(circuit.estimation is None for circuit in circuits):
        pubs = [
            [text, no_values, circuit.shots or shots]
            for text, circuit in zip(texts, circuits, strict=True)
        ]
        return SAMPLER, {**params, "pubs": pubs}
    pubs = [
        [text, _observables(circuit), no_values, _precision(circuit)]
        for text, circuit in zip(texts, circuits, strict=True)
    ]
    own = {"options": _options(circuits), "resilience_level": 0}
    return ESTIMATOR, {**params, **own, "pubs": pubs}


def _text(circuit: QubitCircuit, *, is_physical: bool) -> str:
    registers = tuple(Register(f"c{k}", each.size) for k, each in enumerate(circuit.registers))
    text = write_openqasm(structs.replace(circuit, registers=registers), is_physical=is_physical)
    if circuit.estimation is None or not is_physical:
        return text
    # Without declarations, only this says how many qubits the observables are on.
    return f"{text}barrier {', '.join(f'${k}' for k in range(circuit.n_qubits))};\n"


def _observables(circuit: QubitCircuit) -> list[dict[str, float]]:
    """Return the observables of a circuit; the last letter of a term is qubit 0."""
    estimation = circuit.estimation
    if estimation is None or not estimation.observables:
        raise NotWritable("a pub without values or observables")
    words = [_word(estimation, index, circuit.n_qubits) for index in range(len(estimation.paulis))]
    return [{words[index]: factor for index, factor in terms} for terms in estimation.observables]


def _word(estimation: Estimation, index: int, n_qubits: int) -> str:
    letters = ["I"] * n_qubits
    pauli = estimation.paulis[index]
    for letter, qubit in zip(pauli.letters, pauli.qubits, strict=True):
        letters[n_qubits - 1 - qubit] = letter
    return "".join(letters)


def _precision(circuit: QubitCircuit) -> float:
    """Return the precision that a primitive reaches with the shots of a circuit."""
    mitigation = circuit.estimation.mitigation if circuit.estimation else None
    randomizations = mitigation.randomizations if mitigation else 0
    return 1 / math.sqrt(circuit.shots * max(1, randomizations))


def _options(circuits: Sequence[QubitCircuit]) -> dict[str, Any]:
    """Return the options that ask for the error mitigation of circuits.

    Numbers that differ between circuits were chosen by their shots, and are chosen so again.
    """
    found = [circuit.estimation for circuit in circuits if circuit.estimation is not None]
    mitigations = [estimation.mitigation or Mitigation() for estimation in found]
    first = mitigations[0]
    resilience: dict[str, Any] = {
        "measure_mitigation": bool(first.randomizations),
        "zne_mitigation": bool(first.noise_factors),
    }
    options: dict[str, Any] = {"resilience": resilience}
    if first.randomizations:
        resilience["measure_noise_learning"] = {
            "num_randomizations": first.calibrations,
            "shots_per_randomization": _common(each.calibration_shots for each in mitigations),
        }
        options["twirling"] = {
            "enable_measure": True,
            "num_randomizations": _common(each.randomizations for each in mitigations),
            "shots_per_randomization": _common(each.shots for each in circuits),
        }
    if first.noise_factors:
        resilience["zne"] = {
            "amplifier": _AMPLIFIERS[first.folding],
            "noise_factors": first.noise_factors,
            "extrapolator": first.extrapolators,
            "extrapolated_noise_factors": first.extrapolated_factors,
        }
    return options


def _common(numbers: Iterable[int]) -> int | str:
    first, *others = {*numbers}
    return "auto" if others else first
