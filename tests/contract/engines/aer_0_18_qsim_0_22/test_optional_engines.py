"""The engines `qsim` and `aer-mps` with the packages that they use.

qsimcirq is installed without Cirq and whatever else it names: nothing of it is needed.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import pi, sin, sqrt
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import pytest
from numpy.random import default_rng
from scipy.stats import unitary_group

from qwicket.circuits.noise import GateNoise, NoiseModel
from qwicket.circuits.qubit import Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import engine, names, qsim_engine
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.qsim_engine import QsimEngine
from qwicket.engines.qubit.tasks import UnreliableResult
from support import qubit_math
from support.qubit_math import EXAMPLES, assert_follows, measured

SHOTS = 20_000
COUNTS = ("counts",)
both = pytest.mark.parametrize("name", ["qsim", "aer-mps"])


def cx(control: int, target: int) -> Gate:
    return Gate("x", (target,), (), (control,))


def ghz(n_qubits: int) -> list[Gate]:
    return [Gate("h", (0,)), *(cx(q, q + 1) for q in range(n_qubits - 1))]


def counts(name: str, circuit: QubitCircuit, shots: int = SHOTS, seed: int = 1) -> dict[int, int]:
    outcome = qubit_math.run(circuit, shots, seed, COUNTS, engine=name)
    assert outcome.engine == name
    return outcome.counts()


def exact(n_qubits: int, gates: Sequence[Gate]) -> dict[int, float]:
    state = qubit_math.evolved(NumpySimulator(), n_qubits, gates)
    return {key: p for key, p in enumerate(state.probabilities().tolist()) if p > 1e-12}


def test_both_are_installed_here() -> None:
    assert names.list_installed() == ("statevector", "clifford", "qsim", "aer-mps")


# --- reference numbers ----------------------------------------------------------------------------


@both
def test_reference_a_layers_of_rotations(name: str) -> None:
    """Confirmed with NumPy, Qulacs and Qiskit."""
    gates: list[Gate] = []
    for layer in range(3):
        for q in range(3):
            gates.append(Gate("ry", (q,), (0.3 + 0.2 * q + 0.1 * layer,)))
            gates.append(Gate("rx", (q,), (0.5 - 0.1 * q + 0.07 * layer,)))
        gates += [cx(0, 1), cx(1, 2), cx(2, 0)]
    p = [0.153732, 0.054684, 0.310856, 0.103981, 0.144541, 0.124613, 0.039221, 0.068372]
    assert_follows(counts(name, measured(3, gates)), dict(enumerate(p)), SHOTS)


@both
def test_reference_b_native_gates(name: str) -> None:
    """Confirmed with NumPy, Qulacs and the matrices of qiskit-ionq; turns, so times 2π."""
    turns = 2 * pi
    gates = [
        Gate("gpi2", (0,), (0.1 * turns,)),
        Gate("gpi2", (1,), (0.35 * turns,)),
        Gate("ms", (0, 1), (0.05 * turns, 0.2 * turns, 0.25 * turns)),
        Gate("gpi", (1,), (0.37 * turns,)),
        Gate("gpi2", (1,), (0.2 * turns,)),
        Gate("rzz", (0, 1), (0.13 * turns,)),
        Gate("gpi2", (0,), (0.45 * turns,)),
        Gate("ms", (1, 0), (0.3 * turns, 0.15 * turns, 0.1 * turns)),
    ]
    p = {0: 0.265017, 1: 0.346426, 2: 0.370104, 3: 0.018452}
    assert_follows(counts(name, measured(2, gates)), p, SHOTS)


def fourier(n: int, inverse: bool = False) -> list[Gate]:
    """|x⟩ → Σ_k e^{2πi xk/N} |k⟩ / √N (Nielsen and Chuang, section 5.1)."""
    gates = []
    for high in reversed(range(n)):
        gates.append(Gate("h", (high,)))
        gates += [
            Gate("p", (high,), (pi / (1 << (high - low)),), (low,)) for low in reversed(range(high))
        ]
    gates += [Gate("swap", (i, n - 1 - i)) for i in range(n // 2)]
    if not inverse:
        return gates
    return [Gate(g.name, g.targets, tuple(-p for p in g.params), g.controls) for g in gates[::-1]]


@both
def test_reference_c_phase_estimation(name: str) -> None:
    """P(k) = [sin(16π(0.3 - k/16)) / (16 sin(π(0.3 - k/16)))]²."""
    gates = [Gate("x", (4,)), *(Gate("h", (q,)) for q in range(4))]
    gates += [Gate("p", (4,), (2 * pi * 0.3 * (1 << q),), (q,)) for q in range(4)]
    found = counts(name, measured(5, [*gates, *fourier(4, inverse=True)]))
    p = {}
    for k in range(16):
        off = 0.3 - k / 16
        p[16 + k] = (sin(16 * pi * off) / (16 * sin(pi * off))) ** 2
    assert_follows(found, p, SHOTS)


@both
@pytest.mark.parametrize("n_qubits", [2, 12, 20])
def test_reference_e_ghz_states_are_all_zeros_or_all_ones(name: str, n_qubits: int) -> None:
    p = {0: 0.5, (1 << n_qubits) - 1: 0.5}
    assert_follows(counts(name, measured(n_qubits, ghz(n_qubits))), p, SHOTS)


@both
def test_reference_f_fourier_transforms(name: str) -> None:
    flips = [Gate("x", (q,)) for q in (0, 2, 3)]
    flat = counts(name, measured(5, [*flips, *fourier(5)]))
    assert_follows(flat, dict.fromkeys(range(32), 1 / 32), SHOTS)
    back = counts(name, measured(5, [*flips, *fourier(5), *fourier(5, inverse=True)]), 100)
    assert back == {0b01101: 100}


NOISY = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=0.1))


@both
def test_reference_d_noise_is_refused(name: str) -> None:
    with pytest.raises(CannotRun, match="ideal circuits, measured at the end"):
        qubit_math.run(measured(2, ghz(2)), 10, outputs=COUNTS, noise=NOISY, engine=name)


# --- gates ----------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("n_controls", [0, 1, 2, 3])
@pytest.mark.parametrize(("gate", "n_targets", "params"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_every_gate_is_the_one_it_is_called(
    name: str, n_controls: int, gate: str, n_targets: int, params: tuple[float, ...]
) -> None:
    n_qubits = 6
    qubits = [4, 1, 5, 0, 3][: n_targets + n_controls]
    last = Gate(gate, tuple(qubits[:n_targets]), params, tuple(qubits[n_targets:]))
    mixing = [Gate("h", (q,)) for q in range(n_qubits)]
    gates = [*qubit_math.scrambling(n_qubits), last, *mixing]
    assert_follows(counts(name, measured(n_qubits, gates)), exact(n_qubits, gates), SHOTS)


@both
@pytest.mark.parametrize("controls", [(), (2,)])
def test_exponentials_of_paulis(name: str, controls: tuple[int, ...]) -> None:
    sums = Gate("pauliexp", (4, 0, 3), (0.7, 0.4), controls, ("XYZ", "ZZX"))
    gates = [*qubit_math.scrambling(5), sums, *(Gate("h", (q,)) for q in range(5))]
    assert_follows(counts(name, measured(5, gates)), exact(5, gates), SHOTS)


@both
@pytest.mark.parametrize(("n_targets", "n_controls"), [(1, 0), (2, 1), (3, 2), (4, 1), (5, 0)])
def test_gates_that_are_given_as_a_matrix(name: str, n_targets: int, n_controls: int) -> None:
    qubits = (4, 1, 5, 0, 3)
    matrix = unitary_group.rvs(1 << n_targets, random_state=n_targets)
    given = qubit_math.dense(matrix, qubits[:n_targets], qubits[n_targets:][:n_controls])
    gates = [*qubit_math.scrambling(6), given, *(Gate("h", (q,)) for q in range(6))]
    assert_follows(counts(name, measured(6, gates)), exact(6, gates), SHOTS)


def test_qsim_refuses_what_it_would_pass_over_in_silence() -> None:
    """Under controls it runs matrices on four qubits at most, and says nothing of wider ones."""
    wide_x = qubit_math.dense(qubit_math.string("XXXXX"), (0, 1, 2, 3, 4), (5,))
    found = engine.qsim()
    assert found is not None
    assert not found.takes(qubit_math.task(measured(6, [wide_x])).program)
    with pytest.raises(CannotRun, match="unitary under controls on at most 4 qubits"):
        qubit_math.run(measured(6, [wide_x]), 10, outputs=COUNTS, engine="qsim")


@both
def test_wide_exponentials_are_refused(name: str) -> None:
    wide = Gate("pauliexp", tuple(range(6)), (0.7,), (), ("ZZZZZZ",))
    with pytest.raises(CannotRun):
        qubit_math.run(measured(6, [wide]), 10, outputs=COUNTS, engine=name)


@both
@pytest.mark.parametrize("seed", range(5))
def test_random_circuits_follow_their_distribution(name: str, seed: int) -> None:
    rng = default_rng(seed)
    gates = []
    for _ in range(60):
        a, b, c = (int(q) for q in rng.permutation(7)[:3])
        gates += [Gate("u", (a,), tuple(rng.uniform(-3, 3, 3).tolist())), cx(a, b), cx(c, a)]
        gates.append(Gate("x", (b,), (), (a, c)))
    assert_follows(counts(name, measured(7, gates)), exact(7, gates), SHOTS)


# --- what is read ---------------------------------------------------------------------------------


@both
def test_measured_qubits_end_in_their_bits(name: str) -> None:
    """Qubit 2 in two bits, qubit 0 not at all, an idle one, and a bit that nothing writes."""
    ops: list[Op] = [Gate("x", (2,)), Gate("h", (1,)), cx(1, 0)]
    ops += [Measure(2, 0), Measure(2, 4), Measure(1, 1), Measure(3, 2)]
    circuit = QubitCircuit(4, tuple(ops), (Register("c", 6),))
    found = counts(name, circuit)
    assert_follows(found, {0b010001: 0.5, 0b010011: 0.5}, SHOTS)


@both
def test_memory_has_the_same_shots_in_no_order(name: str) -> None:
    outcome = qubit_math.run(measured(12, ghz(12)), 1_000, 3, ("counts", "memory"), engine=name)
    memory = outcome.memory()
    assert qubit_math.counted(memory) == outcome.counts()
    assert memory != sorted(memory)
    changes = sum(one != other for one, other in pairwise(memory))
    assert abs(changes - 500) < 100  # six deviations of 1,000 fair coins


@both
def test_what_measures_on_its_way_is_refused(name: str) -> None:
    for op in (Measure(0, 0), Reset(0)):
        circuit = measured(2, [Gate("h", (0,)), op, Gate("h", (0,))])
        with pytest.raises(CannotRun, match="measured at the end"):
            qubit_math.run(circuit, 10, outputs=COUNTS, engine=name)


def test_probabilities_are_not_qsims_and_only_sampled_by_aer() -> None:
    circuit = measured(3, qubit_math.scrambling(3))
    with pytest.raises(CannotRun, match="single precision"):
        qubit_math.run(circuit, 10, engine="qsim")
    outcome = qubit_math.run(circuit, SHOTS, outputs=("probabilities",), engine="aer-mps")
    assert (outcome.notes, outcome.probabilities()) == (("sampled_only",), {})
    assert_follows(outcome.counts(), exact(3, qubit_math.scrambling(3)), SHOTS)


@both
def test_nothing_measured_is_nothing_read(name: str) -> None:
    circuit = QubitCircuit(1, (Gate("h", (0,)),), (Register("c", 2),))
    assert counts(name, circuit, 7) == {0: 7}


@both
def test_equal_seeds_give_equal_shots_in_every_process(name: str) -> None:
    script = f"""
        from support import qubit_math
        from qwicket.circuits.qubit import Gate
        gates = [*qubit_math.scrambling(6), *(Gate("x", (q + 1,), (), (q,)) for q in range(5))]
        for seed in (1, 1, 2):
            print(qubit_math.run(
                qubit_math.measured(6, gates), 500, seed, ("memory",), engine="{name}"
            ).memory())
    """
    first, second = spawn(script), spawn(script)
    assert first == second
    assert first[0] == first[1] != first[2]


def test_two_parts_of_a_job_draw_different_shots() -> None:
    circuit = measured(6, qubit_math.scrambling(6))
    one, other = (
        qubit_math.run(circuit, 500, 1, COUNTS, part=part, engine="qsim").counts()
        for part in (0, 1)
    )
    assert one != other


# --- aer-mps --------------------------------------------------------------------------------------


def test_a_ghz_state_of_sixty_qubits() -> None:
    outcome = qubit_math.run(measured(60, ghz(60)), SHOTS, outputs=COUNTS, engine="aer-mps")
    assert_follows(outcome.counts(), {0: 0.5, (1 << 60) - 1: 0.5}, SHOTS)
    assert "qiskit-aer 0.18.2" in outcome.engine_version


def test_a_wide_circuit_that_is_no_clifford_circuit() -> None:
    """Rotated pairs far apart: bit k is 1 with sin²(θ/2), and its partner always agrees."""
    n, theta = 80, 1.1
    gates = [Gate("ry", (q,), (theta,)) for q in range(0, n, 8)]
    gates += [cx(q, q + 5) for q in range(0, n, 8)]
    found = counts("aer-mps", measured(n, gates), 4_000)
    for q in range(0, n, 8):
        assert all(key >> q & 1 == key >> (q + 5) & 1 for key in found)
        ones = sum(shots for key, shots in found.items() if key >> q & 1)
        assert abs(ones / 4_000 - sin(theta / 2) ** 2) < 6 * sqrt(0.25 / 4_000)


def test_outcomes_wider_than_a_machine_word() -> None:
    flips = [Gate("x", (q,)) for q in range(0, 130, 7)]
    expected = sum(1 << q for q in range(0, 130, 7))
    outcome = qubit_math.run(measured(130, flips), 5, outputs=("memory",), engine="aer-mps")
    assert outcome.memory() == [expected] * 5


def test_circuits_that_may_entangle_too_much_are_refused() -> None:
    crossing = [Gate("swap", (q, 59 - q)) for q in range(30)]
    with pytest.raises(CannotRun, match="bond dimension above 1024"):
        qubit_math.run(measured(60, crossing), 5, outputs=COUNTS, engine="aer-mps")


def test_what_was_estimated_is_enough_and_less_is_a_memory_error() -> None:
    """In a worker's limit of address space; without the engine's own look Aer would crash."""
    script = """
        import resource
        from qwicket import engines
        from qwicket.circuits.analysis import summarise
        from qwicket.circuits.qubit import Gate
        from qwicket.circuits.options import RunOptions
        from support import qubit_math

        def brickwork(n_qubits, depth):
            gates = []
            for layer in range(depth):
                gates += [Gate("u", (q,), (0.3 + q + layer, 0.7 * q, 1.1)) for q in range(n_qubits)]
                pairs = range(layer % 2, n_qubits - 1, 2)
                gates += [Gate("x", (q + 1,), (), (q,)) for q in pairs]
            return qubit_math.measured(n_qubits, gates)

        small, large = brickwork(60, 6), brickwork(60, 18)
        options = RunOptions(shots=100, seed=1, outputs=("counts",), engine="aer-mps")
        needs = engines.estimate(summarise((small,)), options).bytes
        engines.warm_up()
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + needs
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for circuit in (small, large, small):
            try:
                print(qubit_math.run(circuit, 100, outputs=("counts",), engine="aer-mps").engine)
            except MemoryError:
                print("no memory")
    """
    assert spawn(script) == ["aer-mps", "no memory", "aer-mps"]


def test_optional_engines_are_imported_only_when_selected() -> None:
    script = """
        import sys
        from qwicket import engines
        from support import qubit_math
        from qwicket.circuits.qubit import Gate
        engines.warm_up()
        print(engines.list_installed("qubit"))
        qubit_math.run(qubit_math.measured(14, qubit_math.scrambling(14)), 5, outputs=("counts",))
        print(sorted({"qiskit", "qiskit_aer", "qsimcirq", "cirq"} & set(sys.modules)))
    """
    assert spawn(script)[-1] == "[]"


# --- qsim -----------------------------------------------------------------------------------------


@pytest.fixture
def fresh_choice() -> Iterator[None]:
    engine.qsim.cache_clear()
    yield
    engine.qsim.cache_clear()


def wide(n_qubits: int = 12) -> QubitCircuit:
    return measured(n_qubits, qubit_math.scrambling(n_qubits))


def test_qsim_draws_the_shots_of_wide_states_unasked() -> None:
    outcome = qubit_math.run(wide(), outputs=COUNTS)
    assert outcome.engine == "qsim"
    assert "0.22.1" in outcome.engine_version
    assert qubit_math.run(wide(), outputs=("probabilities",)).engine == "qulacs"
    assert qubit_math.run(wide(9), outputs=COUNTS).engine == "qulacs"
    assert qubit_math.run(measured(12, ghz(12)), outputs=COUNTS, noise=NOISY).engine == "stim"
    assert qubit_math.run(wide(), 1_000_000, outputs=COUNTS).engine == "qulacs"
    sums = Gate("pauliexp", tuple(range(6)), (0.7,), (), ("ZZXXZZ",))
    unusual = measured(12, [*qubit_math.scrambling(12), sums])
    assert qubit_math.run(unusual, outputs=COUNTS).engine == "qulacs"
    turned = measured(12, [*qubit_math.scrambling(12), cx(0, 1)])
    assert qubit_math.run(turned, outputs=COUNTS, noise=NOISY).engine == "qulacs"
    assert qubit_math.run(wide(), outputs=COUNTS, engine="statevector").engine == "qulacs"


def test_wide_states_follow_their_distribution() -> None:
    """18 qubits, fused and in single precision, looked at through 8 of them."""
    rng = default_rng(5)
    gates: list[Gate] = []
    for _ in range(100):
        a, b = (int(q) for q in rng.permutation(18)[:2])
        gates += [Gate("u", (a,), tuple(rng.uniform(-3, 3, 3).tolist())), cx(a, b)]
    ops: tuple[Op, ...] = (*gates, *(Measure(q, q - 5) for q in range(5, 13)))
    circuit = QubitCircuit(18, ops, (Register("c", 8),))
    p = qubit_math.run(circuit, 1, outputs=("probabilities",)).probabilities()
    assert_follows(counts("qsim", circuit), p, SHOTS)


@pytest.mark.usefixtures("fresh_choice")
@pytest.mark.parametrize("fault", ["version", "test", "crash", "module"])
def test_what_is_not_to_be_trusted_is_left_aside_and_logged(
    fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no such option")

    if fault == "version":
        monkeypatch.setattr(qsim_engine, "version", lambda _: "0.1")
    elif fault == "test":
        turned = [Gate("ry", (q,), (0.1,)) for q in range(4)]
        right = QsimEngine._circuit
        monkeypatch.setattr(
            QsimEngine, "_circuit", lambda self, program: right(self, program._replace(ops=turned))
        )
    elif fault == "crash":
        monkeypatch.setattr(QsimEngine, "_samples", broken)
    else:
        # A module that was loaded before would be found without a search.
        for name in [name for name in sys.modules if name.startswith("qsimcirq.")]:
            monkeypatch.delitem(sys.modules, name)
        finder = SimpleNamespace(find_spec=lambda *_: None)
        monkeypatch.setattr(qsim_engine, "PathFinder", finder)
    with caplog.at_level(logging.WARNING, "qwicket.engines"):
        assert qubit_math.run(wide(), outputs=COUNTS).engine == "qulacs"
        assert qubit_math.run(wide(), outputs=COUNTS).engine == "qulacs"
    assert len(caplog.records) == 1
    assert "qsim is installed and not used" in caplog.text
    with pytest.raises(CannotRun, match="the engine qsim"):
        qubit_math.run(wide(), outputs=COUNTS, engine="qsim")


@pytest.mark.usefixtures("fresh_choice")
def test_no_answer_of_qsim_becomes_one_of_qulacs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing option and an index out of range only give an empty list."""
    assert engine.qsim() is not None
    options = qsim_engine._options

    def without_one(*arguments: Any) -> dict[str, object]:
        made = options(*arguments)
        del made["z"]
        return made

    monkeypatch.setattr(qsim_engine, "_options", without_one)
    with caplog.at_level(logging.WARNING, "qwicket.engines"):
        outcome = qubit_math.run(wide(), 500, outputs=COUNTS)
    assert outcome.engine == "qulacs"
    assert sum(outcome.counts().values()) == 500
    assert "0 of 500 shots came back" in caplog.text
    with pytest.raises(CannotRun, match="failed on this circuit"):
        qubit_math.run(wide(), 500, outputs=COUNTS, engine="qsim")


