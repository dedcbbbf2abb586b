"""Format `qlued.lab`: experiments on cold atoms for a lab's own machine, with any gates.

The JSON is that of `cold_atoms`. Only the lab's own program knows what an instruction means and
whether it is valid, so no engine simulates this format.
"""

from __future__ import annotations

from typing import Final

from qwicket.circuits.atoms import AtomCircuit, AtomGate, pack
from qwicket.circuits.summary import Checked, Summary
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.json_text import FieldError, check_limit
from qwicket.vendors.qlued.cold_atom_gates import whole_number
from qwicket.vendors.qlued.cold_atoms import Experiment, experiments

_NAME_CHARS: Final = 64


def read(source: bytes, limits: Limits) -> tuple[AtomCircuit, ...]:
    """Read the experiments of a job; `atoms` of a circuit is 1 for each wire.

    Raises:
        InvalidProgram: The text is not a job for a lab.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    circuits = []
    n_samples = 0
    for key, experiment in experiments(source, limits):
        try:
            circuit = _circuit(experiment, limits)
        except FieldError as fault:
            raise InvalidProgram(f"{key}: {fault}", field=f"{key}.{fault.field}") from None
        n_samples += circuit.shots * len(circuit.measured)
        check_limit("samples", n_samples, limits.atoms.samples, " or more")
        circuits.append(circuit)
    return tuple(circuits)


def to_checked(circuits: tuple[AtomCircuit, ...]) -> Checked:
    """Return packed circuits with a summary, without a cost: only the lab knows their gates."""
    n_single = sum(len(gate.wires) == 1 for circuit in circuits for gate in circuit.gates)
    n_gates = sum(len(circuit.gates) for circuit in circuits)
    summary = Summary(
        family="atoms",
        n_circuits=len(circuits),
        n_qubits=max(len(circuit.atoms) for circuit in circuits),
        n_ops_1q=n_single,
        n_ops_2q=n_gates - n_single,
        n_samples=sum(circuit.shots * len(circuit.measured) for circuit in circuits),
        is_seeded=any(circuit.seed is not None for circuit in circuits),
    )
    return Checked(summary, pack(circuits))


def _circuit(experiment: Experiment, limits: Limits) -> AtomCircuit:
    shots = whole_number(experiment.shots, "shots")
    if not 1 <= shots <= limits.jobs.shots:
        text = f"shots must be 1 to {limits.jobs.shots} (limit shots), not {shots}"
        raise LimitExceeded(text, field="shots")
    n_wires = whole_number(experiment.num_wires, "num_wires")
    if not 1 <= n_wires <= limits.programs.clbits:
        raise FieldError(
            f"num_wires must be 1 to {limits.programs.clbits} (limit clbits)", "num_wires"
        )
    gates = [_gate(*each, n_wires) for each in experiment.instructions]
    seed = None if experiment.seed is None else whole_number(experiment.seed, "seed")
    measured = tuple([wire for gate in gates if gate.name == "measure" for wire in gate.wires])
    acting = tuple([gate for gate in gates if gate.name not in ("measure", "barrier")])
    return AtomCircuit("spins", (1,) * n_wires, acting, measured, shots, seed)


def _gate(name: str, wires: tuple[float, ...], params: tuple[float, ...], n_wires: int) -> AtomGate:
    if len(name) > _NAME_CHARS:
        raise FieldError(
            f"an instruction's name may have at most {_NAME_CHARS} characters", "instructions"
        )
    named = tuple([whole_number(wire, "wires") for wire in wires])
    for wire in named:
        if not 0 <= wire < n_wires:
            raise FieldError(
                f"{name}: wire {wire} is outside 0..{n_wires - 1} (num_wires)", "wires"
            )
    return AtomGate(name, named, params)
