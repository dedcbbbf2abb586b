"""Programs of Qiskit Runtime's executor, version 2.0: circuits with arrays of arguments.

    {"program": "executor", "params": {"schema_version": "v2.0", "quantum_program": {…}}}

All circuits are in one QPY file. It and the tensors (arrays with a shape and a type) are zlib in
base64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import check_limit, quoted
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives.wire import Shape, Unpacker, extent

_SCHEMA: Final = "v2.0"
_MAX_AXES: Final = 32
"""Axes that an array of NumPy 1 may have."""
_PLACE: Final = "quantum_program"


class _Tensor(msgspec.Struct, frozen=True):
    data: str
    shape: tuple[int, ...]
    dtype: str


class _Item(msgspec.Struct, frozen=True):
    item_type: str
    shape: tuple[int, ...]
    circuit_arguments: _Tensor | None = None


class _Circuits(msgspec.Struct, frozen=True):
    b64_data: str | None = None
    num_programs: int | None = None


class _Program(msgspec.Struct, frozen=True):
    shots: int
    circuits: _Circuits
    items: tuple[_Item, ...]
    semantic_role: str | None = None
    meas_level: str = "classified"
    passthrough_data: msgspec.Raw = msgspec.Raw(b"null")


class _Options(msgspec.Struct, frozen=True):
    init_qubits: bool = True
    rep_delay: float | None = None
    scheduler_timing: bool = False
    stretch_values: bool = False
    experimental: dict[str, Any] = {}


class _Params(msgspec.Struct, frozen=True):
    schema_version: str
    quantum_program: _Program
    options: _Options | None = None


class _Document(msgspec.Struct, frozen=True):
    params: _Params


class Item(NamedTuple):
    """One item of a program.

    Attributes:
        place: Path in the document.
        values: Arguments, `(*shape, n_parameters)`, float64.
        shape: Shape of its results.
    """

    place: str
    values: Any
    shape: Shape


class Echo(NamedTuple):
    """The fields of a program that its result repeats; `passthrough_data` is JSON."""

    semantic_role: str | None
    passthrough_data: bytes


_decoder: Final = msgspec.json.Decoder(_Document)


def shapes(source: bytes, limits: Limits) -> list[Shape]:
    """Return the shape of the results of each item of a document that `read` accepted."""
    program = _decode(source).quantum_program
    check_limit("pubs", len(program.items), limits.of(PrimitiveLimits).pubs)
    return [_shape(item, program.shots, "", limits) for item in program.items]


def echo(source: bytes) -> Echo:
    """Return the fields of a program that its result repeats."""
    program = _decode(source).quantum_program
    return Echo(program.semantic_role, bytes(program.passthrough_data))


def ignored_options(source: bytes) -> dict[str, str]:
    """Return the options that are ignored, and why."""
    options = _decode(source).options or _Options()
    notes = {}
    if options.rep_delay is not None:
        notes["rep_delay"] = "no time passes between shots"
    if options.experimental:
        notes["experimental"] = "experimental options are those of IBM's machines"
    return notes


def read(source: bytes, limits: Limits) -> tuple[bytes, Iterator[Item]]:
    """Return the QPY file of a document, and its items, one for each circuit of the file.

    Items are checked when they are iterated.

    Raises:
        InvalidProgram: The document is malformed, or asks for what cannot be run.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    params = _decode(source)
    program = params.quantum_program
    _check(params)
    check_limit("pubs", len(program.items), limits.of(PrimitiveLimits).pubs)
    check_limit("shots", program.shots, limits.jobs.shots)
    # One unpacker for the file and all arguments, because it counts their bytes together.
    unpacker = Unpacker(limits, wants_circuits=True)
    data = unpacker.inflated(program.circuits.b64_data or "", f"{_PLACE}.circuits.b64_data")
    return data, _items(program, unpacker)


def _decode(source: bytes) -> _Params:
    return json_text.decode(_decoder, source, lambda _, path: f"{path}: " if path else "").params


