"""Metadata of circuits: read as Qiskit wrote them, or not at all."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from qwicket.model.errors import LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives.circuit_metadata import read
from qwicket.vendors.ibm.primitives.circuits import VERSIONS
from support import pubs
from support.for_each import for_each

NESTED = {"name": "Größe ↯", "nested": [{"x": [1, None, 0.5]}, True, 10**30], "surrogate": "\ud800"}
ALL = 1 << 30
GOOD = pubs.qpy_bytes(pubs.bell())


def qpy(metadata: Any, version: int = 17, name: str = "") -> bytes:
    circuit = pubs.bell()
    circuit.metadata = metadata
    circuit.name = name
    return pubs.qpy_bytes(circuit, version)


@for_each("version", VERSIONS)
def test_metadata_are_those_that_qiskit_wrote(version: int) -> None:
    for name in ("", "Größe", "n" * 60_000):
        found = read(pubs.packed(qpy(NESTED, version, name)), ALL)
        assert json.loads(found) == NESTED
        assert found.isascii()


def test_values_that_json_lacks_become_null() -> None:
    values = {"T1": float("nan"), "T2": [float("inf"), -float("inf")]}
    assert json.loads(read(pubs.packed(qpy(values)), ALL)) == {"T1": None, "T2": [None, None]}


@for_each(
    "data",
    [
        b"",
        GOOD[:10],
        GOOD[:60],
        bytes(1_000),
        b"\xff" * 1_000,
        qpy({"key": "value"}).replace(b'{"key":"value"}', b'{"key" "value"}'),
        qpy({"key": "value"}).replace(b'{"key":"value"}', b'["key","value"]'),
        qpy({"key": "value"}).replace(b'"value"', b"1e99999"),
        qpy({"key": "value"}).replace(b'"value"', b'"\xff\xff\xff\xff\xff"'),
        qpy({"key": "[" * 20_000}).replace(b'"' + b"[" * 20_000 + b'"', b"[" * 20_002),
    ],
)
def test_malformed_metadata_are_empty(data: bytes) -> None:
    assert read(pubs.packed(data), ALL) == b"{}"


def test_a_text_that_is_not_packed_has_none() -> None:
    for text in ("", "!", "é", base64.b64encode(b"hello").decode()):
        assert read(text, ALL) == b"{}"


def test_no_more_is_unpacked_than_the_limit() -> None:
    packed = pubs.packed(qpy({"text": "x" * 200_000}))
    assert len(read(packed, ALL)) > 200_000
    assert read(packed, 150_000) == b"{}"


def test_metadata_that_pack_well_count_with_all_their_bytes() -> None:
    """Each reading of the result unpacks them again."""
    text = b" " * 29_998
    spaces = qpy({"k": text.decode()}).replace(b'"' + text + b'"', text + b" 0")
    assert json.loads(read(pubs.packed(spaces), ALL)) == {"k": 0}
    circuit = pubs.typed("QuantumCircuit", pubs.packed(spaces))
    limits = Limits.from_names(PrimitiveLimits, circuit_metadata_bytes=20_000)
    with pytest.raises(LimitExceeded, match="circuit_metadata_bytes: 20001 is above"):
        primitives.read(pubs.source("sampler", [circuit]), limits)


def test_metadata_of_all_circuits_are_limited_together() -> None:
    circuit = pubs.bell()
    circuit.metadata = {"text": "x" * 40}
    source = pubs.source("sampler", [pubs.circuit(circuit)], [pubs.circuit(circuit)])
    primitives.read(source, Limits.from_names(PrimitiveLimits, circuit_metadata_bytes=102))
    small = Limits.from_names(PrimitiveLimits, circuit_metadata_bytes=101)
    with pytest.raises(LimitExceeded, match="circuit_metadata_bytes: 102 is above"):
        primitives.read(source, small)
    # What was accepted once has results, whatever the limit is now.
    assert [len(each.metadata) for each in primitives.shapes(source, small)] == [51, 51]
