"""Every vendor's unmodified client against a live server, in an environment of its own.

A suite is a folder `tests/contract/<door>/<client>/` with a pinned `requirements.txt` and tests
that run inside that environment; they find the server in QWICKET_URL and QWICKET_TOKEN.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from contract.environments import CONTRACT, ROOT, interpreter, suites
from support.server import LiveServer


@pytest.mark.vendor
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("suite", suites())
def test_the_vendors_client_cannot_tell(suite: str, server: LiveServer, tmp_path: Path) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),  # no settings of this machine's user reach the client
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        "QWICKET_URL": server.url,
        "QWICKET_TOKEN": server.token("vendor"),
        "QWICKET_OTHER_TOKEN": server.token("stranger"),
    }
    folder = str(CONTRACT / suite)
    command = [str(interpreter(suite)), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", folder, "--confcutdir", folder, folder]
    done = subprocess.run(
        command, env=env, cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
