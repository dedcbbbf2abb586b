"""Bodies about backends, their characterizations, estimates and organizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.times import format_time
from qwicket.model.errors import InvalidRequest
from qwicket.vendors.ionq.dialect.params import boolean, integer
from qwicket.vendors.ionq.dialect.sessions import ORGANIZATION
from qwicket.vendors.ionq.dialect.statuses import V03, Version
from qwicket.vendors.ionq.dialect.wire import CIRCUIT, IDEAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.circuits.calibrations import Calibrated
    from qwicket.gateway import DeviceView
    from qwicket.model.accounts import Actor
    from qwicket.model.budgets import BudgetState
    from qwicket.model.devices import Device
    from qwicket.store.calibrations import CalibrationPage

PAGE: Final = 10
_MAX_NUMBER: Final = 1_000_000_000
_DEBIASING: Final = "debiasing"


def _status(view: DeviceView) -> str:
    if view.is_online:
        return "available"
    return "unavailable" if view.status.is_paused else "offline"  # the former takes jobs


def backend(view: DeviceView, now: int, queue_s: float) -> dict[str, Any]:
    """Return one row of `/backends`. `now` is in Unix milliseconds; queue times are shown in ms."""
    row: dict[str, Any] = {
        "backend": view.device.name,
        "status": _status(view),
        "qubits": view.qubits,
        "average_queue_time": round(1000 * queue_s),
        "last_updated": format_time(now),
        "has_access": True,
        "degraded": False,
        "supported_gates": view.device.spec.gates,
        "supported_native_gates": view.device.spec.native_gates,
        "supported_error_mitigations": [_DEBIASING] if view.calibration else [],
    }
    if view.calibration is None:
        return {**row, "noise_models": [IDEAL, *view.device.spec.noise_models]}
    return {**row, "characterization_id": view.calibration.id}


def bounds(query: Mapping[str, str]) -> tuple[int, int]:
    """Return the offset and the size of the requested page.

    Raises:
        InvalidRequest: One of them is not a number, or out of range.
    """
    number = integer(query, "page", default=1, minimum=1, maximum=_MAX_NUMBER)
    limit = integer(query, "limit", default=PAGE, minimum=1, maximum=PAGE)
    return (number - 1) * limit, limit


def characterizations(
    version: Version, device: Device, page: CalibrationPage, limit: int
) -> dict[str, Any]:
    """Return one page of characterizations, newest first."""
    return {
        "characterizations": [characterization(version, device, each) for each in page.rows],
        "pages": max(1, -(-page.n_all // limit)),
    }


def calibrations(
    version: Version, device: Device, page: CalibrationPage, start: int
) -> dict[str, Any]:
    """Return a page of characterizations, from index `start` on, as cirq-ionq reads them."""
    rows = [characterization(version, device, each) for each in page.rows]
    has_more = start + PAGE < page.n_all
    return {"calibrations": rows, **({"next": str(start + PAGE)} if has_more else {})}


def characterization(version: Version, device: Device, calibrated: Calibrated) -> dict[str, Any]:
    """Return a calibration in IonQ's JSON: fidelities, and times in seconds."""
    body = calibrated.body
    return {
        "id": calibrated.id,
        "backend": device.name,
        "target": device.name,  # cirq-ionq reads this
        "date": calibrated.valid_from / 1000
        if version is V03
        else format_time(calibrated.valid_from),
        "qubits": device.spec.qubits,
        "connectivity": body.connected(device.spec.qubits),
        "fidelity": {
            "spam": _fidelity(body.qubit.spam_error),
            "1q": _fidelity(body.one_qubit.error),
            "2q": _fidelity(body.two_qubit.error),
        },
        "timing": {
            "readout": body.readout_s,
            "reset": body.reset_s,
            "1q": body.one_qubit.duration_s,
            "2q": body.two_qubit.duration_s,
            "t1": body.qubit.t1_s,
            "t2": body.qubit.t2_s,
        },
    }


def _fidelity(error: float) -> dict[str, float]:
    """Return a fidelity. Only one figure is known, so mean and median are the same."""
    fidelity = round(1 - error, 12)
    return {"median": fidelity, "mean": fidelity}


def estimate_parameters(query: Mapping[str, str], shots_limit: int) -> dict[str, Any]:
    """Return the parameters of an estimate.

    Raises:
        InvalidRequest: A number or boolean is malformed or out of range, or the backend is missing.
    """
    if not query.get("backend"):
        raise InvalidRequest("backend is missing.", field="backend")
    return {
        "backend": query["backend"],
        "type": query.get("type", CIRCUIT)[:64],
        "qubits": integer(query, "qubits", default=25, minimum=1, maximum=5_000),
        "shots": integer(query, "shots", default=1_000, minimum=1, maximum=shots_limit),
        "1q_gates": integer(query, "1q_gates", default=0, minimum=0, maximum=_MAX_NUMBER),
        "2q_gates": integer(query, "2q_gates", default=0, minimum=0, maximum=_MAX_NUMBER),
        "error_mitigation": boolean(query, "error_mitigation"),
        "session": boolean(query, "session"),
    }


def estimate(
    actor: Actor,
    params: dict[str, Any],
    run_s: float,
    queue_s: float,
    now: int,
    cost: float | None,
) -> dict[str, Any]:
    """Return the estimate of a job, with the keys that clients read and those of IonQ's document.

    A cost is in credits. Without a cost it is 0 `usd`, because the body needs a number and a unit.
    """
    unit = "usd" if cost is None else "credits"
    inputs = {key: value for key, value in params.items() if key != "type"}
    context = {key: value for key, value in params.items() if key != "session"}
    return {
        "input_values": inputs,
        "estimate_context": {**context, "organization": ORGANIZATION, "project": actor.project},
        "estimated_cost": cost or 0.0,
        "estimated_total_cost": cost or 0.0,
        "cost_unit": unit,
        "estimated_unit": unit,
        "estimated_execution_time": round(1000 * run_s),
        "current_predicted_queue_time": round(1000 * queue_s),
        "estimated_at": (format_time(now) or "").replace("Z", "+00:00"),  # Python 3.10 reads no Z
        "rate_information": {},
        "rate_card": {"id": "free", "rates": []},
    }


def report(actor: Actor, budget: BudgetState | None) -> dict[str, Any]:
    """Return the report on an organization, which is the project of the token here.

    `budget` and `balance` are 0 without a budget.
    """
    name, maximum, left, begins_at, ends_at = actor.project, 0.0, 0.0, None, None
    if budget is not None:
        name, maximum, left = budget.project, budget.maximum, budget.left
        begins_at, ends_at = budget.begins_at, budget.ends_at
    return {
        "start_date": (format_time(begins_at) or "")[:10],
        "end_date": (format_time(ends_at) or "")[:10],
        "organization": name,
        "organization_id": actor.project,
        "budget": maximum,
        "balance": left,
        "currency": "credits",
        "qpus": [],
        "members": [],
    }
