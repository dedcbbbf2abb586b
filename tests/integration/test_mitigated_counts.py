"""Counts with readout errors mitigated, over HTTP and by the Python client."""

from __future__ import annotations

import httpx
import pytest

import qwicket
from qwicket.clients.native import ApiError
from support.agents import BELL_QASM
from support.server import LiveServer

MIDDLE = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'
    " c[0] = measure q[0]; h q[0]; c[1] = measure q[0];"
)


def test_counts_of_a_twin_are_mitigated_on_request(server: LiveServer, http: httpx.Client) -> None:
    """One outcome in six of the Bell pair's wrong ones is left by the errors of its gates."""
    with qwicket.connect(server.url, server.token()) as client:
        job = client.submit(BELL_QASM, "qwicket_line5", shots=20_000, seed=7)
        counts = job.result(60).counts
        found = job.mitigated()
        assert set(found) == set(counts) == {"00", "01", "10", "11"}
        assert sum(found.values()) == pytest.approx(1)
        wrong = (counts["01"] + counts["10"]) / 20_000
        assert wrong > 0.03
        assert abs(found["01"] + found["10"]) < wrong / 2
        part = f"/v1/jobs/{job.id}/parts/0"
        assert "quasi_probabilities" not in http.get(part).json()
        assert http.get(f"{part}?mitigation=readout").json()["quasi_probabilities"] == found
        refused = http.get(f"{part}?mitigation=pec")
        assert (refused.status_code, refused.json()["field"]) == (400, "mitigation")
        # A job of IBM's clients has each shot in place of counts.
        shots = client.submit(BELL_QASM, "qwicket_line5", shots=20_000, seed=7, outputs=["memory"])
        shots.wait(60)
        assert shots.mitigated() == pytest.approx(found)


def test_counts_that_cannot_be_mitigated_are_refused_with_the_reason(server: LiveServer) -> None:
    wide = (
        'OPENQASM 3.0; include "stdgates.inc"; qubit[5] q; bit[5] c;'
        " for int i in [0:4] { h q[i]; } c = measure q;"
    )
    with qwicket.connect(server.url, server.token()) as client:
        for program, device, shots, text in (
            (BELL_QASM, "simulator", 100, "had no calibration"),
            (MIDDLE, "qwicket_line5", 100, "measures qubits before its end"),
            (wide, "qwicket_line5", 20, "of the shots have an outcome that occurred once"),
        ):
            job = client.submit(program, device, shots=shots, seed=7)
            job.wait(60)
            with pytest.raises(ApiError, match=text) as refused:
                job.mitigated()
            assert (refused.value.status, refused.value.field) == (409, "mitigation")
        job = client.submit(BELL_QASM, "qwicket_line5", shots=100, observables={"ZZ": 1.0})
        job.wait(60)
        with pytest.raises(ApiError, match="the circuit measures nothing"):
            job.mitigated()
