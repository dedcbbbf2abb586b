from __future__ import annotations

from typing import Any

import pytest

from qwicket.vendors.ionq.client import Circuit, IonQClientError, Job, NativeCircuit
from qwicket.vendors.ionq.client.jobs import body_of

BELL = Circuit(2, name="bell").h(0).cnot(0, 1)
GATES = [{"gate": "h", "targets": [0]}, {"gate": "x", "targets": [1], "controls": [0]}]


def test_a_job_of_one_circuit_has_the_shape_of_v04() -> None:
    job = Job(circuit=BELL, backend="qpu.aria-1", shots=200, name="Bell", metadata={"a": "1"})
    assert body_of(job, is_v03=False) == {
        "type": "ionq.circuit.v1",
        "backend": "qpu.aria-1",
        "shots": 200,
        "name": "Bell",
        "metadata": {"a": "1"},
        "input": {"gateset": "qis", "qubits": 2, "circuit": GATES},
    }


def test_a_job_of_one_circuit_has_the_shape_of_v03() -> None:
    job = Job(circuit=BELL, backend="qpu.aria-1", shots=200, name="Bell", metadata={"a": "1"})
    assert body_of(job, is_v03=True) == {
        "target": "qpu.aria-1",
        "shots": 200,
        "name": "Bell",
        "metadata": {"a": "1"},
        "input": {"format": "ionq.circuit.v0", "gateset": "qis", "qubits": 2, "circuit": GATES},
    }


def test_a_job_of_several_circuits_is_as_wide_as_the_widest() -> None:
    wide = Circuit(5).h(4)
    body = Job(circuit=[BELL, wide]).body(is_v03=False)
    assert body["type"] == "ionq.multi-circuit.v1"
    assert body["input"] == {
        "gateset": "qis",
        "qubits": 5,
        "circuits": [{"name": "bell", "circuit": GATES}, {"circuit": wide.gates}],
    }


def test_options_are_sent_where_each_version_looks_for_them() -> None:
    job = Job(
        circuit=BELL,
        noise="aria-1",
        seed=7,
        debiasing=True,
        settings={"compilation": {"opt": 1}, "error_mitigation": {"symmetry_verification": True}},
        session_id="s",
        dry_run=True,
    )
    new, old = job.body(is_v03=False), job.body(is_v03=True)
    for body in (new, old):
        assert body["noise"] == {"model": "aria-1", "seed": 7}
        assert (body["session_id"], body["dry_run"]) == ("s", True)
    mitigation = {"symmetry_verification": True, "debiasing": True}
    assert new["settings"] == {"compilation": {"opt": 1}, "error_mitigation": mitigation}
    assert "error_mitigation" not in new
    assert old["error_mitigation"] == {"debias": True}


@pytest.mark.parametrize("job", [BELL, [BELL], (BELL, BELL)])
def test_circuits_alone_run_on_the_simulator(job: Any) -> None:
    assert body_of(job, is_v03=False)["backend"] == "simulator"


def test_a_dict_is_sent_as_it_is() -> None:
    body = {"anything": [1]}
    assert body_of(body, is_v03=False) is body


@pytest.mark.parametrize("circuits", [[], [BELL, NativeCircuit(1).gpi(0, 0.0)]])
def test_circuits_of_one_job_have_one_gateset(circuits: Any) -> None:
    with pytest.raises(IonQClientError, match="all of one gateset"):
        Job(circuit=circuits).body(is_v03=False)


@pytest.mark.parametrize("thing", [None, 5, "OPENQASM 3;", b"{}", [5], object(), {1}])
def test_what_is_no_job_is_refused_by_its_kind(thing: Any) -> None:
    with pytest.raises(IonQClientError, match=f"cannot be a {type(thing).__name__}"):
        body_of(thing, is_v03=False)
