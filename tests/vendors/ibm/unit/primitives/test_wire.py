"""What is packed in a document: bombs, pickles and broken files end in a refusal, at once."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.summary import Checked
from qwicket.compute import ForkServer, MemoryLimitExceeded, Pool, WorkerDied
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs import Refusal
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.limits import PrimitiveLimits
from support import pubs
from support.for_each import for_each

LIMITS = Limits()


class Trap:
    """Unpickling it would be heard of."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('unpickled')",))


def header(shape: str, descr: str = "'<f8'", order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    padded = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Trap()], dtype=object), allow_pickle=True)
    return file.getvalue()


BOMB = zlib.compress(bytes(80 << 20))
PACKED: dict[str, Any] = {
    "bomb": base64.b64encode(BOMB).decode(),
    "no base64": "!!!!",
    "no zlib": base64.b64encode(b"hello").decode(),
    "cut off": base64.b64encode(zlib.compress(b"x" * 10_000)[:-20]).decode(),
    "empty": "",
    "not ASCII": "\u2603",
    "number": 5,
    "nothing": None,
    "list": [1, 2],
    "object": {"__type__": "ndarray", "__value__": "x"},
    "nothing in it": pubs.packed(b""),
    "a pickle": pubs.packed(pickle.dumps(Trap())),
}
NPY: dict[str, bytes] = {
    "pickled objects": pickled(),
    "giant": header("(1000000000000,)"),
    "giant without bytes": header("(1000000000000000000000, 0)"),
    "giant last": header("(0, 1000000000000000000000)"),
    "giant without sets": header("(0, 1000000000000000000000, 1)"),
    "negative": header("(-1, 8)") + bytes(64),
    "no shape": header("()") + bytes(8),
    "too few": header("(3,)") + bytes(16),
    "too many": header("(3,)") + bytes(32),
    "sizes of too many digits": header(f"({10**4_200}, {10**4_200}, 1)"),
    "40 axes": header("(" + "1," * 40 + ")") + bytes(8),
    "text": header("(1,)", "'<U2'") + bytes(8),
    "complex": header("(1,)", "'<c16'") + bytes(16),
    "structured": header("(1,)", "[('a', '<f8')]") + bytes(8),
    "code": header("(__import__('os').getpid(),)") + bytes(8),
    "brackets": header("(" * 5_000),
    "not a number": pubs.npy_bytes([np.nan]),
    "infinite": pubs.npy_bytes([np.inf]),
    "version 9": b"\x93NUMPY\x09\x00" + bytes(100),
    "cut": pubs.npy_bytes([1.0])[:20],
    "other bytes": b"PK\x03\x04" + bytes(50),
}
GOOD = pubs.qpy_bytes(pubs.bell())


def twice(data: bytes) -> bytes:
    return data[:10] + (2).to_bytes(8, "big") + data[18:]


QPY: dict[str, bytes] = {
    "nothing": b"",
    "head alone": GOOD[:18],
    "cut": GOOD[:-7],
    "no magic": b"QISKEY" + GOOD[6:],
    "two programs": twice(GOOD),
    "no program": GOOD[:10] + bytes(8) + GOOD[18:],
    "most programs": GOOD[:10] + b"\xff" * 8 + GOOD[18:],
    "zeros": GOOD[:18] + bytes(10_000),
    "ones": GOOD[:18] + b"\xff" * 10_000,
    "a pickle": GOOD[:18] + pickle.dumps(Trap()),
}


def refused(*entries: Any, program: str = "sampler", limits: Limits = LIMITS) -> str:
    source = json.dumps(
        {"program": program, "params": {"pubs": [list(entries)], "version": 2}}
    ).encode()
    with pytest.raises((InvalidProgram, LimitExceeded)) as refusal:
        primitives.read(source, limits)
    return str(refusal.value.detail)


@for_each("value", PACKED.values())
def test_a_circuit_that_is_no_packed_one_is_refused(value: Any) -> None:
    assert "pubs[0]" in refused(pubs.typed("QuantumCircuit", value)) or "unpacked_bytes" in refused(
        pubs.typed("QuantumCircuit", value)
    )


@for_each("value", PACKED.values())
def test_an_array_that_is_no_packed_one_is_refused(value: Any) -> None:
    said = refused(pubs.circuit(pubs.bell()), pubs.typed("ndarray", value))
    assert "pubs[0].values" in said or "unpacked_bytes" in said


