"""Devices of another cloud behind this server; the other cloud is a second server."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from math import pi
from operator import methodcaller
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from msgspec import structs

import qwicket
from qwicket import devices
from qwicket.clients.ibm_qx import IBMQXClient
from qwicket.clients.native import ApiError, Client, JobFailed
from qwicket.clients.qlued import QluedClient
from qwicket.clients.xanadu.connection import Connection as XanaduConnection
from qwicket.clients.xanadu.device import Device as XanaduDevice
from qwicket.devices.files import load_folder
from support import braket
from support.bad_server import BadServer, Connection, Request
from support.held import held_job
from support.remotes import (
    ATOMS,
    BELL,
    FERMIONS,
    HEAD,
    PHOTONS,
    cloud_without_ids,
    device_file,
    marker,
    write_copy,
    write_device,
)
from support.server import IDLE, LiveServer, cli, run_cli, run_here, running_server
from support.waiting import until

pytestmark = pytest.mark.extended

QUBITS = ("far", "ions", "ibm", "runtime", "platform", "braid")
PAID = "\ncost = { per_second = 1000.0 }"
ONE = HEAD + "qubit[2] q; bit[3] c; x q[1]; c[2] = measure q[1];"
APART = HEAD + "qubit[27] q; bit[2] c; x q[0]; cx q[0], q[26];"
APART += " c[0] = measure q[0]; c[1] = measure q[26];"
LOOP = HEAD + "qubit[1] q; bit[1] c; c[0] = measure q[0]; if (c[0]) { x q[0]; }"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("behind"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, behind: LiveServer) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("devices")
    key = behind.token("gate")
    write_device(folder, behind, key)
    write_device(folder, behind, key, kind="ionq", name="ions")
    write_device(folder, behind, key, kind="ibm_qx", name="ibm", device="qwicket_simulator")
    own: dict[str, Any] = {
        "name": "runtime",
        "device": "qwicket_simulator",
        "spec": 'outputs = ["counts", "memory"]',
    }
    file = write_device(folder, behind, key, kind="ibm_runtime", **own) / "runtime.toml"
    file.write_text(file.read_text().replace('"batch"', '"batch", "qiskit.primitives"'))
    own |= {"name": "platform", "spec": own["spec"] + PAID}
    file = write_device(folder, behind, key, kind="ibm_platform", **own) / "platform.toml"
    file.write_text(file.read_text().replace('"batch"', '"batch", "qiskit.primitives"'))
    qrn = "qbraid:qbraid:sim:statevector"
    write_device(folder, behind, key, kind="qbraid", name="braid", device=qrn)
    qlued = f"{behind.url}/qlued/api/v2"
    write_copy(folder, behind, key, kind="qlued", device="singlequdit", url=qlued)
    write_copy(folder, behind, key, kind="xanadu", device="simulon_gaussian", url=behind.url)
    write_copy(folder, behind, key, kind="qwicket", device="fermions", url=behind.url)
    server = LiveServer(tmp_path_factory.mktemp("front"), "--device-dir", str(folder))
    yield server
    server.stop()


@pytest.fixture
def client(front: LiveServer) -> Iterator[Client]:
    with qwicket.connect(front.url, front.token("ada")) as client:
        until(lambda: all(client.device(each).status == "on" for each in QUBITS), "they are seen")
        yield client


@pytest.mark.parametrize("device", QUBITS)
def test_a_job_runs_at_the_other_cloud_and_its_result_comes_back(
    client: Client, behind: LiveServer, device: str
) -> None:
    job = client.submit(BELL, device, shots=500, seed=7)
    counts = job.result(30).counts
    assert set(counts) == {"00", "11"}
    assert sum(counts.values()) == 500
    with qwicket.connect(behind.url, behind.token("gate")) as there:
        sent = [each for each in there.jobs() if marker(each) == f"qwicket-{job.id}"]
    assert [each.state for each in sent] == ["completed"]


def test_the_seconds_that_the_other_cloud_charges_are_paid_here(
    client: Client, behind: LiveServer
) -> None:
    job = client.submit(BELL, "platform", shots=500).wait(30).refresh()
    with qwicket.connect(behind.url, behind.token("gate")) as there:
        (sent,) = (each for each in there.jobs() if marker(each) == f"qwicket-{job.id}")
    ended, started = (datetime.fromisoformat(sent.info[at]) for at in ("ended_at", "started_at"))
    charged_s = (ended - started).total_seconds()
    assert charged_s > 0
    assert job.info["cost"] == pytest.approx(1000 * charged_s, abs=1e-5)


def test_bits_are_those_of_the_program(client: Client) -> None:
    for device in QUBITS:
        assert client.submit(ONE, device, shots=10).result(30).counts == {"100": 10}


def test_a_qwicket_gives_the_same_answer_as_directly(client: Client, behind: LiveServer) -> None:
    outputs = ("counts", "memory", "probabilities")
    through = client.submit(BELL, "far", shots=64, seed=3, outputs=outputs).result(30)
    with qwicket.connect(behind.url, behind.token("gate")) as there:
        direct = there.submit(BELL, "simulator", shots=64, seed=3, outputs=outputs).result(30)
    for name in ("counts", "memory", "probabilities", "registers", "seed", "engine"):
        assert getattr(through.parts[0], name) == getattr(direct.parts[0], name), name


def test_a_batch_gives_a_result_for_each_circuit(client: Client) -> None:
    for device in QUBITS:
        results = client.submit([BELL, ONE], device, shots=20).result(30)
        assert [sum(part.counts.values()) for part in results.parts] == [20, 20]
        assert results.parts[1].counts == {"100": 20}


@pytest.mark.parametrize(
    ("device", "form", "program", "shots", "expected"),
    [
        ("far-singlequdit", "qlued.singlequdit", ATOMS, 3, None),
        ("far-fermions", "qlued.fermions", FERMIONS, 4, [[1, 0]] * 4),
        ("far-simulon-gaussian", "blackbird", PHOTONS, 6, [[0, 0]] * 6),
    ],
)
def test_atoms_and_photons_come_back_as_numbers(
    client: Client, device: str, form: str, program: Any, shots: int, expected: Any
) -> None:
    until(lambda: client.device(device).status == "on", "the other cloud is seen")
    job = client.submit(program, device, format=form, shots=shots, outputs=["samples"])
    samples = job.result(60).parts[0].samples
    assert len(samples) == shots
    assert expected is None or samples == expected


def test_what_the_other_cloud_cannot_run_is_refused_at_submission(client: Client) -> None:
    with pytest.raises(ApiError, match=r"ions takes .*if"):
        client.submit(LOOP, "ions")
    with pytest.raises(ApiError, match="26"):
        client.submit("OPENQASM 3.0; qubit[27] q; bit[27] c; c = measure q;", "far")


TWINS = [("far", "simulator"), ("runtime", "qwicket_simulator")]
"""Devices here and there."""


@pytest.mark.parametrize(("here", "twin"), TWINS)
def test_a_cancelled_job_is_cancelled_there(
    client: Client, behind: LiveServer, here: str, twin: str
) -> None:
    job = client.submit(held_job().openqasm, here, shots=5)
    with qwicket.connect(behind.url, behind.token("gate")) as there:
        (sent,) = until(
            lambda: [
                each
                for each in there.jobs(state="running")
                if (marker(each), each.body.device) == (f"qwicket-{job.id}", twin)
            ],
            "it runs there",
        )
        job.cancel()
        job.wait(60)
        assert job.state == "cancelled"
        assert sent.refresh().state == "cancelled"


@pytest.mark.parametrize(("here", "twin"), TWINS)
def test_a_device_that_is_off_there_is_away_here_and_jobs_wait(
    client: Client, behind: LiveServer, here: str, twin: str
) -> None:
    behind.as_admin(lambda admin: admin.turn_off(twin, "new helium"))
    try:
        until(lambda: client.device(here).status == "away", "the device is away")
        assert client.device(here).body.reason == "new helium"
        job = client.submit(BELL, here, shots=5)
        assert job.status == "queued"
    finally:
        behind.as_admin(lambda admin: admin.turn_on(twin))
    assert sum(job.result(30).counts.values()) == 5


def test_registers_of_any_name_come_back_from_runtime(client: Client) -> None:
    text = """OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg bit[1]; creg input[9];
    x q[1]; measure q[0] -> bit[0]; measure q[1] -> input[8];"""
    for device in ("far", "runtime", "platform"):
        job = client.submit(text, device, format="openqasm2", shots=10, outputs=["memory"])
        (part,) = job.result(30).parts
        assert [name for name, _ in part.registers] == ["bit", "input"]
        assert part.memory == ["1000000000"] * 10, device


def primitive(program: str, *pubs: Any) -> str:
    """Return a program of one of Qiskit's primitives."""
    return json.dumps({"program": program, "params": {"version": 2, "pubs": pubs}})


