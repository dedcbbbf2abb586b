"""The document of a primitive as typed values: its pubs, with circuits as bytes.

Unpacks circuits, arrays and observables within limits. `circuits` reads the circuits, and `reader`
binds values to their parameters.
"""

from __future__ import annotations

import binascii
import math
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import msgspec

from qwicket.circuits.estimation import LETTERS, Observable
from qwicket.circuits.qubit import Mitigation, Pauli
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import INT64_MAX, Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import check_limit, quoted
from qwicket.vendors.ibm.limits import PrimitiveLimits
from qwicket.vendors.ibm.primitives import circuit_metadata

if TYPE_CHECKING:
    from qwicket.vendors.ibm.primitives.resilience import Resilience

DEFAULT_SHOTS: Final = 4096
DEFAULT_PRECISION: Final = 0.015625
"""IBM's own defaults, for pubs and options without a value."""

SAMPLER: Final = "sampler"
ESTIMATOR: Final = "estimator"
EXECUTOR: Final = "executor"
_VERSION: Final = 2
_MAX_AXES: Final = 32
_KINDS: Final = "fiub"
"""Kinds of NumPy's types that are taken as real numbers; `b` is bool."""


_ENTRIES: Final[Mapping[str, tuple[int, tuple[str, ...]]]] = {
    SAMPLER: (1, ("circuit", "values", "shots")),
    ESTIMATOR: (2, ("circuit", "observables", "values", "precision")),
}
"""Entries of a pub by primitive, after the number of those that are required."""


class Typed(msgspec.Struct, frozen=True):
    """A value of a type that JSON lacks, as the client's encoder writes it."""

    type: Annotated[str, msgspec.Meta(max_length=64)] = msgspec.field(name="__type__")
    value: msgspec.Raw = msgspec.field(name="__value__")


class _Simulator(msgspec.Struct, frozen=True):
    seed_simulator: int | None = None


class _Options(msgspec.Struct, frozen=True):
    """Options that are applied (see `options`)."""

    default_shots: int | None = None
    default_precision: float | None = None
    seed_estimator: int | None = None
    simulator: _Simulator | None = None


class _Params(msgspec.Struct, frozen=True):
    # Raw, so that too many pubs are refused before one of them is decoded.
    pubs: tuple[msgspec.Raw, ...]
    options: _Options | None = None
    version: int = 1


class _Head(msgspec.Struct, frozen=True):
    program: str


class _Given(msgspec.Struct, frozen=True):
    """All options, unchecked."""

    options: dict[str, Any] | None = None
    resilience_level: Any = None


class _GivenDocument(msgspec.Struct, frozen=True):
    params: _Given


class _Document(msgspec.Struct, frozen=True):
    program: Literal["sampler", "estimator"]
    params: _Params


class Settings(NamedTuple):
    """Settings of a job that apply to all its pubs."""

    program: str
    seed: int | None


class Shape(NamedTuple):
    """Shape of the results of a pub.

    Attributes:
        values: Shape of its parameter values; its parts are in C order. Without any set of values
            one part has the registers of the results.
        observables: Shape of its observables; None for a sampler.
        shots: Shots per part and group of observables; 0 for exact results.
        precision: Requested precision of an estimator; None for a sampler.
        metadata: The metadata of its circuit, as JSON, which the results repeat.
        shots_each: Shots of each run, where mitigation of readout errors divides them; else 0.
        mitigation: Error mitigation of an estimator, if any.
    """

    values: tuple[int, ...]
    observables: tuple[int, ...] | None
    shots: int
    precision: float | None
    metadata: bytes = circuit_metadata.EMPTY
    shots_each: int = 0
    mitigation: Mitigation | None = None

    @property
    def n_sets(self) -> int:
        return math.prod(self.values)

    @property
    def n_parts(self) -> int:
        """Number of parts: one for each set of values, and one if there is none."""
        return max(1, self.n_sets)


class Pub(NamedTuple):
    """One pub, unpacked except for its circuit.

    Attributes:
        place: Path in the document.
        circuit: Bytes of a QPY file, or a text in OpenQASM 3.
        values: Parameter values, `(*shape, n_parameters)`, float64.
        shape: Shape of its results.
        observables: Observables in C order; empty for a sampler.
    """

    place: str
    circuit: bytes
    values: Any
    shape: Shape
    observables: tuple[Observable, ...]


