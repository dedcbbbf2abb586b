"""What IQM's clients rely on, over plain HTTP, each rule a test of its name.

What the clients do was seen by running iqm-client 36.0.0 and read from its source.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from qwicket.vendors.iqm.dialect.routes import ROUTES
from support.described import described_by
from support.held import held_job
from support.iqm import BELL, DIALECT, Caller, body, cz, measure, prx
from support.server import LiveServer
from support.waiting import until

GARNET = "/calibration-sets/garnet/default"


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def caller(server: LiveServer, http: httpx.Client) -> Caller:
    return Caller(http, server.token())


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"message", "error_code", "source"}
    return str(answer.json()["message"])


def test_the_paths_are_also_at_the_root(caller: Caller, http: httpx.Client) -> None:
    """The client takes the end of an address's path for the name of a computer."""
    found = http.get("/api/v1/quantum-computers", headers=caller.headers)
    assert found.json() == caller.get("/quantum-computers")
    refused(http.get("/api/v1/quantum-computers"), 401)
    refused(http.get("/api/v2/quantum-computers", headers=caller.headers), 404)


def test_ids_are_uuids_and_no_computer_has_a_proxy(caller: Caller) -> None:
    """With a proxy path the client sends requests to other paths."""
    for each in caller.get("/quantum-computers")["quantum_computers"]:
        assert each["proxy_path"] is None
        uuid.UUID(each["id"])
        architecture = caller.get(
            f"/calibration-sets/{each['alias']}/default/dynamic-quantum-architecture"
        )
        assert {"prx", "measure", "cz"} <= architecture["gates"].keys()
        assert len(architecture["qubits"]) > 1
        own = architecture["calibration_set_id"]
        path = f"/calibration-sets/{each['alias']}/{uuid.UUID(own)}"
        assert caller.get(path)["observation_set_id"] == own
        assert caller.get(f"{path}/metrics")["describes_id"] == own


def test_only_the_ideal_computer_has_no_observations(caller: Caller) -> None:
    assert caller.get("/calibration-sets/simulator/default")["observations"] == []
    assert caller.get("/calibration-sets/simulator/default/metrics")["observations"] == []
    figures = {
        each["dut_field"]: each["value"] for each in caller.get(f"{GARNET}/metrics")["observations"]
    }
    assert figures["characterization.model.QB1.t1_time"] == pytest.approx(37.741e-6)
    assert figures["metrics.ssro.measure.constant.QB1.fidelity"] == pytest.approx(1 - 0.02575)
    # Two-qubit error parameter 0.00804 of QB1 and QB4, of which 3/4 is the average infidelity.
    assert figures["metrics.irb.cz.tgss.QB1__QB4.fidelity:par=d2"] == pytest.approx(1 - 0.00603)


def test_a_job_has_the_fields_and_statuses_that_clients_know(caller: Caller) -> None:
    job = caller.done(body(BELL, [prx(1), measure(1, key="k")], shots=7))
    found = caller.get(f"/jobs/{job}")
    assert (found["type"], found["status"], found["queue_position"]) == (
        "circuit",
        "completed",
        None,
    )
    assert [each["status"] for each in found["timeline"]] == ["created", "processing", "completed"]
    times = [datetime.fromisoformat(each["timestamp"]) for each in found["timeline"]]
    assert times == sorted(times)
    assert [each["type"] for each in found["artifacts"]] == ["measurements", "measurement_counts"]
    bell, flipped = caller.get(f"/jobs/{job}/artifacts/measurements")
    assert len(bell["m"]) == 7
    assert {tuple(bits) for bits in bell["m"]} <= {(0, 0), (1, 1)}
    assert flipped == {"k": [[1]] * 7}
    first, second = caller.get(f"/jobs/{job}/artifacts/measurement_counts")
    assert first["counts"] == {
        key: n for key in ("00", "11") if (n := bell["m"].count([int(key[0])] * 2))
    }
    assert second == {"measurement_keys": ["k"], "counts": {"1": 7}}


def test_the_payload_is_what_was_sent(caller: Caller) -> None:
    sent = body(heralding_mode="none", max_circuit_duration_over_t2=None, anything={"a": 1})
    assert caller.get(f"/jobs/{caller.done(sent)}/payload") == sent


