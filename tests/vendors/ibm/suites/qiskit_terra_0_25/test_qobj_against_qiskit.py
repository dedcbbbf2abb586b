"""Our reader and engine against a Qiskit that still assembles Qobjs, in its own environment.

Qiskit makes the documents; the exact distributions of its own circuits, walked branch by branch
with its state vectors and matrices, are those that our engine gives for what our reader read.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, assemble
from qiskit.circuit import library
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator, Statevector, random_statevector, random_unitary

from qwicket.circuits.qubit import QubitCircuit
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.model.limits import Limits
from qwicket.vendors.ibm.qobj import read, settings
from support import qubit_math
from support.repetitions import runs


def as_json(value: Any) -> Any:
    """Write complex numbers and arrays as Qiskit's own clients did."""
    if isinstance(value, complex | np.complexfloating):
        return [value.real, value.imag]
    return value.tolist()


def document(*circuits: QuantumCircuit, **options: Any) -> bytes:
    return json.dumps(assemble(list(circuits), **options).to_dict(), default=as_json).encode()


def ours(circuit: QubitCircuit) -> dict[int, float]:
    outcome = qubit_math.run_on(NumpySimulator(), circuit, 1, 0, ("probabilities",))
    return {key: p for key, p in outcome.each_probability() if p > 1e-11}


# --- Qiskit's own answer --------------------------------------------------------------------------

Path = tuple[int, np.ndarray]


def theirs(circuit: QuantumCircuit) -> dict[int, float]:
    """Exact probabilities of the classical bits, bit i of a key being clbit i."""
    paths: list[Path] = [(0, Statevector.from_int(0, 2**circuit.num_qubits).data)]
    for instruction in circuit.data:
        paths = [after for path in paths for after in steps(circuit, instruction, *path)]
    outcomes: defaultdict[int, float] = defaultdict(float)
    for bits, state in paths:
        outcomes[bits] += float(np.vdot(state, state).real)
    return {bits: p for bits, p in outcomes.items() if p > 1e-11}


def steps(circuit: QuantumCircuit, instruction: Any, bits: int, state: np.ndarray) -> list[Path]:
    operation = instruction.operation
    qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
    if operation.condition is not None and not holds(circuit, operation.condition, bits):
        return [(bits, state)]
    if operation.name in ("barrier", "delay"):
        return [(bits, state)]
    if operation.name == "measure":
        place = circuit.find_bit(instruction.clbits[0]).index
        zero, one = halves(state, qubits[0])
        return kept((bits & ~(1 << place), zero), (bits | 1 << place, one))
    if operation.name == "reset":
        return reset(bits, state, qubits[0])
    if operation.name == "initialize":
        paths = [(bits, state)]
        for qubit in qubits:
            paths = [after for path in paths for after in reset(*path, qubit)]
        operation = library.StatePreparation(their_state(operation))
        return [(bits, evolved(state, operation, qubits)) for bits, state in paths]
    return [(bits, evolved(state, operation, qubits))]


def their_state(operation: Any) -> Any:
    """A label, or the state vector that the parameters define."""
    params = operation.params
    if isinstance(params[0], str):
        return "".join(params)
    if len(params) == 1:
        return Statevector.from_int(int(params[0].real), 2**operation.num_qubits).data
    return params


def evolved(state: np.ndarray, operation: Any, qubits: list[int]) -> np.ndarray:
    return Statevector(state).evolve(Operator(operation), qubits).data


def halves(state: np.ndarray, qubit: int) -> tuple[np.ndarray, np.ndarray]:
    ones = np.arange(len(state)) >> qubit & 1 == 1
    return np.where(ones, 0, state), np.where(ones, state, 0)


def reset(bits: int, state: np.ndarray, qubit: int) -> list[Path]:
    zero, one = halves(state, qubit)
    return kept((bits, zero), (bits, one[np.arange(len(state)) ^ 1 << qubit]))


def kept(*paths: Path) -> list[Path]:
    return [path for path in paths if np.vdot(path[1], path[1]).real > 1e-13]


