from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from qwicket.vendors.ionq.client import JobEstimate

# The two shapes of IonQ's service: the one that qiskit-ionq reads, and the one of its OpenAPI.
ASKED = {"backend": "qpu.aria-1", "1q_gates": 10, "2q_gates": 5, "qubits": 4, "shots": 100}
OLD = {
    "input_values": {**ASKED, "error_mitigation": False, "session": False},
    "estimated_cost": 0.71,
    "cost_unit": "usd",
    "estimated_execution_time": 100,
    "current_predicted_queue_time": 20,
    "estimated_at": "2026-03-01T10:00:00+00:00",
    "rate_information": {"rate": 1},
}
NEW = {
    "estimate_context": {**ASKED, "error_mitigation": False},
    "estimated_total_cost": 0.71,
    "estimated_unit": "usd",
    "estimated_execution_time": 100,
    "current_predicted_queue_time": 20,
    "estimated_at": "2026-03-01T10:00:00.000Z",
    "rate_card": {"rate": 1},
}


@pytest.mark.parametrize("body", [OLD, NEW])
def test_both_shapes_of_an_estimate_are_read(body: dict[str, Any]) -> None:
    estimate = JobEstimate.from_body(body)
    assert (estimate.backend, estimate.qubits, estimate.shots) == ("qpu.aria-1", 4, 100)
    assert (estimate.oneq_gates, estimate.twoq_gates) == (10, 5)
    assert estimate.error_mitigation is False
    assert (estimate.cost, estimate.cost_unit) == (0.71, "usd")
    assert (estimate.exec_time, estimate.queue_time, estimate.total_runtime) == (100, 20, 120)
    assert estimate.estimated_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert estimate.rate_information == {"rate": 1}
    assert estimate.to_dict() == body


@pytest.mark.parametrize("body", [{}, {"estimated_at": 5}, {"estimated_at": "soon"}])
def test_what_the_server_does_not_say_is_none(body: dict[str, Any]) -> None:
    estimate = JobEstimate.from_body(body)
    assert (estimate.cost, estimate.total_runtime, estimate.estimated_at) == (None, None, None)