def test_a_waiting_job_counts_those_ahead_and_is_deleted(
    server: LiveServer, caller: Caller
) -> None:
    held = [held_job() for _ in range(2)]  # there are two workers
    with server.client() as native:
        for each in held:
            sent = {"device": "simulator", "program": each.program, "shots": 1}
            assert native.post("/v1/jobs", json=sent).status_code == 201
        for each in held:
            each.wait_until_running()
        large = body([cz(k, k + 1) for k in range(24)] + [measure(*range(25))], shots=1)
        for circuit in large["circuits"]:
            circuit["instructions"] = [prx(k) for k in range(25)] * 40 + circuit["instructions"]
        job = caller.submit(large)
        until(lambda: caller.get(f"/jobs/{job}")["queue_position"] == 0, "it has a position")
        assert caller.get(f"/jobs/{job}")["status"] == "waiting"
        said = refused(caller.call("GET", f"/jobs/{job}/artifacts/measurements"), 404)
        assert said == "The job is queued and has no measurements."
        assert caller.call("DELETE", f"/jobs/{job}").status_code == 204
        refused(caller.call("GET", f"/jobs/{job}"), 404)
    for each in held:
        each.release()


def test_an_ended_job_is_not_changed_by_a_cancellation(caller: Caller) -> None:
    job = caller.done()
    assert caller.call("POST", f"/jobs/{job}/cancel").status_code == 204
    assert caller.get(f"/jobs/{job}")["status"] == "completed"


def test_statuses_choose_the_exceptions_of_clients(caller: Caller, http: httpx.Client) -> None:
    path = f"{DIALECT}/v1/jobs/garnet/circuit"
    send = {"headers": caller.headers}
    assert "not valid JSON" in refused(http.post(path, content=b"{", **send), 400)
    assert "shots must be a whole number" in refused(caller.post(body(shots="x")), 422)
    assert "circuits is missing" in refused(caller.post({}), 422)
    far = caller.post(body([cz(0, 19), measure(0)]), "garnet")
    assert refused(far, 422) == "cz: garnet does not connect QB1 and QB20"
    assert "no device sirius" in refused(caller.post(body(), "sirius"), 404)
    assert "qpu.aria-1" in refused(caller.post(body(), "qpu.aria-1"), 404)  # of another dialect
    refused(caller.call("PUT", "/quantum-computers"), 405)


def test_a_calibration_set_that_is_no_longer_in_force_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    folder.mkdir()
    text = """name = "pair"
family = "qubit"
provider = "qwicket"
driver = "simulated"
position = 1
[spec]
description = "A pair"
qubits = 2
formats = ["iqm.circuits"]
outputs = ["counts", "memory"]
[calibration]
valid_from = 2026-01-31T12:00:00Z
source = "ours"
qubit = {{ t1_s = {t1}, t2_s = 1e-5, one_for_zero = 0.01, zero_for_one = 0.01 }}
one_qubit = {{ error = 0.001, duration_s = 1e-8 }}
two_qubit = {{ error = 0.01, duration_s = 1e-7 }}
"""
    (folder / "pair.toml").write_text(text.format(t1="4e-5"))
    live = LiveServer(tmp_path / "live", "--device-dir", str(folder))
    path = "/calibration-sets/pair/default/dynamic-quantum-architecture"
    with httpx.Client(base_url=live.url, timeout=60) as http:
        caller = Caller(http, live.token())
        former = caller.get(path)["calibration_set_id"]
        named = caller.get(f"/jobs/{caller.done(body(calibration_set_id=former), 'pair')}")
        assert named["compilation"] == {"calibration_set_id": former}
    assert live.stop() == 0
    (folder / "pair.toml").write_text(text.format(t1="5e-5"))
    live.start()
    with httpx.Client(base_url=live.url, timeout=60) as http:
        caller = Caller(http, live.token())
        current = caller.get(path)["calibration_set_id"]
        assert current != former
        said = refused(caller.post(body(calibration_set_id=former), "pair"), 422)
        assert said == (
            f"calibration_set_id: {former} is no longer in force; jobs run with {current}."
        )
        assert caller.get(f"/calibration-sets/pair/{former}")["observation_set_id"] == former
        t1 = "characterization.model.QB1.t1_time"
        metrics = caller.get(f"/calibration-sets/pair/{former}/metrics")["observations"]
        assert next(each["value"] for each in metrics if each["dut_field"] == t1) == 4e-5
    assert live.stop() == 0


def test_a_device_that_is_off_is_not_healthy(server: LiveServer, caller: Caller) -> None:
    assert caller.get("/quantum-computers/crystal54/health") == {"healthy": True, "reason": ""}
    server.admin("device", "off", "crystal54", "--reason", "warm")
    path = "/quantum-computers/crystal54/health"
    try:
        until(lambda: caller.get(path) == {"healthy": False, "reason": "warm"}, "it is off")
        assert "warm" in refused(caller.post(body(), "crystal54"), 503)
    finally:
        server.admin("device", "on", "crystal54")


def test_every_response_was_held_to_its_description(caller: Caller) -> None:
    for path in (
        *("/about", "/quantum-computers/garnet/artifacts/about"),
        "/quantum-computers/garnet/artifacts/static-quantum-architectures",
    ):
        caller.get(path)
    assert caller.described.checked == described_by(ROUTES)