def holds(circuit: QuantumCircuit, condition: Any, bits: int) -> bool:
    subject, value = condition
    tested = subject if isinstance(subject, ClassicalRegister) else [subject]
    places = [circuit.find_bit(bit).index for bit in tested]
    return sum((bits >> place & 1) << k for k, place in enumerate(places)) == int(value)


def assert_same(*circuits: QuantumCircuit) -> None:
    found = read(document(*circuits), Limits())
    assert len(found) == len(circuits)
    for mine, circuit in zip(found, circuits, strict=True):
        registers = [(register.name, register.size) for register in mine.registers]
        assert registers == [(register.name, register.size) for register in circuit.cregs]
        assert ours(mine) == pytest.approx(theirs(circuit), abs=1e-9)


# --- gates ----------------------------------------------------------------------------------------

GATES: list[tuple[Callable[..., Any], int]] = [
    *((kind, 0) for kind in (library.IGate, library.XGate, library.YGate, library.ZGate)),
    *((kind, 0) for kind in (library.HGate, library.SGate, library.SdgGate, library.TGate)),
    *((kind, 0) for kind in (library.TdgGate, library.SXGate, library.SXdgGate)),
    *((kind, 1) for kind in (library.RXGate, library.RYGate, library.RZGate, library.PhaseGate)),
    *((kind, 0) for kind in (library.CXGate, library.CYGate, library.CZGate, library.CHGate)),
    *((kind, 0) for kind in (library.CSXGate, library.CSGate, library.CSdgGate)),
    *((kind, 1) for kind in (library.CRXGate, library.CRYGate, library.CRZGate)),
    *((kind, 1) for kind in (library.CPhaseGate, library.CU1Gate, library.U1Gate)),
    *((kind, 1) for kind in (library.RXXGate, library.RYYGate, library.RZZGate, library.RZXGate)),
    *((kind, 0) for kind in (library.SwapGate, library.iSwapGate, library.DCXGate)),
    *((kind, 0) for kind in (library.ECRGate, library.CCXGate, library.CCZGate)),
    *((kind, 0) for kind in (library.CSwapGate, library.RCCXGate, library.RC3XGate)),
    *((kind, 0) for kind in (library.C3XGate, library.C4XGate, library.C3SXGate)),
    *((kind, 2) for kind in (library.U2Gate, library.RGate)),
    *((kind, 2) for kind in (library.XXMinusYYGate, library.XXPlusYYGate)),
    *((kind, 3) for kind in (library.UGate, library.U3Gate, library.CU3Gate)),
    (library.CUGate, 4),
    (lambda: library.MCXGate(2), 0),
    (lambda: library.MCXGrayCode(5), 0),
    (lambda angle: library.MCPhaseGate(angle, 3), 1),
]


def scrambled(n_qubits: int) -> QuantumCircuit:
    """A circuit after which no two amplitudes are alike."""
    circuit = QuantumCircuit(n_qubits, n_qubits)
    for qubit in range(n_qubits):
        circuit.u(0.5 + 0.3 * qubit, 0.4 + 0.7 * qubit, 0.1, qubit)
    return circuit


def measured_in_another_basis(circuit: QuantumCircuit) -> QuantumCircuit:
    """So that phases are seen as well."""
    for qubit in range(circuit.num_qubits):
        circuit.u(1.1 - 0.2 * qubit, 0.3 + 0.5 * qubit, 0.9 + 0.4 * qubit, qubit)
    circuit.measure(range(circuit.num_qubits), range(circuit.num_qubits))
    return circuit


@pytest.mark.parametrize(("kind", "n_angles"), GATES)
def test_each_gate_is_the_one_of_qiskit(kind: Callable[..., Any], n_angles: int) -> None:
    gate = kind(*(0.3, -1.1, 2.5, 0.7)[:n_angles])
    circuits = []
    for seed in range(3):
        n_qubits = max(3, gate.num_qubits)
        circuit = scrambled(n_qubits)
        circuit.append(gate, random.Random(seed).sample(range(n_qubits), gate.num_qubits))
        circuits.append(measured_in_another_basis(circuit))
    assert_same(*circuits)


