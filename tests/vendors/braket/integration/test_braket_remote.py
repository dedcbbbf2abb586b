"""A device behind Braket's API as a device of this server; the cloud is a second server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

import qwicket
from qwicket.clients.ionq import IonQClient
from qwicket.clients.native import ApiError, Client
from support import braket
from support.bad_server import BadServer, answer
from support.held import held_job
from support.remotes import BELL, HEAD
from support.server import LiveServer, run_cli
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.timeout(300)]

RYDBERG = "arn:aws:braket:us-east-1::device/qpu/qwicket/rydberg"
LINE5 = "arn:aws:braket:us-east-1::device/qpu/qwicket/qwicket_line5"
TURNED = HEAD + "qubit[3] q; bit[3] c; h q; cx q[0], q[1]; rz(0.7) q[1]; ry(1.1) q[1];"
TURNED += "ccx q[0], q[1], q[2]; sx q[0]; p(0.4) q[0]; u2(0.1, 0.2) q[1]; c = measure q;"
READ = (
    braket.BELL
    + """
#pragma braket result expectation z(q[0]) @ z(q[1])
#pragma braket result probability q[0]
"""
)
PROGRAM_SET = json.dumps(
    {
        "braketSchemaHeader": {"name": "braket.ir.openqasm.program_set", "version": "1"},
        "programs": [
            {
                "braketSchemaHeader": {"name": "braket.ir.openqasm.program", "version": "1"},
                "source": "OPENQASM 3.0;\ninput float a;\nqubit[1] q;\nrx(a) q[0];",
                "inputs": {"a": [0.0, 3.141592653589793]},
            },
        ],
    }
)


class Far(NamedTuple):
    """The cloud, and a client of the gate in front of it."""

    behind: LiveServer
    front: LiveServer
    client: Client
    folder: Path

    def sent(self) -> list[Any]:
        """Return the jobs at the cloud, newest first."""
        with qwicket.connect(self.behind.url, self.behind.token("gate")) as there:
            return [job.refresh() for job in there.jobs(limit=1000)]

    def run_braket(self, **changes: Any) -> dict[str, Any]:
        """Run a task of Braket's at the gate; return its result."""
        with httpx.Client(base_url=self.front.url, timeout=60) as http:
            pair = self.front.admin("token", "create", "--user", "ada", "--aws")
            braket_api, s3 = (braket.Signature(pair, service) for service in ("braket", "s3"))
            own = {"deviceArn": LINE5.replace("qwicket_line5", "far-sv1"), **changes}
            body = braket.body(**own)
            made = http.post("/braket/quantum-task", json=body, auth=braket_api)
            assert made.status_code == 201, made.text
            arn = made.json()["quantumTaskArn"]
            job = arn.rpartition("/")[2]
            assert self.client.job(job).wait(60).state == "completed"
            path = f"/s3/{braket.BUCKET}/{braket.PREFIX}/{job}/results.json"
            found: dict[str, Any] = http.get(path, auth=s3).json()
            return found


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    behind = LiveServer(tmp_path_factory.mktemp("behind"), "--express-slots", "0")
    folder = tmp_path_factory.mktemp("devices")
    behind.token("gate")
    key = folder / "gate.key"
    key.touch(mode=0o600)
    pair = behind.admin("token", "create", "--user", "gate", "--aws").split()
    key.write_text("\n".join(pair) + "\n")
    for arn, name in ((braket.SV1, "sv1"), (LINE5, "line5"), (RYDBERG, "rydberg")):
        probe(behind, key, arn, "--write", str(folder / f"{name}.toml"))
    for path in folder.glob("*.toml"):
        text = path.read_text("utf-8").replace('"openqasm2"]', '"batch", "ionq.circuit.v1"]')
        path.write_text(text + "poll_s = 0.1\nmirror_s = 0.3\ntimeout_s = 3.0\nsettle_s = 3.0\n")
    front = LiveServer(tmp_path_factory.mktemp("front"), "--device-dir", str(folder))
    with qwicket.connect(front.url, front.token("ada")) as client:
        for name in ("far-sv1", "far-qwicket_line5", "far-rydberg"):
            until(partial(is_on, client, name), f"{name} is seen")
        yield Far(behind, front, client, folder)
    front.stop()
    behind.stop()


def is_on(client: Client, name: str) -> bool:
    return client.device(name).status == "on"


def probe(behind: LiveServer, key: Path, *arguments: str) -> str:
    url = f"{behind.url}/braket"
    bucket = f"{behind.url}/s3/{braket.BUCKET}"
    where = ("--kind", "braket", "--url", url, "--bucket", bucket, "--region", "us-east-1")
    done = run_cli("device", "probe", *where, "--key-file", str(key), *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_openqasm_runs_there_once_with_the_marker(far: Far) -> None:
    before = len(far.sent())
    job = far.client.submit(BELL, "far-sv1", shots=500, outputs=("counts", "memory"))
    result = job.result(60)
    assert set(result.counts) == {"00", "11"}
    assert sum(result.counts.values()) == len(result.parts[0].memory or ()) == 500
    found = far.sent()
    assert len(found) == before + 1
    assert found[0].body.tags == (f"qwicket_job=qwicket-{job.id}",)
    twice = HEAD + "qubit[1] q; bit[2] c; c[0] = measure q[0]; x q[0]; c[1] = measure q[0];"
    with pytest.raises(ApiError, match=r"braket\.openqasm3.*measured once, after all gates"):
        far.client.submit(twice, "far-sv1")


def test_a_job_of_ionqs_client_runs_there(far: Far) -> None:
    circuit = [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}]
    body = {"type": "ionq.circuit.v1", "backend": "far-sv1", "shots": 100}
    with IonQClient(far.front.token("ada"), f"{far.front.url}/ionq/v0.4") as client:
        made = client.submit_job({**body, "input": {"qubits": 2, "circuit": circuit}})
        client.wait(made["id"])
        assert set(client.get_results(made["id"])) == {"0", "3"}