@for_each("data", NPY.values())
def test_a_hostile_array_is_refused(data: bytes) -> None:
    said = refused(pubs.circuit(pubs.bell()), pubs.typed("ndarray", pubs.packed(data)))
    assert "pubs[0].values" in said or "(limit" in said or "above the limit" in said


@for_each("data", QPY.values())
def test_a_hostile_circuit_is_refused(data: bytes) -> None:
    assert "pubs[0]" in refused(pubs.typed("QuantumCircuit", pubs.packed(data)))


@for_each("kind", ["settings", "_json", "Instruction", "spmatrix", "ndarray", "x"])
def test_no_other_type_is_ever_decoded(kind: str) -> None:
    value = {"__module__": "os", "__class__": "system", "__value__": {"command": "true"}}
    said = refused({"__type__": kind, **value})
    assert "must be a QuantumCircuit" in said


def test_bombs_count_together() -> None:
    one = pubs.typed("QuantumCircuit", pubs.packed(GOOD[:18] + bytes(100_000)))
    entry = [pubs.circuit(pubs.bell()), None, None]
    source = pubs.source("sampler", entry, entry, [one])
    with pytest.raises(LimitExceeded, match="unpacked_bytes"):
        primitives.read(source, Limits(own=(PrimitiveLimits(unpacked_bytes=50_000),)))


@pytest.fixture(scope="module")
def parser() -> Iterator[Pool]:
    """A parser process: some files make Qiskit's Rust code abort the process that reads them."""
    fork_server = ForkServer("qwicket.programs:warm_up")
    maximum = LIMITS.parsing.parse_memory_bytes
    with closing(Pool(1, fork_server=fork_server, memory_bytes=maximum)) as it:
        yield it


@settings(max_examples=60)
@given(st.binary(max_size=400), st.integers(18, 200), st.booleans())
def test_broken_qpy_raises_nothing_else(parser: Pool, noise: bytes, at: int, is_cut: bool) -> None:
    data = GOOD[:at] + noise + (b"" if is_cut else GOOD[at + len(noise) :])
    source = pubs.source("sampler", [pubs.typed("QuantumCircuit", pubs.packed(data)), None, 1])
    bases: dict[str, float] = {}
    call = ("qwicket.programs:read_in_parser", "qiskit.primitives", source, LIMITS, bases)
    task = parser.submit(*call, timeout_s=30, returns=Checked | Refusal)
    try:
        answer = task.future.result()
    except (WorkerDied, MemoryLimitExceeded):
        return
    assert isinstance(answer, Checked | Refusal)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "pubs is missing"),
        ({"pubs": []}, "version must be 2, not 1"),
        ({"pubs": [], "version": 2}, "pubs is empty"),
        ({"pubs": [[]], "version": 2}, r"pubs\[0\]: takes circuit, values, shots"),
        ({"pubs": [5], "version": 2}, r"pubs\[0\]: must be a list"),
        ({"pubs": [{}], "version": 2}, r"pubs\[0\]: must be a list"),
        ({"pubs": [[1, 2, 3, 4]], "version": 2}, r"pubs\[0\]: takes"),
        ({"pubs": [[1]], "version": 3}, "version must be 2, not 3"),
        ({"pubs": [[1]], "version": 2, "options": 5}, "options must be"),
        (
            {"pubs": [[1]], "version": 2, "options": {"execution": {"meas_type": "kerneled"}}},
            "meas_type",
        ),
        (
            {"pubs": [[1]], "version": 2, "options": {"simulator": {"noise_model": {}}}},
            "noise models are not supported",
        ),
    ],
)
def test_a_document_that_makes_no_sense_says_where(params: Any, said: str) -> None:
    source = json.dumps({"program": "sampler", "params": params}).encode()
    with pytest.raises(InvalidProgram, match=said):
        primitives.read(source, LIMITS)


def test_what_a_document_says_of_its_job_needs_no_qiskit() -> None:
    source = pubs.source("estimator", [1, 2], simulator={"seed_simulator": 4}, resilience_level=1)
    assert primitives.settings(source) == ("estimator", 4)


def test_shapes_need_no_circuit() -> None:
    entry = [
        pubs.typed("QuantumCircuit", "not read"),
        [[{"Z": 1}]],
        pubs.array(np.zeros((3, 1))),
        0.1,
    ]
    (shape,) = primitives.shapes(pubs.source("estimator", entry), LIMITS)
    assert shape == primitives.Shape((3,), (1, 1), 100, 0.1)
    assert primitives.broadcast(shape, LIMITS).shape == (1, 3)