def test_a_sampler_of_several_parameters_goes_to_runtime_as_circuits(client: Client) -> None:
    turned = HEAD + "\ninput float a;\nqubit[1] q; bit[1] c; rx(a) q[0]; c[0] = measure q[0];"
    for device in ("runtime", "platform"):
        job = client.submit(
            primitive("sampler", [turned, [[0.0], [pi]], 7], [BELL, None, 3]),
            device,
            format="qiskit.primitives",
            outputs=["memory"],
        )
        first, second, bell = job.result(30).parts
        assert (first.memory, second.memory) == (["0"] * 7, ["1"] * 7)
        assert len(bell.memory) == 3


def test_what_runtime_cannot_run_is_refused_at_submission(client: Client) -> None:
    estimator = primitive("estimator", [BELL, [{"ZZ": 1.0}], None, 0.1])
    with pytest.raises(ApiError, match="only programs that are sampled"):
        client.submit(estimator, "runtime", format="qiskit.primitives")


def test_an_estimator_runs_on_the_platform(client: Client) -> None:
    pair = HEAD + "qubit[2] q; h q[0]; cx q[0], q[1];"
    turned = HEAD + "\ninput float a;\nqubit[2] q; rx(a) q[0];"
    job = client.submit(
        primitive(
            "estimator",
            [pair, [{"ZZ": 1.0}, {"XX": 0.5, "YY": 2.0}, {"II": 3.0}], None, 0.1],
            [turned, {"IZ": 1.0}, [[0.0], [pi]], 0.2],
        ),
        "platform",
        format="qiskit.primitives",
    )
    values = [[*part.evs] for part in job.result(30).parts]
    assert values == [[1.0, -1.5, 3.0], [1.0], [-1.0]]


