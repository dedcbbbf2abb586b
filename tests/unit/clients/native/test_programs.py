"""What is taken as a program, and what goes out for it. Circuits are the contract suite's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwicket.clients.native import ClientError
from qwicket.clients.native.programs import read

QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\n'
QASM3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\n'
IONQ: dict[str, Any] = {"gateset": "qis", "qubits": 1, "circuit": [{"gate": "h", "target": 0}]}


@pytest.mark.parametrize("text", [QASM2, QASM3, "no program at all", "{}", "", " ", "a;b", "x\0y"])
def test_a_text_is_sent_as_it_is(text: str) -> None:
    assert read(text) == (text, None)


def test_a_document_is_sent_as_it_is() -> None:
    assert read(IONQ) == (IONQ, None)
    assert read(IONQ, "ionq.circuit.v1") == (IONQ, "ionq.circuit.v1")


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("bell.qasm", None),
        ("bell.qasm2", "openqasm2"),
        ("bell.QASM3", "openqasm3"),
        ("gbs.xbb", "blackbird"),
        ("bell", None),
    ],
)
def test_a_path_is_read_and_its_suffix_gives_the_format(
    tmp_path: Path, name: str, format_name: str | None
) -> None:
    path = tmp_path / name
    path.write_text(QASM3, "utf-8-sig")
    assert read(path) == read(str(path)) == (QASM3, format_name)
    assert read(path, "blackbird") == (QASM3, "blackbird")


@pytest.mark.parametrize("as_text", [True, False])
def test_a_missing_path_is_reported(as_text: bool, tmp_path: Path) -> None:
    path = tmp_path / "none.qasm"
    with pytest.raises(ClientError, match=r"none\.qasm' cannot be read: No such file"):
        read(str(path) if as_text else path)


def test_a_file_of_other_bytes_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.qasm").write_bytes(b"\xff\xff")
    with pytest.raises(ClientError, match="not UTF-8 text"):
        read(tmp_path / "a.qasm")


def test_a_list_becomes_a_batch_each_in_its_own_format(tmp_path: Path) -> None:
    (tmp_path / "x.qasm").write_text(QASM2)
    commented = f"// OPENQASM 3.0;\n{QASM2}"
    programs = [QASM2, QASM3, commented, IONQ, json.dumps(IONQ), tmp_path / "x.qasm", "x q;"]
    source, name = read(programs)
    assert name == "batch"
    assert all("format" not in member for member in source)  # the server detects it
    assert source[0]["source"] == QASM2
    assert json.loads(source[3]["source"]) == IONQ


def test_members_of_a_batch_are_sent_as_they_are() -> None:
    member = {"format": "openqasm3", "source": QASM3}
    assert read([member], "batch") == ([member], "batch")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ([], "list of programs is empty"),
        ([[QASM2]], "cannot contain a list"),
        ([{"angle": float("nan")}], "cannot be encoded as JSON"),
        (5, "program cannot be a builtins.int"),
        (None, "program cannot be a builtins.NoneType"),
        (b"OPENQASM 3.0;", "program cannot be a builtins.bytes"),
    ],
)
def test_what_is_no_program_is_refused(program: Any, said: str) -> None:
    with pytest.raises(ClientError, match=said):
        read(program)


def test_a_text_that_begins_with_the_home_of_nobody_is_sent_as_it_is() -> None:
    assert read("~nobody-of-this-name/bell.qasm") == ("~nobody-of-this-name/bell.qasm", None)
