"""Which engines can be named, and which jobs they refuse."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from qwicket import devices
from qwicket.circuits.noise import GateNoise, NoiseModel, Relaxation, SiteNoise
from qwicket.circuits.options import RunOptions
from qwicket.circuits.summary import Summary
from qwicket.engines.qubit.names import MAX_BOND_BITS, list_installed, unsupported_reason

PAULIS = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=0.1))
DAMPED = NoiseModel(name="", source="", gates={"cx": GateNoise(amplitude_damping=0.1)})
ONE = Summary("qubit", 1, 3, 3, 3)
CLIFFORD = Summary("qubit", 1, 3, 3, 3, is_clifford=True)
SPLIT = Summary("qubit", 1, 3, 3, 3, n_splits=1)
BRANCHED = Summary("qubit", 1, 3, 3, 3, n_branches=1, is_clifford=True)


def ask(
    summary: Summary,
    engine: str,
    noise: NoiseModel | None = None,
    outputs: tuple[str, ...] = ("counts",),
) -> str | None:
    options = RunOptions(shots=1, seed=0, outputs=outputs, noise=noise, engine=engine)
    return unsupported_reason(summary, options)


def test_installed_engines_are_found_without_importing_them() -> None:
    """Qulacs, NumPy and Stim are everyone's; the two others are extras."""
    expected = ["statevector", "clifford"]
    expected += ["qsim"] if find_spec("qsimcirq") else []
    expected += ["aer-mps"] if find_spec("qiskit_aer") else []
    assert list(list_installed()) == expected


def test_devices_offer_names_that_exist() -> None:
    known = {"statevector", "clifford", "qsim", "aer-mps"}
    for device in devices.built_in():
        assert set(device.spec.engines) <= known


@pytest.mark.parametrize("engine", ["statevector", "qsim", "aer-mps", ""])
def test_small_ideal_circuits_run_everywhere(engine: str) -> None:
    assert ask(ONE, engine) is None


def test_clifford_wants_clifford_circuits_and_pauli_noise() -> None:
    assert ask(CLIFFORD, "clifford") is None
    assert ask(CLIFFORD, "clifford", PAULIS) is None
    assert ask(BRANCHED, "clifford") is None
    for summary, noise in ((ONE, None), (CLIFFORD, DAMPED), (BRANCHED, PAULIS)):
        assert "Clifford" in (ask(summary, "clifford", noise) or "")


DAMPING = GateNoise(amplitude_damping=0.1)
LASTING = GateNoise(duration_s=1.0)


@pytest.mark.parametrize(
    ("noise", "is_damped"),
    [
        ({"one_qubit": LASTING}, False),
        ({"one_qubit": LASTING, "relaxation": Relaxation(t1_s=9.0)}, True),
        ({"one_qubit": LASTING, "relaxation": Relaxation(t1_s=9.0, relaxes_to="mixed")}, False),
        ({"one_qubit": LASTING, "relaxation_of": {4: Relaxation(t1_s=9.0)}}, True),
        ({"relaxation": Relaxation(t1_s=9.0)}, False),
        ({"multi_qubit": DAMPING}, True),
        ({"sites": (SiteNoise(qubits=(1,), default=DAMPING),)}, True),
        ({"sites": (SiteNoise(qubits=(1, 2), default=LASTING, gates={"cx": DAMPING}),)}, True),
        ({"sites": (SiteNoise(qubits=(1, 2), default=LASTING, multi_qubit=DAMPING),)}, True),
    ],
)
def test_damping_anywhere_is_none_of_cliffords(noise: dict[str, Any], is_damped: bool) -> None:
    objects = ask(CLIFFORD, "clifford", NoiseModel(name="", source="", **noise)) is not None
    assert objects == is_damped


@pytest.mark.parametrize("engine", ["qsim", "aer-mps"])
def test_two_engines_take_ideal_circuits_that_measure_at_their_end(engine: str) -> None:
    assert ask(ONE, engine, PAULIS) == "it does not simulate noise"
    for summary in (SPLIT, BRANCHED):
        assert "measure at their end" in (ask(summary, engine) or "")
        assert ask(summary, "statevector", PAULIS) is None


def test_single_precision_gives_no_probabilities() -> None:
    exact = ("counts", "probabilities")
    assert "no probabilities" in (ask(ONE, "qsim", outputs=exact) or "")
    assert ask(ONE, "aer-mps", outputs=exact) is None


def test_bonds_have_a_bound() -> None:
    def summary(bits: int) -> Summary:
        return Summary("qubit", 1, 60, 60, 60, n_bond_bits=bits)

    assert ask(summary(MAX_BOND_BITS), "aer-mps") is None
    assert "a bond dimension above 1024" in (ask(summary(MAX_BOND_BITS + 1), "aer-mps") or "")
