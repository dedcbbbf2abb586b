"""Programs of Qiskit Runtime's executor, version 2.0: circuits with arrays of arguments.

    {"program": "executor", "params": {"schema_version": "v2.0", "quantum_program": {…}}}

All circuits are in one QPY file. It and the tensors (arrays with a shape and a type) are zlib in
base64. The arguments of an item of the type samplex are drawn once, before the job is stored:

    {"program": "executor", "params": {…}, "drawn": [null, {"arguments": tensor, "outputs": {…}}]}

`drawn` has an entry for each item, so a job that runs again has the same circuits and flips.
"""

from __future__ import annotations

import math
import zlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeGuard

import msgspec

from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import INT64_MAX, Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import check_limit, quoted
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives.wire import Shape, Unpacker, extent

_SCHEMA: Final = "v2.0"
_MAX_AXES: Final = 32
"""Axes that an array of NumPy 1 may have."""
_PLACE: Final = "quantum_program"
_SAMPLEX: Final = "samplex"
"""Type of an item whose arguments are drawn."""
_LEVEL: Final = 1
"""Compression level: zlib's fastest."""
SEED: Final = "seed_simulator"
"""The experimental option with the seed of the job; IBM's client has no option for it."""
_DRAWS: Final = 1
"""Key of the random numbers of draws, which differ from those of shots with the same seed."""
_DTYPES: Final = {
    **{f"{kind}{bits}": f"<{kind}{bits // 8}" for kind in "iu" for bits in (8, 16, 32, 64)},
    **{f"f{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
"""NumPy's names of the types of tensors."""


class _Tensor(msgspec.Struct, frozen=True):
    data: str
    shape: tuple[int, ...]
    dtype: str


class _Samplex(msgspec.Struct, frozen=True):
    samplex_json: str


class _PauliLindbladMap(msgspec.Struct, frozen=True):
    sparse_terms: tuple[tuple[str, tuple[int, ...], float], ...]
    num_qubits: int


class _Item(msgspec.Struct, frozen=True):
    item_type: str
    shape: tuple[int, ...]
    circuit_arguments: _Tensor | None = None
    samplex: _Samplex | None = None
    samplex_arguments: dict[str, msgspec.Raw] = {}


class _Drawn(msgspec.Struct, frozen=True):
    """What was drawn for an item: the arguments of its circuit, and what its result repeats."""

    arguments: _Tensor
    outputs: dict[str, _Tensor]


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


class _OnlyOptions(msgspec.Struct, frozen=True):
    options: _Options | None = None


class _Settings(msgspec.Struct, frozen=True):
    """A document of which only the options are decoded."""

    params: _OnlyOptions


class _Document(msgspec.Struct, frozen=True):
    params: _Params
    drawn: tuple[_Drawn | None, ...] | None = None


class _GivenProgram(msgspec.Struct, frozen=True):
    circuits: msgspec.Raw


class _GivenParams(msgspec.Struct, frozen=True):
    quantum_program: _GivenProgram


class _Given(msgspec.Struct, frozen=True):
    """A document of which the circuits stay as they are."""

    params: _GivenParams


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
    """What the result of a program repeats.

    Attributes:
        semantic_role: Field of the program.
        passthrough_data: Field of the program, as JSON.
        drawn: For each item, the tensors that were drawn with its arguments.
    """

    semantic_role: str | None
    passthrough_data: bytes
    drawn: tuple[dict[str, Any], ...]


_decoder: Final = msgspec.json.Decoder(_Document)
_settings: Final = msgspec.json.Decoder(_Settings)
_tensors: Final = msgspec.json.Decoder(_Tensor)
_maps: Final = msgspec.json.Decoder(_PauliLindbladMap)
_numbers: Final = msgspec.json.Decoder(bool | int)


def shapes(source: bytes, limits: Limits) -> list[Shape]:
    """Return the shape of the results of each item of a document that `read` accepted."""
    document = _decode(source)
    program = document.params.quantum_program
    check_limit("pubs", len(program.items), limits.of(PrimitiveLimits).pubs)
    return [_shape(item, program.shots, "", limits) for item, _ in _with_arguments(document)]


def drawn_params(source: bytes) -> dict[str, Any] | None:
    """Return the parameters of a program for another cloud, from a document that `read` accepted.

    What was drawn is in place of items of the type samplex. What only results repeat, and
    experimental options, are left out. None if an item runs no circuit.
    """
    if not all(n_sets(source)):
        return None
    document = _decode(source)
    program, options = document.params.quantum_program, document.params.options or _Options()
    given = msgspec.json.decode(source, type=_Given).params.quantum_program
    items = [
        {
            "item_type": "circuit",
            "shape": item.shape,
            "circuit_arguments": item.circuit_arguments,
        }
        for item, _ in _with_arguments(document)
    ]
    delay = {} if options.rep_delay is None else {"rep_delay": options.rep_delay}
    params = {
        "schema_version": document.params.schema_version,
        "quantum_program": {
            "shots": program.shots,
            "circuits": given.circuits,
            "items": items,
            "meas_level": program.meas_level,
        },
        "options": {"init_qubits": options.init_qubits, **delay},
    }
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(params))
    return found


def n_sets(source: bytes) -> list[int]:
    """Return the number of circuits that each item of a document that `read` accepted runs."""
    import numpy as np

    return [
        math.prod(np.broadcast_shapes(item.shape, _arguments(item, "").shape[:-1]))
        for item, _ in _with_arguments(_decode(source))
    ]


def echo(source: bytes) -> Echo:
    """Return what the result of a program repeats."""
    document = _decode(source)
    program = document.params.quantum_program
    drawn = tuple([each.outputs if each else {} for each in _drawn(document)])
    return Echo(program.semantic_role, bytes(program.passthrough_data), drawn)


def seed(source: bytes) -> int | None:
    """Return the seed of a program, an experimental option of this server."""
    found = _options(source).experimental.get(SEED)
    return found if _is_seed(found) else None


def _is_seed(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= INT64_MAX


def ignored_options(source: bytes) -> dict[str, str]:
    """Return the options that are ignored, and why."""
    options = _options(source)
    notes = {}
    if options.rep_delay is not None:
        notes["rep_delay"] = "no time passes between shots"
    if {*options.experimental} - {SEED}:
        notes["experimental"] = "experimental options are those of IBM's machines"
    return notes


def complete(source: bytes, limits: Limits) -> bytes:
    """Return a document with the arguments of its items of the type samplex.

    Raises:
        InvalidProgram: The document is malformed, or asks for what cannot be drawn.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    document = _decode(source)
    items = document.params.quantum_program.items
    if document.drawn is not None or all(item.item_type != _SAMPLEX for item in items):
        return source
    _check(document.params, limits)
    drawn = _Drawer(limits, seed(source)).draw(items)
    fields = msgspec.json.decode(source, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({**fields, "drawn": drawn})


def read(source: bytes, limits: Limits) -> tuple[bytes, Iterator[Item]]:
    """Return the QPY file of a document, and its items, one for each circuit of the file.

    Items are checked when they are iterated.

    Raises:
        InvalidProgram: The document is malformed, or asks for what cannot be run.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    document = _decode(source)
    program = document.params.quantum_program
    _check(document.params, limits)
    # One unpacker for the file and all arguments, because it counts their bytes together.
    unpacker = Unpacker(limits, wants_circuits=True)
    data = unpacker.inflated(program.circuits.b64_data or "", f"{_PLACE}.circuits.b64_data")
    return data, _items(document, unpacker)


def _decode(source: bytes) -> _Document:
    return json_text.decode(_decoder, source, lambda _, path: f"{path}: " if path else "")


def _options(source: bytes) -> _Options:
    found = json_text.decode(_settings, source, lambda _, path: f"{path}: " if path else "")
    return found.params.options or _Options()


def _drawn(document: _Document) -> tuple[_Drawn | None, ...]:
    items = document.params.quantum_program.items
    drawn = document.drawn or (None,) * len(items)
    if len(drawn) != len(items):
        raise InvalidProgram(f"drawn: must have {len(items)} entries", field="drawn")
    return drawn


def _with_arguments(document: _Document) -> Iterator[tuple[_Item, _Drawn | None]]:
    """Yield each item, with its drawn arguments if it has any, and what was drawn for it."""
    for item, drawn in zip(document.params.quantum_program.items, _drawn(document), strict=True):
        if drawn is not None:
            shape = drawn.arguments.shape[:-1]
            item = _Item("circuit", shape, drawn.arguments)
        yield item, drawn


def _check(params: _Params, limits: Limits) -> None:
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
    check_limit("pubs", len(program.items), limits.of(PrimitiveLimits).pubs)
    check_limit("shots", program.shots, limits.jobs.shots)
    if not options.init_qubits:
        raise InvalidProgram(
            "options.init_qubits: must be true (each shot starts in the ground state)",
            field="options.init_qubits",
        )
    given = options.experimental.get(SEED)
    if given is not None and not _is_seed(given):
        raise InvalidProgram(
            f"options.experimental.{SEED}: must be an integer from 0 to {INT64_MAX}",
            field=f"options.experimental.{SEED}",
        )
    for name in ("scheduler_timing", "stretch_values"):
        if getattr(options, name):
            raise InvalidProgram(
                f"options.{name}: simulated circuits have no schedule; leave it out",
                field=f"options.{name}",
            )


def _items(document: _Document, unpacker: Unpacker) -> Iterator[Item]:
    program = document.params.quantum_program
    n_sets = 0
    for number, (item, drawn) in enumerate(_with_arguments(document)):
        place = _item_place(number)
        if item.item_type != "circuit":
            raise InvalidProgram(
                f"{place}: item_type must be circuit or samplex, not {quoted(item.item_type)}",
                field="item_type",
            )
        shape = _shape(item, program.shots, place, unpacker.limits)
        n_sets += shape.n_parts
        maximum = unpacker.limits.of(PrimitiveLimits).parameter_sets
        check_limit("parameter_sets", n_sets, maximum, " or more")
        if drawn is not None:
            for name, tensor in drawn.outputs.items():
                _array(tensor, f"{place}: {quoted(name)}", unpacker)
        yield Item(place, _values(item, shape.values, place, unpacker), shape)


def _item_place(number: int) -> str:
    return f"{_PLACE}.items[{number}]"


class _Drawer:
    """Draws the arguments of the items of one program.

    Args:
        limits: Limits on the program.
        seed: Seed of all draws; None for one from the operating system.
    """

    def __init__(self, limits: Limits, seed: int | None) -> None:
        import numpy as np

        self._limits = limits
        self._unpacker = Unpacker(limits, wants_circuits=True)
        self._rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DRAWS,)))
        self._n_sets = 0
        self._n_parameters = 0

    def draw(self, items: tuple[_Item, ...]) -> list[_Drawn | None]:
        """Return what was drawn for each item; None for items of the type circuit."""
        return [
            None if item.item_type != _SAMPLEX else self._draw(item, _item_place(number))
            for number, item in enumerate(items)
        ]

    def _draw(self, item: _Item, place: str) -> _Drawn:
        from qwicket.vendors.ibm.primitives.samplex import Samplex  # late: few programs have any

        if item.samplex is None:
            raise InvalidProgram(f"{place}.samplex: is missing", field="samplex")
        own = _checked(item.shape, f"{place}.shape")
        check_limit("parameter_sets", extent(own), self._own.parameter_sets)
        samplex = Samplex(item.samplex.samplex_json, place, self._limits)
        arguments = {
            name: self._argument(text, f"{place}.samplex_arguments: {quoted(name)}")
            for name, text in item.samplex_arguments.items()
        }
        draw = samplex.draw(arguments, own, self._rng)
        self._n_sets += extent(draw.parameters.shape[:-1])
        check_limit("parameter_sets", self._n_sets, self._own.parameter_sets, " or more")
        self._n_parameters += draw.parameters.size
        check_limit("parameters", self._n_parameters, self._own.parameters, " or more")
        outputs = {name: _tensor(each, "bool") for name, each in draw.outputs.items()}
        return _Drawn(_tensor(draw.parameters, "f64"), outputs)

    @property
    def _own(self) -> PrimitiveLimits:
        return self._limits.of(PrimitiveLimits)

    def _argument(self, text: msgspec.Raw, place: str) -> Any:
        try:
            if bytes(memoryview(text)[:1]) != b"{":
                return _numbers.decode(text)
            if b'"sparse_terms"' in bytes(text):
                return self._map(_maps.decode(text), place)
            tensor = _tensors.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            raise InvalidProgram(
                f"{place}: must be a number, a tensor or a Pauli-Lindblad map"
            ) from None
        return _array(tensor, place, self._unpacker)

    def _map(self, given: _PauliLindbladMap, place: str) -> Any:
        from qiskit.quantum_info import PauliLindbladMap

        check_limit("clifford_qubits", given.num_qubits, self._limits.programs.clifford_qubits)
        check_limit("pauli_terms", len(given.sparse_terms), self._own.pauli_terms)
        try:
            return PauliLindbladMap.from_sparse_list(list(given.sparse_terms), given.num_qubits)
        except Exception:  # Qiskit's errors are of many kinds
            raise InvalidProgram(f"{place}: is not a Pauli-Lindblad map") from None


