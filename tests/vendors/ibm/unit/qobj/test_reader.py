"""From documents to circuits: shape, configuration, memory, refusals, and anything at all.

The document is that of the Qobj specification, and of Qiskit 0.12 to 0.46.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.qubit import Gate, Measure, QubitCircuit, Register, Reset, pack
from qwicket.engines.qubit import program
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ibm.qobj import read
from support.for_each import for_each
from vendors.ibm.unit.qobj.documents import (
    LIMITS,
    Json,
    bfunc,
    circuit,
    document,
    excess,
    experiment,
    fault,
    measure,
    refusal,
    source,
)

H: Json = {"name": "h", "qubits": [0]}
CX: Json = {"name": "cx", "qubits": [0, 1]}

BELL = b"""{"qobj_id": "453b9ad6", "type": "QASM", "schema_version": "1.3.0", "header": {},
 "config": {"shots": 1024, "memory": true, "memory_slots": 2, "n_qubits": 2},
 "experiments": [{"config": {"n_qubits": 2, "memory_slots": 2},
   "header": {"name": "bell", "n_qubits": 2, "memory_slots": 2, "qreg_sizes": [["q", 2]],
              "creg_sizes": [["c", 2]], "qubit_labels": [["q", 0], ["q", 1]],
              "clbit_labels": [["c", 0], ["c", 1]]},
   "instructions": [{"name": "h", "qubits": [0]}, {"name": "cx", "qubits": [0, 1]},
                    {"name": "measure", "qubits": [0], "memory": [0]},
                    {"name": "measure", "qubits": [1], "memory": [1]}]}]}"""


def test_the_worked_example_is_a_bell_pair() -> None:
    ops = (Gate("h", (0,)), Gate("x", (1,), (), (0,)), Measure(0, 0), Measure(1, 1))
    assert read(BELL, LIMITS) == (QubitCircuit(2, ops, (Register("c", 2),)),)


# --- configuration --------------------------------------------------------------------------------


def test_each_experiment_is_a_circuit_with_a_configuration_of_its_own() -> None:
    one, two = {"instructions": [H]}, experiment(CX, n_qubits=2, slots=1)
    found = read(source(one, two, config={"n_qubits": 5, "memory_slots": 4}), LIMITS)
    assert [(each.n_qubits, each.n_clbits) for each in found] == [(5, 4), (2, 1)]
    assert found[0].ops == (Gate("h", (0,)),)


def test_what_is_not_configured_is_as_large_as_it_must_be() -> None:
    found = read(source({"instructions": [H, measure(3, 6)]}, {"instructions": []}), LIMITS)
    assert [(each.n_qubits, each.n_clbits) for each in found] == [(4, 7), (1, 0)]


@pytest.mark.parametrize(
    ("header", "registers"),
    [
        ({"creg_sizes": [["c", 2], ["flag", 1]]}, (("c", 2), ("flag", 1))),
        ({"creg_sizes": [["c", 2]]}, (("c", 3),)),
        ({"creg_sizes": [["c", 4]]}, (("c", 3),)),
        ({"creg_sizes": [["a", 4], ["b", -1]]}, (("c", 3),)),
        ({"creg_sizes": [["a", 2], ["a", 1]]}, (("c", 3),)),
        ({"creg_sizes": [["", 3]]}, (("c", 3),)),
        ({"creg_sizes": [["n" * 256, 3]]}, (("c", 3),)),
        ({"creg_sizes": {"c": 3}}, (("c", 3),)),
        ({"creg_sizes": [["c", "3"]]}, (("c", 3),)),
        ({"creg_sizes": None}, (("c", 3),)),
        ({"name": 5, "qreg_sizes": "free text"}, (("c", 3),)),
        (None, (("c", 3),)),
    ],
)
def test_registers_are_the_headers_if_they_make_up_the_memory(
    header: Json | None, registers: tuple[tuple[str, int], ...]
) -> None:
    (found,) = read(source(experiment(header=header)), LIMITS)
    assert found.registers == tuple(Register(*each) for each in registers)


def test_circuit_without_memory_has_no_registers() -> None:
    assert circuit(H, slots=0).registers == ()


# --- instructions that are no gates ---------------------------------------------------------------


def test_measurement_writes_each_qubit_to_its_slot() -> None:
    both = {"name": "measure", "qubits": [2, 0], "memory": [0, 1], "register": [7, 0]}
    assert circuit(both).ops == (Measure(2, 0), Measure(0, 1))


def test_reset_puts_each_qubit_back() -> None:
    assert circuit({"name": "reset", "qubits": [2, 0]}).ops == (Reset(2), Reset(0))


def test_barriers_do_nothing() -> None:
    barrier = {"name": "barrier", "qubits": [0, 1, 2]}
    assert circuit(H, barrier, H).ops == (Gate("h", (0,)),) * 2


def test_unknown_keys_are_ignored() -> None:
    named = {"name": "h", "qubits": [0], "label": "mine", "texparams": ["x"], "colour": {"a": []}}
    text = source(experiment(named, config={"max_credits": 10, "init_qubits": True}), more=[1])
    assert read(text, LIMITS)[0].ops == (Gate("h", (0,)),)


@pytest.mark.parametrize(
    ("instruction", "text", "field"),
    [
        (
            {"name": "snapshot", "qubits": [0], "label": "a", "snapshot_type": "statevector"},
            "requests the state vector, but results contain only outcomes",
            "name",
        ),
        ({"name": "h", "qubits": [3]}, "qubit 3 is outside 0..2", "qubits"),
        ({"name": "h", "qubits": [-1]}, "qubit -1 is outside 0..2", "qubits"),
        ({"name": "barrier", "qubits": [9]}, "qubit 9 is outside 0..2", "qubits"),
        ({"name": "h", "qubits": [2**62]}, f"qubit {2**62} is outside 0..2", "qubits"),
        ({"name": "cx", "qubits": [1, 1]}, "qubit 1 is given twice", "qubits"),
        ({"name": "measure", "qubits": [0]}, "memory is missing or not a list", "memory"),
        (
            {"name": "measure", "qubits": [0], "memory": 0},
            "memory is missing or not a list",
            "memory",
        ),
        (
            {"name": "measure", "qubits": [0, 1], "memory": [0]},
            "memory has 1 places for 2 qubits",
            "memory",
        ),
        (
            {"name": "measure", "qubits": [0, 1], "memory": [2, 2]},
            "memory 2 is given twice",
            "memory",
        ),
        (measure(0, 3), "memory slot 3 is outside 0..2", "memory"),
        (measure(0, -1), "memory slot -1 is outside 0..2", "memory"),
        (measure(0, 0, -4), "register -4 is below 0", "register"),
        (measure(0, 0) | {"register": 0}, "register is missing or not a list", "register"),
        (measure(0, 0) | {"register": []}, "register has 0 places for 1 qubits", "register"),
    ],
)
def test_bad_instruction_is_refused_by_its_place_and_name(
    instruction: Json, text: str, field: str
) -> None:
    assert fault(H, instruction) == (text, field)


def test_refusal_says_where_and_what() -> None:
    text, field = refusal(source(experiment(), experiment(H, {"name": "cx", "qubits": [0, 9]})))
    assert text == "experiments[1].instructions[1] (cx): qubit 9 is outside 0..2"
    assert field == "experiments[1].instructions[1].qubits"


# --- documents ------------------------------------------------------------------------------------

TOO_FEW = {"config": {"n_qubits": 0}, "instructions": []}
NOISY = {"config": {"noise_model": {"errors": []}}, "instructions": []}
LEVEL = {"config": {"meas_level": 1}, "instructions": []}


@pytest.mark.parametrize(
    ("text", "said", "field"),
    [
        (
            source(experiment(), type="PULSE"),
            "type must be QASM, pulse programs cannot be run",
            "type",
        ),
        (source(experiment(), type="qasm"), "type must be QASM, 'qasm' cannot be run", "type"),
        (source(), "experiments is empty", "experiments"),
        (
            source(TOO_FEW),
            "experiments[0].config.n_qubits must be at least 1, not 0",
            "experiments[0].config.n_qubits",
        ),
        (
            source({"instructions": []}, config={"memory_slots": -1}),
            "config.memory_slots must be at least 0, not -1",
            "config.memory_slots",
        ),
        (
            source(NOISY),
            "experiments[0].config.noise_model is not taken: noise is a matter of the device",
            "experiments[0].config.noise_model",
        ),
        (
            source(experiment(), config={"noise_model": [1]}),
            "config.noise_model is not taken: noise is a matter of the device",
            "config.noise_model",
        ),
        (
            source(LEVEL),
            "experiments[0].config.meas_level must be 2, not 1: outcomes are bits",
            "experiments[0].config.meas_level",
        ),
    ],
)
def test_bad_document_is_refused_by_its_field(text: bytes, said: str, field: str) -> None:
    assert refusal(text) == (said, field)


@for_each("key", ["qobj_id", "type", "schema_version", "experiments", "config"])
def test_what_every_document_has_is_missed(key: str) -> None:
    text = json.dumps(
        {name: value for name, value in document(experiment()).items() if name != key}
    )
    assert refusal(text.encode()) == (f"{key} is missing", key)


def test_a_pulse_program_is_refused_as_such() -> None:
    fc = {"name": "fc", "t0": 0, "ch": "d0", "phase": 0.1}
    acquire = {"name": "acquire", "t0": 5, "duration": 9, "qubits": [0], "memory_slot": [0]}
    config = {"pulse_library": [{"name": "p", "samples": [[0, 1]]}], "meas_level": 1}
    text, field = refusal(source({"instructions": [fc, acquire]}, type="PULSE", config=config))
    assert (text, field) == ("type must be QASM, pulse programs cannot be run", "type")


# --- limits ---------------------------------------------------------------------------------------


def test_bytes_are_limited() -> None:
    size = len(BELL)
    text = excess(BELL, Limits.from_names(upload_bytes=size - 1))
    assert text == f"upload_bytes: {size} is above the limit of {size - 1}"
    assert read(BELL, Limits.from_names(upload_bytes=size))


def test_circuits_are_limited() -> None:
    text = source(*[experiment()] * 4)
    assert excess(text, Limits.from_names(circuits=3)) == "circuits: 4 is above the limit of 3"
    assert len(read(text, Limits.from_names(circuits=4))) == 4


def test_operations_are_limited_over_all_experiments() -> None:
    text = source(experiment(H, H), experiment(H, measure(0, 0)))
    assert excess(text, Limits.from_names(operations=3)) == "operations: 4 is above the limit of 3"
    assert len(read(text, Limits.from_names(operations=4))) == 2
    wide = {"name": "reset", "qubits": [0, 1, 2]}
    text = source(experiment(wide), experiment(wide))
    assert (
        excess(text, Limits.from_names(operations=5))
        == "operations: 6 or more is above the limit of 5"
    )


def test_a_million_and_one_instructions_are_refused() -> None:
    many = b",".join([b'{"name":""}'] * 1_000_001)
    text = source({"instructions": []}).replace(b"[]", b"[" + many + b"]", 1)
    said = excess(text, Limits.from_names(program_json_bytes=1 << 24))
    assert said == "operations: 1000001 is above the limit of 1000000"


def test_width_and_memory_are_limited_before_anything_is_built() -> None:
    text = f"clifford_qubits: {2**62} is above the limit of {LIMITS.programs.clifford_qubits}"
    assert excess(source(experiment(n_qubits=2**62)), LIMITS) == text
    huge = {"instructions": [{"name": "h", "qubits": [2**62 - 1]}]}
    assert excess(source(huge), LIMITS) == text
    text = f"clbits: {2**62} is above the limit of {LIMITS.programs.clbits}"
    assert excess(source(experiment(slots=2**62)), LIMITS) == text
    huge = {"instructions": [measure(0, 2**62 - 1)]}
    assert excess(source(huge), LIMITS) == text


# --- anything at all ------------------------------------------------------------------------------

TIGHT = Limits.from_names(program_json_bytes=20_000, circuits=20, operations=2_000, matrix_qubits=3)

SEEDS: list[Json] = [
    json.loads(BELL),
    document(
        experiment(
            H,
            {"name": "u3", "qubits": [1], "params": [0.1, 0.2, 0.3]},
            measure(0, 0, 0),
            bfunc(3, "0x3", "0x1"),
            {"name": "x", "qubits": [1], "conditional": 3},
            {"name": "unitary", "qubits": [2], "params": [[[0, [1, 0]], [[1, 0], [0, 0]]]]},
            {"name": "initialize", "qubits": [0, 2], "params": [[0.6, 0], 0, 0, [0, 0.8]]},
            {"name": "initialize", "qubits": [0, 1], "params": ["+", "r"], "conditional": 0},
            {"name": "iswap", "qubits": [0, 2]},
            {"name": "reset", "qubits": [1]},
            {"name": "delay", "qubits": [1], "params": [5]},
            measure(2, 1, 1, conditional=3),
            header={"creg_sizes": [["c", 2], ["d", 1]], "name": "n"},
        ),
        {"instructions": [CX, measure(1, 0)]},
        config={"shots": 10, "memory": False, "seed_simulator": 3, "method": "statevector"},
    ),
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["x", "bfunc", "measure", "unitary", "0x3", "+", "PULSE", "\ud800", "\0"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container inside a document, with each of its keys or indices."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from places(node[key])


@st.composite
def mutated(draw: st.DrawFn, document: Json) -> Any:
    """A document with a few of its nodes replaced or dropped."""
    # A draw for each node would take many times as long as reading the document.
    made = [copy.deepcopy(document)]
    for _ in range(draw(st.integers(1, 6))):
        parent, key = draw(st.sampled_from(list(places(made))))
        if isinstance(parent, dict) and draw(st.integers(0, 2)) == 0:
            del parent[key]
        else:
            parent[key] = draw(values)
    return made[0]


def check(text: bytes) -> bool:
    """Read a text, accept only our own refusals as errors; return whether it was read."""
    try:
        circuits = read(text, TIGHT)
    except (InvalidProgram, LimitExceeded) as error:
        refused = error.detail
    else:
        return is_whole(circuits)
    assert len(refused) < 400
    return False


def is_whole(circuits: tuple[QubitCircuit, ...]) -> bool:
    """Whatever was read is what an engine can run."""
    for made in circuits:
        program.read(made)  # checks operands, bits and jumps
        for op in made.ops:
            if isinstance(op, Gate):
                assert all(map(math.isfinite, op.params))
    pack(circuits)
    return True


@given(st.sampled_from(SEEDS).flatmap(mutated))
@settings(max_examples=400)
def test_mutated_documents_give_circuits_or_refusals(node: Any) -> None:
    check(json.dumps(node).encode("utf-8", "surrogatepass"))


@given(
    st.sampled_from([json.dumps(seed).encode() for seed in SEEDS]),
    st.lists(
        st.tuples(st.integers(0, 1_500), st.integers(0, 3), st.binary(max_size=4)), max_size=4
    ),
)
@settings(max_examples=400)
def test_mutated_bytes_give_circuits_or_refusals(
    text: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    for at, cut, new in edits:
        text = text[:at] + new + text[at + cut :]
    check(text)


POOL: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        1,
        2,
        3,
        7,
        10**6,
        2**63 - 1,
        2**63,
        10**30,
        0.5,
        -1e308,
        "",
        "0x0",
        "0xF",
    ),
    *("h", "cx", "measure", "bfunc", "unitary", "initialize", "mcx", "ecr", "snapshot", "!="),
    *([], [0], [0, 1], [1, 0, 2], [[1, 0], [0, 1]], [[[1, 0], [0, 1]]], [[0, 0.6], 0.8], ["-"], {}),
]


def damaged(rng: random.Random, node: Json) -> Json:
    """Replace, drop, repeat or move parts at random places."""
    made = copy.deepcopy(node)
    for _ in range(rng.choice((1, 1, 2, 4))):
        parent: Any = made
        while True:
            keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(parent[key], dict | list) and rng.random() < 0.85:
                parent = parent[key]
                continue
            if rng.random() < 0.2:
                del parent[key]
            elif isinstance(parent, list) and rng.random() < 0.4:
                parent.insert(key, copy.deepcopy(rng.choice([*parent, *POOL])))
            else:
                parent[key] = copy.deepcopy(rng.choice(POOL))
            break
    return made


def test_thousands_of_damaged_documents_give_circuits_or_refusals() -> None:
    rng = random.Random(8)
    tally = [check(json.dumps(damaged(rng, SEEDS[k % 2])).encode()) for k in range(4_000)]
    assert 400 < sum(tally) < 3_600


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(number: bytes) -> None:
    text = source(experiment({"name": "rx", "qubits": [0], "params": [0.125]}))
    assert refusal(text.replace(b"0.125", number))[0].startswith("the program is not JSON")
