"""Values of the wrong kind: refused by their place, in our words."""

from __future__ import annotations

import pytest

from vendors.ibm.unit.qobj.documents import experiment, refusal, source

INSTRUCTION = "experiments[1].instructions[1]"


@pytest.mark.parametrize(
    ("instruction", "text", "field"),
    [
        ({"qubits": [0]}, f"{INSTRUCTION}: name is missing", "name"),
        ({"name": 5}, f"{INSTRUCTION}: name must be text, not an integer", "name"),
        ({"name": "h", "qubits": 0}, "(h): qubits must be a list, not an integer", "qubits"),
        (
            {"name": "h", "qubits": [0, "1"]},
            "(h): qubits[1] must be an integer, not text",
            "qubits[1]",
        ),
        (
            {"name": "h", "qubits": [0.5]},
            "(h): qubits[0] must be an integer, not a number",
            "qubits[0]",
        ),
        ({"name": "h", "qubits": [2**63]}, "(h): qubits[0] is out of range", "qubits[0]"),
        ({"name": "h", "params": 1}, "(h): params must be a list, not an integer", "params"),
        (
            {"name": "rx", "params": [{}]},
            "(rx): params[0] must be a number or text or a list, not an object",
            "params[0]",
        ),
        (
            {"name": "rx", "params": [None]},
            "(rx): params[0] must be a number or text or a list, not null",
            "params[0]",
        ),
        (
            {"name": "a b", "params": [[[["x"]]]]},
            "('a b'): params[0][0][0][0] must be a number, not text",
            "params[0][0][0][0]",
        ),
        (
            {"name": "measure", "memory": "0"},
            "(measure): memory must be an integer or a list, not text",
            "memory",
        ),
        (
            {"name": "x", "conditional": [1]},
            "(x): conditional must be an integer, not a list",
            "conditional",
        ),
        ({"name": "bfunc", "mask": 3}, "(bfunc): mask must be text, not an integer", "mask"),
    ],
)
def test_instruction_of_a_wrong_kind_is_refused_by_its_place(
    instruction: object, text: str, field: str
) -> None:
    said, at = refusal(source(experiment(), experiment({"name": "h", "qubits": [0]}, instruction)))
    assert said == (text if text.startswith("exp") else f"{INSTRUCTION} {text}")
    assert at == f"{INSTRUCTION}.{field}"


@pytest.mark.parametrize(
    ("text", "said", "field"),
    [
        (b"[]", "the program must be an object, not a list", None),
        (source(experiments={}), "experiments must be a list, not an object", "experiments"),
        (source(5), "experiments[0]: experiments[0] must be an object, not an integer", None),
        (source({}), "experiments[0]: instructions is missing", "experiments[0].instructions"),
        (source(experiment(), config=[]), "config must be an object, not a list", "config"),
        (source(experiment(), header=3), "header must be an object, not an integer", "header"),
        (
            source(experiment(), config={"shots": "10"}),
            "shots must be an integer, not text",
            "config.shots",
        ),
        (
            source(experiment() | {"config": {"n_qubits": 1.5}}),
            "experiments[0]: n_qubits must be an integer, not a number",
            "experiments[0].config.n_qubits",
        ),
        (
            source({"instructions": ["h"]}),
            "experiments[0].instructions[0]: instructions[0] must be an object, not text",
            "experiments[0].instructions[0]",
        ),
        (b'{"experiments": ' + b"[" * 100_000, "experiments[0]: experiments[0] must be an", None),
        (b'{"extra": ' + b"[" * 100_000, "the program is nested too deeply", None),
        (b'{"qobj_id": "a\\u0000"}', "the program has NUL characters", None),
        (b'{"qobj_id": "\xff"}', "the program is not UTF-8 at byte 13", None),
        (b'{"qobj_id": 1', "qobj_id must be text, not an integer", "qobj_id"),
        (b"{", "the program is not JSON: ", None),
    ],
)
def test_document_of_a_wrong_kind_is_refused(text: bytes, said: str, field: str | None) -> None:
    found, at = refusal(text)
    assert found.startswith(said)
    assert field is None or at == field


def test_an_error_in_the_first_of_two_lists_of_experiments_has_a_place() -> None:
    wrong = source(experiment({"name": "h", "qubits": 0})).decode()
    text = wrong.removesuffix("}") + ', "experiments": []}'
    detail, _field = refusal(text.encode())
    assert detail.startswith("experiments[0].instructions[0]: ")
