"""The registry of formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwicket import programs
from qwicket.circuits import photonic
from qwicket.circuits.qubit import Gate, Measure, unpack
from qwicket.circuits.summary import Summary
from qwicket.model.errors import InvalidProgram, InvalidRequest
from qwicket.model.limits import Limits

pytestmark = pytest.mark.needs_vendors


SOURCE = b"""{"qubits": 3, "circuits": [
    {"circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}]},
    {"circuit": [{"gate": "xx", "targets": [0, 2], "rotation": 1}]}
]}"""


def test_read_sums_a_program_up_and_packs_it() -> None:
    checked = programs.read("ionq.circuit.v1", SOURCE, Limits())
    assert checked.summary == Summary(
        *("qubit", 2, 3, 1, 2),
        n_active=2,
        n_clbits=3,
        n_bond_bits=1,
        n_bond_steps=4,
        n_operands=2,
    )
    first, second = unpack(checked.circuits)
    assert first.ops[0] == Gate("h", (0,))
    assert second.ops[0] == Gate("rxx", (0, 2), (1.0,))
    assert second.ops[1:] == (Measure(0, 0), Measure(1, 1), Measure(2, 2))


def test_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest) as caught:
        programs.read("punched cards", SOURCE, Limits())
    assert not isinstance(caught.value, InvalidProgram)
    assert caught.value.field == "format"
    known = ", ".join(sorted(programs.FORMATS))
    assert caught.value.detail == f"format 'punched cards' is not known; known: {known}"


def test_the_page_says_which_formats_are_never_parsed_in_the_server() -> None:
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()
    assert "- QPY, QIR, batches, estimations and Blackbird are parsed by [parser proc" in page
    assert "So are other programs over 4 kB" in page
    sizes = {name: known.inline_bytes for name, known in programs.FORMATS.items()}
    never = {"qiskit.primitives", "batch", "estimation", "blackbird", "braket.openqasm3", "qir"}
    assert {name for name, size in sizes.items() if size == 0} == never
    assert {size for name, size in sizes.items() if name not in never} == {4096}


def test_every_format_is_listed_under_its_name() -> None:
    assert "ionq.circuit.v1" in programs.FORMATS
    for name, known in programs.FORMATS.items():
        assert known.name == name
        assert known.version >= 1
        assert known.inline_bytes >= 0


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (SOURCE, "ionq.circuit.v1"),
        (b"{}", "ionq.circuit.v1"),
        (b' {"qobj_id": "a", "header": {}, "config": {}}', "qobj"),
        (b'{"experiments": [{"instructions": []}], "type": "QASM"}', "qobj"),
        (b"OPENQASM 2.0; qreg q[1];", "openqasm2"),
        (b"OPENQASM 3; qubit q;", "openqasm3"),
        (b"; ModuleID = 'a'\nsource_filename = \"a\"\n", "qir"),
        (b"define void @f() {\n  call void @__quantum__qis__h__body(ptr null)\n", "qir"),
        (b"BC\xc0\xde5\x14\0\0", "qir"),
        (b"QkPA3jUUAAAFAAAA", "qir"),
    ],
)
def test_format_is_guessed_from_the_beginning(source: bytes, name: str) -> None:
    assert programs.guess_format(source) == name


@pytest.mark.parametrize("name", ["blackbird", "ionq.circuit.v1", "qobj", "qlued.fermions"])
def test_formats_without_inputs_take_none(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"inputs: {name} has no inputs") as caught:
        programs.read(name, SOURCE, Limits(), {"theta": 1.0})
    assert caught.value.field == "inputs"


def test_registry_cannot_be_changed() -> None:
    known = programs.FORMATS["ionq.circuit.v1"]
    with pytest.raises(TypeError):
        programs.FORMATS["other"] = known  # type: ignore[index]  # on purpose


def test_blackbird_ends_in_photonic_circuits() -> None:
    checked = programs.read("blackbird", b"S2gate(1) | [0, 1]\nMeasureFock | [0, 1]", Limits())
    assert checked.summary.family == "photonic"
    (circuit,) = photonic.unpack(checked.circuits)
    assert circuit.ops[0] == photonic.Gate("S2gate", (0, 1), (1.0, 0.0))