def test_no_key_is_in_the_database_or_the_log(front: LiveServer, behind: LiveServer) -> None:
    key = behind.token("gate").encode()
    for path in (front.log, *(front.folder / "data").iterdir()):
        assert key not in path.read_bytes(), path


def states(front: LiveServer, token: str, pair: str) -> dict[str, tuple[Any, int | None]]:
    """Return the state and the queue length of remote devices, as each dialect shows them.

    Args:
        front: The server.
        token: Token of an account.
        pair: Key pair of an account, for Braket's API.
    """
    found: dict[str, tuple[Any, int | None]] = {}
    ionq = httpx.get(
        f"{front.url}/ionq/v0.4/backends/far", headers={"Authorization": f"apiKey {token}"}
    ).json()
    found["ionq"] = ionq["status"], None
    with closing(IBMQXClient(token, url=f"{front.url}/ibm/api")) as ibm:
        queue = ibm.queue_status("far")
        found["ibm"] = queue.is_on, queue.length
        access = ibm.login_with_token()["id"]
    runtime = httpx.get(
        f"{front.url}/ibm/runtime/classic/backends/far/status", headers={"X-Access-Token": access}
    ).json()
    found["runtime"] = runtime["state"], runtime["length_queue"]
    listed = httpx.get(f"{front.url}/qbraid/api/v1/devices", headers={"X-API-KEY": token}).json()
    (qbraid,) = (each for each in listed["data"] if each["vrn"] == "far")
    found["qbraid"] = qbraid["status"], qbraid["queueDepth"]
    arn = quote("arn:aws:braket:us-east-1::device/qpu/qwicket/far", safe="")
    sign = braket.Signature(pair, "braket")
    device = httpx.get(f"{front.url}/braket/device/{arn}", auth=sign).json()
    (normal, *_) = device["deviceQueueInfo"]
    found["braket"] = device["deviceStatus"], int(normal["queueSize"])
    with closing(QluedClient(f"{front.url}/qlued/api/v2", token)) as qlued:
        (name,) = (each["backend_name"] for each in qlued.backends() if "far-" in str(each))
        status = qlued.backend_status(name)
        found["qlued"] = status["operational"], status["pending_jobs"]
    host, port = front.url.removeprefix("http://").split(":")
    xanadu = XanaduDevice(
        "far-simulon-gaussian",
        XanaduConnection(refresh_token=token, host=host, port=int(port), tls=False),
    )
    found["xanadu"] = xanadu.status, None
    return found


