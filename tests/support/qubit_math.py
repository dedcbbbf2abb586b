"""Qubit physics written a second time, from Pauli algebra, for tests to compare engines with."""

from __future__ import annotations

import cmath
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations, product
from math import cos, exp, pi, sin, sqrt

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray
from scipy.linalg import expm

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError, Relaxation
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import (
    Branch,
    Gate,
    Jump,
    Measure,
    Op,
    QubitCircuit,
    Register,
    Relation,
    Reset,
)
from qwicket.engines.qubit import engine as engines
from qwicket.engines.qubit import program
from qwicket.engines.qubit.noise import noise_of
from qwicket.engines.qubit.numpy_engine import NumpyState
from qwicket.engines.qubit.state_vectors import StateVectorEngine
from qwicket.engines.qubit.states import Simulator, StateVector, evolve
from qwicket.engines.qubit.tasks import Engine, EngineResult, Task
from qwicket.model.limits import Limits

Matrix = NDArray[np.complex128]

PAULI: dict[str, Matrix] = {
    "I": np.eye(2, dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=complex),
    "Z": np.array([[1, 0], [0, -1]], dtype=complex),
}
X, Y, Z = PAULI["X"], PAULI["Y"], PAULI["Z"]

EXAMPLES: tuple[tuple[str, int, tuple[float, ...]], ...] = (
    *((name, 1, ()) for name in ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg")),
    *((name, 1, (0.7,)) for name in ("rx", "ry", "rz", "p", "gpi", "gpi2")),
    ("u", 1, (0.7, -1.1, 2.3)),
    ("delay", 1, (0.7,)),
    ("gphase", 0, (0.7,)),
    ("swap", 2, ()),
    *((name, 2, (0.7,)) for name in ("rxx", "ryy", "rzz", "zz")),
    ("ms", 2, (0.4, -1.3, 0.7)),
)
"""Every gate of the flat form but `pauliexp` and `unitary`: name, number of targets, parameters."""


def string(letters: str) -> Matrix:
    """The matrix of a Pauli string, leftmost letter most significant."""
    made = np.eye(1, dtype=complex)
    for letter in letters:
        made = np.kron(made, PAULI[letter])
    return made


def exponential(generator: Matrix, angle: float) -> Matrix:
    made: Matrix = expm(-1j * angle * generator)
    return made


def on_equator(phi: float) -> Matrix:
    return cos(phi) * X + sin(phi) * Y


def unitary(name: str, params: Sequence[float]) -> Matrix:
    """A gate's matrix from its definition in Pauli operators, first target most significant."""
    half = [p / 2 for p in params]
    match name:
        case "id" | "delay" | "x" | "y" | "z":
            return {"x": X, "y": Y, "z": Z}.get(name, PAULI["I"])
        case "h":
            return (X + Z) / sqrt(2)
        case "s" | "sdg" | "t" | "tdg":
            angle = {"s": pi / 2, "sdg": -pi / 2, "t": pi / 4, "tdg": -pi / 4}[name]
            return cmath.exp(0.5j * angle) * exponential(Z, angle / 2)
        case "sx" | "sxdg":
            angle = pi / 2 if name == "sx" else -pi / 2
            return cmath.exp(0.5j * angle) * exponential(X, angle / 2)
        case "rx" | "ry" | "rz":
            return exponential({"rx": X, "ry": Y, "rz": Z}[name], half[0])
        case "p":
            return cmath.exp(1j * half[0]) * exponential(Z, half[0])
        case "u":
            turned = exponential(Z, half[1]) @ exponential(Y, half[0]) @ exponential(Z, half[2])
            return cmath.exp(1j * (half[1] + half[2])) * turned
        case "gphase":
            return np.array([[cmath.exp(1j * params[0])]])
        case "swap":
            return (string("II") + string("XX") + string("YY") + string("ZZ")) / 2
        case "rxx" | "ryy" | "rzz" | "zz":
            return exponential(string(name[-2:].upper()), half[0])
        case "gpi":
            return on_equator(params[0])
        case "gpi2":
            return exponential(on_equator(params[0]), pi / 4)
        case "ms":
            pair = np.kron(on_equator(params[0]), on_equator(params[1])).astype(complex)
            return exponential(pair, half[2])
    raise AssertionError(name)


def dense(matrix: Matrix, targets: tuple[int, ...], controls: tuple[int, ...] = ()) -> Gate:
    """A matrix as a gate, first target most significant."""
    numbers = [part for entry in matrix.ravel() for part in (entry.real, entry.imag)]
    return Gate("unitary", targets, tuple(map(float, numbers)), controls)


def gate_unitary(gate: Gate) -> Matrix:
    """The matrix of a gate without its controls, first target most significant."""
    if gate.name == "unitary":
        entries = [complex(*pair) for pair in zip(gate.params[::2], gate.params[1::2], strict=True)]
        return np.array(entries).reshape((1 << len(gate.targets),) * 2)
    if gate.name != "pauliexp":
        return unitary(gate.name, gate.params)
    size = 1 << len(gate.targets)
    total = np.zeros((size, size), dtype=complex)
    for term, angle in zip(gate.terms, gate.params, strict=True):
        total += angle * string(term[::-1])
    return exponential(total, 1)


def embedded(matrix: Matrix, gate: Gate, n_qubits: int) -> Matrix:
    """The matrix on n qubits, entry by entry; bit q of an index is qubit q."""
    full = np.zeros((1 << n_qubits,) * 2, dtype=complex)
    places = list(reversed(gate.targets))
    mask = sum(1 << target for target in places)
    for column in range(1 << n_qubits):
        if not all(column >> control & 1 for control in gate.controls):
            full[column, column] = 1
            continue
        inner = sum((column >> target & 1) << i for i, target in enumerate(places))
        for outer in range(len(matrix)):
            row = column & ~mask | sum(
                (outer >> i & 1) << target for i, target in enumerate(places)
            )
            full[row, column] = matrix[outer, inner]
    return full


def amplitudes(n_qubits: int, gates: Sequence[Gate]) -> Matrix:
    """The state that gates make of |0…0⟩, by products of full matrices."""
    if not gates:
        zero: Matrix = np.eye(1, 1 << n_qubits, dtype=complex)[0]
        return zero
    *earlier, last = gates
    whole = embedded(gate_unitary(last), last, n_qubits)
    state: Matrix = whole @ _kept(n_qubits, tuple(earlier))
    return state


@cache
def _kept(n_qubits: int, gates: tuple[Gate, ...]) -> Matrix:
    return amplitudes(n_qubits, gates)


def measured(n_qubits: int, ops: Sequence[Op]) -> QubitCircuit:
    """A circuit that ends by measuring qubit q into bit q of the one register."""
    measures = (Measure(qubit, qubit) for qubit in range(n_qubits))
    return QubitCircuit(n_qubits, (*ops, *measures), (Register("c", n_qubits),))


def chain(n_qubits: int) -> list[Gate]:
    """Gates that connect all qubits."""
    return [Gate("x", (qubit + 1,), (), (qubit,)) for qubit in range(n_qubits - 1)]


def scrambling(n_qubits: int) -> list[Gate]:
    """Gates after which no two amplitudes are alike, so that every misplaced bit shows."""
    gates = []
    for qubit in range(n_qubits):
        gates.append(Gate("ry", (qubit,), (0.5 + 0.3 * qubit,)))
        gates.append(Gate("rz", (qubit,), (0.4 + 0.7 * qubit,)))
        gates.append(Gate("rx", (qubit,), (1.1 - 0.2 * qubit,)))
    return gates


# --- running the engines --------------------------------------------------------------------------

ALL = ("counts", "memory", "probabilities")


def run(
    circuit: QubitCircuit,
    shots: int = 1_000,
    seed: int = 1,
    outputs: Sequence[str] = ALL,
    noise: NoiseModel | None = None,
    part: int = 0,
    engine: str = "",
    max_outcomes: int = Limits().jobs.outcomes,
) -> Outcome:
    """Run a circuit on the engine named, or the one that suits it."""
    options = RunOptions(
        shots=shots,
        seed=seed,
        outputs=tuple(outputs),
        noise=noise,
        engine=engine,
        max_outcomes=max_outcomes,
    )
    return engines.run(circuit, options, part)


def run_on(
    simulator: Simulator,
    circuit: QubitCircuit,
    shots: int = 1_000,
    seed: int = 1,
    outputs: Sequence[str] = ALL,
    noise: NoiseModel | None = None,
) -> Outcome:
    """Run a circuit on state vectors, even if another engine would be chosen."""
    return run_with(StateVectorEngine(simulator), circuit, shots, seed, outputs, noise)


def run_with(
    engine: Engine,
    circuit: QubitCircuit,
    shots: int = 1_000,
    seed: int = 1,
    outputs: Sequence[str] = ALL,
    noise: NoiseModel | None = None,
) -> Outcome:
    """Run a circuit on an engine, even if another one would be chosen."""
    return outcome(circuit, engine.run(task(circuit, shots, seed, outputs, noise)))


def task(
    circuit: QubitCircuit,
    shots: int = 1_000,
    seed: int = 1,
    outputs: Sequence[str] = ALL,
    noise: NoiseModel | None = None,
) -> Task:
    read = program.read(circuit)
    sequence = SeedSequence(seed, spawn_key=(0,))
    return Task(read, noise_of(noise, read), shots, sequence, tuple(outputs))


def outcome(circuit: QubitCircuit, found: EngineResult) -> Outcome:
    return Outcome(
        registers=circuit.registers,
        arrays=found.arrays,
        engine="",
        engine_version="",
        seed=0,
        seconds=0,
        notes=found.notes,
    )


def evolved(simulator: Simulator, n_qubits: int, gates: Iterable[Gate]) -> StateVector:
    """The state that a simulator makes of |0…0⟩."""
    state = simulator.zero_state(n_qubits)
    evolve(simulator, state, tuple(gates))
    return state


def vector(state: StateVector) -> Matrix:
    """The amplitudes of a state that a simulator made."""
    # Here, since suites of vendors' clients import this module where Qulacs is not installed.
    from qwicket.engines.qubit.qulacs_engine import QulacsState

    assert isinstance(state, NumpyState | QulacsState)
    return state.amplitudes()


# --- mid-circuit measurement, and noise, with density matrices -----------------------------------

RELATIONS: Mapping[Relation, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def exact(circuit: QubitCircuit, noise: NoiseModel | None = None) -> dict[int, float]:
    """Exact probabilities of all keys, from one density matrix for each place and key there."""
    size = 1 << circuit.n_qubits
    start = np.zeros((size, size), dtype=complex)
    start[0, 0] = 1
    at: list[dict[int, Matrix]] = [{} for _ in range(len(circuit.ops) + 1)]
    at[0][0] = start
    for place, op in enumerate(circuit.ops):
        for bits, rho in at[place].items():
            for target, key, part in _followers(circuit.n_qubits, place, op, bits, rho, noise):
                at[target][key] = at[target].get(key, 0) + part
    weights = {key: float(np.trace(rho).real) for key, rho in at[-1].items()}
    return {key: weight for key, weight in weights.items() if weight > 1e-12}


def _followers(
    n_qubits: int, place: int, op: Op, bits: int, rho: Matrix, noise: NoiseModel | None
) -> list[tuple[int, int, Matrix]]:
    match op:
        case Gate():
            unitary = _embedded(op, n_qubits)
            rho = unitary @ rho @ unitary.conj().T
            return [(place + 1, bits, _disturbed(n_qubits, op, rho, noise))]
        case Measure(qubit, clbit):
            found = []
            for value, part in enumerate(_halves(n_qubits, qubit, rho)):
                for recorded, weight in enumerate(_recorded(qubit, value, noise)):
                    key = bits & ~(1 << clbit) | recorded << clbit
                    found.append((place + 1, key, weight * part))
            return found
        case Reset(qubit):
            zero, one = _halves(n_qubits, qubit, rho)
            flip = _embedded(Gate("x", (qubit,)), n_qubits)
            return [(place + 1, bits, zero + flip @ one @ flip)]
        case Branch(clbits, relation, value, skip):
            number = sum((bits >> clbit & 1) << i for i, clbit in enumerate(clbits))
            holds = RELATIONS[relation](number, int(value))
            return [(place + 1 + (0 if holds else skip), bits, rho)]
        case Jump(skip):
            return [(place + 1 + skip, bits, rho)]


def _halves(n_qubits: int, qubit: int, rho: Matrix) -> tuple[Matrix, Matrix]:
    ones = np.arange(1 << n_qubits) >> qubit & 1
    zero, one = np.diag(1 - ones), np.diag(ones)
    return zero @ rho @ zero, one @ rho @ one


def _recorded(qubit: int, value: int, noise: NoiseModel | None) -> tuple[float, float]:
    """Probabilities of recording 0 and 1."""
    error = ReadoutError() if noise is None else noise.readout_of.get(qubit, noise.readout)
    one = 1 - error.zero_for_one if value else error.one_for_zero
    return 1 - one, one


@cache
def _embedded(gate: Gate, n_qubits: int) -> Matrix:
    return embedded(gate_unitary(gate), gate, n_qubits)


def _disturbed(n_qubits: int, gate: Gate, rho: Matrix, noise: NoiseModel | None) -> Matrix:
    """Apply a gate's noise, channel by channel, in the order that `circuits/noise.py` documents."""
    qubits = gate.targets + gate.controls
    if noise is None or not qubits:
        return rho
    groups = [qubits] if len(qubits) < 3 else list(combinations(qubits, 2))
    found = [(group, _following(gate, group, len(groups) > 1, noise)) for group in groups]
    for group, each in found:
        rho = _channel(n_qubits, group, depolarizing(each.depolarizing, len(group)), rho)
    single = [(qubit, each) for group, each in found for qubit in group]
    for relaxes_to in ("mixed", "zero"):  # Pauli channels come before the others
        for qubit, each in single:
            relaxation = noise.relaxation_of.get(qubit, noise.relaxation)
            if relaxation.relaxes_to == relaxes_to:
                rho = _channel(n_qubits, (qubit,), relaxed(relaxation, each.duration_s), rho)
    for qubit, each in single:
        for kraus in (damping_of_amplitude(each), damping_of_phase(each)):
            rho = _channel(n_qubits, (qubit,), kraus, rho)
    return rho


def _following(
    gate: Gate, group: tuple[int, ...], is_one_of_several: bool, noise: NoiseModel
) -> GateNoise:
    """The model's noise for a gate on one of its pairs, by the precedence that it documents."""
    if gate.name == "delay":
        return GateNoise(duration_s=gate.params[0])
    name = "c" * len(gate.controls) + gate.name
    sites = [site for site in noise.sites if set(site.qubits) == set(group)]
    by_name = [site.gates.get(name) for site in sites] + [noise.gates.get(name)]
    several = [site.multi_qubit for site in sites] + [noise.multi_qubit]
    usual = [site.default for site in sites]
    usual += [noise.one_qubit if len(group) == 1 else noise.two_qubit]
    ranked = by_name + (several if is_one_of_several else []) + usual
    return next(each for each in ranked if each is not None)


def relaxed(relaxation: Relaxation, duration_s: float) -> list[Matrix]:
    """Kraus operators from ⟨Z⟩'s and the coherence's decay; Paulis if it ends mixed."""
    z = exp(-duration_s / relaxation.t1_s) if relaxation.t1_s else 1.0
    c = exp(-duration_s / relaxation.t2_s) if relaxation.t2_s else sqrt(z)
    if relaxation.relaxes_to == "mixed":
        flip, turn = (1 - z) / 4, (1 + z - 2 * c) / 4
        weights = {"I": 1 - 2 * flip - turn, "X": flip, "Y": flip, "Z": turn}
        return [sqrt(max(0.0, p)) * PAULI[letter] for letter, p in weights.items()]
    rest = sqrt(max(0.0, z - c * c))
    return [np.diag([1, c]), np.diag([0, rest]), np.array([[0, sqrt(1 - z)], [0, 0]])]


def _channel(n_qubits: int, qubits: Sequence[int], kraus: Sequence[Matrix], rho: Matrix) -> Matrix:
    """Apply Kraus operators; the first qubit is the most significant."""
    carrier = Gate("", tuple(qubits))
    full = [embedded(each, carrier, n_qubits) for each in kraus]
    after: Matrix = np.sum([each @ rho @ each.conj().T for each in full], axis=0)
    return after


def depolarizing(p: float, n_qubits: int) -> list[Matrix]:
    letters = ["".join(each) for each in product("IXYZ", repeat=n_qubits)]
    others = len(letters) - 1
    return [
        sqrt(p / others if any(c != "I" for c in each) else 1 - p) * string(each)
        for each in letters
    ]


def damping_of_amplitude(noise: GateNoise) -> list[Matrix]:
    gamma = noise.amplitude_damping
    return [np.diag([1, sqrt(1 - gamma)]), np.array([[0, sqrt(gamma)], [0, 0]])]


def damping_of_phase(noise: GateNoise) -> list[Matrix]:
    lam = noise.phase_damping
    return [np.diag([1, sqrt(1 - lam)]), np.diag([0, sqrt(lam)])]


def process_fidelity(gate: Gate, noise: NoiseModel) -> float:
    """The fidelity of a gate's noise on qubits 0 to k - 1, from Bell pairs before and after."""
    size = len(gate.targets + gate.controls)
    bell = np.eye(1 << size, dtype=complex).reshape(-1) / sqrt(1 << size)
    rho = np.outer(bell, bell).astype(complex)
    return float((bell @ _disturbed(2 * size, gate, rho, noise) @ bell).real)


def one_shot(circuit: QubitCircuit, rng: Generator) -> int:
    """The key of one shot, run on its own, without noise."""
    state = np.eye(1, 1 << circuit.n_qubits, dtype=complex)[0]
    index = np.arange(len(state))
    bits = place = 0
    while place < len(circuit.ops):
        op = circuit.ops[place]
        place += 1
        match op:
            case Gate():
                state = _embedded(op, circuit.n_qubits) @ state
            case Measure(qubit) | Reset(qubit):
                ones = (index >> qubit & 1).astype(bool)
                value = int(rng.random() < np.sum(np.abs(state[ones]) ** 2))
                state = np.where(ones == bool(value), state, 0)
                state = state / np.linalg.norm(state)
                if isinstance(op, Measure):
                    bits = bits & ~(1 << op.clbit) | value << op.clbit
                elif value:
                    state = state[index ^ (1 << qubit)]
            case Branch(clbits, relation, text, skip):
                number = sum((bits >> clbit & 1) << i for i, clbit in enumerate(clbits))
                place += 0 if RELATIONS[relation](number, int(text)) else skip
            case Jump(skip):
                place += skip
    return bits


def assert_follows(counts: Mapping[int, int], p: Mapping[int, float], shots: int) -> None:
    """Total variation stays below its mean E + 3.3/√N in all but one of 10^9 tries."""
    assert sum(counts.values()) == shots
    assert counts.keys() <= p.keys()
    expected = 0.5 * sum(sqrt(2 * max(0.0, x * (1 - x)) / (pi * shots)) for x in p.values())
    distance = 0.5 * sum(abs(counts.get(key, 0) / shots - x) for key, x in p.items())
    assert distance < expected + 3.3 / sqrt(shots)


def counted(keys: Iterable[int]) -> dict[int, int]:
    return dict(Counter(keys))
