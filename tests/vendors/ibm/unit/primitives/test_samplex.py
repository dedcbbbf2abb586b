"""Draws from samplexes: their law, their shapes, and what is refused."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qwicket import programs
from qwicket.circuits.analysis import is_clifford
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import COUNTS, PROBABILITIES
from qwicket.circuits.qubit import QubitCircuit
from qwicket.engines.qubit import engine
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives import executor
from support.executor import array, circuits, samplex_item, source, tensor, twirled
from support.for_each import for_each

LIMITS = Limits()
THETA, PHI = Parameter("a"), Parameter("b")
SEEDED = {"experimental": {"seed_simulator": 5}}


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.rx(THETA, 1)
    circuit.cx(0, 1)
    circuit.rz(PHI, 1)
    circuit.cx(1, 2)
    circuit.rx(THETA + 2 * PHI, 2)
    circuit.measure_all()
    return circuit


@cache
def twirled_turned() -> tuple[QuantumCircuit, str]:
    return twirled(turned())


def clifford() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def probabilities(circuit: QubitCircuit, flips: int = 0) -> dict[int, float]:
    options = RunOptions(shots=1, seed=1, outputs=(COUNTS, PROBABILITIES))
    found = engine.run(circuit, options, 0).probabilities()
    return {key ^ flips: p for key, p in found.items()}


def drawn(text: bytes) -> tuple[Any, Any]:
    """Return the parameters and the flips that were drawn for the only item of a document."""
    (found,) = json.loads(text)["drawn"]
    return array(found["arguments"]), array(found["outputs"]["measurement_flips.meas"])


@for_each("group", ["pauli", "balanced_pauli", "local_c1", "local_pauli"])
def test_each_drawn_circuit_has_the_law_of_the_circuit_up_to_its_flips(group: str) -> None:
    template, samplex = twirled(turned(), twirling_group=group)
    values = np.array([[0.3, 0.8], [1.0, 2.0]])
    item = samplex_item(samplex, (3, 2, 2), parameter_values=tensor(values[:, np.newaxis]))
    text = primitives.complete(source(circuits(template), item, options=SEEDED), LIMITS)
    parameters, flips = drawn(text)
    assert (parameters.shape[:3], flips.shape) == ((3, 2, 2), (3, 2, 2, 1, 3))
    assert len(np.unique(flips.reshape(12, 3), axis=0)) > 3  # measurements are twirled
    found = primitives.read(text, LIMITS)
    for number, place in enumerate(np.ndindex(3, 2, 2)):
        plain = turned().assign_parameters(dict(zip((THETA, PHI), values[place[1]], strict=True)))
        entry = {"item_type": "circuit", "circuit_arguments": tensor(np.zeros(0)), "shape": []}
        (own,) = primitives.read(source(circuits(plain), entry), LIMITS)
        mask = sum(1 << bit for bit in range(3) if flips[place][0][bit])
        exact = probabilities(own)
        twirl = probabilities(found[number], mask)
        for key in range(8):
            # Samplomatic's angles have 24 bits.
            assert twirl.get(key, 0) == pytest.approx(exact.get(key, 0), abs=1e-6)


def test_what_was_drawn_is_stored_and_read_again() -> None:
    template, samplex = twirled(clifford())
    text = source(circuits(template), samplex_item(samplex, (40,)))
    first, second = (primitives.complete(text, LIMITS) for _ in range(2))
    assert drawn(first)[1].tolist() != drawn(second)[1].tolist()
    assert primitives.complete(first, LIMITS) is first
    assert primitives.read(first, LIMITS) == primitives.read(first, LIMITS)
    assert [shape.values for shape in primitives.shapes(first, LIMITS)] == [(40,)]
    assert set(executor.echo(first).drawn[0]) == {"measurement_flips.meas"}
    assert json.loads(first)["params"] == json.loads(text)["params"]


def test_a_job_stores_the_document_with_what_was_drawn() -> None:
    template, samplex = twirled(clifford())
    template.delay(100, 0, "dt")  # which leaves the circuits before they are stored
    text = source(circuits(template), samplex_item(samplex, (3,)), options=SEEDED)
    checked = programs.read("qiskit.primitives", text, LIMITS)
    assert checked.completed == primitives.complete(text, LIMITS)
    again = programs.read("qiskit.primitives", checked.completed, LIMITS)
    assert (again.circuits, again.completed) == (checked.circuits, b"")


def test_equal_seeds_draw_the_same() -> None:
    template, samplex = twirled(clifford())
    text = source(circuits(template), samplex_item(samplex, (40,)), options=SEEDED)
    assert primitives.complete(text, LIMITS) == primitives.complete(text, LIMITS)
    assert primitives.settings(text) == ("executor", 5)
    assert primitives.ignored_options(text) == {}


def test_twirled_clifford_circuits_stay_clifford_circuits() -> None:
    template, samplex = twirled(clifford())
    text = source(circuits(template), samplex_item(samplex, (20,)), options=SEEDED)
    found = primitives.read(primitives.complete(text, LIMITS), LIMITS)
    assert all(is_clifford(circuit.ops) for circuit in found)


def test_an_item_without_sets_draws_nothing_but_its_shape() -> None:
    template, samplex = twirled(clifford())
    plain = {"item_type": "circuit", "circuit_arguments": tensor(np.zeros(0)), "shape": []}
    text = source(circuits(template, clifford()), samplex_item(samplex, (0, 3)), plain)
    completed = primitives.complete(text, LIMITS)
    assert json.loads(completed)["drawn"][1] is None
    assert [shape.values for shape in primitives.shapes(completed, LIMITS)] == [(0, 3), ()]
    assert len(primitives.read(completed, LIMITS)) == 2


def test_a_server_without_samplomatic_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    template, samplex = twirled(clifford())
    monkeypatch.setitem(sys.modules, "samplomatic.serialization", None)
    with pytest.raises(InvalidProgram, match=r"administrator can install qwicket\[samplex\]"):
        primitives.complete(source(circuits(template), samplex_item(samplex, (2,))), LIMITS)


# --- samplexes that lie ---------------------------------------------------------------------------


def lie(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return an item whose samplex was changed."""
    graph = json.loads(twirled_turned()[1])
    change(graph)
    return samplex_item(json.dumps(graph), (4,), parameter_values=tensor([0.1, 0.2]))


