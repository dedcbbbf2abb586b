"""A change of what travels between machines needs another version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from qwicket.circuits import PACKING_VERSION, atoms, outcomes, photonic, qubit
from qwicket.circuits.options import RunOptions

PACKED = (
    tuple[qubit.QubitCircuit, ...],
    tuple[atoms.AtomCircuit, ...],
    tuple[photonic.PhotonicCircuit, ...],
    RunOptions,
    outcomes.Outcome,
)
KNOWN = {
    1: "fe3ef9aaa72f",
    2: "5d79275fc093",
    3: "7c37c7886dea",
    4: "99df8201cfb3",
    5: "99df8201cfb3",
    6: "da031c63d97b",
}
"""Start of the hash of each version's structs. With a new version it gets a line."""


def described(of: Any, seen: set[Any]) -> Iterator[str]:
    """Yield what msgpack's bytes depend on: names, order, types and tags of fields."""
    if isinstance(of, msgspec.inspect.StructType):
        if of.cls in seen:
            return
        seen.add(of.cls)
        yield f"{of.cls.__name__} {of.array_like} {of.tag_field} {of.tag}"
        for field in of.fields:
            yield f"{field.encode_name} {field.required}"
            yield from described(field.type, seen)
        return
    yield type(of).__name__
    for name in getattr(of, "__struct_fields__", ()):
        value = getattr(of, name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, msgspec.inspect.Type):
                yield from described(each, seen)
            elif name == "values":
                yield str(each)


def test_packed_structs_are_those_of_their_version() -> None:
    lines = (line for each in PACKED for line in described(msgspec.inspect.type_info(each), set()))
    found = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
    assert KNOWN[PACKING_VERSION] == found, "raise PACKING_VERSION, and add its line to KNOWN"