def _tensor(array: Any, dtype: str) -> _Tensor:
    import numpy as np

    packed = np.packbits(array, bitorder="little") if dtype == "bool" else array
    data = b64encode(zlib.compress(packed.tobytes(), _LEVEL)).decode()
    return _Tensor(data, array.shape, dtype)


def _array(tensor: _Tensor, place: str, unpacker: Unpacker) -> Any:
    """Return the array of a tensor of real numbers or of bits, once its size fits its shape."""
    import numpy as np

    shape = _checked(tensor.shape, place)
    if tensor.dtype != "bool" and tensor.dtype not in _DTYPES:
        raise InvalidProgram(
            f"{place}: dtype must be that of real numbers, not {quoted(tensor.dtype)}"
        )
    # One byte for each bit, which is what unpacked bits take.
    check_limit("unpacked_bytes", extent(shape), unpacker.limits.of(PrimitiveLimits).unpacked_bytes)
    data = unpacker.inflated(tensor.data, place)
    n_values = math.prod(shape)
    is_bits = tensor.dtype == "bool"
    dtype = np.dtype(np.uint8 if is_bits else _DTYPES[tensor.dtype])
    if len(data) != ((n_values + 7) // 8 if is_bits else n_values * dtype.itemsize):
        raise InvalidProgram(f"{place}: must have as many numbers as its shape")
    found = np.frombuffer(data, dtype)
    if is_bits:
        found = np.unpackbits(found, count=n_values, bitorder="little").astype(np.bool_)
    elif not np.isfinite(found).all():
        raise InvalidProgram(f"{place}: must hold finite numbers")
    return found.reshape(shape)


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
    found = _array(tensor, place, unpacker)
    # A view, which the caller's `reshape` copies: so the size was checked above.
    return np.broadcast_to(found, (*shape, tensor.shape[-1]))
