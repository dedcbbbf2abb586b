"""Error mitigation as the options of an Estimator ask for it."""

from __future__ import annotations

from typing import Any

import pytest

from qwicket.circuits.mitigation.runs import all_shots
from qwicket.circuits.qubit import Estimation, Mitigation
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.limits import PrimitiveLimits
from support import pubs
from support.for_each import for_each

LIMITS = Limits()


def source(observable: Any = None, **options: Any) -> bytes:
    pub = [pubs.circuit(pubs.ghz(2)), observable or {"ZZ": 1.0}, pubs.array()]
    return pubs.source("estimator", pub, **options)


def asked(limits: Limits = LIMITS, observable: Any = None, **options: Any) -> Estimation:
    (circuit,) = primitives.read(source(observable, **options), limits)
    assert circuit.estimation is not None
    return circuit.estimation


READOUT = Mitigation(32, 32, 128)
FACTORS = (1.0, 3.0, 5.0)
FITS = ("exponential", "linear")
ZNE = Mitigation(0, 0, 0, FACTORS, "random", FITS, (0.0, *FACTORS))
BOTH = Mitigation(32, 32, 128, FACTORS, "random", FITS, (0.0, *FACTORS))


@for_each(
    "options, wanted",
    [
        ({}, None),
        ({"resilience_level": 0}, None),
        ({"resilience_level": 1}, READOUT),
        ({"resilience_level": 2}, BOTH),
        ({"resilience_level": 1, "resilience": {"measure_mitigation": False}}, None),
        ({"resilience_level": 2, "resilience": {"zne_mitigation": False}}, READOUT),
        ({"resilience_level": 2, "resilience": {"measure_mitigation": False}}, ZNE),
        ({"resilience": {"measure_mitigation": True}}, READOUT),
        ({"resilience": {"zne_mitigation": True}}, ZNE),
        ({"resilience_level": 1, "default_precision": 0.1}, Mitigation(2, 32, 64)),
        ({"resilience_level": 1, "twirling": {"num_randomizations": 10}}, Mitigation(10, 32, 410)),
        (
            {"resilience_level": 1, "twirling": {"shots_per_randomization": 1000}},
            Mitigation(5, 32, 1000),
        ),
        (
            {
                "resilience_level": 1,
                "resilience": {
                    "measure_noise_learning": {
                        "num_randomizations": 7,
                        "shots_per_randomization": 9,
                    }
                },
            },
            Mitigation(32, 7, 9),
        ),
        (
            {
                "resilience": {
                    "zne_mitigation": True,
                    "zne": {
                        "amplifier": "gate_folding_back",
                        "noise_factors": [1, 2, 3],
                        "extrapolator": "polynomial_degree_2",
                        "extrapolated_noise_factors": 0,
                    },
                }
            },
            Mitigation(0, 0, 0, (1.0, 2.0, 3.0), "back", ("polynomial_degree_2",), (0.0,)),
        ),
    ],
)
def test_levels_and_options_mean_what_ibm_says(options: Any, wanted: Mitigation | None) -> None:
    assert asked(**options).mitigation == wanted


def zne(**settings: Any) -> dict[str, Any]:
    return {"resilience": {"zne_mitigation": True, "zne": settings}}


