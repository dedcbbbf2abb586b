"""Figures of IQM's quantum computers, from documents as the API has them."""

from __future__ import annotations

from typing import Any

import pytest

from qwicket.vendors.iqm.characterization import snapshot
from support.for_each import for_each

ID = "cd4dd889-b88b-4370-ba01-eb8262ad9c53"


def gate(default: str, *loci: list[str], **override: str) -> dict[str, Any]:
    return {
        "implementations": {name: {"loci": loci} for name in {default, *override.values()}},
        "default_implementation": default,
        "override_default_implementation": {
            locus.replace("_", ","): name for locus, name in override.items()
        },
    }


ARCHITECTURE: dict[str, Any] = {
    "calibration_set_id": ID,
    "qubits": ["QB1", "QB2", "QB4"],
    "computational_resonators": [],
    "gates": {
        "prx": gate("drag_gaussian", ["QB1"], ["QB2"], ["QB4"], QB4="drag_crf"),
        "measure": gate("constant", ["QB1"], ["QB2"], ["QB4"]),
        "cz": gate("tgss", ["QB2", "QB1"], ["QB2", "QB4"], ["QB1", "CR1"]),
    },
}


def observations(**values: float) -> dict[str, Any]:
    return {
        "created_timestamp": "2026-01-31T12:00:00+00:00",
        "dut_label": "M1",
        "observations": [
            {"dut_field": name.replace("__", ".").replace("-", "__"), "value": value}
            for name, value in values.items()
        ],
    }


FIGURES = observations(
    **{
        "characterization__model__QB1__t1_time": 4e-5,
        "characterization__model__QB1__t2_time": 9e-5,
        "metrics__ssro__measure__constant__QB1__error_0_to_1": 0.01,
        "metrics__ssro__measure__constant__QB1__error_1_to_0": 0.03,
        "metrics__ssro__measure__constant__QB2__fidelity": 0.98,
        "metrics__rb__prx__drag_crf__QB4__fidelity:par=d1": 0.999,
        "metrics__irb__cz__tgss__QB2-QB1__fidelity:par=d2": 0.99,
        "gates__cz__tgss__QB2-QB1__duration": 4e-8,
        "gates__measure__constant__QB1__duration": 1e-6,
    }
)


@for_each(
    "documents", [(ARCHITECTURE, FIGURES), ({"architecture": ARCHITECTURE, "metrics": FIGURES},)]
)
def test_figures_are_those_of_the_default_implementations(documents: Any) -> None:
    found = snapshot(documents)
    assert found is not None
    calibration = found.calibration
    assert (found.machine, found.qubits, found.native_gates) == ("M1", 4, ("prx", "cz"))
    assert calibration.connectivity == ((0, 1), (1, 3))  # QB3 is not there, CR1 is a resonator
    first, second, fourth = (calibration.qubits[number] for number in (0, 1, 3))
    assert (first.t1_s, first.t2_s) == (4e-5, 8e-5)  # T2 is at most twice T1
    assert (first.one_for_zero, first.zero_for_one) == (0.01, 0.03)
    assert second.spam_error == pytest.approx(0.02)
    assert fourth.gate is not None
    assert fourth.gate.error == pytest.approx(0.001)
    pair, unknown = calibration.pairs
    assert (pair.qubits, pair.error, pair.duration_s) == ((0, 1), pytest.approx(0.01), 4e-8)
    assert (unknown.error, unknown.duration_s) == (0, 0)
    assert calibration.readout_s == 1e-6


def test_an_ideal_computer_has_no_figures() -> None:
    pairs = (["QB1", "QB2"], ["QB1", "QB4"], ["QB2", "QB4"])
    ideal = {**ARCHITECTURE, "gates": {**ARCHITECTURE["gates"], "cz": gate("tgss", *pairs)}}
    assert snapshot((ideal, observations())) is None
    assert snapshot((FIGURES,)) is None
    assert snapshot((ARCHITECTURE,)) is None
