"""An unmodified client of IBM's platform, of a device that another server runs: equal answers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import qwicket
from contract.environments import ROOT, interpreter
from support.ledger import ledger
from support.remotes import BELL, HEAD, write_device
from support.server import IDLE, LiveServer
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.timeout(600)]

CLIENT = """
import json, os
import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime import Batch, EstimatorV2, Executor, SamplerV2, Session, executor_sampler
from qiskit_ibm_runtime.quantum_program import QuantumProgram
from support.platform_client import connect, fitted

service = connect()
backend = service.backend(os.environ["BACKEND"])
pair = QuantumCircuit(2)
pair.h(0)
pair.cx(0, 1)
theta = Parameter("theta")
turned = QuantumCircuit(2)
turned.rx(theta, 0)
words = [SparsePauliOp(each) for each in ("ZZ", "XX", "YY", "II")]
isa, *observables = fitted(pair, backend, *words, SparsePauliOp.from_list([("ZZ", 2), ("XX", -3)]))
isa_turned, one = fitted(turned, backend, SparsePauliOp("IZ"))
found = {}
for name, options in {
    "plain": {"resilience_level": 0},
    "mitigated": {
        "resilience_level": 2,
        "resilience": {"zne": {"extrapolator": "linear", "noise_factors": [1, 3]}},
    },
}.items():
    estimator = EstimatorV2(backend, options=options)
    result = estimator.run(
        [(isa, observables), (isa_turned, one, [[0.0], [np.pi]])], precision=0.1
    ).result()
    found[name] = [
        {field: np.asarray(each.data[field]).round(9).tolist() for field in sorted(each.data)}
        for each in result
    ]
    found[name] += [each.metadata["shots"] for each in result]
    found[name] += [each.metadata.get("resilience") for each in result]
program = QuantumProgram(shots=8, passthrough_data={"mine": [1, "two"]})
sampled = QuantumCircuit(1, 1)
sampled.rx(Parameter("theta"), 0)
sampled.measure(0, 0)
(isa_sampled,) = fitted(sampled, backend)
program.append_circuit_item(isa_sampled, circuit_arguments=np.array([[[0.0], [np.pi]]] * 3))
result = Executor(backend).run(program).result()
found["executor"] = [result.passthrough_data, result[0]["c"].astype(int).tolist()]
flipped = QuantumCircuit(2)
flipped.x([0, 1])
flipped.measure_all()
(isa_flipped,) = fitted(flipped, backend)
twirling = {"enable_gates": True, "enable_measure": True, "num_randomizations": 4}
Sampler = getattr(executor_sampler, "Sampler", None) or executor_sampler.SamplerV2
sampler = Sampler(backend, options={"twirling": twirling})
found["twirled"] = sampler.run([isa_flipped], shots=40).result()[0].data.meas.get_counts()
twin = service.backend(os.environ["TWIN"])  # for a backend without noise it opens no sessions
(isa_flipped,) = fitted(flipped, twin)
found["groups"] = []
for group in (Batch, Session):
    with group(backend=twin, max_time=600) as opened:
        sampler = SamplerV2(mode=opened)
        jobs = [sampler.run([isa_flipped], shots=10) for _ in range(2)]
        found["groups"] += [sum(job.result()[0].data.meas.get_counts().values()) for job in jobs]
