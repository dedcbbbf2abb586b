"""Stim's samples: against state vectors, density matrices and formulas; order, packing, seeds."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import Branch, Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit.clifford import stabilizers
from qwicket.engines.qubit.stim_engine import StimEngine
from support import qubit_math
from support.for_each import for_each
from support.qubit_math import assert_follows


def run(
    circuit: QubitCircuit,
    shots: int = 1_000,
    seed: int = 1,
    outputs: tuple[str, ...] = qubit_math.ALL,
    noise: NoiseModel | None = None,
    **limits: int,
) -> Outcome:
    task = qubit_math.task(circuit, shots, seed, outputs, noise)
    found = StimEngine(stabilizers(task.program, task.noise), **limits).run(task)
    return qubit_math.outcome(circuit, found)


def cx(control: int, target: int) -> Gate:
    return Gate("x", (target,), (), (control,))


def ghz(n_qubits: int) -> QubitCircuit:
    chain = [cx(qubit, qubit + 1) for qubit in range(n_qubits - 1)]
    return qubit_math.measured(n_qubits, [Gate("h", (0,)), *chain])


@for_each("n_qubits", [3, 8, 9, 64, 65, 500, 2_000])
def test_ghz_gives_all_zeros_or_all_ones(n_qubits: int) -> None:
    outcome = run(ghz(n_qubits), 400)
    ends = {0: 0.5, (1 << n_qubits) - 1: 0.5}
    assert_follows(outcome.counts(), ends, 400)
    assert outcome.probabilities() == ends
    assert list(outcome.keys()) == sorted(ends)


def test_five_thousand_qubits() -> None:
    outcome = qubit_math.run(ghz(5_000), 200, outputs=("counts",))
    assert outcome.engine == "stim"
    assert_follows(outcome.counts(), {0: 0.5, (1 << 5_000) - 1: 0.5}, 200)


# --- against the references -----------------------------------------------------------------------

EVERY = ("h", "s", "sdg", "x", "y", "z", "sx", "sxdg", "cx", "cy", "cz", "swap", "measure", "reset")


@st.composite
def cliffords(draw: st.DrawFn) -> QubitCircuit:
    n_qubits = draw(st.integers(2, 3))
    ops: list[Op] = []
    for _ in range(draw(st.integers(1, 20))):
        name = draw(st.sampled_from((*EVERY, "feedback")))
        one, other, *_ = draw(st.permutations(range(n_qubits)))
        bit = draw(st.integers(0, 2))
        match name:
            case "measure":
                ops.append(Measure(one, bit))
            case "reset":
                ops.append(Reset(one))
            case "feedback":
                relation = draw(st.sampled_from(sorted(qubit_math.RELATIONS)))
                ops.append(Branch((bit,), relation, str(draw(st.integers(0, 2))), 1))
                ops.append(Gate(draw(st.sampled_from("xyz")), (one,)))
            case "cx" | "cy" | "cz":
                ops.append(Gate(name[1], (one,), (), (other,)))
            case _:
                ops.append(Gate(name, (one, other) if name == "swap" else (one,)))
    measures = (Measure(qubit, 3 + qubit) for qubit in range(n_qubits))
    return QubitCircuit(n_qubits, (*ops, *measures), (Register("c", 6),))


@given(cliffords(), st.integers(0, 1_000))
@settings(max_examples=150)
def test_any_clifford_circuit_follows_its_density_matrices(
    circuit: QubitCircuit, seed: int
) -> None:
    outcome = run(circuit, 2_000, seed, ("counts", "memory"))
    assert_follows(outcome.counts(), qubit_math.exact(circuit), 2_000)
    assert Counter(outcome.memory()) == outcome.counts()


NOISE = NoiseModel(
    name="",
    source="",
    one_qubit=GateNoise(depolarizing=0.03, phase_damping=0.1),
    two_qubit=GateNoise(depolarizing=0.08, phase_damping=0.05),
    gates={name: GateNoise() for name in "xyz"},
    readout_of={1: ReadoutError(one_for_zero=0.1, zero_for_one=0.2)},
)


@given(cliffords(), st.integers(0, 1_000))
@settings(max_examples=60)
def test_any_noisy_clifford_circuit_follows_its_density_matrices(
    circuit: QubitCircuit, seed: int
) -> None:
    """Whatever engine it goes to: conditions on qubit 1 are not for Stim."""
    outcome = qubit_math.run(circuit, 2_000, seed, ("counts", "memory"), NOISE)
    assert_follows(outcome.counts(), qubit_math.exact(circuit, NOISE), 2_000)
    assert Counter(outcome.memory()) == outcome.counts()


def test_random_layers_on_ten_qubits_follow_the_state_vector() -> None:
    rng = default_rng(8)
    gates = []
    for _ in range(12):
        names = rng.choice(["h", "s", "sx", "sdg", "y"], 10)
        gates += [Gate(str(name), (qubit,)) for qubit, name in enumerate(names)]
        order = [int(qubit) for qubit in rng.permutation(10)]
        gates += [cx(one, other) for one, other in zip(order[::2], order[1::2], strict=True)]
    circuit = qubit_math.measured(10, gates)
    exact = qubit_math.run(circuit, outputs=("probabilities",))
    assert exact.engine == "qulacs"
    found = run(circuit, 50_000)
    assert found.probabilities() == pytest.approx(exact.probabilities(), abs=1e-12)
    assert_follows(found.counts(), found.probabilities(), 50_000)


def test_reference_d_bell_with_noise_and_flips() -> None:
    """P(01) = P(10) = 4p/15, then bits flip with 0.02."""
    error = ReadoutError(one_for_zero=0.02, zero_for_one=0.02)
    noise = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=0.1), readout=error)
    outcome = run(ghz(2), 1_000_000, 4, ("counts",), noise)
    expected = {0: 0.455824, 1: 0.044176, 2: 0.044176, 3: 0.455824}
    assert_follows(outcome.counts(), expected, 1_000_000)


@pytest.mark.parametrize(("n_qubits", "p"), [(4, 0.1), (30, 0.01)])
def test_reference_e_ghz_depolarized_at_the_end(n_qubits: int, p: float) -> None:
    """P(0…0) = ½[(1 - 2p/3)^n + (2p/3)^n]."""
    noise = NoiseModel(name="", source="", gates={"id": GateNoise(depolarizing=p)})
    gates = [op for op in ghz(n_qubits).ops if isinstance(op, Gate)]
    last = [Gate("id", (qubit,)) for qubit in range(n_qubits)]
    found = run(qubit_math.measured(n_qubits, [*gates, *last]), 100_000, 5, ("counts",), noise)
    p_zeros = ((1 - 2 * p / 3) ** n_qubits + (2 * p / 3) ** n_qubits) / 2
    zeros = found.counts()[0]
    assert_follows({0: zeros, 1: 100_000 - zeros}, {0: p_zeros, 1: 1 - p_zeros}, 100_000)


def test_ionqs_rates_on_a_wide_ghz() -> None:
    """r = 0.0133 is p = 15r/16; how often all bits stay alike, summed gate by gate.

    After the gate on q and q+1 a pair of flips (a, b) has probability 4p/15, but (0, 0) has the
    rest: 12 of 15 Paulis flip. a stays on qubit q, b goes on to all that follow. All bits are
    alike if b_q = a_q + a_(q+1) for all q, with a = 0 on the last qubit.
    """
    n_qubits, p = 100, 15 * 0.0133 / 16
    noise = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=p))
    counts = run(ghz(n_qubits), 100_000, 6, ("counts",), noise).counts()
    alike = counts[0] + counts[(1 << n_qubits) - 1]
    weights = [1.0, 0.0]
    for _ in range(n_qubits - 1):
        flip = 4 * p / 15
        none = 1 - 3 * flip
        zero, one = weights
        weights = [none * zero + flip * one, flip * zero + flip * one]
    p_alike = sum(weights)
    assert_follows({1: alike, 0: 100_000 - alike}, {1: p_alike, 0: 1 - p_alike}, 100_000)


def test_teleportation_by_feedback() -> None:
    """The state sent is |+i⟩: S† and H turn it into 0."""
    ops = (
        *(Gate("h", (0,)), Gate("s", (0,)), Gate("h", (1,)), cx(1, 2), cx(0, 1), Gate("h", (0,))),
        *(Measure(0, 0), Measure(1, 1)),
        *(Branch((1,), "==", "1", 1), Gate("x", (2,)), Branch((0,), "==", "1", 1)),
        *(Gate("z", (2,)), Gate("sdg", (2,)), Gate("h", (2,)), Measure(2, 2)),
    )
    counts = run(QubitCircuit(3, ops, (Register("c", 3),)), 4_000).counts()
    assert_follows(counts, dict.fromkeys(range(4), 0.25), 4_000)


# --- what comes out -------------------------------------------------------------------------------


def test_bits_are_put_where_they_belong() -> None:
    """Qubits 2 and 0 are on; bits 70, 3 and 0 show qubits 2, 1 and 0, all others nothing."""
    ops = (Gate("x", (0,)), Gate("z", (1,)), Gate("x", (2,)))
    measures = (Measure(2, 70), Measure(1, 3), Measure(0, 0))
    outcome = run(QubitCircuit(3, (*ops, *measures), (Register("c", 72),)), 3)
    assert outcome.counts() == {1 << 70 | 1: 3}
    assert outcome.memory() == [1 << 70 | 1] * 3
    assert outcome.probabilities() == {1 << 70 | 1: 1.0}


def test_reading_nothing_gives_zero() -> None:
    circuit = QubitCircuit(1, (Gate("h", (0,)),), (Register("c", 3),))
    assert run(circuit, 9).counts() == {0: 9}
    assert run(circuit, 9).memory() == [0] * 9


def test_memory_is_in_random_order() -> None:
    """Half of the neighbours of N fair bits differ: N/2 ± 6·√N/2."""
    memory = run(qubit_math.measured(1, [Gate("h", (0,))]), 10_000).memory()
    assert abs(sum(a != b for a, b in pairwise(memory)) - 5_000) < 300


def test_only_what_was_asked_for_comes_out() -> None:
    for wanted, names in (
        (("counts",), {"keys", "counts"}),
        (("memory",), {"memory"}),
        (("probabilities",), {"keys", "probabilities"}),
        (qubit_math.ALL, {"keys", "counts", "memory", "probabilities"}),
    ):
        assert run(ghz(4), 10, outputs=wanted).arrays.keys() == names


def test_equal_seeds_repeat_bit_for_bit_and_others_differ() -> None:
    one, again, other = (run(ghz(30), 300, seed, noise=NOISE).arrays for seed in (1, 1, 2))
    assert one == again
    assert one["memory"] != other["memory"]


def test_what_is_asked_for_changes_no_count() -> None:
    counts = run(ghz(30), 300, outputs=("counts",)).counts()
    assert run(ghz(30), 300).counts() == counts
    assert Counter(run(ghz(30), 300, outputs=("memory",)).memory()) == counts


def test_shots_in_chunks_are_all_there() -> None:
    outcome = run(qubit_math.measured(1, [Gate("h", (0,))]), 5_000, chunk_bytes=1)
    assert_follows(outcome.counts(), {0: 0.5, 1: 0.5}, 5_000)
    assert len(outcome.memory()) == 5_000


@pytest.mark.parametrize("noise", [None, NOISE], ids=["midway", "noisy"])
def test_probabilities_that_are_not_known_are_left_out(noise: NoiseModel | None) -> None:
    ops = () if noise else (Measure(0, 0), Gate("h", (0,)))
    circuit = qubit_math.measured(2, [Gate("h", (0,)), *ops])
    outcome = run(circuit, 50, outputs=("probabilities",), noise=noise)
    assert outcome.notes == ("sampled_only",)
    assert outcome.probabilities() == {}
    assert sum(outcome.counts().values()) == 50


def test_too_many_outcomes_are_sampled_only() -> None:
    circuit = qubit_math.measured(3, [Gate("h", (qubit,)) for qubit in range(3)])
    for maximum, notes in ((7, ("sampled_only",)), (8, ())):
        found = qubit_math.run(circuit, engine="clifford", max_outcomes=maximum)
        assert (found.engine, found.notes) == ("stim", notes)


@pytest.mark.parametrize("output", ["counts", "memory"])
def test_more_than_an_outcome_holds_cannot_run(output: str) -> None:
    max_bytes = 4 * 20 * 99
    wide = qubit_math.measured(160, [Gate("h", (qubit,)) for qubit in range(160)])
    found = run(wide, 99, outputs=("counts",), max_outcome_bytes=max_bytes)
    assert sum(found.counts().values()) == 99
    with pytest.raises(CannotRun, match="100 bit strings of 160 bits") as caught:
        run(wide, 100, outputs=(output,), max_outcome_bytes=max_bytes)
    assert caught.value.code == "outcome_too_large"
