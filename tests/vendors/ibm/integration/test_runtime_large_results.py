"""Large results of the Runtime dialect: streamed, in little memory."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from qiskit import QuantumCircuit

from support import executor, pubs
from support.runtime import PLATFORM, access_token, body
from support.server import LiveServer, running_server
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.timeout(300)]

WIDTH, SHOTS, PUBS = 24, 1_000_000, 18
RAW_BYTES = PUBS * SHOTS * WIDTH // 8
"""54 MB of random bits, which nothing compresses."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    limits = ("--limit", "result_bytes=1000000000")
    with running_server(tmp_path_factory.mktemp("large"), *limits) as live:
        yield live


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=120) as client:
        token = access_token(client, server.token())
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture(scope="module")
def job(http: httpx.Client) -> str:
    """A job with random bits, but for the first two qubits."""
    circuit = QuantumCircuit(WIDTH, WIDTH)
    circuit.x(1)
    circuit.h(range(2, WIDTH))
    circuit.measure(range(WIDTH), range(WIDTH))
    pub = [pubs.circuit(circuit), pubs.array(), SHOTS]
    sent = http.post(f"{PLATFORM}/jobs", json=body(params=pubs.params(*[pub] * PUBS)))
    assert sent.status_code == 200, sent.text
    found = str(sent.json()["id"])
    # Ten seconds of a worker, which makes way for the processes of all other tests.
    until(lambda: status(http, found) == "Completed", "it completes", timeout_s=240)
    return found


def status(http: httpx.Client, job: str) -> str:
    return str(
        http.get(f"{PLATFORM}/jobs/{job}", params={"exclude_params": "true"}).json()["status"]
    )


def peak_kb(server: LiveServer) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def arrays(text: bytes) -> list[Any]:
    found = json.loads(text)["__value__"]["pub_results"]
    made = []
    for pub in found:
        data = pub["__value__"]["data"]["__value__"]
        assert data["field_names"] == ["c"]
        packed = data["fields"]["c"]["__value__"]["array"]["__value__"]
        made.append(np.load(io.BytesIO(zlib.decompress(base64.b64decode(packed)))))
    return made


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_result_of_over_50_mb_is_streamed_in_little_memory(
    server: LiveServer, http: httpx.Client, job: str, encoding: str
) -> None:
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # resets the peak
    before = peak_kb(server)
    wanted = {"Accept-Encoding": encoding}
    pieces: list[bytes] = []
    with http.stream("GET", f"{PLATFORM}/jobs/{job}/results", headers=wanted) as answer:
        assert answer.status_code == 200
        assert answer.headers.get("content-encoding", "identity") == encoding
        assert "content-length" not in answer.headers
        pieces += answer.iter_bytes()
        sent = answer.num_bytes_downloaded
    assert peak_kb(server) - before < RAW_BYTES // 2_000, "half of the result was in memory"
    # Base64 takes a third more; gzip takes most of that back.
    assert RAW_BYTES < sent < RAW_BYTES * (1.34 if encoding == "identity" else 1.05)
    found = arrays(b"".join(pieces))
    assert [each.shape for each in found] == [(SHOTS, WIDTH // 8)] * PUBS
    for each in found:
        assert (each[:, -1] & 3 == 2).all()
        assert np.unpackbits(each[:, :-1]).mean() == pytest.approx(0.5, abs=0.001)


def test_a_client_that_leaves_ends_the_stream(
    http: httpx.Client, server: LiveServer, job: str
) -> None:
    with http.stream("GET", f"{PLATFORM}/jobs/{job}/results") as answer:
        assert answer.status_code == 200
        next(answer.iter_raw())
    assert http.head(f"{PLATFORM}/jobs/{job}/results").status_code == 200
    assert status(http, job) == "Completed"


def test_a_large_result_of_the_executor_is_streamed_with_its_flips(http: httpx.Client) -> None:
    """5 bits of 999,999 shots end within a byte, where the next set of shots begins."""
    shots = 999_999
    circuit = QuantumCircuit(5)
    circuit.h(range(4))
    circuit.cx(0, 4)
    circuit.measure_all()
    template, samplex = executor.twirled(circuit)
    item = executor.samplex_item(samplex, (3, 4))
    params = executor.params(executor.circuits(template), item, shots=shots)
    sent = http.post(f"{PLATFORM}/jobs", json=body(program_id="executor", params=params))
    found = str(sent.json()["id"])
    until(lambda: status(http, found) == "Completed", "it completes", timeout_s=240)
    answer = http.get(f"{PLATFORM}/jobs/{found}/results")
    assert "content-length" not in answer.headers
    whole = answer.json()
    assert (whole["schema_version"], whole["passthrough_data"]) == ("v2.0", {"a": [1]})
    (tensors,) = [each["results"] for each in whole["data"]]
    bits = executor.array(tensors["meas"])
    assert bits.shape == (3, 4, shots, 5)
    flips = executor.array(tensors["measurement_flips.meas"])
    unflipped = bits ^ flips
    assert (unflipped[..., 0] == unflipped[..., 4]).all()
    assert abs(unflipped.mean() - 0.5) < 0.01


def test_a_large_dry_run_is_streamed_in_the_form_of_its_result(http: httpx.Client) -> None:
    circuit = QuantumCircuit(WIDTH, WIDTH)
    circuit.x(range(WIDTH))
    circuit.measure(range(WIDTH), range(WIDTH))
    entries = [[pubs.circuit(circuit), pubs.array(), SHOTS]] * 2
    fields = body(params=pubs.params(*entries), backend="mock_simulator")
    found = str(http.post(f"{PLATFORM}/jobs", json=fields).json()["id"])
    until(lambda: status(http, found) == "Completed", "it completes", timeout_s=60)
    answer = http.get(f"{PLATFORM}/jobs/{found}/results")
    assert "content-length" not in answer.headers
    first, second = arrays(answer.content)
    assert first.shape == second.shape == (SHOTS, WIDTH // 8)
    assert abs(np.unpackbits(first).mean() - 0.5) < 0.01
    assert (first != second).any()
