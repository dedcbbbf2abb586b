"""Estimates of a job's cost and time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class JobEstimate:
    """The server's estimate. A field that the response lacks is None, `rate_information` {}.

    Attributes:
        backend: Name of the backend in the request.
        oneq_gates: Number of one-qubit gates in the request.
        twoq_gates: Number of two-qubit gates in the request.
        qubits: Number of qubits in the request.
        shots: Number of shots in the request.
        error_mitigation: Whether the request included error mitigation.
        session: Whether the request was for a job in a session.
        cost: Cost in `cost_unit`.
        cost_unit: Currency of the cost.
        exec_time: Execution time in the server's unit; milliseconds in IonQ's documentation.
        queue_time: Waiting time in the same unit.
        estimated_at: Time of the estimate.
        rate_information: Prices behind the cost.
    """

    backend: str | None = None
    oneq_gates: int | None = None
    twoq_gates: int | None = None
    qubits: int | None = None
    shots: int | None = None
    error_mitigation: bool | None = None
    session: bool | None = None
    cost: float | None = None
    cost_unit: str | None = None
    exec_time: float | None = None
    queue_time: float | None = None
    estimated_at: datetime | None = None
    rate_information: dict[str, Any] = field(default_factory=dict)
    _raw: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> JobEstimate:
        """Return an estimate from either of the two formats of IonQ's service."""
        request = body.get("input_values") or body.get("estimate_context") or {}
        return cls(
            backend=request.get("backend"),
            oneq_gates=request.get("1q_gates"),
            twoq_gates=request.get("2q_gates"),
            qubits=request.get("qubits"),
            shots=request.get("shots"),
            error_mitigation=request.get("error_mitigation"),
            session=request.get("session"),
            cost=body.get("estimated_cost", body.get("estimated_total_cost")),
            cost_unit=body.get("cost_unit", body.get("estimated_unit")),
            exec_time=body.get("estimated_execution_time"),
            queue_time=body.get("current_predicted_queue_time"),
            estimated_at=_time(body.get("estimated_at")),
            rate_information=body.get("rate_information") or body.get("rate_card") or {},
            _raw=body,
        )

    @property
    def total_runtime(self) -> float | None:
        """Sum of waiting and execution time."""
        if self.exec_time is None or self.queue_time is None:
            return None
        return self.exec_time + self.queue_time

    def to_dict(self) -> dict[str, Any]:
        """Return the server's response."""
        return dict(self._raw)


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