def test_the_state_there_is_shown_in_each_dialect(idle_behind: LiveServer, tmp_path: Path) -> None:
    key, folder = idle_behind.token("gate"), tmp_path / "devices"
    write_device(folder, idle_behind, key)
    file = folder / "far.toml"
    file.write_text(
        file.read_text().replace(
            '"batch"', '"batch", "qobj", "qiskit.primitives", "braket.openqasm3"'
        )
    )
    qlued = f"{idle_behind.url}/qlued/api/v2"
    there = {
        "simulator": "far",
        "singlequdit": write_copy(
            folder, idle_behind, key, kind="qlued", device="singlequdit", url=qlued
        ),
        "simulon_gaussian": write_copy(
            *(folder, idle_behind, key),
            kind="xanadu",
            device="simulon_gaussian",
            url=idle_behind.url,
        ),
    }
    with qwicket.connect(idle_behind.url, idle_behind.token("other")) as other:
        for _ in range(3):
            other.submit(BELL, "simulator", shots=5)
            other.submit(
                *(ATOMS, "singlequdit"), format="qlued.singlequdit", shots=3, outputs=["samples"]
            )
    with running_server(tmp_path / "front", *IDLE, "--device-dir", str(folder)) as front:
        token = front.token()
        pair = front.admin("token", "create", "--user", "ada", "--aws")
        with qwicket.connect(front.url, token) as client:
            until(lambda: all(client.device(each).status == "on" for each in there.values()), "on")
            shown = {
                "ionq": ("available", None),
                "ibm": (True, 3),
                "runtime": (True, 3),
                "qbraid": ("ONLINE", 3),
                "braket": ("ONLINE", 3),
                "qlued": (True, 3),
                "xanadu": ("online", None),
            }
            until(lambda: states(front, token, pair) == shown, "each dialect shows them")
            for name in there:
                idle_behind.as_admin(methodcaller("turn_off", name, "new helium"))
            shown = {
                "ionq": ("offline", None),
                "ibm": (False, 3),
                "runtime": (False, 3),
                "qbraid": ("UNAVAILABLE", 3),
                "braket": ("OFFLINE", 3),
                "qlued": (False, 3),
                "xanadu": ("offline", None),
            }
            until(
                lambda: states(front, token, pair) == shown, "each dialect shows that they are off"
            )


def calibrations(live: LiveServer, token: str, name: str) -> dict[str, Any]:
    """Return a device's calibration in each dialect that has one, without names and ids."""
    found: dict[str, Any] = {}
    with live.client(token) as http:
        found["qwicket"] = http.get(f"/v1/devices/{name}/calibration").json()
    with closing(IBMQXClient(token, url=f"{live.url}/ibm/api")) as ibm:
        found["ibm_qx"] = ibm.properties(name)
    ionq = f"{live.url}/ionq/v0.4/backends/{name}/characterizations"
    found["ionq"] = httpx.get(ionq).json()["characterizations"][0]
    listed = httpx.get(f"{live.url}/qbraid/api/v1/devices", headers={"X-API-KEY": token}).json()
    (qrn,) = (each["qrn"] for each in listed["data"] if each["vrn"] == name)
    with closing(IBMQXClient(token, url=f"{live.url}/ibm/api")) as ibm:
        access = {"X-Access-Token": ibm.login_with_token()["id"]}
    runtime = f"{live.url}/ibm/runtime/classic/backends/{name}/properties"
    found["ibm_runtime"] = found["ibm_platform"] = httpx.get(runtime, headers=access).json()
    qbraid = f"{live.url}/qbraid/api/v1/devices/{qrn}/calibrations"
    found["qbraid"] = httpx.get(qbraid, headers={"X-API-KEY": token}).json()["data"]
    own = ("id", "device", "source", "backend", "backend_name", "target", "deviceQRNs", "fetchedAt")
    return {
        dialect: {field: value for field, value in body.items() if field not in own}
        for dialect, body in found.items()
    }


