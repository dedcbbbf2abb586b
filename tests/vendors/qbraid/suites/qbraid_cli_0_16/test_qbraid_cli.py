"""qbraid-cli 0.16.16, unmodified: two environment variables and a file of OpenQASM."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

URL = os.environ["QWICKET_URL"] + "/qbraid/api/v1"
TOKEN = os.environ["QWICKET_TOKEN"]
STATEVECTOR = "qbraid:qbraid:sim:statevector"
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""


def qbraid(*arguments, token=TOKEN, is_refused=False):
    environment = {"QBRAID_API_URL": URL, "QBRAID_API_KEY": token, "NO_COLOR": "1"}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("qbraid")), *arguments],
        env={**os.environ, **environment, "COLUMNS": "400", "TERM": "dumb"},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == is_refused, said
    return said


@pytest.fixture(scope="module")
def bell(tmp_path_factory):
    path = tmp_path_factory.mktemp("programs") / "bell.qasm"
    path.write_text(BELL)
    return str(path)


def submitted(*arguments):
    """Submit a file; return the job's id."""
    said = qbraid("jobs", "submit", *arguments, "--json")
    return json.loads(said[said.index("{") : said.rindex("}") + 1])["jobQrn"]


def test_devices_are_listed_and_shown():
    assert STATEVECTOR in qbraid("devices", "list")
    assert "OFFLINE" in qbraid("devices", "get", "qbraid:qbraid:sim:parked")


def test_a_file_is_submitted_listed_and_shown(bell):
    said = qbraid("jobs", "submit", bell, "-d", STATEVECTOR, "--shots", "100", "-n", "bell")
    assert "Job submitted" in said
    job = submitted(bell, "-d", STATEVECTOR, "--shots", "100", "-t", '{"run": "cli"}')
    assert job in qbraid("jobs", "list", "--limit", "5")
    shown = qbraid("jobs", "get", job)
    assert "'run': 'cli'" in shown
    assert STATEVECTOR in shown


def test_a_group_is_made_filled_closed_and_deleted(bell):
    said = qbraid("jobs", "groups", "create", "-n", "sweep")
    group = next(word.strip("'\",") for word in said.split() if "qbraid:group-" in word)
    job = submitted(bell, "-d", STATEVECTOR, "--shots", "10", "--group", group)
    assert job in qbraid("jobs", "groups", "jobs", group)
    assert group in qbraid("jobs", "groups", "list")
    qbraid("jobs", "groups", "close", group)
    assert "1" in qbraid("jobs", "groups", "info", group)
    qbraid("jobs", "groups", "delete", group, "--force")


def test_what_is_refused_says_why(bell):
    off = qbraid("jobs", "submit", bell, "-d", "qbraid:qbraid:sim:parked", is_refused=True)
    assert "is off" in off
    unknown = qbraid("jobs", "get", f"{STATEVECTOR}-0000-qjob-{'0' * 20}", is_refused=True)
    assert "no such job" in unknown
    qbraid("devices", "list", token="qw_wrong", is_refused=True)