def number_of(kind: str, graph: dict[str, Any]) -> int:
    return next(n for n, node in enumerate(graph["nodes"]) if node["data"]["id"] == kind)


def set_in_node(kind: str, key: str, value: str) -> Callable[[dict[str, Any]], object]:
    return lambda graph: graph["nodes"][number_of(kind, graph)]["data"].update({key: value})


def with_output(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Return a change of the specification of the parameters, or one that adds another output."""

    def change(graph: dict[str, Any]) -> None:
        outputs = json.loads(graph["attrs"]["output_specification"])
        own = json.loads(outputs["parameter_values"]) | changes
        outputs[own["name"]] = json.dumps(own)
        graph["attrs"]["output_specification"] = json.dumps(outputs)

    return change


def idle_node(graph: dict[str, Any]) -> None:
    """Take from the graph the node that writes the first parameters."""
    del graph["nodes"][number_of("N1", graph)]
    for number, node in enumerate(graph["nodes"]):
        node["id"] = number
    graph["links"] = []


def qpy_version(version: int) -> Callable[[dict[str, Any]], object]:
    def change(graph: dict[str, Any]) -> None:
        table = json.loads(graph["attrs"]["param_table"])
        data = bytearray(base64.b64decode(table["circuit_base64"]))
        data[6] = version
        table["circuit_base64"] = base64.b64encode(data).decode()
        graph["attrs"]["param_table"] = json.dumps(table)

    return change


HUGE = json.dumps({"id": "D0", "ssv": "4", "num_subsystems": 10**12})
DEEP = "[" * 100_000 + "]" * 100_000
LIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "nodes out of order": (lambda graph: graph["nodes"][0].update(id=10**9), "numbered in order"),
    "link to nowhere": (lambda graph: graph["links"][0].update(target=10**9), "numbered in order"),
    "no graph": (lambda graph: graph.clear(), "is not the JSON of a samplex"),
    "number in a node": (set_in_node("N1", "synth", 3), "is not the JSON"),  # type: ignore[arg-type]
    "nested text": (set_in_node("N3", "operands", DEEP), "not valid for samplomatic"),
    "unknown synthesis": (set_in_node("N1", "synth", "os.system"), "not valid for samplomatic"),
    "unknown node": (set_in_node("N1", "id", "N99"), "not valid for samplomatic"),
    "later version": (set_in_node("N1", "ssv", "99"), "not valid for samplomatic"),
    "unknown register": (set_in_node("N1", "register_name", "x"), "not valid for samplomatic"),
    "huge register": (set_in_node("N10", "distribution", HUGE), "samplex_bytes: 8000000003416 is"),
    "huge output": (with_output(shape=["num_randomizations", 10**9]), "parameters: 1000000000"),
    "negative output": (with_output(shape=["num_randomizations", -1]), "'parameter_values' is not"),
    "output of objects": (with_output(dtype="object"), "'parameter_values' is not known"),
    "unknown output": (with_output(name="x"), "its output 'x' is not known here"),
    "signs from nowhere": (
        with_output(name="pauli_signs", dtype="bool", shape=["num_randomizations", 1]),
        "no node writes element 0 of its output 'pauli_signs'",
    ),
    "parameters from nowhere": (idle_node, "no node writes element"),
    "old circuit": (qpy_version(10), "in QPY 10; 13 to 17 are read"),
}


@for_each("name", LIES)
def test_a_samplex_that_lies_is_refused_by_name(name: str) -> None:
    change, named = LIES[name]
    text = source(circuits(twirled_turned()[0]), lie(change))
    with pytest.raises((InvalidProgram, LimitExceeded), match=named) as caught:
        primitives.complete(text, LIMITS)
    assert caught.value.detail.startswith("quantum_program.items[0].samplex")


def given(shape: Any = (4,), **arguments: Any) -> dict[str, Any]:
    return samplex_item(twirled_turned()[1], shape, **arguments)


SOUND = {"parameter_values": tensor([0.1, 0.2])}
NOISE = {"sparse_terms": [["X", [0], 0.1]], "num_qubits": 1}
REFUSED = {
    "no samplex": (given(**SOUND) | {"samplex": None}, "samplex: is missing"),
    "missing": (given(), "samplex_arguments: 'parameter_values' is missing"),
    "unknown": (given(**SOUND, x=1), "the samplex has no argument 'x'"),
    "huge number": (given(parameter_values=10**400), r"must be an array of shape \[2\]"),
    "text": (given(parameter_values="x"), "'parameter_values': must be a number, a tensor or"),
    "length": (given(parameter_values=tensor([0.1])), r"must be an array of shape \[2\]"),
    "map": (given(parameter_values=NOISE), r"must be an array of shape \[2\]"),
    "huge map": (given(x=NOISE | {"num_qubits": 10**9}), "clifford_qubits: 1000000000"),
    "map of a lie": (given(x=NOISE | {"num_qubits": 0}), "'x': is not a Pauli-Lindblad map"),
    "type": (given(parameter_values=tensor([0.1, 0.2], dtype="c128")), "dtype must be that of"),
    "size": (given(parameter_values=tensor([0.1, 0.2], [3])), "as many numbers as its shape"),
    "huge size": (given(parameter_values=tensor([0.1], [10**9])), "unpacked_bytes: 1000000000"),
    "not finite": (given(parameter_values=tensor([np.inf, 0])), "must hold finite numbers"),
    "shape": (given((3,), parameter_values=tensor([[0.1, 0.2]] * 4)), "do not broadcast"),
    "negative shape": (given((-1,), **SOUND), "shape: must have up to 32 axes, each from 0"),
    "a million draws": (given((10**6,), **SOUND), "parameter_sets: 1000000 is above the limit"),
    "crossed shapes": (
        given((10_000, 1), parameter_values=tensor([[0.1, 0.2]] * 3)),
        r"items\[0\].shape: parameter_sets: 30000",
    ),
}


@for_each("name", REFUSED)
def test_arguments_that_do_not_fit_are_refused_by_name(name: str) -> None:
    item, named = REFUSED[name]
    with pytest.raises((InvalidProgram, LimitExceeded), match=named):
        primitives.complete(source(circuits(twirled_turned()[0]), item), LIMITS)


def test_a_samplex_has_at_most_four_links_for_each_node_that_is_allowed() -> None:
    graph = json.loads(twirled_turned()[1])
    n_nodes = len(graph["nodes"])
    graph["links"] = graph["links"][:1] * (4 * n_nodes + 1)
    item = samplex_item(json.dumps(graph), (4,), **SOUND)
    limits = Limits.from_names(PrimitiveLimits, samplex_nodes=n_nodes)
    with pytest.raises(LimitExceeded, match=f"samplex_nodes: {4 * n_nodes + 1} is above"):
        primitives.complete(source(circuits(twirled_turned()[0]), item), limits)


@for_each(
    "limits, named",
    [
        ({"samplex_nodes": 5}, "samplex: samplex_nodes: "),
        ({"samplex_bytes": 100}, "samplex: samplex_bytes: "),
        ({"parameters": 40}, r"items\[0\]: parameters: "),
        ({"parameter_sets": 7}, "parameter_sets: 8 or more"),
        ({"parameters": 200}, "parameters: .* or more"),
    ],
)
def test_every_limit_of_draws_is_named(limits: dict[str, int], named: str) -> None:
    template = twirled_turned()[0]
    text = source(circuits(template, template), given(**SOUND), given(**SOUND))
    with pytest.raises(LimitExceeded, match=named):
        primitives.complete(text, Limits.from_names(PrimitiveLimits, **limits))


@for_each(
    "change, named",
    [
        (lambda whole: whole["drawn"].append(None), "drawn: must have 1 entries"),
        (lambda whole: whole["drawn"][0]["outputs"]["x"].update(shape=[9]), "'x': must have as"),
        (lambda whole: whole["drawn"][0]["outputs"]["x"].update(dtype="o"), "'x': dtype must be"),
    ],
)
def test_draws_that_a_client_states_are_checked(
    change: Callable[[dict[str, Any]], object], named: str
) -> None:
    template, samplex = twirled(clifford())
    whole = json.loads(
        primitives.complete(source(circuits(template), samplex_item(samplex, (2,))), LIMITS)
    )
    whole["drawn"][0]["outputs"]["x"] = tensor(np.zeros(3))
    change(whole)
    with pytest.raises(InvalidProgram, match=named):
        primitives.read(json.dumps(whole).encode(), LIMITS)
