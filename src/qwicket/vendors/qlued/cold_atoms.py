"""Formats `qlued.*`: experiments on cold atoms as JSON, one format for each of four machines.

    {"experiment_0": {"instructions": [["rlx", [0], [1.57]], ["measure", [0], []]],
                      "num_wires": 1, "shots": 100, "wire_order": "sequential", "seed": 7}}

Each experiment becomes one circuit, in the order sent. The wires and parameters of each machine's
instructions are tables in `cold_atom_gates`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import starmap
from typing import Final

import msgspec

from qwicket.circuits import atom_costs
from qwicket.circuits.atoms import AtomCircuit, AtomGate
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import FieldError, Int64, check_limit, quoted
from qwicket.vendors.qlued.cold_atom_gates import MACHINES, Gates, Machine, whole_number

_LAST_EXPERIMENT: Final = 1_000
_KEY: Final = re.compile(r"experiment_0{0,9}([0-9]{1,4})")
_ORDERS: Final = ("sequential", "interleaved")

_Instruction = tuple[str, tuple[float, ...], tuple[float, ...]]


class Experiment(msgspec.Struct):
    """An experiment as it is sent. Some clients write whole numbers as floats."""

    instructions: tuple[_Instruction, ...]
    num_wires: float
    shots: float
    wire_order: str = "sequential"
    seed: Int64 | float | None = None


_job_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_decoder: Final = msgspec.json.Decoder(Experiment)


def read(source: bytes, limits: Limits, machine: str) -> tuple[AtomCircuit, ...]:
    """Read the experiments of a job.

    Args:
        source: JSON text.
        limits: Bounds on bytes, circuits, operations, shots, dimension, work and samples.
        machine: One of `MACHINES`.

    Raises:
        InvalidProgram: The text is not a job of cold atoms, or an instruction is invalid.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    circuits = []
    n_samples = 0
    for key, experiment in experiments(source, limits):
        circuit = _circuit(key, experiment, MACHINES[machine], limits)
        # Counted over all experiments, because the server holds the samples of a whole job.
        n_samples += circuit.shots * len(circuit.measured)
        check_limit("samples", n_samples, limits.atoms.samples, " or more")
        circuits.append(circuit)
    return tuple(circuits)


def experiments(source: bytes, limits: Limits) -> Iterator[tuple[str, Experiment]]:
    """Yield the experiments of a job by their keys, in the order sent.

    Raises:
        InvalidProgram: The text is not a job of cold atoms.
        LimitExceeded: The job has too many bytes, circuits or operations.
    """
    check_limit("program_json_bytes", len(source), limits.programs.program_json_bytes)
    job = json_text.decode(_job_decoder, source, lambda *_: "")
    if not job:
        raise InvalidProgram("the job has no experiments")
    check_limit("circuits", len(job), limits.programs.circuits)
    n_instructions = 0
    for key, text in job.items():
        # Not decoded until now, so that a job of too many experiments is refused early.
        experiment = _experiment(key, bytes(text))
        n_instructions += len(experiment.instructions)
        check_limit("operations", n_instructions, limits.programs.operations, " or more")
        yield key, experiment


def _experiment(key: str, text: bytes) -> Experiment:
    number = _KEY.fullmatch(key)
    if number is None or int(number[1]) > _LAST_EXPERIMENT:
        allowed = f"experiment_0 to experiment_{_LAST_EXPERIMENT}"
        raise InvalidProgram(f"an experiment must be named {allowed}, not {quoted(key)}")
    return json_text.decode(_decoder, text, lambda *_: f"{key}: ")


read_singlequdit: Final = partial(read, machine="singlequdit")
read_multiqudit: Final = partial(read, machine="multiqudit")
read_rydberg: Final = partial(read, machine="rydberg")
read_fermions: Final = partial(read, machine="fermions")


def _circuit(key: str, experiment: Experiment, machine: Machine, limits: Limits) -> AtomCircuit:
    place = ""
    try:
        shots, n_wires, seed = _settings(experiment, machine, limits)
        gates: list[AtomGate] = []
        try:
            checked = Gates(machine, n_wires).checked
            gates.extend(starmap(checked, experiment.instructions))
        except FieldError:
            # `extend` has appended the gates before the fault, so their number is its index.
            place = f".instructions[{len(gates)}]"
            raise
        circuit = _flat(gates, machine, n_wires, shots, seed)
        # Before the job is stored, so that the client learns at once what no engine could run.
        atom_costs.check(circuit, limits)
    except FieldError as fault:
        at = f"{key}{place}"
        raise InvalidProgram(f"{at}: {fault}", field=f"{at}.{fault.field}") from None
    except LimitExceeded as refusal:
        raise LimitExceeded(f"{key}: {refusal.detail}", field=refusal.field) from None
    return circuit


def _settings(
    experiment: Experiment, machine: Machine, limits: Limits
) -> tuple[int, int, int | None]:
    """Return shots, wires and seed."""
    shots = whole_number(experiment.shots, "shots")
    if not 1 <= shots <= limits.jobs.shots:
        text = f"shots must be 1 to {limits.jobs.shots} (limit shots), not {shots}"
        raise LimitExceeded(text, field="shots")
    n_wires = whole_number(experiment.num_wires, "num_wires")
    if not 1 <= n_wires <= machine.n_wires:
        raise FieldError(f"num_wires must be 1 to {machine.n_wires}, not {n_wires}", "num_wires")
    # With one species both orders are the same; fermions have two, which the engine interleaves.
    orders = ("interleaved",) if machine.is_fermionic else _ORDERS
    if experiment.wire_order not in orders:
        text = f"wire_order must be {' or '.join(orders)}, not {quoted(experiment.wire_order)}"
        raise FieldError(text, "wire_order")
    seed = experiment.seed
    return shots, n_wires, None if seed is None else whole_number(seed, "seed")


def _flat(
    gates: Sequence[AtomGate], machine: Machine, n_wires: int, shots: int, seed: int | None
) -> AtomCircuit:
    """Resolve loads, barriers and measurements by the rules of the machine."""
    if machine.name == "singlequdit":
        gates = _last_reading(gates)
    measured = tuple([gate.wires[0] for gate in gates if gate.name == "measure"])
    is_gate = machine.gate_names.__contains__
    if machine.is_fermionic:
        acting = tuple([gate for gate in gates if gate.name == "load" or is_gate(gate.name)])
        return AtomCircuit("fermions", (), acting, measured, shots, seed)
    # A wire without `load` holds one atom: the Rydberg machine has no such instruction.
    atoms = [1] * n_wires
    for gate in gates:
        # Later loads replace earlier ones, and the last holds from the start of the circuit.
        if gate.name == "load":
            atoms[gate.wires[0]] = int(gate.params[0])
    acting = tuple([gate for gate in gates if is_gate(gate.name)])
    return AtomCircuit("spins", tuple(atoms), acting, measured, shots, seed)


def _last_reading(gates: Sequence[AtomGate]) -> Sequence[AtomGate]:
    """Return the instructions that take part in the last measurement of a single qudit.

    Earlier measurements change nothing: only the last one is a column of the result. Each `load`
    starts over, so only the last one and what follows it count.
    """
    ends = [k for k, gate in enumerate(gates) if gate.name == "measure"]
    if ends:
        earlier = [gate for gate in gates[: ends[-1]] if gate.name != "measure"]
        gates = [*earlier, gates[ends[-1]]]
    starts = [k for k, gate in enumerate(gates) if gate.name == "load"]
    return gates[starts[-1] :] if starts else gates