_decoder: Final = msgspec.json.Decoder(_Document)
_heads: Final = msgspec.json.Decoder(_Head)
_given: Final = msgspec.json.Decoder(_GivenDocument)
_typed: Final = msgspec.json.Decoder(Typed)
_texts: Final = msgspec.json.Decoder(str)
_entries: Final = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_numbers: Final = msgspec.json.Decoder(float | None)
_integers: Final = msgspec.json.Decoder(int | None)
_any: Final = msgspec.json.Decoder()


def write(program: str, params: bytes, default_level: int = 0) -> bytes:
    """Return a document.

    Args:
        program: `sampler`, `estimator` or `executor`.
        params: Its parameters, as JSON.
        default_level: Resilience level of an estimator that names none.
    """
    document: dict[str, Any] = {"program": program, "params": msgspec.Raw(params)}
    if default_level:
        document["default_level"] = default_level
    return msgspec.json.encode(document)


def settings(source: bytes) -> Settings:
    """Return the settings of a document.

    Raises:
        InvalidProgram: The document is malformed.
    """
    if is_executor(source):
        from qwicket.vendors.ibm.primitives import executor  # late: a server starts without it

        return Settings(EXECUTOR, executor.seed(source))
    document = _decode(source)
    options = document.params.options
    seed = options.simulator.seed_simulator if options and options.simulator else None
    if seed is None and options is not None:
        seed = options.seed_estimator
    return Settings(document.program, seed)


def is_executor(source: bytes) -> bool:
    """Return whether a document is a program of the executor."""
    return _head(source) == EXECUTOR


def _head(source: bytes) -> str:
    """Return the program of a document."""
    return json_text.decode(_heads, source, lambda _, path: f"{path}: " if path else "").program


def complete(source: bytes, limits: Limits) -> bytes:
    """Return a document with what it leaves to chance drawn; itself if it leaves nothing.

    Raises:
        InvalidProgram: The document is malformed, or asks for what cannot be drawn.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    if not is_executor(source):
        return source
    from qwicket.vendors.ibm.primitives import executor  # late: as above

    return executor.complete(source, limits)


def ignored_options(source: bytes) -> dict[str, str]:
    """Return the options of a document that are ignored, and why.

    Raises:
        InvalidProgram: An option is refused; the detail names it.
    """
    from qwicket.vendors.ibm.primitives import (  # late: a server starts without them
        executor,
        options,
        resilience,
    )

    head = _head(source)
    if head == EXECUTOR:
        return executor.ignored_options(source)
    applied = resilience.read(source).applied if head == ESTIMATOR else ()
    given = json_text.decode(_given, source, lambda _, path: f"{path}: " if path else "").params
    params = {"options": given.options, "resilience_level": given.resilience_level}
    return options.review(params, applied)


def shapes(source: bytes, limits: Limits) -> list[Shape]:
    """Return the shape of the results of each pub of a document that `reader.read` accepted."""
    if is_executor(source):
        from qwicket.vendors.ibm.primitives import executor  # late: as above

        return executor.shapes(source, limits)
    return [pub.shape for pub in pubs(source, limits, wants_circuits=False)]


def pubs(source: bytes, limits: Limits, *, wants_circuits: bool = True) -> Iterator[Pub]:
    """Yield the pubs of a document; without `wants_circuits`, of one that was checked before.

    Raises:
        InvalidProgram: The document or a pub is malformed.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    document = _decode(source)
    options = document.params.options or _Options()
    _check(document)
    if wants_circuits:  # otherwise the options were checked before
        ignored_options(source)
    mitigated = None
    if document.program == ESTIMATOR:
        from qwicket.vendors.ibm.primitives import resilience  # late: as above

        mitigated = resilience.read(source)
    found = document.params.pubs
    check_limit("pubs", len(found), limits.of(PrimitiveLimits).pubs)
    unpacker = Unpacker(limits, wants_circuits)
    for number, text in enumerate(found):
        yield _pub(document.program, f"pubs[{number}]", text, options, unpacker, mitigated)


