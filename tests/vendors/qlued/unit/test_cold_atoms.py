"""Experiments on cold atoms: what each machine takes, what it means, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from math import pi

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket import programs
from qwicket.circuits.atoms import AtomCircuit, AtomGate, unpack
from qwicket.circuits.options import RunOptions
from qwicket.engines.atoms import engine
from qwicket.engines.failures import CannotRun
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded, QwicketError
from qwicket.model.limits import Limits
from qwicket.vendors.qlued.cold_atom_gates import MACHINES
from support.for_each import for_each

Instructions = Sequence[object]
FERMION = {"wire_order": "interleaved", "num_wires": 8}


def job(instructions: Instructions, **settings: object) -> dict[str, object]:
    experiment = {"instructions": instructions, "num_wires": 1, "shots": 10, **settings}
    return {"experiment_0": experiment}


def read(machine: str, document: object, limits: Limits | None = None) -> tuple[AtomCircuit, ...]:
    source = document if isinstance(document, bytes) else json.dumps(document).encode()
    return unpack(programs.read(f"qlued.{machine}", source, limits or Limits()).circuits)


def one(machine: str, instructions: Instructions, **settings: object) -> AtomCircuit:
    (circuit,) = read(machine, job(instructions, **settings))
    return circuit


def refusal(machine: str, instructions: Instructions, **settings: object) -> str:
    with pytest.raises((InvalidProgram, LimitExceeded)) as refused:
        one(machine, instructions, **settings)
    return refused.value.detail


# --- what programs mean ---------------------------------------------------------------------------


def test_program_of_the_published_client_is_read() -> None:
    """qiskit-cold-atom sends every parameter as a float, and a barrier before it measures."""
    instructions = [
        ["load", [0], [20.0]],
        ["rlx", [0], [1.5]],
        ["barrier", [0], []],
        ["measure", [0], []],
    ]
    found = one("singlequdit", instructions, wire_order="interleaved", shots=10.0, seed=-3)
    assert found == AtomCircuit("spins", (20,), (AtomGate("rlx", (0,), (1.5,)),), (0,), 10, -3)
    assert len(engine.run(found, RunOptions(shots=1, seed=0, outputs=()), 0).samples()) == 10


def test_experiments_come_in_the_order_sent() -> None:
    document = {
        f"experiment_{number}": {"instructions": [], "num_wires": 1, "shots": shots}
        for number, shots in ((7, 1), (0, 2), (1000, 3))
    }
    assert [circuit.shots for circuit in read("multiqudit", document)] == [1, 2, 3]


def test_single_qudit_reads_its_last_measurement_and_starts_over_with_each_load() -> None:
    instructions = [
        ["load", [], [3]],
        ["rlx", [0], [1.0]],
        ["measure", [], []],
        ["load", [0], [5]],
        ["rlz", [0], [2.0]],
        ["measure", [0], []],
        ["rlx", [0], [3.0]],
    ]
    found = one("singlequdit", instructions)
    assert (found.atoms, found.measured) == ((5,), (0,))
    assert found.gates == (AtomGate("rlz", (0,), (2.0,)),)
    earlier = one("singlequdit", instructions[:5])
    assert (earlier.atoms, earlier.gates) == ((3,), (AtomGate("rlx", (0,), (1.0,)),))


@pytest.mark.parametrize("machine", ["singlequdit", "multiqudit", "rydberg"])
def test_program_without_measurement_has_no_columns(machine: str) -> None:
    found = one(machine, [["rlx", [0], [1.0]]])
    assert found.measured == ()
    assert found.gates == (AtomGate("rlx", (0,), (1.0,)),)
    assert found.atoms == (1,)


def test_last_load_of_a_wire_holds_for_the_whole_program() -> None:
    instructions = [
        ["load", [1], [9]],
        ["rlx", [1], [1.0]],
        ["load", [1], [4]],
        ["measure", [1], []],
        ["rlz", [0], [1.0]],
        ["measure", [0], []],
    ]
    found = one("multiqudit", instructions, num_wires=2)
    assert (found.atoms, found.measured) == ((1, 4), (1, 0))
    assert [gate.name for gate in found.gates] == ["rlx", "rlz"]


@pytest.mark.parametrize("wires", [[0, 1, 2], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("name", ["rydberg_block", "rydberg_blockade"])
def test_rydberg_gates_act_on_all_wires_of_the_experiment(name: str, wires: list[int]) -> None:
    found = one("rydberg", [[name, wires, [1.0]]], num_wires=3)
    assert found.gates == (AtomGate("rydberg_block", (0, 1, 2), (1.0,)),)


def test_pair_gates_take_any_two_wires_or_all() -> None:
    instructions = [["rlxly", [2, 0], [1.0]], ["rlzlz", [0, 1, 2], [20 * pi]]]
    found = one("multiqudit", instructions, num_wires=3)
    assert [gate.wires for gate in found.gates] == [(2, 0), (0, 1, 2)]


def test_fermions_have_all_eight_wires_whatever_the_experiment_says() -> None:
    instructions = [
        ["load", [6], []],
        ["fhop", [0, 1, 2, 3, 4, 5, 6, 7], [0.1, 0.2, 0.3]],
        ["fphase", [2, 3, 4, 5], [0.1, 0.2]],
        ["fint", [0, 1, 2, 3, 4, 5, 6, 7], [2.0]],
        ["measure", [5], []],
        ["measure", [0], []],
    ]
    found = one("fermions", instructions, num_wires=4, wire_order="interleaved")
    assert (found.kind, found.atoms, found.measured) == ("fermions", (), (5, 0))
    assert [gate.name for gate in found.gates] == ["load", "fhop", "fphase", "fint"]


def test_bounds_of_parameters_are_allowed_themselves() -> None:
    instructions = [
        ["load", [0], [500]],
        ["rlx", [0], [2 * pi]],
        ["rlz2", [0], [20 * pi]],
        ["sq_full", [0], [5e6 * pi, 0, 0]],
    ]
    assert len(one("singlequdit", instructions).gates) == 3


# --- refusals -------------------------------------------------------------------------------------


@for_each(
    "machine, instruction, text",
    [
        ("singlequdit", ["rly", [0], [1]], "'rly' is not known to singlequdit"),
        ("rydberg", ["load", [0], [3]], "'load' is not known to rydberg"),
        ("singlequdit", ["rlx", [], [1]], r"rlx: acts on one wire, not on []"),
        ("singlequdit", ["rlx", [1], [1]], "rlx: wire 1 is outside 0..0"),
        ("multiqudit", ["rlx", [2], [1]], "rlx: wire 2 is outside 0..1 (num_wires)"),
        ("multiqudit", ["rlx", [5], [1]], "rlx: wire 5 is outside 0..4"),
        ("multiqudit", ["rlx", [-1], [1]], "rlx: wire -1 is outside 0..4"),
        ("multiqudit", ["rlx", [0.5], [1]], "rlx: wires: 0.5 is not a whole number"),
        ("multiqudit", ["rlx", [1e300], [1]], "rlx: wires: 1e+300 is not a whole number"),
        ("multiqudit", ["rlxly", [1, 1], [1]], "rlxly: wire 1 is named twice"),
        ("multiqudit", ["multiqudit_full", [0], [0] * 5], "acts on all 2 wires"),
        ("multiqudit", ["rlx", [0], []], "rlx: 0 parameters are given, it takes 1"),
        ("multiqudit", ["rlx", [0], [6.3]], "rlx: omega must be 0 to 6.283185307, not 6.3"),
        ("multiqudit", ["rlx", [0], [-0.1]], "rlx: omega must be 0 to 6.283185307, not -0.1"),
        ("multiqudit", ["load", [0], [2.5]], "load: params: 2.5 is not a whole number"),
        ("multiqudit", ["load", [0], [501]], "load: N must be 1 to 500, not 501"),
        ("multiqudit", ["load", [0], [0]], "load: N must be 1 to 500, not 0"),
        ("multiqudit", ["measure", [0], [1]], "measure: 1 parameters are given, it takes 0"),
        ("multiqudit", ["barrier", [7], []], "barrier: wire 7 is outside 0..4"),
        ("rydberg", ["rydberg_full", [1, 0], [1, 1, 1]], "in order, not on [1, 0]"),
        ("rydberg", ["rydberg_full", [0], [1, 1, 1]], "acts on two wires or more, not on [0]"),
    ],
)
def test_instruction_that_makes_no_sense_is_refused_by_name_and_value(
    machine: str, instruction: object, text: str
) -> None:
    n_wires = MACHINES[machine].n_wires and min(2, MACHINES[machine].n_wires)
    detail = refusal(machine, [["barrier", [0], []], instruction], num_wires=n_wires)
    assert detail.startswith("experiment_0.instructions[1]: ")
    assert text in detail


def test_parameters_are_checked_anew_where_the_same_gate_came_before() -> None:
    detail = refusal("singlequdit", [["rlx", [0], [1.0]], ["rlx", [0], [6.0]], ["rlx", [0], [7]]])
    assert detail == ("experiment_0.instructions[2]: rlx: omega must be 0 to 6.283185307, not 7")


def test_a_long_program_is_worth_as_much_as_its_parts() -> None:
    """What is found out once for a gate counts as often as the gate is there."""
    gates: list[object] = [["rlx", [0], [0.5]], ["rlz2", [0], [0.25]]]
    short, long = (
        programs.read("qlued.singlequdit", json.dumps(job(gates * n)).encode(), Limits())
        for n in (1_000, 4_000)
    )
    assert long.summary.work_ns == pytest.approx(4 * short.summary.work_ns, rel=1e-2)
    assert long.summary.n_ops_1q == 8_000


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        (["fhop", [0, 1, 2, 3], []], "fhop: 0 parameters are given, it takes 1"),
        (["fhop", [0, 1, 2, 3], [1, 1]], "fhop: 2 parameters are given, it takes 1"),
        (["fhop", [0, 1, 4, 5], [1]], "fhop: acts on neighbouring sites"),
        (["fhop", [1, 2, 3, 4], [1]], "fhop: acts on neighbouring sites"),
        (["fhop", [0, 1], []], "fhop: acts on four wires or more, not on [0, 1]"),
        (["fint", [0, 1, 2, 3], [1]], "fint: acts on all 8 wires"),
        (["fint", [0, 1, 2, 3, 4, 5, 6, 7], []], "fint: 0 parameters are given, it takes 1"),
        (["fphase", [2], [1]], "fphase: acts on neighbouring sites"),
        (["fphase", [2, 3], []], "fphase: 0 parameters are given, it takes 1"),
        (["load", [8], []], "load: wire 8 is outside 0..7"),
        (["load", [0], [1]], "load: 1 parameters are given, it takes 0"),
    ],
)
def test_fermion_instruction_that_makes_no_sense_is_refused(instruction: object, text: str) -> None:
    assert text in refusal("fermions", [instruction], **FERMION)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"shots": 0}, "experiment_0: shots must be 1 to 1000000 (limit shots), not 0"),
        ({"shots": 10**9}, "(limit shots), not 1000000000"),
        ({"shots": 1.5}, "shots: 1.5 is not a whole number"),
        ({"shots": "10"}, "shots must be a number, not text"),
        ({"shots": True}, "shots must be a number, not true or false"),
        ({"num_wires": 2}, "num_wires must be 1 to 1, not 2"),
        ({"num_wires": None}, "num_wires must be a number"),
        ({"wire_order": "random"}, "wire_order must be sequential or interleaved, not 'random'"),
        ({"seed": 1e300}, "seed: 1e+300 is not a whole number"),
        ({"seed": 10**30}, "seed is out of range"),
    ],
)
def test_setting_that_makes_no_sense_is_refused(settings: dict[str, object], text: str) -> None:
    assert text in refusal("singlequdit", [], **settings)


def test_fermions_must_say_that_their_wires_are_interleaved() -> None:
    text = "wire_order must be interleaved, not 'sequential'"
    assert text in refusal("fermions", [], num_wires=8)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({}, "the job has no experiments"),
        ([], "the program must be an object, not a list"),
        (b"\xff", "is not UTF-8"),
        (b"hello", "is not JSON"),
        (b'{"experiment_0": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"experiment_0": [NaN]}', "is not JSON"),
        ({"experiment_0": {"shots": 1, "num_wires": 1}}, "experiment_0: instructions is missing"),
        ({"experiment_1001": {}}, "not 'experiment_1001'"),
        ({"experiment_-1": {}}, "not 'experiment_-1'"),
        ({"experiment_" + "0" * 5000: {}}, "an experiment must be named experiment_0 to"),
        ({"experiment_٣": {}}, "an experiment must be named"),
        (job([["rlx", [0]]]), "experiment_0: instructions[0] must have 3 entries"),
        (job([["rlx", [True], [1]]]), "must be a number, not true or false"),
        (job([["rlx", [0], ["1"]]]), "must be a number, not text"),
    ],
)
def test_text_that_is_no_job_is_refused(document: object, text: str) -> None:
    with pytest.raises(InvalidProgram) as refused:
        read("singlequdit", document)
    assert text in refused.value.detail


def test_numbers_without_end_are_refused() -> None:
    source = json.dumps(job([["rlx", [0], [0.5]]])).replace("0.5", "1e400").encode()
    with pytest.raises(InvalidProgram, match="out of range"):
        read("singlequdit", source)


def test_every_limit_is_named_by_its_refusal() -> None:
    measures = [["measure", [0], []]] * 3
    two = {"experiment_0": job(measures)["experiment_0"], "experiment_1": job([])["experiment_0"]}
    for limits, name in (
        (Limits.from_names(program_json_bytes=10), "program_json_bytes"),
        (Limits.from_names(circuits=1), "circuits"),
        (Limits.from_names(operations=2), "operations"),
        (Limits.from_names(shots=9), "shots"),
        (Limits.from_names(samples=29), "samples"),
        (Limits.from_names(hilbert_dimension=1), "hilbert_dimension"),
    ):
        with pytest.raises(LimitExceeded, match=name):
            read("multiqudit", two, limits)


def test_largest_spaces_are_refused_by_their_dimension() -> None:
    loads = [["load", [wire], [500]] for wire in range(5)]
    detail = refusal("multiqudit", loads, num_wires=5)
    assert "Hilbert space dimension too large!" in detail
    assert str(501**5) in detail


def test_refusal_stays_short_however_long_the_list_is() -> None:
    long = [0] * 100_000
    for instruction in (["barrier", long, []], ["rlx", [0], long], ["x" * 100_000, [0], []]):
        assert len(refusal("multiqudit", [instruction])) < 300


def test_inputs_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="inputs"):
        programs.read("qlued.rydberg", b"{}", Limits(), {"x": 1.0})


# --- fuzz -----------------------------------------------------------------------------------------

NUMBERS = st.one_of(st.integers(-2, 8), st.floats(allow_nan=False), st.sampled_from([500, 1, 2.0]))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = sorted({name for machine in MACHINES.values() for name in machine.rules})
NEAR = st.tuples(
    st.sampled_from(NAMES), st.lists(st.integers(0, 8), max_size=8), st.lists(NUMBERS, max_size=5)
)
EXPERIMENTS = st.fixed_dictionaries(
    {
        "instructions": st.lists(st.one_of(NEAR, NEAR, ANYTHING), max_size=5),
        "num_wires": st.one_of(st.integers(1, 8), ANYTHING),
        "shots": st.one_of(st.integers(1, 5), ANYTHING),
        "wire_order": st.sampled_from(["interleaved", "sequential", 3]),
    },
    optional={"seed": ANYTHING, "extra": ANYTHING},
)


@settings(max_examples=400)
@given(st.sampled_from(sorted(MACHINES)), st.one_of(EXPERIMENTS, ANYTHING), st.binary(max_size=3))
def test_every_text_is_read_or_refused(machine: str, experiment: object, junk: bytes) -> None:
    source = json.dumps({"experiment_0": experiment}).encode()
    for text in (source, source + junk, junk + source, source[: len(source) // 2]):
        with suppress(QwicketError):
            assert all(circuit.shots >= 1 for circuit in read(machine, text))


@settings(max_examples=200)
@given(st.sampled_from(sorted(MACHINES)), st.lists(NEAR, max_size=6), st.integers(1, 3))
def test_whatever_is_read_runs(machine: str, instructions: Instructions, n_wires: int) -> None:
    """Those instructions that are read on their own, together; fermions may meet."""
    shape = {"num_wires": min(n_wires, MACHINES[machine].n_wires), "wire_order": "interleaved"}
    taken: list[object] = []
    for instruction in instructions:
        with suppress(QwicketError):
            one(machine, [instruction], **shape)
            taken.append(instruction)
    with suppress(LimitExceeded, CannotRun):
        circuit = one(machine, taken, **shape)
        found = engine.run(circuit, RunOptions(shots=1, seed=0, outputs=()), 0)
        assert len(found.samples()) == 10