@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4])
def test_a_unitary_acts_on_its_qubits_in_qiskits_order(n_qubits: int) -> None:
    circuits = []
    for seed in range(4):
        circuit = scrambled(5)
        qubits = random.Random(seed).sample(range(5), n_qubits)
        circuit.unitary(random_unitary(2**n_qubits, seed=seed), qubits)
        circuits.append(measured_in_another_basis(circuit))
    assert_same(*circuits)


@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4])
def test_a_state_is_prepared_on_fresh_and_on_entangled_qubits(n_qubits: int) -> None:
    circuits = []
    for seed in range(6):
        circuit = scrambled(4) if seed % 2 else QuantumCircuit(4, 4)
        if seed % 2:
            circuit.cx(0, 1)
            circuit.cx(1, 2)
            circuit.cx(2, 3)
        amplitudes = random_statevector(2**n_qubits, seed=seed).data
        if seed > 3:
            amplitudes[:: seed - 2] = 0
            amplitudes /= np.linalg.norm(amplitudes)
        circuit.initialize(amplitudes, random.Random(seed).sample(range(4), n_qubits))
        circuits.append(measured_in_another_basis(circuit))
    assert_same(*circuits)


@pytest.mark.parametrize("state", ["0", "1+", "r-l", "01+-", 0, 5, 10])
def test_a_state_may_be_a_label_or_a_number(state: str | int) -> None:
    circuit = scrambled(4)
    circuit.initialize(
        state, [2, 0, 3, 1][: len(state)] if isinstance(state, str) else [1, 3, 0, 2]
    )
    assert_same(measured_in_another_basis(circuit))


# --- circuits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_random_circuits_have_the_same_distribution(seed: int) -> None:
    circuit = random_circuit(random.Random(seed).randint(1, 5), 8, max_operands=4, seed=seed)
    circuit.measure_all()
    assert_same(circuit)


@pytest.mark.parametrize("seed", range(40))
def test_random_circuits_of_qiskit_with_conditions_have_the_same_distribution(seed: int) -> None:
    circuit = random_circuit(
        3, 5, max_operands=3, measure=True, conditional=True, reset=True, seed=seed
    )
    assert_same(circuit)


@pytest.mark.parametrize("seed", range(runs(20, long=60)))
def test_random_conditions_on_registers_and_bits_have_the_same_distribution(seed: int) -> None:
    assert_same(*random_conditionals(random.Random(seed)))


def random_conditionals(rng: random.Random) -> Iterator[QuantumCircuit]:
    for _ in range(2):
        registers = [ClassicalRegister(2, "c"), ClassicalRegister(1, "flag"), ClassicalRegister(3)]
        circuit = QuantumCircuit(QuantumRegister(2, "a"), QuantumRegister(1, "b"), *registers)
        for _ in range(14):
            qubits = rng.sample(range(3), 2)
            kind = rng.randrange(8)
            if kind < 3:
                done = circuit.measure(qubits[0], rng.randrange(6))
            elif kind == 3:
                done = circuit.reset(qubits[0])
            elif kind == 4:
                done = circuit.unitary(random_unitary(4, seed=rng.randrange(99)), qubits)
            elif kind == 5:
                done = circuit.initialize(random_statevector(4, seed=rng.randrange(99)), qubits)
            else:
                done = circuit.u(*(rng.uniform(-3, 3) for _ in "abc"), qubits[0])
                circuit.cx(*qubits)
            if rng.random() < 0.5:
                tested = rng.choice([*registers, *circuit.clbits])
                width = len(tested) if isinstance(tested, ClassicalRegister) else 1
                done.c_if(tested, rng.randrange(1 << width))
        yield circuit


def test_what_the_job_asks_for_is_read() -> None:
    one, two = QuantumCircuit(1, 1, name="one"), QuantumCircuit(2, 2, name="two")
    found = settings(document(one, two, shots=77, memory=True, seed_simulator=5))
    assert (found.shots, found.seed, found.method) == (77, 5, None)
    assert [experiment.memory for experiment in found.experiments] == [True, True]
    headers = [json.loads(bytes(experiment.header)) for experiment in found.experiments]
    assert [header["name"] for header in headers] == ["one", "two"]
    assert [header["memory_slots"] for header in headers] == [1, 2]
