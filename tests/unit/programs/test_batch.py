"""The format `batch`: several programs, each one circuit, under limits that all share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwicket import programs
from qwicket.circuits.qubit import unpack
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs import batch

pytestmark = pytest.mark.needs_vendors


QASM3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nx q[0];\nc = measure q;\n'
QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\ncreg c[1];\nmeasure q -> c;\n'
IONQ = json.dumps({"qubits": 3, "circuit": [{"gate": "h", "target": 0}]})
ALL = (("openqasm3", QASM3), ("openqasm2", QASM2), ("ionq.circuit.v1", IONQ))


def source(*members: tuple[str, str]) -> bytes:
    return batch.write(tuple([batch.Member(format=name, source=text) for name, text in members]))


def read(text: bytes | Any, limits: Limits | None = None) -> Any:
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    return programs.read("batch", text, limits or Limits())


def test_each_program_becomes_one_circuit_in_its_order() -> None:
    checked = read(source(*ALL))
    circuits = unpack(checked.circuits)
    assert [circuit.n_qubits for circuit in circuits] == [2, 1, 3]
    assert circuits[0] == unpack(programs.read("openqasm3", QASM3.encode(), Limits()).circuits)[0]
    assert checked.summary.n_circuits == 3
    assert checked.summary.n_qubits == 3


def test_a_batch_is_read_back_as_it_was_written() -> None:
    expected = tuple([batch.Member(format=name, source=text) for name, text in ALL])
    assert batch.members(source(*ALL), programs.guess_format) == expected


def test_a_program_without_a_format_has_the_one_that_is_detected() -> None:
    texts = [{"source": text} for _, text in ALL]
    without = json.dumps(texts).encode()
    found = batch.members(without, programs.guess_format)
    assert [each.format for each in found] == [name for name, _ in ALL]
    assert read(without) == read(source(*ALL))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ([], "no programs"),
        ({}, "must be a list"),
        ([{"format": "openqasm3"}], "source is missing"),
        ([{"format": "qobj", "source": "{}"}], "program 0: format 'qobj' is not one of"),
        ([{"format": "batch", "source": "[]"}], "program 0: format 'batch' is not one of"),
        (
            [{"format": "openqasm2", "source": QASM2}, {"format": "openqasm3", "source": "x"}],
            "program 1: line 1",
        ),
        (
            [
                {
                    "format": "ionq.circuit.v1",
                    "source": json.dumps({"qubits": 1, "circuits": [{"circuit": []}] * 2}),
                }
            ],
            "program 0 has 2 circuits",
        ),
        (b"[" * 100_000, "must be an object"),
        (b"\xff", "UTF-8"),
    ],
)
def test_a_refusal_says_which_program(text: Any, why: str) -> None:
    with pytest.raises(InvalidProgram) as refusal:
        read(text)
    assert why in refusal.value.detail


@pytest.mark.parametrize(
    ("limit", "value"), [("circuits", 2), ("operations", 6), ("program_json_bytes", 100)]
)
def test_limits_hold_for_all_programs_together(limit: str, value: int) -> None:
    with pytest.raises(LimitExceeded, match=limit):
        read(source(*ALL), Limits.from_names(**{limit: value}))


def test_inputs_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        programs.read("batch", source(*ALL), Limits(), {"theta": 1.0})