print(json.dumps(found))
"""


class Two(NamedTuple):
    """The gate, and the server that runs the jobs of its device."""

    front: LiveServer
    behind: LiveServer

    def sent(self) -> list[str]:
        """Return the programs of the jobs that the server behind has received."""
        with ledger(self.behind) as books:
            sources = books.rows("select source from program join job on job.id = program.job")
        return [json.loads(bytes(source))["program"] for (source,) in sources]

    def groups(self) -> list[tuple[str, int]]:
        """Return the mode and the number of jobs of each closed group of the server behind."""
        with ledger(self.behind) as books:
            found = books.rows(
                'select body, (select count(*) from job where job."group" = "group".id)'
                " from \"group\" where state = 'closed' order by seq"
            )
        return [(json.loads(bytes(body))["mode"], number) for body, number in found]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    behind = LiveServer(tmp_path_factory.mktemp("behind"), "--access-log")
    folder, key = tmp_path_factory.mktemp("devices"), behind.token("gate")
    for name, device in (("far", "qwicket_simulator"), ("line", "qwicket_line5")):
        write_device(
            *(folder, behind, key),
            kind="ibm_platform",
            name=name,
            device=device,
            qubits=5,
            settle_s=30.0,  # the server behind reads QPY, for which it first imports Qiskit
            spec='gates = ["rz", "sx", "x", "cx"]\noutputs = ["counts", "memory"]',
        )
        file = folder / f"{name}.toml"
        file.write_text(
            file.read_text().replace('"batch"', '"batch", "estimation", "qiskit.primitives"')
        )
    front = LiveServer(tmp_path_factory.mktemp("front"), *IDLE, "--device-dir", str(folder))
    with front.client() as http:
        until(lambda: http.get("/v1/devices/far").json()["status"] == "on", "it is seen")
        until(lambda: http.get("/v1/devices/line").json()["calibration"], "it is calibrated")
    yield Two(front, behind)
    for server in (front, behind):
        assert server.stop() == 0
        server.assert_calm()


def run_client(server: LiveServer, backend: str, twin: str, home: Path) -> Any:
    done = subprocess.run(
        [str(interpreter("ibm/qiskit_ibm_runtime_0_51")), "-c", CLIENT],
        capture_output=True,
        text=True,
        timeout=400,
        env={
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
            "QWICKET_URL": server.url,
            "QWICKET_TOKEN": server.token("ada"),
            "BACKEND": backend,
            "TWIN": twin,
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.vendor
def test_estimators_and_executor_programs_have_the_answers_that_they_have_directly(
    two: Two, tmp_path: Path
) -> None:
    through = run_client(two.front, "far", "line", tmp_path)
    assert sorted(two.sent()) == ["estimator"] * 2 + ["executor"] * 2 + ["sampler"] * 4
    until(lambda: two.groups() == [("batch", 2), ("dedicated", 2)], "both are there, and closed")
    direct = run_client(two.behind, "qwicket_simulator", "qwicket_line5", tmp_path)
    plain = through["plain"][0]
    assert plain["evs"] == [1, 1, -1, 1, -1]
    assert plain["stds"] == [0] * 5
    assert through["plain"] == direct["plain"]
    assert through["mitigated"] == direct["mitigated"]
    assert through["executor"] == direct["executor"]
    assert through["twirled"] == direct["twirled"] == {"11": 40}
    assert through["groups"] == direct["groups"] == [10] * 4


def test_an_estimation_runs_on_connected_pairs_and_its_observables_follow(two: Two) -> None:
    """The machine connects a line; a fifth of the values would be lost to noise at most."""
    text = HEAD + "qubit[5] q; x q[0]; cx q[0], q[4]; cx q[4], q[2]; cx q[0], q[2]; cx q[0], q[3];"
    words = ["IIIIZ", "IIIZI", "IIZII", "IZIII", "ZIIII"]
    with qwicket.connect(two.front.url, two.front.token("ada")) as client:
        observables = [{word: 1.0} for word in words]
        job = client.submit(text, "line", shots=2000, observables=observables)
        (part,) = job.result(60).parts
    assert two.sent()[-1] == "estimator"
    assert part.evs == pytest.approx([-1, 1, 1, -1, -1], abs=0.3)


def test_jobs_that_wait_when_their_group_is_closed_run_in_its_session(two: Two) -> None:
    before = len(two.groups())
    with two.front.client() as http:

        def submit() -> str:
            job = {"device": "far", "program": BELL, "shots": 5, "group": group}
            return str(http.post("/v1/jobs", json=job).raise_for_status().json()["id"])

        def is_done(job: str) -> bool:
            return bool(http.get(f"/v1/jobs/{job}").json()["state"] == "completed")

        def n_reads() -> int:
            return two.behind.log.read_text().count("/backends/qwicket_simulator/status")

        group = http.post("/v1/groups", json={"device": "far"}).raise_for_status().json()["id"]
        first = submit()
        until(lambda: is_done(first), "it ends")
        two.behind.as_admin(lambda admin: admin.turn_off("qwicket_simulator", "new helium"))
        until(lambda: http.get("/v1/devices/far").json()["status"] == "away", "it is away")
        second = submit()
        http.post(f"/v1/groups/{group}/close").raise_for_status()
        read = n_reads()
        until(lambda: n_reads() > read + 1, "the device and its groups are looked at again")
        two.behind.as_admin(lambda admin: admin.turn_on("qwicket_simulator"))
        until(lambda: is_done(second), "it ends")
    until(lambda: two.groups()[before:] == [("batch", 2)], "it is closed there")
