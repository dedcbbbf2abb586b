"""Results of tasks as braket.schemas describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.circuits.outcomes import LABELS, MEASUREMENTS, READOUTS, Outcome, value_name
from qwicket.circuits.qubit import Readout
from qwicket.dialects.times import format_time
from qwicket.vendors.braket.dialect import analog, tasks, wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.outcomes import Array
    from qwicket.circuits.qubit import Factor
    from qwicket.model.failures import Failure
    from qwicket.model.jobs import Job
    from qwicket.vendors.braket.dialect.wire import VendorFields

_NAMES: Final = {"state_vector": "statevector", "density_matrix": "densitymatrix"}
"""Braket's names of kinds of results that have another name here."""
_readouts = msgspec.json.Decoder(list[Readout])


def document(
    job: Job, fields: VendorFields, source: bytes, outcomes: Sequence[Outcome | Failure]
) -> bytes:
    """Return `results.json` of a completed task, or of a program set that failed.

    Args:
        job: The task.
        fields: Its vendor fields.
        source: Its program, as it is stored.
        outcomes: Its results: one, or one for each run of a program set.
    """
    if fields.is_set:
        return msgspec.json.encode(_program_set(job, fields, source, outcomes))
    (outcome,) = outcomes
    assert isinstance(outcome, Outcome)
    parts = _analog(source, outcome) if fields.is_analog else _gate_model(source, outcome)
    metadata = {
        "braketSchemaHeader": _header("braket.task_result.task_metadata"),
        "id": tasks.arn(job, fields),
        "shots": fields.shots,
        "deviceId": fields.device_arn,
        "createdAt": format_time(job.created_at),
        "endedAt": format_time(job.ended_at),
        "status": tasks.status(job),
    }
    return msgspec.json.encode({"taskMetadata": metadata, **parts})


def _header(name: str) -> dict[str, str]:
    return {"name": name, "version": "1"}


def _program_set(
    job: Job, fields: VendorFields, source: bytes, outcomes: Sequence[Outcome | Failure]
) -> dict[str, Any]:
    stored = wire.source_of(source)
    remaining = iter(outcomes)
    programs: list[dict[str, Any]] = []
    metadata: list[dict[str, Any]] = []
    for program in stored.programs:
        runs = [next(remaining) for _ in range(program.n_executables)]
        action = {
            "braketSchemaHeader": _header(wire.PROGRAM),
            "source": program.source,
            "inputs": program.inputs or {},
        }
        programs.append(
            {
                "braketSchemaHeader": _header("braket.task_result.program_result"),
                "executableResults": [_executable(place, run) for place, run in enumerate(runs)],
                "source": action,
                "additionalMetadata": {"action": action},
            }
        )
        metadata.append({"executables": [_failure(run) for run in runs]})
    n_failed = sum(not isinstance(outcome, Outcome) for outcome in outcomes)
    return {
        "braketSchemaHeader": _header("braket.task_result.program_set_task_result"),
        "programResults": programs,
        "taskMetadata": {
            "braketSchemaHeader": _header("braket.task_result.program_set_task_metadata"),
            "id": tasks.arn(job, fields),
            "deviceId": fields.device_arn,
            "requestedShots": fields.shots,
            "successfulShots": stored.shots * (len(outcomes) - n_failed),
            "programMetadata": metadata,
            "createdAt": format_time(job.created_at),
            "endedAt": format_time(job.ended_at),
            "status": tasks.status(job),
            "totalFailedExecutables": n_failed,
        },
    }


def _executable(place: int, outcome: Outcome | Failure) -> dict[str, Any]:
    if isinstance(outcome, Outcome):
        return {
            "braketSchemaHeader": _header("braket.task_result.program_set_executable_result"),
            "inputsIndex": place,
            **_measured(outcome.arrays),
        }
    return {
        "braketSchemaHeader": _header("braket.task_result.program_set_executable_failure"),
        "inputsIndex": place,
        "failureMetadata": _failure(outcome),
    }


def _failure(outcome: Outcome | Failure) -> dict[str, Any]:
    """Return why a run failed; empty if it did not."""
    if isinstance(outcome, Outcome):
        return {}
    return {"failureReason": outcome.message, "retryable": False, "category": "DEVICE"}


def _measured(arrays: dict[str, Array]) -> dict[str, Any]:
    bits, (_, width) = arrays[MEASUREMENTS].data, arrays[MEASUREMENTS].shape
    return {
        "measurements": [list(bits[at : at + width]) for at in range(0, len(bits), width)],
        "measuredQubits": memoryview(arrays[LABELS].data).cast("q").tolist(),
    }


def _analog(source: bytes, outcome: Outcome) -> dict[str, Any]:
    return {
        "braketSchemaHeader": _header(
            "braket.task_result.analog_hamiltonian_simulation_task_result"
        ),
        "measurements": analog.measurements(outcome),
        "additionalMetadata": {"action": analog.action(source)},
    }


def _gate_model(source: bytes, outcome: Outcome) -> dict[str, Any]:
    program, arrays = wire.source_of(source), outcome.arrays
    body: dict[str, Any] = {
        "braketSchemaHeader": _header("braket.task_result.gate_model_task_result"),
        "resultTypes": _result_types(arrays),
        "additionalMetadata": {
            "action": {
                "braketSchemaHeader": _header(wire.PROGRAM),
                "source": program.source,
                "inputs": program.inputs,
            },
        },
    }
    if MEASUREMENTS in arrays:
        body |= _measured(arrays)
    return body


def _result_types(arrays: dict[str, Array]) -> list[dict[str, Any]]:
    readouts = _readouts.decode(arrays[READOUTS].data)
    return [
        {"type": _type(readout), "value": _value(readout, arrays[value_name(index)])}
        for index, readout in enumerate(readouts)
    ]


def _type(readout: Readout) -> dict[str, Any]:
    found: dict[str, Any] = {"type": _NAMES.get(readout.kind, readout.kind)}
    if readout.keys:
        found["states"] = readout.keys
    if readout.targets:
        found["targets"] = readout.targets
    if readout.kind == "adjoint_gradient":
        found["parameters"] = [each.name for each in readout.parameters]
        found["targets"] = [
            [target for factor in product for target in factor.targets]
            for product in readout.products
        ]
        found["observable"] = _sum(readout)
    elif readout.products:
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


def _sum(readout: Readout) -> Any:
    """Return the observable of a gradient: a product as in other results, or a sum as a text."""
    if readout.coefficients == (1.0,):
        return [_observable(factor) for factor in readout.products[0]]
    return " + ".join(
        f"{coefficient!r} * {' @ '.join(factor.name for factor in product)}"
        for coefficient, product in zip(readout.coefficients, readout.products, strict=True)
    )


def _value(readout: Readout, array: Array) -> Any:
    numbers = memoryview(array.data).cast("d").tolist()
    if readout.kind == "adjoint_gradient":
        names = [each.name for each in readout.parameters]
        gradient = dict(zip(names, numbers[1:], strict=True))
        return {"expectation": numbers[0], "gradient": gradient}
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
