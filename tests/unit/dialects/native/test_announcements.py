"""Errors of announced devices: the field, what it may be, and its value."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qwicket.dialects import needs_of_dialects
from qwicket.dialects.native import lab_wire
from qwicket.gateway.announcements import check_announced
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits

LIMITS = Limits()
SPEC: dict[str, Any] = {"description": "A bench", "qubits": 5, "formats": ["openqasm3"]}


def announce(document: object, name: str = "lab5") -> None:
    body = lab_wire.announcement(msgspec.json.encode(document), LIMITS)
    sent = needs_of_dialects(body.family)
    check_announced(name, body.family, body.dialects, body.spec, LIMITS, sent)


def of(family: str = "qubit", dialects: object = (), **spec: object) -> dict[str, object]:
    return {"family": family, "dialects": dialects, "spec": {**SPEC, **spec}}


ATOMS = {"version": "1", "kind": "spin", "gates": []}


@pytest.mark.needs_vendors
@pytest.mark.parametrize(
    ("document", "field", "said"),
    [
        (of("qudit"), "family", 'family must be one of atoms, photonic, qubit, not "qudit".'),
        (
            of("x" * 5_000),
            "family",
            f'family must be one of atoms, photonic, qubit, not "{"x" * 98}….',
        ),
        (of(qubits="five"), "spec.qubits", 'spec.qubits must be a whole number, not "five".'),
        (of(qubits=None), "spec.qubits", "spec.qubits must be a whole number, not null."),
        (of(gates="rz"), "spec.gates", 'spec.gates must be a list, not "rz".'),
        (of(gates=["rz", 3]), "spec.gates[1]", "spec.gates[1] must be a text, not 3."),
        (of(gats=["rz"]), "spec.gats", "There is no field spec.gats. Did you mean gates?"),
        ({"family": "qubit", "spec": {}}, "spec.description", "spec.description is missing."),
        (of(dialects=3), "dialects", "dialects must be a list, not 3."),
        (
            of("atoms", atoms={**ATOMS, "kind": "spinn"}),
            "spec.atoms.kind",
            'spec.atoms.kind must be one of boson, fermion, mixed, spin, not "spinn".',
        ),
        (
            of("photonic", photonic={"modes": 1, "since": "yesterday"}),
            "spec.photonic.since",
            'spec.photonic.since must be a time such as 2026-01-31T12:00:00Z, not "yesterday".',
        ),
        ([], None, "The body must be an object, not a list."),
        (
            of(qubits=0),
            "qubits",
            "qubits must be 1 to 5000 (limit clifford_qubits), not 0.",
        ),
        (of(shot_s=1e9), "shot_s", "shot_s must be 0 to 300 (limit run_time_s), not 1e+09."),
        (
            of(outputs=["samples"]),
            "outputs",
            "outputs: each may be one of counts, memory, probabilities, once; not 'samples'.",
        ),
        (
            of(dialects=["xanadu"]),
            "dialects",
            "dialects: a lab's device of the family qubit may have ibm, ionq, iqm, native, qbraid,"
            " runtime, not 'xanadu'.",
        ),
        (
            of(dialects=["native", "qbraid", "braket"]),
            "dialects",
            "dialects: a lab's device of the family qubit may have ibm, ionq, iqm, native, qbraid,"
            " runtime, not 'braket'.",
        ),
        (
            of(dialects=["native", "qbraid", "ibm"]),
            "dialects",
            "dialects: clients of 'ibm' send qobj, which the device does not read: add it to"
            " formats, or leave 'ibm' out.",
        ),
        (
            of(dialects=["ionq"], formats=["openqasm2"]),
            "dialects",
            "dialects: clients of 'ionq' send openqasm3 or qir or ionq.circuit.v1, which the device"
            " does not read: add it to formats, or leave 'ionq' out.",
        ),
        (
            of(dialects=["runtime"]),
            "dialects",
            "dialects: clients of 'runtime' send qiskit.primitives, which the device does not read:"
            " add it to formats, or leave 'runtime' out.",
        ),
        (
            of(dialects=["runtime"], formats=["qiskit.primitives"]),
            "dialects",
            "dialects: clients of 'runtime' request memory, which the device does not return: add"
            " it to outputs, or leave 'runtime' out.",
        ),
        (
            of(dialects=["ionq"]),
            "dialects",
            "dialects: clients of 'ionq' request probabilities, which the device does not return:"
            " add it to outputs, or leave 'ionq' out.",
        ),
        (
            of("atoms", ["qbraid"], formats=["qlued.lab"], outputs=["samples"]),
            "dialects",
            "dialects: a lab's device of the family atoms may have native, qlued, not 'qbraid'.",
        ),
        (of(exact=True), "exact", "exact is only for simulators; leave it out."),
        (
            of(gates=["g" * 300]),
            "gates",
            f"gates: '{'g' * 100}' has 300 characters; 255 are allowed, all printable (limit"
            " name_chars).",
        ),
        (
            of(gates=["rz"] * 257),
            "gates",
            "gates: the spec names 257 gates, 256 are allowed (limit device_gates).",
        ),
        (
            of(qubits=5_000, gates=[f"gate {k}" for k in range(27)]),
            "gates",
            "gates: 27 gates times 5000 qubits are 135000, 131072 are allowed (limit"
            " device_gate_qubits).",
        ),
        (of(gates=["rz", "cx", "rz"]), "gates", "gates: 'rz' is named 2 times."),
        (
            of(description="d" * 140_000),
            "spec",
            "spec has 140288 bytes, 131072 are allowed (limit device_bytes).",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_it_may_be(
    document: object, field: str | None, said: str
) -> None:
    with pytest.raises((InvalidRequest, LimitExceeded)) as refused:
        announce(document)
    assert (refused.value.detail, refused.value.field) == (said, field)


@pytest.mark.needs_vendors
@pytest.mark.parametrize(
    ("dialects", "formats"),
    [
        (["native"], ["openqasm3"]),
        (["qbraid", "ionq"], ["openqasm3"]),
        (["ionq", "ibm", "qbraid"], ["ionq.circuit.v1", "qobj"]),
    ],
)
def test_a_dialect_whose_clients_can_submit_to_the_device_is_taken(
    dialects: list[str], formats: list[str]
) -> None:
    announce(of(dialects=dialects, formats=formats, outputs=["counts", "probabilities"]))


def test_a_name_that_cannot_be_one_is_shown() -> None:
    with pytest.raises(InvalidRequest, match="begin with a letter or digit; not '-lab'"):
        announce(of(), "-lab")


def test_malformed_json_is_reported_with_its_position() -> None:
    with pytest.raises(InvalidRequest, match="The body is not valid JSON"):
        lab_wire.announcement(b"{", LIMITS)


def test_a_calibration_has_the_same_errors() -> None:
    with pytest.raises(InvalidRequest, match='readout_s must be a number, not "slow"'):
        lab_wire.calibration(b'{"readout_s": "slow"}', LIMITS)
    for field, value, said in (
        ("source", "s" * 1_001, "source must .*1000"),
        ("connectivity", [[0, 1]] * 10_001, "connectivity must .*10000"),
    ):
        with pytest.raises(InvalidRequest, match=said) as refused:
            lab_wire.calibration(msgspec.json.encode({field: value}), LIMITS)
        assert refused.value.field == field