def test_the_calibration_there_is_shown_in_each_dialect(tmp_path: Path) -> None:
    """Each API gives all that it has; a Qwicket gives all figures, also to other dialects."""
    folder, twins = tmp_path / "devices", tmp_path / "twins"
    twins.mkdir()
    own = device_file("qwicket-heavyhex27").read_text("utf-8")
    own = own.replace('name = "qwicket_heavyhex27"', 'name = "hex"')
    own = own.replace('dialects = ["ibm", "runtime"]\n', "")
    own = own.replace('"batch"', '"batch", "ionq.circuit.v1"')
    (twins / "hex.toml").write_text(own)
    kinds = dict.fromkeys(
        ("qwicket", "ionq", "ibm_qx", "ibm_runtime", "ibm_platform", "qbraid"), "hex"
    )
    with running_server(tmp_path / "behind", "--device-dir", str(twins)) as behind:
        key = behind.token("gate")
        listed = httpx.get(f"{behind.url}/qbraid/api/v1/devices", headers={"X-API-KEY": key}).json()
        (kinds["qbraid"],) = (each["qrn"] for each in listed["data"] if each["vrn"] == "hex")
        for kind, device in kinds.items():
            name = f"far-{kind}".replace("_", "-")
            write_device(folder, behind, key, kind=kind, name=name, device=device, qubits=27)
            file = folder / f"{name}.toml"
            text = file.read_text().replace('"batch"', '"batch", "qobj", "qiskit.primitives"')
            gates = 'gates = ["id", "rz", "sx", "x", "cx", "u1", "u2", "u3"]'
            text = re.sub(r"^gates = .*\n", "", text, flags=re.MULTILINE)
            file.write_text(text.replace("[remote]", f"{gates}\n[remote]"))
        there = calibrations(behind, key, "hex")
        with running_server(tmp_path / "front", *IDLE, "--device-dir", str(folder)) as front:
            token = front.token()
            with qwicket.connect(front.url, token) as client:
                names = {kind: f"far-{kind}".replace("_", "-") for kind in kinds}
                until(
                    lambda: all(client.device(each).body.calibration for each in names.values()),
                    "all are calibrated",
                )
                job = client.submit(APART, names["ibm_platform"], shots=200)
                counts = job.result(60).counts
                assert max(counts, key=counts.__getitem__) == "11", "it is routed"
            for kind, name in names.items():
                here = calibrations(front, token, name)
                for dialect in there if kind == "qwicket" else (kind,):
                    assert here[dialect] == there[dialect], (kind, dialect)


OFFERED = {
    "qwicket": ("", "simulator"),
    "ionq": ("/ionq/v0.4", "simulator"),
    "ibm_qx": ("/ibm/api", "qwicket_line5"),
    "ibm_runtime": ("/ibm/api", "qwicket_line5"),
    "ibm_platform": ("/ibm/runtime", "qwicket_line5"),
    "qbraid": ("/qbraid/api/v1", "qbraid:qbraid:sim:statevector"),
    "qlued": ("/qlued/api/v2", "fermions"),
    "xanadu": ("", "simulon_gaussian"),
}
"""Path of each kind's API, and a device that it shows."""


