"""Expectation values of a program, with error mitigation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwicket import programs
from qwicket.circuits.qubit import Gate, Measure, Mitigation, Pauli, QubitCircuit, unpack
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.estimation import EstimationLimits
from support.for_each import for_each

BELL = (
    'OPENQASM 3.0; include "stdgates.inc"; input float t; qubit[2] q; bit[2] c; rx(t) q[0];'
    " cx q[0], q[1]; c = measure q;"
)


def source(**fields: Any) -> bytes:
    return json.dumps({"program": BELL, "observables": [{"ZZ": 1.0}], **fields}).encode()


def read(limits: Limits | None = None, **fields: Any) -> QubitCircuit:
    checked = programs.read("estimation", source(**fields), limits or Limits(), {"t": 0.5})
    (circuit,) = unpack(checked.circuits)
    return circuit


def test_an_estimation_has_the_observables_of_its_program() -> None:
    circuit = read(observables=[{"ZZ": 1.0, "II": 2}, {"IX": -0.5}], shots=500)
    assert circuit.estimation is not None
    assert circuit.estimation.paulis == (Pauli("ZZ", (0, 1)), Pauli("", ()), Pauli("X", (0,)))
    assert circuit.estimation.observables == (((0, 1.0), (1, 2.0)), ((2, -0.5),))
    assert (circuit.shots, circuit.estimation.mitigation) == (500, None)
    assert [type(op) for op in circuit.ops] == [Gate, Gate]
    assert programs.guess_format(source()) == "estimation"


def test_only_measurements_at_the_end_are_left_out() -> None:
    program = 'OPENQASM 3; include "stdgates.inc"; qubit q; bit[2] c; c[0] = measure q;'
    circuit = read(
        program=program + " input float t; rx(t) q; c[1] = measure q;", observables=[{"Z": 1}]
    )
    assert [type(op) for op in circuit.ops] == [Measure, Gate]


@for_each(
    "mitigation, shots, wanted",
    [
        ({"readout": True}, 128, Mitigation(32, 32, 128)),
        ({"readout": True, "randomizations": 8}, 512, Mitigation(8, 8, 512)),
        (
            {"noise_factors": [1, 3]},
            4096,
            Mitigation(0, 0, 0, (1.0, 3.0), "random", ("exponential", "linear")),
        ),
        (
            {
                "readout": True,
                "noise_factors": [1, 2],
                "folding": "front",
                "extrapolators": ["linear"],
            },
            128,
            Mitigation(32, 32, 128, (1.0, 2.0), "front", ("linear",)),
        ),
        ({}, 4096, None),
    ],
)
def test_mitigation_is_read(mitigation: Any, shots: int, wanted: Mitigation | None) -> None:
    circuit = read(mitigation=mitigation)
    assert circuit.estimation is not None
    assert (circuit.shots, circuit.estimation.mitigation) == (shots, wanted)


def test_without_shots_values_are_exact_and_need_no_mitigation() -> None:
    circuit = read(shots=0, mitigation={"readout": True})
    assert circuit.estimation is not None
    assert circuit.estimation.is_exact
    assert circuit.estimation.mitigation is None


@for_each(
    "fields, detail",
    [
        ({"observables": []}, "observables must have at least one"),
        ({"observables": [{"ZZ": 1}, {}]}, "observables[1] has no words"),
        ({"observables": [{"ZQ": 1}]}, "observables[0]: 'ZQ' has letters other than I"),
        ({"observables": [{"": 1}]}, "observables[0]: '' has letters other than I"),
        (
            {"observables": [{"ZZZ": 1}]},
            "observables[0]: 'ZZZ' has 3 letters, the program 2 qubits",
        ),
        ({"observables": [{"ZZ": 1e200}]}, "observables[0]: 'ZZ' has no finite coefficient"),
        ({"observables": [{"ZZ": "1"}]}, "observables[0][...]: "),
        ({"shots": -1}, "shots must be at least 0, not -1"),
        ({"format": "blackbird"}, "format 'blackbird' is not one of openqasm2"),
        ({"observable": []}, "'observable' is not known; known: program, format, observables"),
        ({"mitigation": {"pec": True}}, "mitigation.'pec' is not known; known: readout"),
        ({"mitigation": {"noise_factors": [0.5, 1]}}, "mitigation.noise_factors: must be 1 to 100"),
        ({"mitigation": {"noise_factors": [1]}}, "mitigation.noise_factors: exponential needs"),
        ({"mitigation": {"extrapolators": ["cubic"]}}, "mitigation.extrapolators: 'cubic'"),
        ({"mitigation": {"extrapolators": []}}, "mitigation.extrapolators: takes 1 to 10 names"),
        ({"mitigation": {"folding": "all"}}, "mitigation.folding: must be one of random, front"),
        ({"mitigation": {"randomizations": 0}}, "mitigation.randomizations: must be at least 1"),
        ({"program": "OPENQASM 3; foo"}, "program: line 1"),
    ],
)
def test_what_is_wrong_is_named(fields: Any, detail: str) -> None:
    with pytest.raises(InvalidProgram) as refused:
        read(**fields)
    assert refused.value.detail.startswith(detail), refused.value.detail


@for_each(
    "limits, fields, field",
    [
        ({"estimation_runs": 63}, {"mitigation": {"readout": True}}, "estimation_runs"),
        ({"estimated_terms": 1}, {"observables": [{"ZZ": 1}, {"XX": 1}]}, "estimated_terms"),
        (
            {"estimated_terms": 3},
            {"observables": [{"00": 1}], "mitigation": {"readout": True}},
            "estimated_terms",
        ),
        ({"estimated_terms": 1}, {"observables": [{}, {}]}, "estimated_terms"),
        ({}, {"shots": 10**9}, "shots"),
        ({}, {"mitigation": {"readout": True, "randomizations": 10**9}}, "estimation_runs"),
    ],
)
def test_an_estimation_has_limits(limits: Any, fields: Any, field: str) -> None:
    with pytest.raises(LimitExceeded) as refused:
        read(Limits(own=(EstimationLimits(**limits), *programs_limits())), **fields)
    assert refused.value.field == field


def programs_limits() -> list[Any]:
    return [each() for each in programs.LIMITS if each is not EstimationLimits]
