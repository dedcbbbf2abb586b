"""Programs with samplexes on a live server: what was drawn outlives it, and lies do not harm it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from qiskit import QuantumCircuit

from support import executor
from support.runtime import Client
from support.server import IDLE, LiveServer

pytestmark = pytest.mark.extended

MAX_GROWTH_KB = 40_000
"""What a request of 8 MB may take; a lie would take gigabytes."""


def flipped() -> tuple[QuantumCircuit, str]:
    """Return a template and a samplex whose bits are all 1 once the flips are undone."""
    circuit = QuantumCircuit(3)
    circuit.x([0, 1, 2])
    circuit.measure_all()
    return executor.twirled(circuit)


def program(shape: list[int], samplex: str | None = None) -> dict[str, Any]:
    template, own = flipped()
    item = executor.samplex_item(samplex or own, shape)
    return executor.params(executor.circuits(template), item)


def test_a_job_that_runs_after_a_crash_has_the_flips_of_its_submission(tmp_path: Path) -> None:
    first = LiveServer(tmp_path, *IDLE)
    with httpx.Client(base_url=first.url, timeout=60) as http:
        job = Client(http, token := first.token()).submit(
            program_id="executor", params=program([50])
        )
    first.kill()
    second = LiveServer(tmp_path)
    with httpx.Client(base_url=second.url, timeout=60) as http:
        client = Client(http, token)
        assert client.ended(job)["status"] == "Completed"
        (item,) = client.get(f"/jobs/{job}/results")["data"]
    assert second.stop() == 0
    found = {name: executor.array(tensor) for name, tensor in item["results"].items()}
    assert found["measurement_flips.meas"].shape == (50, 1, 3)
    assert len(np.unique(found["measurement_flips.meas"], axis=0)) == 8
    assert (found["meas"] ^ found["measurement_flips.meas"]).all()


def peak_kb(server: LiveServer) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_samplexes_that_lie_do_not_grow_the_server(tmp_path: Path) -> None:
    server = LiveServer(tmp_path, *IDLE)
    with httpx.Client(base_url=server.url, timeout=60) as http:
        client = Client(http, server.token())

        def answer(params: dict[str, Any]) -> str:
            body = {"program_id": "executor", "backend": "qwicket_simulator", "params": params}
            sent = client.call("POST", "/jobs", json=body)
            assert sent.status_code == 400
            return str(sent.json()["error"]["message"])

        answer(program([1], "{}"))
        before = peak_kb(server)
        text = flipped()[1]
        huge = text.replace('\\"num_subsystems\\":3', '\\"num_subsystems\\":3000000000')
        wide = text.replace('num_randomizations\\\\\\",', 'num_randomizations\\\\\\",9000000')
        assert huge != text != wide
        assert "samplex_bytes" in answer(program([1], huge))
        assert "parameters" in answer(program([1], wide))
        assert "is not the JSON of a samplex" in answer(program([1], "[" * 8_000_000))
        assert "parameter_sets: 1000000 is above" in answer(program([1_000_000]))
        assert peak_kb(server) < before + MAX_GROWTH_KB
    assert server.stop() == 0
    server.assert_calm()