@pytest.mark.usefixtures("fresh_choice")
def test_a_gate_out_of_range_is_no_result() -> None:
    """The program's own check comes first; this is what would happen without it."""
    found = engine.qsim()
    assert found is not None
    task = qubit_math.task(wide(3), outputs=COUNTS)
    wrong = task.program._replace(ops=[Gate("x", (7,))])
    with pytest.raises(UnreliableResult):
        found.run(task._replace(program=wrong))


def test_a_state_that_does_not_fit_is_a_memory_error() -> None:
    """qsim itself would crash on it."""
    script = """
        import resource
        from qwicket import engines
        from support import qubit_math
        from qwicket.circuits.qubit import Gate
        engines.warm_up()
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        wide = qubit_math.measured(28, [Gate("t", (0,)), *qubit_math.chain(28)])
        try:
            qubit_math.run(wide, 1, outputs=("counts",))
        except MemoryError:
            print("no memory")
        small = qubit_math.measured(12, [Gate("t", (q,)) for q in range(12)])
        print(qubit_math.run(small, 5, outputs=("counts",)).counts())
    """
    assert spawn(script) == ["no memory", "{0: 5}"]


def test_a_register_wider_than_any_memory_is_a_memory_error() -> None:
    connected = measured(49, [*qubit_math.scrambling(49), *qubit_math.chain(49)])
    with pytest.raises(MemoryError):
        qubit_math.run(connected, 1, outputs=COUNTS, engine="qsim")


def spawn(script: str) -> list[str]:
    """Run a script in a process of its own and return its lines."""
    command = [sys.executable, "-c", dedent(script)]
    environment = {
        "PYTHONPATH": ":".join(sys.path),
        "OMP_NUM_THREADS": "1",
        "HOME": os.environ["HOME"],
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]
