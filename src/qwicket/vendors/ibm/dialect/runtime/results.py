"""Results of Qiskit's primitives, in the encoding that Runtime's clients read.

Arrays are NumPy files, compressed with zlib, in base64. The array of a register has a row of bytes
for each shot, in which bit 0 is the last bit. If a circuit has several sets of parameter values,
their shape comes before the shots. The program `executor` has packed bits in place of NumPy files.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qwicket.circuits.mitigation import runs
from qwicket.circuits.outcomes import EVS, MEMORY, STDS, Outcome
from qwicket.dialects.streaming import raw, raw_base64
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.dialect.runtime import mocks
from qwicket.vendors.ibm.dialect.runtime.wire import EXECUTOR, SAMPLER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwicket.circuits.qubit import Mitigation
    from qwicket.gateway import JobResults
    from qwicket.model.limits import Limits
    from qwicket.vendors.ibm.dialect.runtime.wire import VendorFields
    from qwicket.vendors.ibm.primitives import Shape

_EXTRAPOLATED: Final = (runs.EVS_EXTRAPOLATED, runs.STDS_EXTRAPOLATED)
_LEVEL: Final = 1
"""Compression level: zlib's fastest."""
_UNPACKED_BYTES: Final = 1 << 20
_RUN_TIME: Final = "the server's limit run_time_s applies"


def result(
    job_results: JobResults, source: bytes, limits: Limits, vendor_fields: VendorFields
) -> dict[str, Any]:
    """Return the result of a completed job.

    Args:
        job_results: Results of its parts.
        source: The program with its pubs, which decide the order of the parts.
        limits: Limits of the server.
        vendor_fields: The job's vendor fields.
    """
    parts = [part for part in job_results.parts if isinstance(part, Outcome)]
    if vendor_fields.mock:
        parts = _mocked(parts, source, limits)
    if vendor_fields.program == EXECUTOR:
        return _executed(parts, source, limits)
    is_sampler = primitives.settings(source).program == SAMPLER
    pub_results = []
    for shape in primitives.shapes(source, limits):
        own, parts = parts[: shape.n_parts], parts[shape.n_parts :]
        pub_results.append(_sampled(own, shape) if is_sampler else _estimated(own, shape, limits))
    whole = {"pub_results": pub_results, "metadata": metadata_of(source, vendor_fields)}
    return encode_typed("PrimitiveResult", whole)


def _mocked(parts: Sequence[Outcome], source: bytes, limits: Limits) -> list[Outcome]:
    """Return the parts of a dry run with random bits and values."""
    mocked: list[Outcome] = []
    for shape in primitives.shapes(source, limits):
        first = len(mocked)
        own = parts[first : first + shape.n_parts]
        if shape.observables is not None:
            mocked += mocks.with_values(own, shape, limits)
        else:
            mocked += [mocks.with_bits(part, first + k, shape.shots) for k, part in enumerate(own)]
    return mocked


def _executed(parts: Sequence[Outcome], source: bytes, limits: Limits) -> dict[str, Any]:
    """Return the result of the program `executor`: all bits of each shot, bit 0 first."""
    whole, all_drawn = executor_result(source)
    for shape, drawn in zip(primitives.shapes(source, limits), all_drawn, strict=True):
        own, parts = parts[: shape.n_parts], parts[shape.n_parts :]
        found = {name: _tensor(own, shape, start, size) for name, start, size in registers(own[0])}
        whole["data"].append(executor_item(drawn, found))
    return whole


def executor_result(source: bytes) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """Return the result of the executor without its items, and what was drawn for each item."""
    from qwicket.vendors.ibm.primitives import executor  # late: few programs are of this kind

    repeated = executor.echo(source)
    metadata: dict[str, Any] = {"chunk_timing": []}
    if ignored := primitives.ignored_options(source):
        metadata["ignored_options"] = ignored
    whole: dict[str, Any] = {
        "schema_version": "v2.0",
        "data": [],
        "metadata": metadata,
        "passthrough_data": raw(repeated.passthrough_data),
        "semantic_role": repeated.semantic_role,
    }
    return whole, repeated.drawn


