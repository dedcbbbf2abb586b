"""Programs of Qiskit Runtime's executor, as its client writes them."""

from __future__ import annotations

import base64
import io
import json
import zlib
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qpy
from samplomatic import build
from samplomatic.serialization import samplex_to_json
from samplomatic.transpiler import generate_boxing_pass_manager

_TYPES = {"float64": "f64", "uint8": "u8", "bool": "bool"}


def tensor(values: Any, shape: Any = None, dtype: str = "") -> dict[str, Any]:
    array = np.asarray(values)
    if array.dtype.kind != "b" and array.dtype != np.uint8:
        array = array.astype("<f8")
    raw = np.packbits(array, bitorder="little") if array.dtype.kind == "b" else array
    return {
        "data": base64.b64encode(zlib.compress(raw.tobytes())).decode(),
        "shape": list(array.shape if shape is None else shape),
        "dtype": dtype or _TYPES[str(array.dtype)],
    }


def array(tensor: dict[str, Any]) -> Any:
    """Return the array of a tensor of numbers or bits."""
    data = zlib.decompress(base64.b64decode(tensor["data"]))
    if tensor["dtype"] == "bool":
        n_bits = int(np.prod(tensor["shape"], dtype=int))
        bits = np.unpackbits(np.frombuffer(data, np.uint8), count=n_bits, bitorder="little")
        return bits.astype(bool).reshape(tensor["shape"])
    return np.frombuffer(data, "<f8").reshape(tensor["shape"])


def circuits(*given: QuantumCircuit, version: int = 18, **changes: Any) -> dict[str, Any]:
    file = io.BytesIO()
    qpy.dump(list(given), file, version=version)
    data = base64.b64encode(zlib.compress(file.getvalue())).decode()
    return {"b64_data": data, "qpy_version": version, "num_programs": len(given), **changes}


def params(circuits: dict[str, Any], *items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    options = changes.pop("options", {})
    version = changes.pop("schema_version", "v2.0")
    program = {
        "shots": 7,
        "circuits": circuits,
        "items": list(items),
        "meas_level": "classified",
        "passthrough_data": {"a": [1]},
        "semantic_role": "mine",
        **changes,
    }
    return {"schema_version": version, "quantum_program": program, "options": options}


def source(circuits: dict[str, Any], *items: dict[str, Any], **changes: Any) -> bytes:
    """Return a document of the format `qiskit.primitives`."""
    whole = {"program": "executor", "params": params(circuits, *items, **changes)}
    return json.dumps(whole).encode()


def twirled(circuit: QuantumCircuit, **options: Any) -> tuple[QuantumCircuit, str]:
    """Return the template and the samplex of a circuit with twirled gates and measurements."""
    boxes = generate_boxing_pass_manager(enable_gates=True, enable_measures=True, **options)
    template, samplex = build(boxes.run(circuit))
    return template, samplex_to_json(samplex)


def samplex_item(samplex: str, shape: Any = (), **arguments: Any) -> dict[str, Any]:
    return {
        "item_type": "samplex",
        "samplex": {"ssv": 4, "samplex_json": samplex},
        "samplex_arguments": arguments,
        "shape": list(shape),
    }
