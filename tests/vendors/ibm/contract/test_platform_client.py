"""The unmodified client of Runtime's platform channel, while an administrator acts."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from contract.environments import ROOT, interpreter
from support import held
from support.runtime import PLATFORM, access_token
from support.server import LiveServer, running_server

pytestmark = pytest.mark.extended

WAITS = """
import warnings
warnings.simplefilter("ignore")
from ibm_cloud_sdk_core.token_managers.iam_token_manager import IAMTokenManager
from support.platform_client import connect, sample, {circuit}
job = sample(connect().backend("qwicket_simulator"), {circuit}(), shots=10)
print(job.job_id(), flush=True)
input()
signed_in, request_token = [], IAMTokenManager.request_token
IAMTokenManager.request_token = lambda self: signed_in.append(1) or request_token(self)
try:
    counts = job.result()[0].join_data().get_counts()
    print(sum(counts.values()), len(signed_in))
except Exception as error:
    print(type(error).__name__, error)
"""
PLATFORM_JOB = """
from support.platform_client import connect, sample
service = connect()
job = sample(service.backend("qwicket_simulator"), shots=30)
print(job.job_id(), job.result()[0].data.c.get_counts(), flush=True)
retrieved = service.job(input())
print(retrieved.status(), retrieved.result()[0].data.meas.get_counts())
print(sorted(each.job_id() for each in service.jobs(limit=None)))
"""
PAUSED = """
import warnings
from support.platform_client import connect, fitted, bell
from qiskit_ibm_runtime import SamplerV2
service = connect()
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    backend = service.backend("qwicket_line5")
    job = SamplerV2(backend).run([fitted(bell(), backend)[0]], shots=10)
print([str(each.message) for each in said if "paused" in str(each.message)], job.status())
"""
CLASSIC_JOB = """
import os
from qiskit import QuantumCircuit
from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2
service = QiskitRuntimeService(
    channel="ibm_quantum",
    token=os.environ["QWICKET_TOKEN"],
    url=os.environ["QWICKET_URL"] + "/ibm/api",
)
circuit = QuantumCircuit(1)
circuit.x(0)
circuit.measure_all()
job = SamplerV2(service.backend("qwicket_simulator")).run([circuit], shots=20)
print(job.job_id(), job.result()[0].data.meas.get_counts(), flush=True)
wanted = input()
found = {each.job_id(): each for each in service.jobs(limit=None)}
print(found[wanted].status(), found[wanted].result()[0].data.c.get_counts())
print(sorted(found))
try:
    service.job(wanted)
except Exception as error:  # Qiskit 2.0 does not read the circuits of Qiskit 2.6
    print(error)
"""


def waiting(server: LiveServer, user: str, circuit: str, home: Path) -> subprocess.Popen[str]:
    """Start a client that prints a job's id and, after a line of input, waits for its result."""
    return started(server, user, WAITS.format(circuit=circuit), home)


def started(
    server: LiveServer,
    user: str,
    program: str,
    home: Path,
    suite: str = "ibm/qiskit_ibm_runtime_0_51",
) -> subprocess.Popen[str]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        held.FOLDER_NAME: os.environ[held.FOLDER_NAME],
        "QWICKET_URL": server.url,
        "QWICKET_TOKEN": server.token(user),
    }
    return subprocess.Popen(
        [str(interpreter(suite)), "-W", "ignore", "-c", program],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.vendor
@pytest.mark.timeout(300)
def test_a_token_that_is_revoked_during_a_wait_ends_it_with_the_clients_own_error(
    server: LiveServer, tmp_path: Path
) -> None:
    user = "platform-waits"
    with waiting(server, user, "held", tmp_path) as client:
        assert client.stdout is not None
        assert re.fullmatch(r"[0-9a-f-]{36}\n", client.stdout.readline())
        listed = server.admin("token", "list", "--user", user)
        server.admin("token", "revoke", re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)[0])
        said, _ = client.communicate("\n", timeout=60)
    assert said.startswith("IBMNotAuthorizedError")
    assert "The token was revoked., Error code:" in said


@pytest.mark.vendor
@pytest.mark.timeout(300)
def test_an_access_token_that_is_refused_during_a_wait_ends_it_and_doubles_no_job(
    server: LiveServer, tmp_path: Path
) -> None:
    user = "platform-refused"
    with waiting(server, user, "held", tmp_path) as client:
        assert client.stdout is not None
        job = client.stdout.readline().strip()
        server.admin("token", "rotate-keys")
        said, _ = client.communicate("\n", timeout=60)
    assert said.startswith("IBMNotAuthorizedError")
    assert "Error code:" in said
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        signed = {"Authorization": f"Bearer {access_token(http, server.token(user))}"}
        listed = http.get(f"{PLATFORM}/jobs", headers=signed).json()
        assert [each["id"] for each in listed["jobs"]] == [job]
        assert http.post(f"{PLATFORM}/jobs/{job}/cancel", headers=signed).status_code == 204


@pytest.mark.vendor
@pytest.mark.timeout(300)
def test_a_paused_device_queues_a_job_and_the_client_warns(
    server: LiveServer, tmp_path: Path
) -> None:
    server.admin("device", "pause", "qwicket_line5", "--reason", "a visit")
    try:
        with started(server, "platform-paused", PAUSED, tmp_path) as client:
            said, _ = client.communicate(timeout=120)
    finally:
        server.admin("device", "on", "qwicket_line5")
    assert said == "['The backend qwicket_line5 currently has a status of paused.'] QUEUED\n"


@pytest.mark.vendor
@pytest.mark.timeout(300)
def test_the_clients_of_both_channels_read_each_others_jobs_with_one_token(
    server: LiveServer, tmp_path: Path
) -> None:
    user, classic = "platform-both", "ibm/qiskit_ibm_runtime_0_40"
    with (
        started(server, user, PLATFORM_JOB, tmp_path) as new,
        started(server, user, CLASSIC_JOB, tmp_path, classic) as old,
    ):
        ids: list[str] = []
        counts: list[str] = []
        for client in (new, old):
            assert client.stdout is not None
            job, _, found = client.stdout.readline().strip().partition(" ")
            ids.append(job)
            counts.append(found)
        by_new, _ = new.communicate(f"{ids[1]}\n", timeout=60)
        by_old, _ = old.communicate(f"{ids[0]}\n", timeout=60)
    assert counts[1] == "{'1': 20}"
    assert by_new.splitlines() == [f"DONE {counts[1]}", str(sorted(ids))]
    *lines, refused = by_old.splitlines()
    assert lines == [f"DONE {counts[0]}", str(sorted(ids))]
    assert "QPY format version being read, 17, isn't supported" in refused


@pytest.mark.vendor
@pytest.mark.timeout(300)
def test_a_wait_outlasts_the_access_tokens_of_its_client(tmp_path: Path) -> None:
    with running_server(tmp_path, "--access-token-s", "2") as server:
        server.admin("project", "add", "others")
        reservation = server.admin(
            "reservation", "add", "simulator", "--project", "others", "--to", "1h"
        ).strip()
        with waiting(server, "ada", "bell", tmp_path) as client:
            assert client.stdout is not None
            assert re.fullmatch(r"[0-9a-f-]{36}\n", client.stdout.readline())
            assert client.stdin is not None
            client.stdin.write("\n")
            client.stdin.flush()
            time.sleep(5)  # two lives of an access token, while the job waits
            server.admin("reservation", "remove", reservation)
            said, _ = client.communicate(timeout=60)
    shots, sign_ins = map(int, said.split())
    assert shots == 10
    assert sign_ins >= 2