def _decode(source: bytes) -> _Document:
    return json_text.decode(_decoder, source, lambda _, path: f"{path}: " if path else "")


def _check(document: _Document) -> None:
    if document.params.version != _VERSION:
        raise InvalidProgram(
            f"params.version must be {_VERSION}, not {document.params.version}", field="version"
        )
    if not document.params.pubs:
        raise InvalidProgram("params.pubs is empty", field="pubs")


def _pub(
    program: str,
    place: str,
    text: msgspec.Raw,
    options: _Options,
    unpacker: Unpacker,
    resilience: Resilience | None,
) -> Pub:
    entries = _of(_entries, text, place, "must be a list")
    n_least, names = _ENTRIES[program]
    if not n_least <= len(entries) <= len(names):
        raise InvalidProgram(f"{place}: takes {', '.join(names)}", field=place)
    given = dict(zip(names, entries, strict=False))
    circuit = unpacker.circuit(given["circuit"], f"{place}.circuit")
    metadata = unpacker.metadata(given["circuit"], f"{place}.circuit")
    values = unpacker.array(given.get("values"), f"{place}.values")
    shape = values.shape[:-1]
    last = given.get("shots") or given.get("precision") or msgspec.Raw(b"null")
    if program == SAMPLER:
        shots = _shots(last, options, place, unpacker.limits)
        return Pub(place, circuit, values, Shape(shape, None, shots, None, metadata), ())
    precision = _precision(last, options, place, unpacker.limits)
    grid = unpacker.observables(given["observables"], f"{place}.observables")
    shots = _shots_for(precision, unpacker.limits)
    shape_of_results = Shape(shape, grid[0], shots, precision, metadata)
    if resilience is not None and shots:
        each, mitigation = resilience.of(shots, unpacker.limits)
        shape_of_results = shape_of_results._replace(shots_each=each, mitigation=mitigation)
    return Pub(place, circuit, values, shape_of_results, grid[1])


def _shots(text: msgspec.Raw, options: _Options, place: str, limits: Limits) -> int:
    shots = _of(_integers, text, f"{place}.shots", "must be an integer")
    shots = options.default_shots if shots is None else shots
    shots = DEFAULT_SHOTS if shots is None else shots
    if shots < 1:
        raise InvalidProgram(f"{place}.shots: must be at least 1", field="shots")
    check_limit("shots", shots, limits.jobs.shots)
    return shots


def _precision(text: msgspec.Raw, options: _Options, place: str, limits: Limits) -> float:
    precision = _of(_numbers, text, f"{place}.precision", "must be a number")
    shots = options.default_shots
    if precision is None and shots is not None:  # in IBM's order, before `default_precision`
        if shots < 1:
            raise InvalidProgram("options.default_shots: must be at least 1", field="shots")
        check_limit("shots", shots, limits.jobs.shots)
        return 1 / math.sqrt(shots)
    precision = options.default_precision if precision is None else precision
    precision = DEFAULT_PRECISION if precision is None else precision
    if not 0 <= precision < math.inf:
        raise InvalidProgram(f"{place}.precision: must be 0 or more", field="precision")
    return precision


def _shots_for(precision: float, limits: Limits) -> int:
    """Return the shots whose standard error is the precision, for an observable of norm 1.

    A precision that would need more shots than the limit gives 0, which stands for exact results.
    """
    if precision * precision * limits.jobs.shots < 1:
        return 0
    # 1 / sqrt(2) stands for two shots, but its inverse square is 2.0000000000000004 in floats.
    return max(1, math.ceil(precision**-2 - 1e-9))


def _of(decoder: msgspec.json.Decoder[Any], text: msgspec.Raw, place: str, wanted: str) -> Any:
    try:
        found = decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        raise InvalidProgram(f"{place}: {wanted}", field=place) from None
    # JSON does not bound integers, and errors would quote all of their digits.
    if isinstance(found, int) and not -INT64_MAX <= found <= INT64_MAX:
        raise InvalidProgram(f"{place}: is out of range", field=place)
    return found


