"""A quantum computer behind IQM's API as a device of this server; it is a second server."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi
from pathlib import Path
from typing import Any

import httpx
import pytest

import qwicket
from qwicket.clients.native import ApiError, Client
from support.cutting_proxy import Cut, CuttingProxy
from support.held import held_job
from support.iqm import BELL, Caller, body, cz, instruction, measure, prx
from support.remotes import BELL as OPENQASM
from support.remotes import HEAD
from support.server import LiveServer
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.timeout(300)]

FAR = "/calibration-sets/far-garnet/default"
TURNED = HEAD + "qubit[3] q; bit[3] c; h q; cx q[0], q[1]; rz(0.7) q[1]; ry(1.1) q[1];"
TURNED += "ccx q[0], q[1], q[2]; sx q[0]; p(0.4) q[0]; h q[0]; c = measure q;"


def write_device(folder: Path, url: str, key: str, name: str, device: str, gates: str) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.key"
    file.write_text(key)
    file.chmod(0o600)
    qubits = 20 if device == "garnet" else 26
    (folder / f"{name}.toml").write_text(f'''name = "{name}"
family = "qubit"
provider = "elsewhere"
driver = "remote"
position = 500
[spec]
description = "A quantum computer of another cloud"
qubits = {qubits}
formats = ["iqm.circuits", "openqasm3", "batch"]
gates = [{gates}]
outputs = ["counts", "memory"]
[remote]
kind = "iqm"
url = "{url}"
device = "{device}"
key_file = "{file}"
poll_s = 0.1
mirror_s = 0.3
timeout_s = 3
settle_s = 3
''')


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("behind"), "--express-slots", "0")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy(behind: LiveServer) -> Iterator[CuttingProxy]:
    with CuttingProxy(behind.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def front(
    tmp_path_factory: pytest.TempPathFactory, behind: LiveServer, proxy: CuttingProxy
) -> Iterator[LiveServer]:
    folder, key = tmp_path_factory.mktemp("devices"), behind.token("gate")
    write_device(folder, behind.url, key, "far", "simulator", '"u", "cz", "reset"')
    write_device(folder, behind.url, key, "far-plain", "simulator", "")
    write_device(folder, behind.url, key, "far-garnet", "garnet", '"u", "cz"')
    write_device(folder, proxy.url, key, "far-cut", "simulator", '"u", "cz"')
    server = LiveServer(tmp_path_factory.mktemp("front"), "--device-dir", str(folder))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(front: LiveServer) -> Iterator[Client]:
    with qwicket.connect(front.url, front.token("ada")) as client:
        for name in ("far", "far-plain", "far-garnet", "far-cut"):
            until(lambda name=name: client.device(name).status == "on", f"{name} is seen")
        yield client


@pytest.fixture(scope="module")
def caller(front: LiveServer, client: Client) -> Iterator[Caller]:
    with httpx.Client(base_url=front.url, timeout=60) as http:
        yield Caller(http, front.token("ada"))


def jobs_behind(behind: LiveServer) -> list[Any]:
    with qwicket.connect(behind.url, behind.token("gate")) as there:
        return [job.refresh() for job in there.jobs(limit=1000)]


def test_openqasm_runs_there_once_in_prx_and_cz(client: Client, behind: LiveServer) -> None:
    before = len(jobs_behind(behind))
    result = client.submit(OPENQASM, "far", shots=500, outputs=("counts", "memory")).result(60)
    assert set(result.counts) == {"00", "11"}
    assert sum(result.counts.values()) == len(result.parts[0].memory or ()) == 500
    assert len(jobs_behind(behind)) == before + 1


def test_a_compiled_circuit_has_the_probabilities_of_the_program(client: Client) -> None:
    shots = 20_000
    there = client.submit(TURNED, "far", shots=shots).result(60).counts
    here = client.submit(TURNED, "simulator", outputs=("probabilities",)).result(60)
    exact = here.parts[0].probabilities or {}
    for key in {*there, *exact}:
        assert there.get(key, 0) / shots == pytest.approx(exact.get(key, 0), abs=0.02)


def test_a_batch_gives_a_result_for_each_circuit(client: Client) -> None:
    flipped = HEAD + "qubit[2] q; bit[3] c; x q[1]; c[2] = measure q[1];"
    results = client.submit([OPENQASM, flipped], "far", shots=20).result(60)
    assert [sum(part.counts.values()) for part in results.parts] == [20, 20]
    assert results.parts[1].counts == {"100": 20}


def test_iqms_own_circuits_are_sent_as_they_are(caller: Caller) -> None:
    steered = {"feedback_key": "f", "feedback_qubit": "QB1"}
    circuit = [
        prx(0),
        measure(0, 2, key="first", feedback_key="f"),
        instruction("cc_prx", 1, angle=pi, phase=0.0, **steered),
        instruction("reset", 0),
        measure(1, 0, key="second"),
    ]
    job = caller.done(body(circuit, shots=5), "far")
    (found,) = caller.get(f"/jobs/{job}/artifacts/measurements")
    assert found == {"first": [[1, 0]] * 5, "second": [[1, 0]] * 5}


def test_architecture_and_metrics_are_those_of_the_other_cloud(
    caller: Caller, behind: LiveServer
) -> None:
    with httpx.Client(base_url=behind.url, timeout=60) as http:
        there = Caller(http, behind.token("gate"))
        own = "/calibration-sets/garnet/default"
        until(lambda: caller.get(FAR)["observations"], "the calibration is mirrored")
        for path, key in (("", "observations"), ("/metrics", "observations")):
            far, near = (
                {each["dut_field"]: each["value"] for each in who.get(at + path)[key]}
                for who, at in ((caller, FAR), (there, own))
            )
            assert far == pytest.approx(near)
        architecture = "/dynamic-quantum-architecture"
        assert caller.get(FAR + architecture)["gates"] == there.get(own + architecture)["gates"]
    job = caller.done(body(BELL, shots=50), "far-garnet")
    assert len(caller.get(f"/jobs/{job}/artifacts/measurements")[0]["m"]) == 50


def test_pairs_that_are_not_connected_there_are_routed_or_refused_here(
    client: Client, caller: Caller
) -> None:
    until(lambda: caller.get(FAR)["observations"], "the calibration is mirrored")
    far = caller.post(body([cz(0, 19), measure(0)]), "far-garnet")
    assert far.status_code == 422
    assert far.json()["message"] == "cz: far-garnet does not connect QB1 and QB20"
    program = HEAD + "qubit[20] q; bit[1] c; x q[0]; cx q[0], q[19]; c[0] = measure q[19];"
    counts = client.submit(program, "far-garnet", shots=200).result(60).counts
    assert counts["1"] > 150, "it is routed"


def test_without_gates_nothing_is_compiled_and_the_gate_is_named(client: Client) -> None:
    with pytest.raises(ApiError, match=r"written in iqm\.circuits.* it has no gate cx"):
        client.submit(OPENQASM, "far-plain")
    turned = HEAD + "qubit[1] q; bit[1] c; x q[0]; c[0] = measure q[0];"
    assert client.submit(turned, "far-plain", shots=10).result(60).counts == {"1": 10}


def test_a_cancelled_job_is_cancelled_there(client: Client, behind: LiveServer) -> None:
    held = [held_job() for _ in range(2)]  # there are two workers
    with behind.client() as native:
        for each in held:
            sent = {"device": "simulator", "program": each.program, "shots": 1}
            assert native.post("/v1/jobs", json=sent).status_code == 201
    for each in held:
        each.wait_until_running()
    job = client.submit(OPENQASM, "far", shots=10)
    until(lambda: jobs_behind(behind)[0].state == "queued", "it waits there")
    job.cancel()
    until(lambda: job.refresh().state == "cancelled", "it is cancelled here")
    assert jobs_behind(behind)[0].state == "cancelled"
    for each in held:
        each.release()


def test_a_computer_that_is_off_there_is_away_here(client: Client, behind: LiveServer) -> None:
    behind.admin("device", "off", "garnet", "--reason", "warm")
    try:
        until(lambda: client.device("far-garnet").status == "away", "it is away")
        assert "warm" in client.device("far-garnet").info["reason"]
    finally:
        behind.admin("device", "on", "garnet")
    until(lambda: client.device("far-garnet").status == "on", "it is back")


def test_a_lost_answer_leaves_one_job_there_and_a_person_decides(
    client: Client, front: LiveServer, behind: LiveServer, proxy: CuttingProxy
) -> None:
    before = len(jobs_behind(behind))
    proxy.plan(Cut("answer", 0.0, path="/circuit"))
    job = client.submit(OPENQASM, "far-cut", shots=10)
    until(lambda: job.refresh().state == "uncertain", "nobody knows", timeout_s=60)
    sent = jobs_behind(behind)
    assert len(sent) == before + 1
    front.admin("job", "resolve", job.id, "--sent-as", sent[0].id)
    assert sum(job.result(60).counts.values()) == 10
    assert len(jobs_behind(behind)) == before + 1