def test_a_batch_gives_the_result_of_each_circuit(far: Far) -> None:
    """Bits keep their order, and a compiled circuit has the probabilities of the program."""
    shots = 10_000
    flipped = HEAD + "qubit[3] q; bit[3] c; x q[2]; c[0] = measure q[2]; c[2] = measure q[0];"
    one, turned = far.client.submit([flipped, TURNED], "far-sv1", shots=shots).result(60).parts
    assert one.counts == {"001": shots}
    here = far.client.submit(TURNED, "simulator", outputs=("probabilities",)).result(60)
    exact = here.parts[0].probabilities or {}
    for key in {*turned.counts, *exact}:
        assert turned.counts.get(key, 0) / shots == pytest.approx(exact.get(key, 0), abs=0.03)


def test_programs_of_brakets_clients_are_sent_as_they_are(far: Far) -> None:
    found = far.run_braket(action=braket.action(READ), shots=40)
    assert {tuple(row) for row in found["measurements"]} == {(0, 0), (1, 1)}
    expectation, probability = (each["value"] for each in found["resultTypes"])
    assert expectation == 1
    assert sum(probability) == pytest.approx(1)
    both = found["measurements"].count([1, 1]) / 40
    assert probability[1] == pytest.approx(both)
    found = far.run_braket(action=PROGRAM_SET, shots=10)
    (program,) = found["programResults"]
    rows = [run["measurements"] for run in program["executableResults"]]
    assert rows == [[[0]] * 5, [[1]] * 5]


def test_an_analog_program_runs_there_as_it_is(far: Far) -> None:
    arn = LINE5.replace("qwicket_line5", "far-rydberg")
    found = far.run_braket(deviceArn=arn, action=braket.analog_action(), shots=40)
    shots = [each["shotResult"] for each in found["measurements"]]
    assert [each["preSequence"] for each in shots] == [[1, 1]] * 40
    assert {tuple(each["postSequence"]) for each in shots} <= {(1, 1), (0, 1), (1, 0)}, "blockade"
    assert far.sent()[0].body.device == "rydberg"
    program = json.loads(braket.analog_action())
    own = {"register": program["setup"]["ahs_register"], "hamiltonian": program["hamiltonian"]}
    job = far.client.submit(own, "far-rydberg", shots=30, format="ahs", outputs=("samples",))
    assert {*map(tuple, job.result(60).parts[0].samples or ())} <= {(0, 0), (0, 1), (1, 0)}


def test_a_cancelled_job_is_cancelled_there(far: Far) -> None:
    held = [held_job() for _ in range(2)]  # there are two workers
    with far.behind.client() as native:
        for each in held:
            sent = {"device": "statevector", "program": each.program, "shots": 1}
            assert native.post("/v1/jobs", json=sent).status_code == 201
    for each in held:
        each.wait_until_running()
    job = far.client.submit(BELL, "far-sv1", shots=10)
    until(lambda: far.sent()[0].state == "queued", "it waits there")
    job.cancel()
    until(lambda: job.refresh().state == "cancelled", "it is cancelled here")
    assert far.sent()[0].state == "cancelled"
    for each in held:
        each.release()


def test_the_device_is_here_what_it_is_there(far: Far) -> None:
    shown = probe(far.behind, far.folder / "gate.key")
    assert re.search(rf"{re.escape(LINE5)} +qubit +5 +ONLINE", shown)
    assert re.search(rf"{re.escape(RYDBERG)} +atoms +5 +ONLINE", shown)
    written = (far.folder / "line5.toml").read_text("utf-8")
    assert f'bucket = "{far.behind.url}/s3/{braket.BUCKET}"' in written
    assert 'region = "us-east-1"' in written
    far.behind.admin("device", "off", "qwicket_line5", "--reason", "warm")
    try:
        until(lambda: far.client.device("far-qwicket_line5").status == "away", "it is away")
        assert "OFFLINE" in far.client.device("far-qwicket_line5").info["reason"]
    finally:
        far.behind.admin("device", "on", "qwicket_line5")
    until(lambda: far.client.device("far-qwicket_line5").status == "on", "it is back")


def test_a_role_gives_the_keys_that_the_cloud_accepts(far: Far, tmp_path: Path) -> None:
    """STS answers as Amazon documents it; its key pair is one that the cloud knows."""
    key_id, secret = far.behind.key_pair(far.behind.token("gate")).split()
    document = (
        f"<Credentials><AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{secret}"
        "</SecretAccessKey><SessionToken>a/token=</SessionToken></Credentials>"
    )
    key, file = tmp_path / "lasting.key", tmp_path / "role.toml"
    key.touch(mode=0o600)
    key.write_text("AKIAUNKNOWN\nanother/secret\n")
    role = "arn:aws:iam::123456789012:role/gate"
    with BadServer(answer(200, document.encode(), {"Connection": "close"})) as sts:
        place = ("--role-arn", role, "--sts-url", sts.url)
        probe(far.behind, key, braket.SV1, *place, "--write", str(file))
        written = file.read_text("utf-8")
        assert f'role_arn = "{role}"\nsts_url = "{sts.url}"' in written
        done = run_cli("device", "check", str(file), "--yes")
    assert done.returncode == 0, done.stderr
    assert "11" in done.stdout
