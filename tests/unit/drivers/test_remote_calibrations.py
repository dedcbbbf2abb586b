"""Calibrations of other clouds, which a device does not need to run jobs."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest

from qwicket.clients.ionq.errors import IonQAPIError
from qwicket.drivers.remote.calibrations import calibration
from qwicket.drivers.remote.failures import SERVICE_ERRORS
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


IONQ: dict[str, Any] = {
    "backend": "qpu.aria-1",
    "date": "2026-01-31T12:00:00Z",
    "qubits": 25,
    "fidelity": {"spam": {"mean": 0.99}, "1q": {"mean": 0.999}, "2q": {"mean": 0.98}},
    "timing": {"t1": 10.0, "t2": 1.0, "1q": 1e-4, "2q": 6e-4, "readout": 3e-4, "reset": 1e-4},
}


def test_a_characterization_is_a_calibration() -> None:
    found = calibration(SERVICE_ERRORS, lambda: IONQ)
    assert found is not None
    assert found.two_qubit.error == pytest.approx(0.02)
    assert found.readout_s == 3e-4


@for_each(
    "document",
    [
        None,
        {},
        {"fidelity": 5, "timing": {}},
        {**IONQ, "qubits": "many"},
        {**IONQ, "qubits": float("inf")},
        {**IONQ, "date": 1e300},
        {**IONQ, "connectivity": [[0, 0]]},
        {**IONQ, "timing": {**IONQ["timing"], "t1": nan}},
        {"qubits": [[]], "gates": [], "last_update_date": "now"},
        {"qubits": {"a": {}}, "edges": {}, "lastCalibrated": ""},
        {"characterizations": []},
        {"qubits": {"0": None}, "edges": []},
        ["a list"],
    ],
)
def test_what_is_no_calibration_leaves_the_device_without_one(document: Any) -> None:
    assert calibration(SERVICE_ERRORS, lambda: document) is None


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_failed_request_leaves_the_device_without_one(status: int) -> None:
    def read() -> Any:
        raise IonQAPIError("no", status, {}, "", "no")

    assert calibration(SERVICE_ERRORS, read) is None
