"""The unmodified client of Runtime's platform channel, while an administrator acts."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from contract.environments import ROOT, interpreter
from support.server import LiveServer, running_server

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


def waiting(server: LiveServer, user: str, circuit: str, home: Path) -> subprocess.Popen[str]:
    """Start a client that prints a job's id and, after a line of input, waits for its result."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        "QWICKET_URL": server.url,
        "QWICKET_TOKEN": server.token(user),
    }
    return subprocess.Popen(
        [str(interpreter("ibm/qiskit_ibm_runtime_0_51")), "-c", WAITS.format(circuit=circuit)],
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
    with waiting(server, user, "slow", tmp_path) as client:
        assert client.stdout is not None
        assert re.fullmatch(r"[0-9a-f-]{36}\n", client.stdout.readline())
        listed = server.admin("token", "list", "--user", user)
        server.admin("token", "revoke", re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)[0])
        said, _ = client.communicate("\n", timeout=60)
    assert said.startswith("IBMNotAuthorizedError")
    assert "The token was revoked., Error code:" in said


@pytest.mark.vendor
@pytest.mark.timeout(300)
def test_a_wait_outlasts_the_access_tokens_of_its_client(tmp_path: Path) -> None:
    with running_server(tmp_path, "--access-token-s", "2") as server:
        server.admin("project", "add", "others")
        reservation = server.admin(
            "reserve", "simulator", "--project", "others", "--to", "1h"
        ).strip()
        with waiting(server, "ada", "bell", tmp_path) as client:
            assert client.stdout is not None
            assert re.fullmatch(r"[0-9a-f-]{36}\n", client.stdout.readline())
            assert client.stdin is not None
            client.stdin.write("\n")
            client.stdin.flush()
            time.sleep(5)  # two lives of an access token, while the job waits
            server.admin("unreserve", reservation)
            said, _ = client.communicate(timeout=60)
    shots, sign_ins = map(int, said.split())
    assert shots == 10
    assert sign_ins >= 2
