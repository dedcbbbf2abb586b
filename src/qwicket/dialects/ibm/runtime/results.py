"""JobResults as Qiskit's primitives have them, in the encoding that Runtime's clients read.

Arrays are NumPy's own files, compressed, in base64. A register is rows of bytes, one for each shot,
with bit 0 last; what is of several parameter values has their shape in front.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qwicket.circuits.outcomes import MEMORY, Outcome
from qwicket.dialects.ibm.runtime.wire import SAMPLER
from qwicket.dialects.streaming import raw_base64
from qwicket.programs import primitives

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwicket.gateway import JobResults
    from qwicket.model.limits import Limits
    from qwicket.programs.primitives import Shape

_LEVEL: Final = 1


def result(found: JobResults, source: bytes, limits: Limits) -> dict[str, Any]:
    """Return the result of a completed job.

    Args:
        found: Results of its parts.
        source: The pubs, which say how parts are laid out.
        limits: Bounds that held when they were read.
    """
    parts = [part for part in found.parts if isinstance(part, Outcome)]
    is_sampler = primitives.settings(source).program == SAMPLER
    shown = []
    for shape in primitives.shapes(source, limits):
        own, parts = parts[: shape.n_parts], parts[shape.n_parts :]
        shown.append(_sampled(own, shape) if is_sampler else _estimated(own, shape, limits))
    whole = {"pub_results": shown, "metadata": {"version": 2}}
    return _typed("PrimitiveResult", whole)


def _sampled(parts: Sequence[Outcome], shape: Shape) -> dict[str, Any]:
    """Return the shots of each register."""
    fields: dict[str, Any] = {}
    start = 0
    for register in parts[0].registers:
        if register.size and register.name != primitives.UNASSIGNED_REGISTER:
            rows = np.stack([_shots(part, start, register.size) for part in parts])
            array = _array(rows.reshape(*shape.values, *rows.shape[1:]))
            fields[register.name] = _typed("BitArray", {"array": array, "num_bits": register.size})
        start += register.size
    metadata: dict[str, Any] = {"circuit_metadata": {}}
    return _pub("SamplerPubResult", fields, shape.values, metadata)


def _shots(part: Outcome, start: int, size: int) -> NDArray[np.uint8]:
    """Return some bits of each shot: `(shots, bytes)`, the last bit of all being the lowest."""
    memory = part.arrays[MEMORY]
    rows = np.frombuffer(memory.data, np.uint8).reshape(memory.shape)
    first, last = start >> 3, (start + size + 7) >> 3
    bits = np.unpackbits(rows[:, first:last], axis=1, bitorder="little")
    own = bits[:, start - 8 * first : start - 8 * first + size]
    return np.packbits(own, axis=1, bitorder="little")[:, ::-1]


def _estimated(parts: Sequence[Outcome], shape: Shape, limits: Limits) -> dict[str, Any]:
    """Return expectation values and their standard errors."""
    layout = primitives.broadcast(shape, limits)
    order = np.argsort(np.array(layout.parts, np.int64), kind="stable")
    fields = {}
    for name in ("evs", "stds"):
        values = np.empty(len(order))
        values[order] = [value for part in parts for value in getattr(part, name)()]
        fields[name] = _array(values.reshape(layout.shape))
    metadata: dict[str, Any] = {
        "target_precision": shape.precision,
        "shots": shape.shots,
        "circuit_metadata": {},
    }
    return _pub("PubResult", fields, layout.shape, metadata)


def _pub(
    kind: str, fields: dict[str, Any], shape: tuple[int, ...], metadata: dict[str, Any]
) -> dict[str, Any]:
    data = {"field_names": list(fields), "shape": shape, "fields": fields}
    return _typed(kind, {"data": _typed("DataBin", data), "metadata": metadata})


def _array(values: NDArray[Any]) -> dict[str, Any]:
    file = BytesIO()
    np.save(file, np.ascontiguousarray(values) if values.ndim else values, allow_pickle=False)
    return _typed("ndarray", raw_base64(zlib.compress(file.getbuffer(), _LEVEL)))


def _typed(kind: str, value: Any) -> dict[str, Any]:
    return {"__type__": kind, "__value__": value}
