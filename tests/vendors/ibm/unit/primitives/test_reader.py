"""Circuits of Qiskit's as flat ones, checked against what Qiskit computes of the same circuits."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import structs
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterVector
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import (
    GlobalPhaseGate,
    MCPhaseGate,
    MCXGate,
    QFTGate,
    UnitaryGate,
    get_standard_gate_name_mapping,
)
from qiskit.quantum_info import Statevector, random_unitary

from qwicket import engines, programs
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, Outcome, decode
from qwicket.circuits.qubit import Gate as FlatGate
from qwicket.circuits.qubit import Measure, Op, QubitCircuit
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives import circuits
from support import pubs
from support.for_each import for_each

LIMITS = Limits()


def own(**values: int) -> Limits:
    return Limits(own=(PrimitiveLimits(**values),))


def read(
    *entries: list[Any], program: str = "sampler", limits: Limits = LIMITS, **options: Any
) -> tuple[QubitCircuit, ...]:
    return primitives.read(pubs.source(program, *entries, **options), limits)


def sampler(circuit: QuantumCircuit, *rest: Any, **options: Any) -> tuple[QubitCircuit, ...]:
    return read([pubs.circuit(circuit), *rest], **options)


def ran(source: bytes, **options: Any) -> list[Outcome]:
    checked = programs.read("qiskit.primitives", source, LIMITS)
    chosen = structs.replace(RunOptions(shots=1, seed=7, outputs=("counts",)), **options)
    found = engines.run("qubit", checked.circuits, msgspec.msgpack.encode(chosen))
    outcomes = []
    for part in found:
        assert isinstance(part, Encoded)
        outcomes.append(decode(part))
    return outcomes


def gate(op: Op) -> FlatGate:
    assert isinstance(op, FlatGate)
    return op


def probabilities(circuit: QuantumCircuit) -> dict[int, float]:
    """Return what our engine says of all qubits after a circuit without measurements."""
    measured = circuit.copy()
    measured.measure_all()
    (outcome,) = ran(pubs.source("sampler", [pubs.circuit(measured)]), outputs=("probabilities",))
    return outcome.probabilities()


def agrees(circuit: QuantumCircuit) -> None:
    wanted = Statevector(circuit).probabilities()
    found = probabilities(circuit)
    for key, p in enumerate(wanted):
        assert found.get(key, 0.0) == pytest.approx(p, abs=1e-9)


def scrambled(gate: Any) -> QuantumCircuit:
    """Return a circuit whose probabilities distinguish a gate from nearly all others."""
    n = gate.num_qubits
    circuit = QuantumCircuit(n)
    for qubit in range(n):
        circuit.u(0.3 + qubit, 0.7 * qubit + 0.2, 0.1, qubit)
    circuit.append(gate, range(n))
    for qubit in range(n):
        circuit.u(0.9 - 0.1 * qubit, 0.4, 0.8 * qubit, qubit)
    return circuit


def unitary_gates() -> dict[str, Any]:
    found = {}
    for name, gate in get_standard_gate_name_mapping().items():
        if not isinstance(gate, Gate) or name == "global_phase":
            continue
        found[name] = gate.base_class(*[0.3 + 0.2 * k for k in range(len(gate.params))])
    return found


GATES = unitary_gates()


def test_every_standard_gate_does_what_qiskit_says(subtests: pytest.Subtests) -> None:
    for name in GATES:
        with subtests.test(name):
            agrees(scrambled(GATES[name]))


@for_each("name", ["x", "rx", "h", "u", "swap", "sx", "ry"])
@for_each("state", [0, 1, 2])
def test_controls_that_must_be_zero_are_kept(name: str, state: int) -> None:
    agrees(scrambled(GATES[name].control(2, ctrl_state=state, annotated=False)))


@pytest.mark.parametrize("gate", [MCPhaseGate(0.3, 2, ctrl_state=1), MCXGate(6, ctrl_state=5)])
def test_what_qiskit_does_not_keep_is_refused_rather_than_run_wrong(gate: Any) -> None:
    with pytest.raises(InvalidProgram, match="QPY loses the state"):
        probabilities(scrambled(gate))


def test_gates_with_many_controls_are_run() -> None:
    agrees(scrambled(MCPhaseGate(0.3, 2)))
    agrees(scrambled(MCXGate(5)))


@for_each("round_", range(5))
def test_expressions_as_qiskit_2_0_wrote_them_are_read_every_time(round_: int) -> None:
    # later readers than that of Qiskit 2.3 refuse some of these, by chance
    circuit = QuantumCircuit(1, 1)
    circuit.rz(pubs.THETA + math.pi, 0)
    circuit.rz(2 * pubs.THETA - Parameter("a") / 3, 0)
    circuit.measure(0, 0)
    (found,) = read([pubs.circuit(circuit, 14), pubs.array([0.3, 0.5]), 1])
    assert [gate(op).params[0] for op in found.ops[:2]] == pytest.approx([0.5 + math.pi, 0.9])


def test_matrices_and_library_gates_are_run() -> None:
    agrees(scrambled(UnitaryGate(random_unitary(8, seed=3))))
    agrees(scrambled(QFTGate(3)))
    circuit = QuantumCircuit(3)
    circuit.initialize([0.6, 0, 0, 0, 0.8j, 0, 0, 0], [2, 0, 1])
    found = probabilities(circuit)
    assert found == pytest.approx({0: 0.36, 2: 0.64})


def test_a_gate_is_taken_by_its_definition_whatever_it_is_called() -> None:
    for name in ("x", "h", "cx", "__class__", "measure", "os.system", "\u2603"):
        inner = QuantumCircuit(2, name=name)
        inner.ry(1.1, 0)
        inner.cx(0, 1)
        circuit = QuantumCircuit(2)
        circuit.append(inner.to_gate(), [1, 0])
        agrees(circuit)


def test_a_gate_without_a_definition_is_refused_by_name() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.append(Gate("mystery", 1, []), [0])
    with pytest.raises(InvalidProgram, match=r"pubs\[0\].*instruction 0 \('mystery'\)"):
        sampler(circuit)


def test_definitions_that_double_are_bounded() -> None:
    inner = QuantumCircuit(1)
    inner.x(0)
    for _ in range(10):
        outer = QuantumCircuit(1)
        outer.append(inner.to_gate(), [0])
        outer.append(inner.to_gate(), [0])
        inner = outer
    circuit = QuantumCircuit(1, 1)
    circuit.append(inner.to_gate(), [0])
    with pytest.raises(LimitExceeded, match="operations: "):
        sampler(circuit, limits=Limits.from_names(operations=1_000))


# --- parameters -----------------------------------------------------------------------------------


def test_values_go_to_parameters_in_qiskits_order() -> None:
    angles = ParameterVector("v", 11)
    last = Parameter("a")
    circuit = QuantumCircuit(3)
    for k, angle in enumerate(angles):
        circuit.rx(angle, k % 3)
        circuit.rz(2 * angle + last, k % 3)
    values = np.linspace(0.1, 1.3, 12)
    bound = circuit.assign_parameters(values)
    measured = circuit.copy()
    measured.measure_all()
    source = pubs.source("sampler", [pubs.circuit(measured), pubs.array(values)])
    (outcome,) = ran(source, outputs=("probabilities",))
    for key, p in enumerate(Statevector(bound).probabilities()):
        assert outcome.probabilities().get(key, 0) == pytest.approx(p, abs=1e-9)


def test_each_set_of_values_is_a_circuit_in_c_order() -> None:
    circuit = pubs.turned()
    circuit.measure_all()
    values = np.arange(6.0).reshape(2, 3, 1)
    found = sampler(circuit, pubs.array(values), 10)
    assert [gate(each.ops[0]).params for each in found] == [(float(k),) for k in range(6)]
    fortran = pubs.typed("ndarray", pubs.packed(pubs.npy_bytes(np.asfortranarray(values))))
    assert sampler(circuit, fortran, 10) == found


@for_each("program", ["sampler", "estimator"])
def test_a_pub_without_values_is_one_circuit_with_its_registers(program: str) -> None:
    circuit = pubs.turned()
    circuit.measure_all()
    observables = [{"Z": 1}] if program == "estimator" else []
    source = pubs.source(
        program, [pubs.circuit(circuit), *observables, pubs.array(np.zeros((2, 0, 1)))]
    )
    checked = programs.read("qiskit.primitives", source, LIMITS)
    summary = checked.summary
    assert (summary.n_parts or summary.n_circuits, summary.unmeasured) == (1, 0)
    (outcome,) = ran(source)
    assert list(outcome.evs()) == []
    if program == "sampler":
        assert [register.name for register in outcome.registers] == ["meas"]
        assert outcome.counts() == {0: 1}


def test_parameters_reach_into_definitions() -> None:
    inner = QuantumCircuit(1)
    inner.ry(2 * pubs.THETA, 0)
    circuit = QuantumCircuit(1)
    circuit.append(inner.to_gate(), [0])
    circuit.measure_all()
    (found,) = sampler(circuit, pubs.array([0.25]))
    assert gate(found.ops[0]).params == (0.5,)


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [[1.0, 2.0]]])
def test_a_wrong_number_of_values_is_refused(values: list[Any]) -> None:
    circuit = pubs.turned()
    circuit.measure_all()
    with pytest.raises(InvalidProgram, match=r"pubs\[0\]: the circuit has 1 parameters"):
        sampler(circuit, pubs.array(values))


def test_an_expression_without_a_real_value_is_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(1 / pubs.THETA, 0)
    circuit.measure(0, 0)
    with pytest.raises(InvalidProgram, match="not a real number"):
        sampler(circuit, pubs.array([0.0]))


# --- shots ----------------------------------------------------------------------------------------


def test_shots_are_a_pubs_own_else_the_options_else_ibms_default() -> None:
    entry = pubs.circuit(pubs.bell())
    found = read([entry, pubs.array(), 5], [entry, pubs.array(), None], [entry], default_shots=9)
    assert [each.shots for each in found] == [5, 9, 9]
    assert [each.shots for each in read([entry])] == [4096]
    summary = programs.read("qiskit.primitives", pubs.source("sampler", [entry]), LIMITS).summary
    assert (summary.shots, summary.n_circuits, summary.n_parts) == (4096, 1, 0)


@pytest.mark.parametrize(
    ("precision", "shots"),
    [(None, 4096), (0.015625, 4096), (0.1, 100), (1, 1), (3.0, 1), (0.001, 1_000_000), (0, 0)],
)
def test_a_precision_is_one_over_the_root_of_the_shots(precision: Any, shots: int) -> None:
    entry = [pubs.circuit(pubs.turned()), {"Z": 1}, pubs.array([0.0]), precision]
    (found,) = read(entry, program="estimator")
    assert found.shots == shots
    assert found.estimation is not None
    assert found.estimation.is_exact is (shots == 0)


# --- dynamic circuits -----------------------------------------------------------------------------


def dynamic(*, build: Any) -> QuantumCircuit:
    """Return a circuit that writes 5 into a register, builds, and measures qubit 3."""
    circuit = QuantumCircuit(4, 4)
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    build(circuit)
    circuit.measure(3, 3)
    return circuit


CONDITIONS: dict[str, tuple[Callable[[QuantumCircuit], Any], bool]] = {
    "bit is 1": (lambda c: (c.clbits[0], 1), True),
    "bit is 0": (lambda c: (c.clbits[0], 0), False),
    "register": (lambda c: (c.cregs[0], 5), True),
    "other value": (lambda c: (c.cregs[0], 4), False),
    "not": (lambda c: expr.logic_not(c.clbits[0]), False),
    "less": (lambda c: expr.less(c.cregs[0], 6), True),
    "turned less": (lambda c: expr.less(expr.lift(6, c_type(4)), c.cregs[0]), False),
    "and": (lambda c: expr.logic_and(c.clbits[0], c.clbits[1]), False),
    "or": (lambda c: expr.logic_or(c.clbits[0], c.clbits[1]), True),
    "xor": (lambda c: expr.bit_xor(c.clbits[0], c.clbits[2]), False),
    "greater or equal": (lambda c: expr.greater_equal(c.cregs[0], 5), True),
    "cast to bool": (lambda c: expr.cast(c.cregs[0], types.Bool()), True),
    "cast to more bits": (lambda c: expr.cast(cast(c, 5), types.Bool()), True),
}


def c_type(width: int) -> Any:
    return types.Uint(width)


def cast(circuit: QuantumCircuit, width: int) -> Any:
    return expr.cast(circuit.cregs[0], c_type(width))


@for_each("name", CONDITIONS)
def test_conditions_are_kept(name: str) -> None:
    condition, holds = CONDITIONS[name]

    def build(circuit: QuantumCircuit) -> None:
        with circuit.if_test(condition(circuit)) as other:
            circuit.x(3)
        with other:
            circuit.id(3)

    (outcome,) = ran(pubs.source("sampler", [pubs.circuit(dynamic(build=build)), None, 1]))
    assert outcome.counts() == {13 if holds else 5: 1}


def test_an_angle_that_is_no_number_is_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(math.nan, 0)
    with pytest.raises(InvalidProgram, match=r"instruction 0 \('rx'\): params has an angle"):
        sampler(circuit)


def test_a_gate_that_is_a_global_phase_has_no_effect() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.append(GlobalPhaseGate(0.3), [])
    circuit.measure(0, 0)
    (found,) = sampler(circuit)
    assert found.ops == (FlatGate("h", (0,)), Measure(0, 0))


def test_bits_of_conditions_count_as_operations() -> None:
    circuit = QuantumCircuit(1, 1_000)
    with circuit.for_loop(range(9)), circuit.if_test((circuit.cregs[0], 1)):
        circuit.x(0)
    with pytest.raises(LimitExceeded, match=r"operations: 22[0-9]{2} or more"):
        sampler(circuit, limits=Limits.from_names(operations=2_250))


def test_blocks_map_their_qubits_and_bits_and_loops_are_unrolled() -> None:
    def build(circuit: QuantumCircuit) -> None:
        body = QuantumCircuit(2, 1)
        body.cx(0, 1)
        circuit.if_else((circuit.clbits[2], 1), body, None, [2, 3], [2])
        with circuit.for_loop(range(3)):
            circuit.x(3)

    (outcome,) = ran(pubs.source("sampler", [pubs.circuit(dynamic(build=build)), None, 1]))
    assert outcome.counts() == {5: 1}


def switched(*cases: tuple[Any, int]) -> Any:
    """Return what switches on the register, whose value is 5, in cases that flip qubit 3 or not."""

    def build(circuit: QuantumCircuit) -> None:
        with circuit.switch(circuit.cregs[0]) as case:
            for labels, flips in cases:
                given = labels if isinstance(labels, tuple) else (labels,)
                with case(*[case.DEFAULT if each is None else each for each in given]):
                    circuit.measure(1, 0)  # changes the target
                    for _ in range(flips):
                        circuit.x(3)

    return build


@pytest.mark.parametrize(
    ("cases", "flipped"),
    [
        ([(5, 1)], True),
        ([(4, 1)], False),
        ([((1, 5), 1)], True),
        ([(4, 1), (None, 0)], False),
        ([(4, 0), (None, 1)], True),
        ([(5, 0), (4, 1), (None, 1)], False),
        ([(n, n == 5) for n in range(8)], True),
    ],
)
def test_the_first_case_that_fits_runs_alone(cases: Any, flipped: bool) -> None:
    build = switched(*[(labels, int(flips)) for labels, flips in cases])
    (outcome,) = ran(pubs.source("sampler", [pubs.circuit(dynamic(build=build)), None, 1]))
    ((key, _),) = outcome.counts().items()
    assert bool(key & 8) is flipped


def test_a_switch_with_many_cases_is_bounded_by_its_labels() -> None:
    cases = [(tuple(range(8)), 0)]

    def build(circuit: QuantumCircuit) -> None:
        for _ in range(200):
            switched(*cases)(circuit)

    with pytest.raises(LimitExceeded, match="operations"):
        sampler(dynamic(build=build), limits=Limits.from_names(operations=1_000))


def test_what_has_no_end_known_before_is_refused() -> None:
    def build(circuit: QuantumCircuit) -> None:
        with circuit.while_loop((circuit.clbits[0], 1)):
            circuit.x(0)

    with pytest.raises(InvalidProgram, match="control flow cannot be run"):
        sampler(dynamic(build=build))


def test_a_long_loop_is_bounded() -> None:
    def build(circuit: QuantumCircuit) -> None:
        with circuit.for_loop(range(2**40)):
            circuit.x(3)

    with pytest.raises(LimitExceeded, match="operations"):
        sampler(dynamic(build=build), limits=Limits.from_names(operations=1_000))


def test_registers_keep_their_names_and_loose_bits_come_last() -> None:
    from qiskit.circuit import ClassicalRegister, Clbit, QuantumRegister

    bit = Clbit()
    first, second = ClassicalRegister(2, "one"), ClassicalRegister(1, "two")
    circuit = QuantumCircuit(QuantumRegister(4), [bit], first, second)
    circuit.measure(0, bit)
    circuit.measure(1, second[0])
    (found,) = sampler(circuit)
    assert [(each.name, each.size) for each in found.registers] == [
        *(("one", 2), ("two", 1)),
        (primitives.UNASSIGNED_REGISTER, 1),
    ]
    assert [op.clbit for op in found.ops if isinstance(op, Measure)] == [3, 2]


def test_a_bit_in_two_registers_is_refused() -> None:
    from qiskit.circuit import ClassicalRegister, Clbit

    bit = Clbit()
    circuit = QuantumCircuit([*QuantumCircuit(1).qubits], [bit])
    circuit.add_register(ClassicalRegister(name="a", bits=[bit]))
    circuit.add_register(ClassicalRegister(name="b", bits=[bit]))
    circuit.measure(0, 0)
    with pytest.raises(InvalidProgram, match="shares bits"):
        sampler(circuit)


def test_a_sampler_that_measures_nothing_is_refused() -> None:
    with pytest.raises(InvalidProgram, match="no classical register"):
        sampler(QuantumCircuit(1))


def test_a_circuit_as_wide_as_a_device_counts_by_what_it_uses() -> None:
    circuit = QuantumCircuit(127, 2)
    circuit.h(101)
    circuit.cx(101, 102)
    circuit.measure([101, 102], [0, 1])
    source = pubs.source("sampler", [pubs.circuit(circuit)])
    summary = programs.read("qiskit.primitives", source, LIMITS).summary
    assert (summary.n_qubits, summary.n_active) == (127, 2)


# --- versions -------------------------------------------------------------------------------------


@for_each("version", [13, 14, 15, 16, 17])
def test_versions_of_qpy_are_read(version: int) -> None:
    (found,) = read([pubs.circuit(pubs.bell(), version)])
    assert found == read([pubs.circuit(pubs.bell())])[0]


@for_each("version", [*range(13), 18, 19, 255])
def test_other_versions_are_refused_before_qiskit_sees_them(version: int) -> None:
    data = bytearray(pubs.qpy_bytes(pubs.bell()))
    data[6] = version
    entry = pubs.typed("QuantumCircuit", pubs.packed(bytes(data)))
    with pytest.raises(InvalidProgram, match=f"is in QPY {version}; 13 to 17 are read"):
        read([entry])


def test_without_the_extra_the_refusal_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = pubs.circuit(pubs.bell())
    monkeypatch.setitem(sys.modules, "qiskit", None)
    with pytest.raises(InvalidProgram, match=r"install qwicket\[qiskit\]"):
        read([entry])


def test_no_process_but_a_reader_at_work_loads_qiskit() -> None:
    code = "import sys, qwicket.server, qwicket.programs; assert 'qiskit' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- observables ----------------------------------------------------------------------------------


def test_values_and_observables_broadcast_as_in_numpy() -> None:
    grid = [[{"Z": 1.0}], [{"X": 2.0}], [{"Y": 3.0}]]  # (3, 1)
    values = pubs.array([[0.1], [0.2]])  # (2,)
    found = read([pubs.circuit(pubs.turned()), grid, values], program="estimator")
    assert len(found) == 2
    for circuit in found:
        assert circuit.estimation is not None
        letters = [
            (circuit.estimation.paulis[place].letters, factor)
            for terms in circuit.estimation.observables
            for place, factor in terms
        ]
        assert letters == [("Z", 1.0), ("X", 2.0), ("Y", 3.0)]


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    entry = [pubs.circuit(pubs.turned()), [{"Z": 1}] * 3, pubs.array([[0.1], [0.2]])]
    with pytest.raises(InvalidProgram, match="do not broadcast"):
        read(entry, program="estimator")


def test_paulis_that_agree_on_every_qubit_share_a_run() -> None:
    observable = {"XXI": 1, "XIX": 1, "IZI": 1, "ZZZ": 1, "III": 4}
    entry = [pubs.circuit(pubs.ghz(3)), observable, None]
    (found,) = read(entry, program="estimator")
    assert found.estimation is not None
    assert len(found.estimation.groups) == 2
    source = pubs.source("estimator", entry)
    summary = programs.read("qiskit.primitives", source, LIMITS).summary
    assert (summary.n_circuits, summary.n_parts, summary.n_terms) == (2, 1, 5)


@for_each(
    "observables",
    [
        *({}, [], [[]], {"Q": 1}, {"": 1}, {"Z": "1"}, {"Z": [1, 0]}, {"Z": None}, {"Z": True}),
        *(5, "Z", None, [{"Z": 1}, [{"Z": 1}]], {"ZZ": 1}, {"Z": 1e300}),
    ],
)
def test_what_is_no_observable_is_refused(observables: Any) -> None:
    entry = [pubs.circuit(pubs.turned()), observables, pubs.array([0.0])]
    with pytest.raises(InvalidProgram, match=r"pubs\[0\]"):
        read(entry, program="estimator")


@pytest.mark.parametrize(
    ("limits", "entry", "named"),
    [
        (own(pubs=1), None, "pubs: 2 "),
        (own(parameter_sets=3), [[[0.1]] * 4], "parameter_sets: 4"),
        (own(parameters=3), [[[0.1]] * 4], "parameters: 4"),
        (own(pauli_terms=3), [[0.1], [{"Z": 1, "X": 1}] * 2], "pauli_terms: 4"),
        (own(pauli_terms=7), [[[0.1]] * 4, {"Z": 1, "X": 1}], "pauli_terms: 8"),
        (own(parameter_sets=7), [[[0.1]] * 4, {"Z": 1, "X": 1}], "parameter_sets: 8"),
        (Limits.from_names(operations=3), [[[0.1]] * 4], "operations: 4"),
        (own(unpacked_bytes=300), [[0.1]], "unpacked_bytes: 301"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_limit_is_named(limits: Limits, entry: Any, named: str) -> None:
    circuit = pubs.circuit(pubs.turned())
    values, observable = [*(entry or [[0.1]]), {"Z": 1}][:2]
    pub = [circuit, observable, pubs.array(values), None]
    with pytest.raises(LimitExceeded, match=named):
        read(*[pub] * (2 if entry is None else 1), program="estimator", limits=limits)


def test_shots_above_the_limit_are_refused() -> None:
    with pytest.raises(LimitExceeded, match="shots: 11 is above the limit of 10"):
        sampler(pubs.bell(), None, 11, limits=Limits.from_names(shots=10))


def test_a_file_that_qiskit_refuses_by_chance_is_read_every_time() -> None:
    """Qiskit 2.4 to 2.6 fails in about half of the readings of this file, which 2.0.3 wrote."""
    data = (Path(__file__).parents[4] / "data/qpy/expressions-by-qiskit-2.0.3.qpy").read_bytes()
    for _ in range(20):
        (template,) = circuits.read_all(data, 1, LIMITS)
        assert template.n_qubits == 1
        assert [parameter.name for parameter in template.parameters] == ["theta"]
