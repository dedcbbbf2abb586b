"""Runs a vendor's unmodified client against a live server, in an environment of its own.

A suite is a folder `tests/vendors/VENDOR/suites/CLIENT/` with a pinned `requirements.txt` and tests
that run inside that environment; they find the server in QWICKET_URL and QWICKET_TOKEN.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from contract.environments import ROOT, folder_of_tests, interpreter, is_extended, suites
from support import held, leftovers
from support.repetitions import IS_LONG
from support.server import LiveServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose passes live for two seconds, so that the clients that renew them have to.

    It has no express slot: what is submitted behind long jobs waits.
    """
    options = ("--access-token-s", "2", "--express-slots", "0")
    live = LiveServer(tmp_path_factory.mktemp("vendors"), *options)
    yield live
    assert live.stop() == 0


def revoked(server: LiveServer) -> str:
    """Return a token that was good until just now."""
    token = server.token("revoked")
    listed = server.admin("token", "list", "--user", "revoked")
    server.admin("token", "revoke", re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)[0])
    return token


def expired(server: LiveServer) -> str:
    """Return a token that has expired before any client can have started."""
    server.token("expired")
    return server.admin("token", "create", "--user", "expired", "--expires", "1s")


def key_pairs(server: LiveServer) -> dict[str, str]:
    """Return key pairs for AWS's clients, each as key id and secret."""

    def made(user: str, *options: str) -> str:
        return server.admin("token", "create", "--user", user, "--aws", *options)

    revoked = made("revoked")
    for token in re.findall(
        r"[0-9a-f]{8}-[0-9a-f-]{27}", server.admin("token", "list", "--user", "revoked")
    ):
        server.admin("token", "revoke", token)
    return {
        "QWICKET_AWS_KEYS": made("vendor"),
        "QWICKET_AWS_OTHER_KEYS": made("stranger"),
        "QWICKET_AWS_REVOKED_KEYS": revoked,
        "QWICKET_AWS_EXPIRED_KEYS": made("expired", "--expires", "1s"),
    }


LABS = {"qlued/sqooler_0_9": "labqudit", "ibm/qiskit_ibm_runtime_0_": "noisylab"}
"""Devices that suites serve as labs, by the start of the suite's name."""

SUITES = [
    pytest.param(suite, marks=[pytest.mark.extended] if is_extended(suite) else [])
    for suite in suites()
]
"""All suites: two modules have one half each, because a module runs in one test process."""


def check(suite: str, server: LiveServer, tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Run a suite; each of its tests is a subtest."""
    env = {
        **leftovers.marks(),
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),  # no settings of this machine's user reach the client
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        held.FOLDER_NAME: os.environ[held.FOLDER_NAME],
        "QWICKET_URL": server.url,
        "QWICKET_TOKEN": server.token("vendor"),
        "QWICKET_MANAGING_TOKEN": server.managing_token("vendor"),
        "QWICKET_OTHER_TOKEN": server.token("stranger"),
        "QWICKET_REVOKED_TOKEN": revoked(server),
        "QWICKET_EXPIRED_TOKEN": expired(server),
        "QWICKET_PYTHON": sys.executable,  # has the commands
        "QWICKET_FAULT": "long" if IS_LONG else "",  # what a suite repeats is short otherwise
    }
    if (lab := next((LABS[name] for name in LABS if suite.startswith(name)), None)) is not None:
        serve = ("--scope", "devices:serve", "--device", lab)
        env["QWICKET_LAB_TOKEN"] = server.admin("token", "create", "--user", "vendor", *serve)
    if suite.startswith("braket/"):
        env |= key_pairs(server)
    folder = str(folder_of_tests(suite))
    command = [str(interpreter(suite)), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", folder, "--confcutdir", folder, folder]
    results = tmp_path / "results.xml"
    done = subprocess.run(
        [*command, "--junitxml", str(results)],
        env=env, cwd=tmp_path, text=True, capture_output=True, check=False,
    )  # fmt: skip
    found = ElementTree.parse(results).iter("testcase") if results.exists() else ()
    for case in found:
        with subtests.test(case.get("name")):
            said = "".join(each.text or "" for each in case if each.tag in ("error", "failure"))
            assert not said, said
    assert done.returncode == 0, done.stdout + done.stderr