class Unpacker:
    """Unpacks circuits, arrays and observables, and counts their total size."""

    def __init__(self, limits: Limits, wants_circuits: bool) -> None:
        self.limits, self._own = limits, limits.of(PrimitiveLimits)
        self._wants_circuits = wants_circuits
        self._n_bytes = 0
        self._n_values = 0
        self._n_terms = 0
        self._n_metadata_bytes = 0

    def circuit(self, text: msgspec.Raw, place: str) -> bytes:
        """Return QPY, or a text in OpenQASM 3, unchecked; nothing if circuits are not wanted."""
        if not self._wants_circuits:
            return b""
        if _is_text(text):
            program = str(_of(_texts, text, place, "must be text")).encode()
            self._n_bytes += len(program)
            check_limit("unpacked_bytes", self._n_bytes, self._own.unpacked_bytes)
            return program
        return self.inflated(_value(text, "QuantumCircuit", place), place)

    def metadata(self, text: msgspec.Raw, place: str) -> bytes:
        """Return the metadata of a circuit, as JSON; a text in OpenQASM 3 has none."""
        if _is_text(text):
            return circuit_metadata.EMPTY
        packed = _value(text, "QuantumCircuit", place)
        if self._wants_circuits:  # a job that was accepted keeps its metadata
            maximum = self._own.circuit_metadata_bytes
            self._n_metadata_bytes += circuit_metadata.size(packed, maximum)
            check_limit("circuit_metadata_bytes", self._n_metadata_bytes, maximum)
        return circuit_metadata.read(packed, self._own.unpacked_bytes)

    def array(self, text: msgspec.Raw | None, place: str) -> Any:
        """Return parameter values as float64; without any, one empty set."""
        import numpy as np

        if text is None or bytes(text) == b"null":
            return np.zeros((0,))
        if bytes(memoryview(text)[:1]) == b"[":
            found = self._listed(text, place)
        else:
            data = self.inflated(_value(text, "ndarray", place), place)
            found = _npy(data, place, self.limits)
        self._n_values += found.size
        check_limit("parameters", self._n_values, self._own.parameters)
        return found

    def _listed(self, text: msgspec.Raw, place: str) -> Any:
        """Return parameter values that are nested lists of numbers."""
        import numpy as np

        # Before they are decoded, because lists take 30 times the memory of their text.
        check_limit("parameters", bytes(text).count(b","), self._own.parameters)
        try:
            found = np.asarray(_of(_any, text, place, "must be numbers"))
        except ValueError:
            raise InvalidProgram(f"{place}: lists differ in length", field=place) from None
        if found.dtype.kind not in "fiu":
            raise InvalidProgram(f"{place}: must hold real numbers", field=place)
        check_limit("parameter_sets", math.prod(found.shape[:-1]), self._own.parameter_sets)
        return found.astype("<f8")

    def inflated(self, text: str, place: str) -> bytes:
        """Return the decompressed bytes of a text: zlib in base64."""
        left_bytes = self._own.unpacked_bytes - self._n_bytes
        try:
            packed = b64decode(text, validate=True)
            inflater = zlib.decompressobj()
            # One byte over the limit shows that there is more, and a zip bomb stops there.
            data = inflater.decompress(packed, left_bytes + 1)
        except (binascii.Error, ValueError, zlib.error):
            raise InvalidProgram(f"{place}: is not zlib in base64", field=place) from None
        self._n_bytes += len(data)
        check_limit("unpacked_bytes", self._n_bytes, self._own.unpacked_bytes, " or more")
        # zlib reports no error for data that ends too early; only `eof` shows it.
        if not inflater.eof:
            raise InvalidProgram(f"{place}: is cut off", field=place)
        return data

    def observables(
        self, text: msgspec.Raw, place: str
    ) -> tuple[tuple[int, ...], tuple[Observable, ...]]:
        """Return the shape of nested lists of observables, and their elements in C order."""
        found = _of(_any, text, place, "must be observables")
        shape: list[int] = []
        inner = found
        # The first elements give the shape, so its product is checked before all elements are read.
        while isinstance(inner, list):
            shape.append(len(inner))
            if len(shape) > _MAX_AXES:
                raise InvalidProgram(f"{place}: has more than {_MAX_AXES} axes", field=place)
            if not inner:
                raise InvalidProgram(f"{place}: is empty", field=place)
            inner = inner[0]
        check_limit("pauli_terms", math.prod(shape), self._own.pauli_terms)
        flat = tuple([self._observable(each, place) for each in _flat(found, shape, place)])
        return tuple(shape), flat

    def _observable(self, element: object, place: str) -> Observable:
        if not isinstance(element, dict) or not element:
            raise InvalidProgram(f"{place}: must be objects of Paulis and numbers", field=place)
        self._n_terms += len(element)
        check_limit("pauli_terms", self._n_terms, self._own.pauli_terms)
        return tuple([_term(letters, factor, place) for letters, factor in element.items()])


