"""The unmodified client of Runtime's platform channel, while an administrator acts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from contract.environments import ROOT, interpreter
from support.server import LiveServer

WAITS = """
import warnings
warnings.simplefilter("ignore")
from support.platform_client import connect, sample, slow
job = sample(connect().backend("qwicket_simulator"), slow(), shots=10)
print(job.job_id(), flush=True)
input()
try:
    job.result()
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.vendor
@pytest.mark.timeout(300)
def test_a_token_that_is_revoked_during_a_wait_ends_it_with_the_clients_own_error(
    server: LiveServer, tmp_path: Path
) -> None:
    user = "platform-waits"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        "QWICKET_URL": server.url,
        "QWICKET_TOKEN": server.token(user),
    }
    python = str(interpreter("ibm/qiskit_ibm_runtime_0_51"))
    with subprocess.Popen(
        [python, "-c", WAITS],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        assert re.fullmatch(r"[0-9a-f-]{36}\n", client.stdout.readline())
        listed = server.admin("token", "list", "--user", user)
        server.admin("token", "revoke", re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)[0])
        said, _ = client.communicate("\n", timeout=60)
    assert said.startswith("IBMNotAuthorizedError")
    assert "The token was revoked., Error code:" in said
