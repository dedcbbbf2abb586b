"""What a job would cost and how long it would take."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class JobEstimate:
    """The server's estimate. What it does not say is None.

    Attributes:
        backend: Asked about, like the five that follow.
        oneq_gates: Gates on one qubit.
        twoq_gates: Gates on two.
        qubits: Their number.
        shots: Their number.
        error_mitigation: Whether errors were to be mitigated.
        session: Whether the job was to run in a session.
        cost: In `cost_unit`.
        cost_unit: A currency.
        exec_time: Running, as the server says it: milliseconds by IonQ's own description.
        queue_time: Waiting, in the same unit.
        estimated_at: When.
        rate_information: How the cost was reckoned.
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
        """Return an estimate from either of the two shapes that IonQ's service has."""
        asked = body.get("input_values") or body.get("estimate_context") or {}
        return cls(
            backend=asked.get("backend"),
            oneq_gates=asked.get("1q_gates"),
            twoq_gates=asked.get("2q_gates"),
            qubits=asked.get("qubits"),
            shots=asked.get("shots"),
            error_mitigation=asked.get("error_mitigation"),
            session=asked.get("session"),
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
        """Waiting and running together."""
        if self.exec_time is None or self.queue_time is None:
            return None
        return self.exec_time + self.queue_time

    def to_dict(self) -> dict[str, Any]:
        """Return what the server said."""
        return dict(self._raw)


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