def executor_item(drawn: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the result of an item from what was drawn and from its registers."""
    return {"results": {**drawn, **fields}, "metadata": {}}


def registers(outcome: Outcome) -> Iterator[tuple[str, int, int]]:
    """Yield the name, the first bit and the size of each register that a result shows."""
    start = 0
    for register in outcome.registers:
        if register.size and register.name != primitives.UNASSIGNED_REGISTER:
            yield register.name, start, register.size
        start += register.size


def _tensor(parts: Sequence[Outcome], shape: Shape, start: int, size: int) -> dict[str, Any]:
    bits, packer = PackedBits(size), zlib.compressobj(_LEVEL)
    own = parts[: shape.n_sets]
    packed = [packer.compress(bits.add(shots(part, start, size))) for part in own]
    packed += [packer.compress(bits.end()), packer.flush()]
    return bit_tensor(raw_base64(b"".join(packed)), shape, size)


def bit_tensor(data: Any, shape: Shape, size: int) -> dict[str, Any]:
    """Return a tensor with the shots of a register, as the executor's results have it."""
    return {"data": data, "shape": (*shape.values, shape.shots, size), "dtype": "bool"}


class PackedBits:
    """Packs the bits of shots without gaps between shots, bit 0 first.

    Args:
        size: Bits of a shot.
        unpacked_bytes: Bits that are in memory at a time, one in each byte.
    """

    def __init__(self, size: int, *, unpacked_bytes: int = _UNPACKED_BYTES) -> None:
        self._size = size
        self._step = max(1, unpacked_bytes // size)
        self._rest = np.empty(0, np.uint8)

    def add(self, shots: NDArray[np.uint8]) -> bytes:
        """Add shots as `shots` returns them; return the bytes that are complete."""
        firsts = range(0, len(shots), self._step)
        return b"".join([self._packed(shots[first : first + self._step]) for first in firsts])

    def end(self) -> bytes:
        """Return the last byte, if it is not complete."""
        return np.packbits(self._rest, bitorder="little").tobytes()

    def _packed(self, shots: NDArray[np.uint8]) -> bytes:
        bits = np.unpackbits(shots[:, ::-1], axis=1, count=self._size, bitorder="little")
        bits = np.concatenate([self._rest, bits.reshape(-1)])
        whole = len(bits) - len(bits) % 8
        self._rest = bits[whole:]
        return np.packbits(bits[:whole], bitorder="little").tobytes()


def metadata_of(source: bytes, vendor_fields: VendorFields) -> dict[str, Any]:
    """Return the metadata of a result: the options that were ignored, and why."""
    metadata: dict[str, Any] = {"version": 2}
    ignored = primitives.ignored_options(source)
    if vendor_fields.cost is not None:
        ignored["max_execution_time"] = _RUN_TIME
    if ignored:
        metadata["ignored_options"] = ignored
    return metadata


def _sampled(parts: Sequence[Outcome], shape: Shape) -> dict[str, Any]:
    """Return the shots of each register."""
    fields: dict[str, Any] = {}
    for name, start, size in registers(parts[0]):
        rows = np.stack([shots(part, start, size) for part in parts])[: shape.n_sets]
        array = _array(rows.reshape(*shape.values, shape.shots, rows.shape[-1]))
        fields[name] = encode_typed("BitArray", {"array": array, "num_bits": size})
    return sampler_result(fields, shape)


def sampler_result(fields: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Return the result of a sampler's pub from its registers."""
    metadata = {"circuit_metadata": raw(shape.metadata)}
    return _pub("SamplerPubResult", fields, shape.values, metadata)


def shots(part: Outcome, start: int, size: int) -> NDArray[np.uint8]:
    """Return some bits of each shot as `(shots, bytes)`, the lowest bit last."""
    memory = part.arrays[MEMORY]
    rows = np.frombuffer(memory.data, np.uint8).reshape(memory.shape)
    first, shift, n_bytes = start >> 3, start & 7, (size + 7) >> 3
    own: NDArray[np.uint8] = rows[:, first : first + n_bytes] >> np.uint8(shift)
    if shift:  # the upper bits of each byte are in the next byte
        above = rows[:, first + 1 : first + n_bytes + 1] << np.uint8(8 - shift)
        own[:, : above.shape[1]] |= above
    if size & 7:
        own[:, -1] &= np.uint8((1 << (size & 7)) - 1)
    return own[:, ::-1]


def _estimated(parts: Sequence[Outcome], shape: Shape, limits: Limits) -> dict[str, Any]:
    """Return expectation values and their standard errors."""
    whole = primitives.broadcast(shape, limits)
    # Results come part by part; the i-th value belongs at `order[i]` of the broadcast array.
    order = np.argsort(np.array(whole.parts, np.int64), kind="stable")
    fields = {}
    for name, wire_name in _fields(shape):
        values = np.concatenate([_values(part, name) for part in parts])
        ordered = np.empty_like(values)
        ordered[order] = values
        if name in _EXTRAPOLATED:  # the value without noise, which comes first, is in `evs`
            ordered = ordered[..., 1:]
        fields[wire_name] = _array(ordered.reshape(whole.shape + ordered.shape[1:]))
    metadata: dict[str, Any] = {
        "target_precision": shape.precision,
        "shots": shape.shots,
        "circuit_metadata": raw(shape.metadata),
    }
    if shape.mitigation is not None:
        metadata |= _mitigation(shape.mitigation, parts)
    return _pub("PubResult", fields, whole.shape, metadata)


def _fields(shape: Shape) -> tuple[tuple[str, str], ...]:
    """Return the arrays of an estimator's result, each with its name in IBM's."""
    names = [EVS, STDS]
    if shape.mitigation is not None and shape.mitigation.noise_factors:
        names += [runs.EVS_NOISE_FACTORS, runs.STDS_NOISE_FACTORS, *_EXTRAPOLATED]
        ensemble = (runs.STDS_NOISE_FACTORS, f"ensemble_{runs.STDS_NOISE_FACTORS}")
        return (*[(name, name) for name in names], ensemble)
    return tuple([(name, name) for name in names])


def _values(part: Outcome, name: str) -> NDArray[np.float64]:
    array = part.arrays[name]
    return np.frombuffer(array.data, "<f8").reshape(array.shape)


def _mitigation(mitigation: Mitigation, parts: Sequence[Outcome]) -> dict[str, Any]:
    """Return what a pub's metadata say of its error mitigation."""
    resilience: dict[str, Any] = {
        "measure_mitigation": bool(mitigation.randomizations),
        "zne_mitigation": bool(mitigation.noise_factors),
    }
    if mitigation.noise_factors:
        resilience["zne"] = {
            # Those that folding reaches. They are equal in all parts, as the gates are.
            "noise_factors": _values(parts[0], runs.NOISE_FACTORS).tolist(),
            "extrapolator": mitigation.extrapolators,
        }
    found = [np.frombuffer(part.arrays[runs.RUNS].data, "<i8") for part in parts]
    n_circuits, n_shots = np.sum(found, axis=0).tolist()
    return {
        "num_randomizations": max(1, mitigation.randomizations),
        "resilience": resilience,
        "executed": {"circuits": n_circuits, "shots": n_shots},
    }


def _pub(
    kind: str, fields: dict[str, Any], shape: tuple[int, ...], metadata: dict[str, Any]
) -> dict[str, Any]:
    data = {"field_names": list(fields), "shape": shape, "fields": fields}
    return encode_typed(kind, {"data": encode_typed("DataBin", data), "metadata": metadata})


def _array(values: NDArray[Any]) -> dict[str, Any]:
    file = BytesIO()
    # `ascontiguousarray` would give a scalar a dimension.
    np.save(file, np.ascontiguousarray(values) if values.ndim else values, allow_pickle=False)
    return encode_typed("ndarray", raw_base64(zlib.compress(file.getbuffer(), _LEVEL)))


def encode_typed(kind: str, value: Any) -> dict[str, Any]:
    """Return a value of a type that JSON lacks, as clients' decoders read it."""
    return {"__type__": kind, "__value__": value}