def extent(shape: tuple[int, ...]) -> int:
    """Return the size of a shape, or what it would be without its axes of length 0.

    NumPy refuses huge axes even of an array without elements.
    """
    return math.prod([max(1, length) for length in shape])


def _flat(nested: object, shape: list[int], place: str) -> Iterator[object]:
    if not shape:
        yield nested
        return
    if not isinstance(nested, list) or len(nested) != shape[0]:
        raise InvalidProgram(f"{place}: lists differ in length", field=place)
    for each in nested:
        yield from _flat(each, shape[1:], place)


def _term(letters: str, factor: object, place: str) -> tuple[Pauli, float]:
    # Squares of the coefficients are summed for variances, so they must stay finite.
    if not isinstance(factor, float | int) or isinstance(factor, bool) or abs(factor) > 1e100:
        raise InvalidProgram(f"{place}: coefficients must be real numbers", field=place)
    if not letters or not set(letters) <= {"I", *LETTERS}:
        known = "".join(LETTERS)
        raise InvalidProgram(f"{place}: {quoted(letters)} has letters other than I{known}")
    # Qiskit writes the qubit of the highest number first.
    acting = [(qubit, each) for qubit, each in enumerate(reversed(letters)) if each != "I"]
    return (
        Pauli("".join(each for _, each in acting), tuple([qubit for qubit, _ in acting])),
        float(factor),
    )


def _is_text(value: msgspec.Raw) -> bool:
    return bytes(memoryview(value)[:1]) == b'"'


def _value(text: msgspec.Raw, kind: str, place: str) -> str:
    """Return the text of a typed value of a kind."""
    typed = _of(_typed, text, place, f"must be a {kind}")
    if typed.type != kind:
        raise InvalidProgram(f"{place}: must be a {kind}, not {quoted(typed.type)}", field=place)
    return str(_of(_texts, typed.value, place, "must be text"))


def _npy(data: bytes, place: str, limits: Limits) -> Any:
    """Read an array of numbers without unpickling.

    `numpy.load` would allocate the declared shape. This reads the header and takes the numbers from
    the received bytes, so memory is used for these only.
    """
    import numpy as np
    from numpy.lib import format as npy

    try:
        stream = BytesIO(data)
        version = npy.read_magic(stream)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, dtype = header(stream)
        body = memoryview(data)[stream.tell() :]
    except Exception:  # NumPy parses the header as Python literals, with any of their errors.
        raise InvalidProgram(f"{place}: is not an array in NumPy's format", field=place) from None
    # Numbers only: an array of objects is a pickle, which can run code when it is read.
    if dtype.kind not in _KINDS or dtype.itemsize > 8:
        raise InvalidProgram(f"{place}: must hold real numbers", field=place)
    if len(shape) > _MAX_AXES or not shape or any(each < 0 for each in shape):
        raise InvalidProgram(f"{place}: has no shape of values", field=place)
    check_limit("parameter_sets", extent(shape[:-1]), limits.of(PrimitiveLimits).parameter_sets)
    check_limit("parameters", shape[-1], limits.of(PrimitiveLimits).parameters)
    if math.prod(shape) * dtype.itemsize != len(body):
        raise InvalidProgram(f"{place}: must have as many numbers as its shape", field=place)
    # NumPy writes a transposed array as it lies in memory, column by column.
    order: Literal["F", "C"] = "F" if is_fortran else "C"
    found = np.frombuffer(body, dtype).reshape(shape, order=order).astype("<f8")
    if not np.isfinite(found).all():
        raise InvalidProgram(f"{place}: must hold finite numbers", field=place)
    return found