def _check(params: _Params) -> None:
    program, options = params.quantum_program, params.options or _Options()
    if params.schema_version != _SCHEMA:
        raise InvalidProgram(
            f"schema_version must be {_SCHEMA}, not {quoted(params.schema_version)}",
            field="schema_version",
        )
    if program.shots < 1:
        raise InvalidProgram(f"{_PLACE}.shots: must be at least 1", field="shots")
    if not program.items:
        raise InvalidProgram(f"{_PLACE}.items is empty", field="items")
    if program.meas_level != "classified":
        raise InvalidProgram(
            f"{_PLACE}.meas_level: must be classified (outcomes are bits), not"
            f" {quoted(program.meas_level)}",
            field="meas_level",
        )
    if program.circuits.b64_data is None:
        raise InvalidProgram(
            f"{_PLACE}.circuits: must be QPY in b64_data; OpenQASM is not read here",
            field="circuits",
        )
    # Each item runs the circuit at its own place in the file.
    if program.circuits.num_programs != len(program.items):
        raise InvalidProgram(
            f"{_PLACE}.circuits: has {program.circuits.num_programs} circuits for"
            f" {len(program.items)} items",
            field="circuits",
        )
    if not options.init_qubits:
        raise InvalidProgram(
            "options.init_qubits: must be true (each shot starts in the ground state)",
            field="options.init_qubits",
        )
    for name in ("scheduler_timing", "stretch_values"):
        if getattr(options, name):
            raise InvalidProgram(
                f"options.{name}: simulated circuits have no schedule; leave it out",
                field=f"options.{name}",
            )


def _items(program: _Program, unpacker: Unpacker) -> Iterator[Item]:
    n_sets = 0
    for number, item in enumerate(program.items):
        place = f"{_PLACE}.items[{number}]"
        if item.item_type != "circuit":
            raise InvalidProgram(
                f"{place}: item_type must be circuit, not {quoted(item.item_type)}: this server"
                " draws no random circuits. SamplerV2 and EstimatorV2 of the package itself run"
                " without them",
                field="item_type",
            )
        shape = _shape(item, program.shots, place, unpacker.limits)
        n_sets += shape.n_parts
        maximum = unpacker.limits.of(PrimitiveLimits).parameter_sets
        check_limit("parameter_sets", n_sets, maximum, " or more")
        yield Item(place, _values(item, shape.values, place, unpacker), shape)


def _shape(item: _Item, shots: int, place: str, limits: Limits) -> Shape:
    """Return the shape of an item's results: its own and that of its arguments, broadcast."""
    import numpy as np  # late: a server starts without it

    maximum = limits.of(PrimitiveLimits).parameter_sets
    own = _checked(item.shape, f"{place}.shape")
    inner = _checked(_arguments(item, place).shape[:-1], f"{place}.circuit_arguments")
    # Before broadcasting, where NumPy raises ValueError for huge sizes as well.
    for shape in (own, inner):
        check_limit("parameter_sets", extent(shape), maximum)
    try:
        whole = np.broadcast_shapes(own, inner)
    except ValueError:
        raise InvalidProgram(
            f"{place}: arguments of shape {inner} do not broadcast to {own}"
        ) from None
    # Again, because (n, 1) and (1, n) broadcast to n² sets.
    check_limit("parameter_sets", extent(whole), maximum)
    return Shape(whole, None, shots, None)


def _checked(shape: tuple[int, ...], place: str) -> tuple[int, ...]:
    if len(shape) > _MAX_AXES or any(each < 0 for each in shape):
        raise InvalidProgram(f"{place}: must have up to {_MAX_AXES} axes, each from 0")
    return shape


def _arguments(item: _Item, place: str) -> _Tensor:
    tensor = item.circuit_arguments
    if tensor is None:
        raise InvalidProgram(f"{place}.circuit_arguments: is missing", field="circuit_arguments")
    # The last axis is that of the parameters; its length may be 0.
    if not tensor.shape or tensor.shape[-1] < 0:
        raise InvalidProgram(f"{place}.circuit_arguments: has no shape of arguments")
    return tensor


def _values(item: _Item, shape: tuple[int, ...], place: str, unpacker: Unpacker) -> Any:
    import numpy as np

    tensor = _arguments(item, place)
    place = f"{place}.circuit_arguments"
    if tensor.dtype != "f64":
        raise InvalidProgram(f"{place}: dtype must be f64, not {quoted(tensor.dtype)}")
    n_values = extent(shape) * tensor.shape[-1]
    check_limit("parameters", n_values, unpacker.limits.of(PrimitiveLimits).parameters)
    data = unpacker.inflated(tensor.data, place)
    # NumPy's own error would name neither the item nor its field.
    if math.prod(tensor.shape) * 8 != len(data):
        raise InvalidProgram(f"{place}: must have as many numbers as its shape")
    found = np.frombuffer(data, "<f8").reshape(tensor.shape)
    if not np.isfinite(found).all():
        raise InvalidProgram(f"{place}: must hold finite numbers")
    # A view, which the caller's `reshape` copies: so the size was checked above.
    return np.broadcast_to(found, (*shape, tensor.shape[-1]))
