"""Exact probabilities under noise, against Kraus sums on density matrices."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError, Relaxation
from qwicket.circuits.qubit import Gate, Measure, QubitCircuit, Register
from qwicket.engines.qubit import density
from support import qubit_math
from support.for_each import for_each
from support.noise_examples import GATES, MODELS, cx, model, models

WIDE = (
    *GATES,
    Gate("u", (0,), (0.7, -1.1, 2.3), (2,)),
    Gate("gphase", (), (0.4,)),
    Gate("gphase", (), (0.7,), (1, 0)),
    Gate("pauliexp", (0, 2), (0.3, 0.5), (), ("XY", "ZI")),
    Gate("swap", (0, 1), (), (2,)),
    Gate("ms", (2, 1), (0.4, -1.3, 0.7)),
    Gate("ry", (2,), (0.3,)),
)
PAULIS = model(GateNoise(depolarizing=0.02), GateNoise(depolarizing=0.05))


def well_read(noise: NoiseModel) -> NoiseModel:
    return msgspec.structs.replace(noise, readout=ReadoutError(), readout_of={})


def probabilities(circuit: QubitCircuit, noise: NoiseModel, **options: int) -> dict[int, float]:
    """By key, each bit of which shows its own qubit."""
    task = qubit_math.task(circuit, noise=noise)
    assert task.noise is not None
    reads = task.program.reads()
    assert reads.is_plain
    found = density.probabilities(task.program, task.noise, reads.qubits, **options)
    assert (found >= 0).all()
    return dict(enumerate(found.tolist()))


def assert_exact(circuit: QubitCircuit, noise: NoiseModel, **options: int) -> None:
    found, expected = probabilities(circuit, noise, **options), qubit_math.exact(circuit, noise)
    # the expected ones leave out what is below 1e-12
    assert max(abs(p - expected.get(key, 0)) for key, p in found.items()) < 1.1e-12


@pytest.mark.parametrize("noise", MODELS.values(), ids=MODELS)
def test_any_gates_are_exact_under_every_kind_of_noise(noise: NoiseModel) -> None:
    assert_exact(qubit_math.measured(3, WIDE), well_read(noise))


@for_each("max_gates", [1, 2, 3, 7])
@for_each("noise", MODELS.values())
def test_chunks_of_any_length_have_the_same_result(noise: NoiseModel, max_gates: int) -> None:
    assert_exact(qubit_math.measured(3, WIDE), well_read(noise), max_gates=max_gates)


@pytest.mark.parametrize(
    "gates",
    [
        (Gate("h", (0,)), Gate("ry", (1,), (0.4,)), Gate("t", (2,))),
        (cx(0, 1), cx(0, 1), Gate("h", (2,)), cx(2, 1)),
        (Gate("h", (0,)), cx(0, 1), Gate("t", (2,)), Gate("h", (1,)), Gate("h", (2,))),
    ],
    ids=["none on several", "nothing before", "one left alone"],
)
def test_qubits_that_meet_late_or_never_are_exact(gates: tuple[Gate, ...]) -> None:
    assert_exact(qubit_math.measured(3, gates), PAULIS)


@for_each(
    "gate",
    [
        Gate("pauliexp", (0, 2), (0.3, 0.5), (), ("XY", "ZI")),
        Gate("pauliexp", (2, 0), (0.3, 0.5), (), ("XY", "ZI")),
        Gate("ms", (2, 0), (0.4, -1.3, 0.7)),
        cx(0, 2),
        cx(2, 0),
    ],
)
def test_each_qubit_relaxes_in_its_own_way_in_whatever_order_a_gate_names_it(gate: Gate) -> None:
    noise = model(
        two_qubit=GateNoise(duration_s=0.5),
        relaxation_of={
            0: Relaxation(t1_s=0.2, t2_s=0.3),
            2: Relaxation(t1_s=5.0, t2_s=0.9, relaxes_to="mixed"),
        },
    )
    turns = qubit_math.scrambling(3)
    assert_exact(qubit_math.measured(3, [*turns, gate, *turns]), noise)


@for_each("order", [(0, 1, 2), (2, 0, 1), (1, 2), (2, 0), (1,), ()])
def test_qubits_are_read_in_any_order_and_others_left_unread(order: tuple[int, ...]) -> None:
    measures = [Measure(qubit, bit) for bit, qubit in enumerate(order)]
    circuit = QubitCircuit(3, (*WIDE, *measures), (Register("c", len(order)),))
    task = qubit_math.task(circuit, noise=PAULIS)
    assert task.noise is not None
    found = density.probabilities(task.program, task.noise, order).tolist()
    expected = qubit_math.exact(circuit, PAULIS)
    assert found == pytest.approx([expected.get(key, 0) for key in range(len(found))], abs=1.1e-12)
    assert len(found) == 2 ** len(order)


def test_entire_depolarizing_on_a_chain_of_nine() -> None:
    """At p = 15/16 a pair is mixed entirely, and all outcomes are as likely."""
    gates = [Gate("ry", (0,), (0.4,)), *(cx(q, q + 1) for q in range(8))]
    noise = model(two_qubit=GateNoise(depolarizing=15 / 16))
    found = probabilities(qubit_math.measured(9, gates), noise)
    assert list(found.values()) == pytest.approx([2**-9] * 512, abs=1e-15)


@given(models, st.lists(st.sampled_from(WIDE), min_size=1, max_size=12))
@settings(max_examples=60)
def test_any_noise_is_exact(noise: NoiseModel, gates: list[Gate]) -> None:
    noise = well_read(noise)
    circuit = qubit_math.measured(3, [*gates, *(Gate("t", (q,)) for q in range(3))])
    if qubit_math.task(circuit, noise=noise).noise is not None:
        assert_exact(circuit, noise)


def test_coherence_that_is_nearly_gone_is_exact() -> None:
    """GateErrors 31 T2 beyond T1 phase damping is 1 - 3e-14, of which a float has few digits."""
    noise = model(two_qubit=GateNoise(duration_s=1.0), relaxation=Relaxation(t1_s=1.0, t2_s=1 / 16))
    turn = Gate("ry", (0,), (0.5,))
    gates = (turn, cx(2, 0), turn, *(Gate("t", (qubit,)) for qubit in range(3)))
    assert_exact(qubit_math.measured(3, gates), well_read(noise))