def test_probe_writes_files_that_serve(
    behind: LiveServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key, folder = tmp_path / "key", tmp_path / "devices"
    key.write_text(behind.token("gate"))
    key.chmod(0o600)
    folder.mkdir()
    for kind, (path, name) in OFFERED.items():
        place = ("--kind", kind, "--url", behind.url + path, "--key-file", str(key))
        assert name in cli("device", "probe", *place)
        target = folder / f"{kind}.toml"
        own = ("--as", f"far-{kind.replace('_', '-')}")
        cli("device", "probe", *place, name, *own, "--write", str(target))
        again = run_here("device", "probe", *place, name, "--write", str(target))
        assert "File exists" in again.stderr
    files = {file.name: file for file in load_folder(folder).values()}
    assert len(files) == len(OFFERED)
    built_in = {device.name: device.spec for device in devices.built_in()}
    for name, original in (("far-qlued", "fermions"), ("far-xanadu", "simulon_gaussian")):
        assert described(files[name].spec) == described(built_in[original])
    live = LiveServer(tmp_path_factory.mktemp("probed"), *IDLE, "--device-dir", str(folder))
    with qwicket.connect(live.url, live.token()) as client:
        until(lambda: all(client.device(each).status == "on" for each in files), "they are seen")
        for kind in ("qwicket", "ionq", "ibm-qx", "ibm-runtime", "ibm-platform", "qbraid"):
            name = f"far-{kind}"
            assert sum(client.submit(BELL, name, shots=50).result(60).counts.values()) == 50
        for name, form, program, shots in (
            ("far-qlued", "qlued.fermions", FERMIONS, 4),
            ("far-xanadu", "blackbird", PHOTONS, 6),
        ):
            job = client.submit(program, name, format=form, shots=shots, outputs=["samples"])
            assert len(job.result(60).parts[0].samples) == shots
    assert live.stop() == 0


def described(spec: Any) -> Any:
    """Return what a specification says of photons or atoms, without what differs by origin."""
    if spec.photonic is not None:
        return structs.replace(spec.photonic, since=None)
    gates = [structs.replace(gate, definition="") for gate in spec.atoms.gates]
    return structs.replace(spec.atoms, gates=gates)


def test_a_device_file_is_checked_with_a_bell_pair(behind: LiveServer, tmp_path: Path) -> None:
    key = behind.token("checker")
    for kind, device in (
        ("ibm_platform", "qwicket_line5"),
        ("ionq", "simulator"),
        ("qwicket", "simulator"),
    ):
        spec = 'gates = ["rz", "sx", "x", "cx"]' if kind == "ibm_platform" else ""
        folder = write_device(
            *(tmp_path, behind, key), kind=kind, device=device, spec=spec + PAID, qubits=5
        )
        file = str(folder / "far.toml")
        refused = run_here("device", "check", file)
        assert "This may cost money. [y/N]" in refused.stderr
        shown = cli("device", "check", file, "--shots", "50", "--yes")
        assert re.search(r"^Counts: .*11: ", shown, re.MULTILINE), shown
        assert re.search(r"^Cost: [0-9.]+ credits$", shown, re.MULTILINE), shown
    with qwicket.connect(behind.url, key) as there:
        assert [job.state for job in there.jobs()] == ["completed"] * 3, "without a yes, none"
        assert {job.body.shots for job in there.jobs()} == {50}
    (tmp_path / "far.key").write_text("qw_wrong_key_of_nobody")
    wrong = run_here("device", "check", file, "--yes")
    assert (wrong.returncode, "qw_wrong" in wrong.stderr) == (1, False)
    assert wrong.stderr.startswith("Error: ")
    assert "no such file" in run_here("device", "check", f"{file}.toml").stderr.lower()


def test_probe_says_what_is_wrong(behind: LiveServer, tmp_path: Path) -> None:
    secret = "qw_wrong_key_of_nobody"
    key = tmp_path / "key"
    key.write_text(secret)
    key.chmod(0o600)
    for kind in OFFERED:
        if kind == "qlued":  # its devices are listed without a token
            continue
        place = ("--kind", kind, "--url", behind.url + OFFERED[kind][0], "--key-file", str(key))
        refused = run_here("device", "probe", *place)
        assert refused.returncode == 1, kind
        assert refused.stderr.startswith("Error: "), kind
        assert refused.stderr.count("\n") == 1, kind
        assert secret not in refused.stderr, kind
    key.write_text(behind.token("gate"))
    address = ("--url", behind.url, "--key-file", str(key))
    assert "Did you mean 'simulator'" in run_here("device", "probe", *address, "simulatr").stderr


def test_a_device_file_with_a_fault_keeps_the_server_from_starting(
    behind: LiveServer, tmp_path: Path
) -> None:
    folder = write_device(tmp_path / "devices", behind, "key")
    (folder / "far.key").chmod(0o644)
    options = ("--data-dir", str(tmp_path / "data"), "--device-dir", str(folder), "--port", "0")
    ended = run_cli("serve", *options)
    assert ended.returncode != 0
    assert "chmod 600" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "chmod 600" in run_cli("doctor", env={"QWICKET_DEVICE_DIR": str(folder)}).stdout


def test_only_a_doubt_is_resolved(front: LiveServer, client: Client) -> None:
    job = client.submit(BELL, "far", shots=5)
    job.result(30)
    front.as_admin(lambda admin: admin.add_account("root", "admin", email=None, password=None))
    scopes = ("jobs:read", "admin")
    token = front.as_admin(lambda admin: admin.create_token("root", scopes=scopes)).secret
    path = f"/v1/admin/jobs/{job.id}/resolve"
    with front.client(token) as root, front.client() as ada:
        for sent_as in ("theirs", None):
            refused = root.post(path, json={"sent_as": sent_as})
            assert refused.status_code == 409
            assert "needs no decision" in refused.json()["detail"]
        for body in ({}, {"sent_as": ""}, {"sent_as": "a" * 201}, {"sent_as": "a\n"}, {"x": 1}):
            refused = root.post(path, json=body)
            assert refused.status_code == 400, body
            assert refused.json()["field"] in ("sent_as", "x"), body
        assert ada.post(path, json={"sent_as": None}).status_code == 403
        unknown = path.replace(job.id, "01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f")
        assert root.post(unknown, json={"sent_as": None}).status_code == 404


def test_an_id_that_is_none_leaves_the_job_to_a_person(tmp_path: Path) -> None:
    """It may not be sent again, although its id cannot be stored."""
    posts: list[Request] = []
    with cloud_without_ids(posts) as cloud:
        folder = write_device(
            tmp_path / "devices", cloud, "a-key-of-the-cloud", kind="ionq", settle_s=0.5
        )
        live = LiveServer(tmp_path / "live", *IDLE, "--device-dir", str(folder))
        with qwicket.connect(live.url, live.token()) as client:
            until(lambda: client.device("far").status == "on", "it is seen")
            job = client.submit(BELL, "far", shots=5)
            until(lambda: job.refresh().state == "uncertain", "it waits for a person")
            with live.client() as http:
                events = http.get(f"/v1/jobs/{job.id}/events").json()["events"]
        assert "an invalid id" in events[-1]["reason"]
        assert len(posts) == 1
        assert live.stop() == 0
        live.assert_calm()


@pytest.fixture
def idle_behind(tmp_path: Path) -> Iterator[LiveServer]:
    """A cloud in which jobs wait."""
    with running_server(tmp_path / "behind", "--workers", "0", "--express-slots", "0") as server:
        yield server


def test_a_job_whose_device_is_gone_can_be_abandoned(
    idle_behind: LiveServer, tmp_path: Path
) -> None:
    folder = write_device(tmp_path / "devices", idle_behind, idle_behind.token("gate"))
    live = LiveServer(tmp_path / "front", *IDLE, "--device-dir", str(folder))
    with qwicket.connect(live.url, live.token()) as client:
        until(lambda: client.device("far").status == "on", "it is seen")
        job = client.submit(BELL, "far", shots=5)
        with qwicket.connect(idle_behind.url, idle_behind.token("gate")) as there:
            until(lambda: list(there.jobs()), "it is there")
    assert live.stop() == 0
    (folder / "far.toml").unlink()
    live.start()
    with qwicket.connect(live.url, live.token()) as client:
        job = client.job(job.id)
        job.cancel()
        assert job.refresh().state == "cancelling"
        live.admin("job", "abandon", job.id)
        assert job.refresh().state == "failed"
        with pytest.raises(JobFailed, match="gave up"):
            job.result(5)
        with live.client() as http:
            events = http.get(f"/v1/jobs/{job.id}/events").json()["events"]
        assert events[-1]["reason"] == "remote_abandoned"
    assert live.stop() == 0
    live.assert_calm()


def test_an_abandoned_job_leaves_its_slot_to_the_next(
    idle_behind: LiveServer, tmp_path: Path
) -> None:
    key = idle_behind.token("gate")
    folder = write_device(tmp_path / "devices", idle_behind, key, jobs_at_once=1)
    with (
        running_server(tmp_path / "front", *IDLE, "--device-dir", str(folder)) as live,
        qwicket.connect(live.url, live.token()) as client,
    ):
        until(lambda: client.device("far").status == "on", "it is seen")
        first, second = (client.submit(BELL, "far", shots=5) for _ in range(2))
        until(lambda: first.refresh().state == "running", "the first is there")
        assert second.refresh().state == "queued"
        live.admin("job", "abandon", first.id)
        assert first.refresh().state == "failed"
        until(lambda: second.refresh().state == "running", "the second is there")
        live.admin("job", "abandon", second.id)


def response_of(status: bytes, body: Any) -> bytes:
    content = json.dumps(body).encode()
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nRetry-After: 1\r\n" % status
    return head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(content) + content


class Slow:
    """A cloud with IonQ's API that responds to a submission only when it may."""

    def __init__(self) -> None:
        self.has_job = Event()
        self.may_respond = Event()

    def __call__(self, connection: Connection) -> None:
        if (request := connection.read()) is None:
            return
        body: Any = {"jobs": [], "next": None}
        if request.method == "POST":
            self.has_job.set()
            self.may_respond.wait(30)
            body = {"id": "id-of-the-cloud", "status": "submitted"}
        elif "/backends" in request.path:
            body = [{"backend": "simulator", "status": "available", "qubits": 5}]
        connection.send(response_of(b"200 OK", body))


def test_a_job_can_be_abandoned_while_it_is_sent(tmp_path: Path) -> None:
    cloud = Slow()
    with BadServer(cloud) as server:
        folder = write_device(
            tmp_path / "devices", server, "a-key-of-the-account", kind="ionq", qubits=5
        )
        with (
            running_server(tmp_path / "front", *IDLE, "--device-dir", str(folder)) as live,
            qwicket.connect(live.url, live.token()) as client,
        ):
            until(lambda: client.device("far").status == "on", "it is seen")
            job = client.submit(BELL, "far", shots=1)
            until(cloud.has_job.is_set, "it is sent")
            live.admin("job", "abandon", job.id)
            cloud.may_respond.set()
            until(lambda: "under a stale lease" in live.log.read_text(), "the id is refused")
            assert job.refresh().state == "failed"
            with live.client() as http:
                events = http.get(f"/v1/jobs/{job.id}/events").json()["events"]
            assert events[-1]["reason"] == "remote_abandoned"


class Picky:
    """A cloud with IonQ's API that does not take the job of the first submission for a while."""

    def __init__(self) -> None:
        self.posts: list[str] = []
        self.n_refusals = 2

    def __call__(self, connection: Connection) -> None:
        if (request := connection.read()) is None:
            return
        status = b"200 OK"
        body: Any = {"jobs": [], "next": None}
        if request.method == "POST":
            marker = request.json["metadata"]["qwicket_job"]
            self.posts.append(marker)
            body = {"id": f"id-{marker[-4:]}-{len(self.posts)}", "status": "submitted"}
            if marker == self.posts[0] and self.posts.count(marker) <= self.n_refusals:
                status, body = b"429 Too Many Requests", {"message": "later"}
        elif "/backends" in request.path:
            body = [{"backend": "simulator", "status": "available", "qubits": 5}]
        connection.send(response_of(status, body))


def test_a_job_that_may_not_be_sent_yet_keeps_no_slot(tmp_path: Path) -> None:
    cloud = Picky()
    with BadServer(cloud) as server:
        folder = write_device(
            *(tmp_path / "devices", server, "a-key-of-the-account"),
            kind="ionq",
            qubits=5,
            jobs_at_once=1,
        )
        front = LiveServer(tmp_path / "front", *IDLE, "--device-dir", str(folder))
        try:
            with qwicket.connect(front.url, front.token()) as client:
                until(lambda: client.device("far").status == "on", "it is seen")
                first = client.submit(BELL, "far", shots=1)
                until(lambda: cloud.posts, "it is sent")
                second = client.submit(BELL, "far", shots=1)
                markers = [f"qwicket-{each.id}" for each in (first, second)]
                until(lambda: markers[1] in cloud.posts, "the other one is sent meanwhile")
                time.sleep(2.0)
                assert cloud.posts == markers, "the first one waits for a slot: there is only one"
        finally:
            front.stop()