@for_each(
    "path, options",
    [
        ("resilience_level: must be 0, 1 or 2, not '3'", {"resilience_level": 3}),
        ("resilience_level: must be 0, 1 or 2, not '-1'", {"resilience_level": -1}),
        ("resilience.zne.amplifier: 'pea' is not supported", zne(amplifier="pea")),
        ("resilience.zne.extrapolator: 'double_ex", zne(extrapolator="double_exponential")),
        ("resilience.zne.extrapolator: takes 1 to 10 names", zne(extrapolator=[])),
        ("resilience.zne.noise_factors: must be 1 to 100, not 0.5", zne(noise_factors=[0.5, 1])),
        ("resilience.zne.noise_factors: must be 1 to 100, not 101", zne(noise_factors=[1, 101])),
        ("resilience.zne.noise_factors: takes 1 to 10 numbers", zne(noise_factors=[])),
        (
            "resilience.zne.noise_factors: linear needs at least 2 different",
            zne(noise_factors=[1, 1], extrapolator="linear"),
        ),
        (
            "resilience.zne.extrapolated_noise_factors: must be 0 to 100, not -1",
            zne(extrapolated_noise_factors=[-1]),
        ),
        (
            "twirling.enable_measure: must be true with measure_mitigation",
            {"resilience_level": 1, "twirling": {"enable_measure": False}},
        ),
        (
            "twirling.num_randomizations: must be auto or an integer of at least 1, not '0'",
            {"twirling": {"num_randomizations": 0}},
        ),
        (
            "twirling.shots_per_randomization: must be auto or an integer",
            {"twirling": {"shots_per_randomization": "many"}},
        ),
        (
            "resilience.measure_noise_learning.num_randomizations: must be auto",
            {"resilience": {"measure_noise_learning": {"num_randomizations": -1}}},
        ),
        ("resilience.pec_mitigation: ", {"resilience": {"pec_mitigation": True}}),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(path: str, options: Any) -> None:
    with pytest.raises(InvalidProgram) as refused:
        asked(**options)
    assert refused.value.detail.startswith(f"options.{path}"), refused.value.detail


@for_each("path", ["options.twirling.num_randomizations", "options.resilience.zne.noise_factors"])
def test_values_of_the_wrong_type_are_refused_with_their_path(path: str) -> None:
    _, *above, name = path.split(".")
    options: dict[str, Any] = {name: {"a": "number"}}
    for each in reversed(above):
        options = {each: options}
    with pytest.raises(InvalidProgram, match=name):
        asked(**options)


def test_options_are_applied_only_where_they_have_an_effect() -> None:
    options = {
        "twirling": {"num_randomizations": 4, "shots_per_randomization": "auto"},
        "resilience": {"zne": {"noise_factors": [1, 3]}},
    }
    assert len(primitives.ignored_options(source(**options))) == 3
    assert primitives.ignored_options(source(**options, resilience_level=2)) == {}
    ignored = primitives.ignored_options(source(**options, resilience_level=1))
    assert [*ignored] == ["resilience.zne.noise_factors"]


def test_projectors_are_measured_as_paulis() -> None:
    """|0⟩⟨0| ⊗ |-⟩⟨-| is (1 + Z)(1 - X)/4."""
    found = asked(observable={"0-": 4.0, "ZI": 1.0}, resilience_level=1)
    assert len(found.groups) == 1
    words = {
        "".join(pauli.letters): (pauli.qubits, factor)
        for index, factor in found.observables[0]
        for pauli in [found.paulis[index]]
    }
    assert words == {"": ((), 1.0), "X": ((0,), -1.0), "Z": ((1,), 2.0), "XZ": ((0, 1), -1.0)}


@for_each(
    "limits, options, field",
    [
        ({"estimator_runs": 63}, {"resilience_level": 1}, "estimator_runs"),
        ({"estimator_runs": 127}, {"resilience_level": 2}, "estimator_runs"),
        ({"pauli_terms": 10}, {"resilience_level": 2}, "pauli_terms"),
        ({}, {"resilience_level": 1, "twirling": {"num_randomizations": 10**9}}, "estimator_runs"),
        ({}, {"resilience_level": 1, "twirling": {"shots_per_randomization": 10**9}}, "shots"),
    ],
)
def test_runs_and_fits_count_against_limits(limits: Any, options: Any, field: str) -> None:
    with pytest.raises(LimitExceeded) as refused:
        asked(Limits(own=(PrimitiveLimits(**limits),)), **options)
    assert refused.value.field == field


def test_folded_gates_count_as_operations() -> None:
    small = LIMITS.programs.operations // 99
    circuit = pubs.ghz(2)
    for _ in range(small):
        circuit.cx(0, 1)
    pub = [pubs.circuit(circuit), {"ZZ": 1.0}, pubs.array()]
    with pytest.raises(LimitExceeded, match="operations"):
        primitives.read(pubs.source("estimator", pub, **zne(noise_factors=[1, 100])), LIMITS)


def test_the_shots_are_those_that_were_asked_for_in_each_group_and_factor() -> None:
    (circuit,) = primitives.read(source(resilience_level=2, default_shots=4096), LIMITS)
    assert circuit.shots == 128
    assert all_shots(circuit) == (1 + 3) * 4096
