"""Results of tasks as braket.schemas describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.circuits.outcomes import LABELS, MEASUREMENTS, READOUTS, Outcome, value_name
from qwicket.circuits.qubit import Readout
from qwicket.dialects.braket import tasks
from qwicket.dialects.times import format_time

if TYPE_CHECKING:
    from qwicket.circuits.outcomes import Array
    from qwicket.circuits.qubit import Factor
    from qwicket.dialects.braket.wire import VendorFields
    from qwicket.model.jobs import Job
    from qwicket.programs.braket import BraketSource

_NAMES: Final = {"state_vector": "statevector", "density_matrix": "densitymatrix"}
_readouts = msgspec.json.Decoder(list[Readout])


def document(job: Job, fields: VendorFields, program: BraketSource, outcome: Outcome) -> bytes:
    """Return `results.json` of a completed task."""
    return msgspec.json.encode(_body(job, fields, program, outcome))


def _body(
    job: Job, fields: VendorFields, program: BraketSource, outcome: Outcome
) -> dict[str, Any]:
    arrays = outcome.arrays
    body: dict[str, Any] = {
        "braketSchemaHeader": {"name": "braket.task_result.gate_model_task_result", "version": "1"},
        "resultTypes": _result_types(arrays),
        "taskMetadata": {
            "braketSchemaHeader": {"name": "braket.task_result.task_metadata", "version": "1"},
            "id": tasks.arn(job, fields),
            "shots": fields.shots,
            "deviceId": fields.device_arn,
            "createdAt": format_time(job.created_at),
            "endedAt": format_time(job.ended_at),
            "status": tasks.status(job),
        },
        "additionalMetadata": {
            "action": {
                "braketSchemaHeader": {"name": "braket.ir.openqasm.program", "version": "1"},
                "source": program.source,
                "inputs": program.inputs,
            },
        },
    }
    if MEASUREMENTS in arrays:
        bits, (_, width) = arrays[MEASUREMENTS].data, arrays[MEASUREMENTS].shape
        body["measurements"] = [list(bits[at : at + width]) for at in range(0, len(bits), width)]
        body["measuredQubits"] = memoryview(arrays[LABELS].data).cast("q").tolist()
    return body


def _result_types(arrays: dict[str, Array]) -> list[dict[str, Any]]:
    readouts = _readouts.decode(arrays[READOUTS].data)
    return [
        {"type": _type(readout), "value": _value(readout, arrays[value_name(place)])}
        for place, readout in enumerate(readouts)
    ]


def _type(readout: Readout) -> dict[str, Any]:
    found: dict[str, Any] = {"type": _NAMES.get(readout.kind, readout.kind)}
    if readout.keys:
        found["states"] = readout.keys
    if readout.targets:
        found["targets"] = readout.targets
    if readout.products:
        # An observable without targets is measured on each qubit: one product each, all alike.
        product = readout.products[0]
        found["observable"] = [_observable(factor) for factor in product]
        if len(readout.products) == 1:
            found["targets"] = [target for factor in product for target in factor.targets]
    return found


def _observable(factor: Factor) -> Any:
    if factor.name != "hermitian":
        return factor.name
    pairs = [list(pair) for pair in zip(factor.matrix[::2], factor.matrix[1::2], strict=True)]
    size = 1 << len(factor.targets)
    return [pairs[at : at + size] for at in range(0, len(pairs), size)]


def _value(readout: Readout, array: Array) -> Any:
    numbers = memoryview(array.data).cast("d").tolist()
    if array.dtype == "<c16":
        pairs = [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
        if readout.kind == "amplitude":
            return dict(zip(readout.keys, pairs, strict=True))
        if readout.kind == "density_matrix":
            width = array.shape[1]
            return [pairs[at : at + width] for at in range(0, len(pairs), width)]
        return pairs
    if readout.kind in ("expectation", "variance"):
        return numbers[0] if len(numbers) == 1 else numbers
    if readout.kind == "sample" and len(array.shape) == 2:
        width = array.shape[1]
        return [numbers[at : at + width] for at in range(0, len(numbers), width)]
    return numbers
