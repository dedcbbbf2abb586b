"""The server against its own OpenAPI document: schemathesis, unmodified, makes the requests.

With `QWICKET_FAULT=long` (`make long`) there are more than 10,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.environments import CONTRACT, interpreter
from support.server import LiveServer

pytestmark = pytest.mark.extended

SUITE = "native/schemathesis_4"
IS_LONG = os.environ.get("QWICKET_FAULT") == "long"
EXAMPLES, MIN_RESPONSES = (300, 10_000) if IS_LONG else (3, 500)
"""Examples for each operation; and how many requests they come to at least."""


def run(server: LiveServer, token: str, folder: Path, *only: str) -> str:
    """Let it make requests with a token; return what it says of them."""
    python = interpreter(SUITE)
    command = [str(python.with_name("st")), "--config-file"]
    command += [str(CONTRACT / SUITE / "schemathesis.toml"), "run", *only]
    command += [f"{server.url}/v1/openapi.json", "--header", f"Authorization: Bearer {token}"]
    command += ["--max-examples", str(EXAMPLES), "--request-timeout", "30", "--no-shrink"]
    command += ["--continue-on-failure", "--report", "json", "--report-json-path", "report.json"]
    if not IS_LONG:
        command += ["--seed", "1"]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(command, env=env, cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    report = json.loads((folder / "report.json").read_text())
    assert report["complete"]
    assert not report["failures"]
    assert not report["errors"]
    return done.stdout


def answers(server: LiveServer) -> dict[str, int]:
    """Return how many requests to /v1 the server answered, by class of status."""
    with server.client() as http:
        families = text_string_to_metric_families(http.get("/metrics").text)
    return {
        sample.labels["status"]: int(sample.value)
        for family in families
        for sample in family.samples
        if sample.name == "qwicket_request_seconds_count" and sample.labels["dialect"] == "/v1"
    }


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[LiveServer]:
    """A server of this test's own that holds answers back for a second at most.

    More wrong tokens are sent to it than one address may send.
    """
    limits = ("--limit", "wrong_tokens=1000000", "--limit", "wait_s=1")
    server = LiveServer(tmp_path / "server", *limits)
    yield server
    assert server.stop() == 0
    server.assert_calm()


@pytest.mark.vendor
@pytest.mark.timeout(3600 if IS_LONG else 900)
def test_thousands_of_made_up_requests_are_answered_as_the_document_says(
    lone: LiveServer, tmp_path: Path
) -> None:
    lone.admin("user", "add", "eve", "--role", "admin")
    every = ("jobs:read", "jobs:write", "devices:read", "admin")
    scopes = [word for scope in every for word in ("--scope", scope)]
    caller = lone.admin("token", "create", "--user", "eve", *scopes)
    serve = ("--scope", "devices:serve", "--device", "lab")
    lab = lone.admin("token", "create", "--user", "eve", *serve)
    agents = ("--include-path-regex", "/agent/|/pilots/")
    # A stream of an account has no end; its own tests hold it to its form.
    others = ("--exclude-path-regex", "/agent/|/pilots/|/v1/events")
    said = run(lone, caller, tmp_path, *others)
    with lone.client(lab) as http:
        device = {
            "family": "qubit",
            "spec": {"description": "", "qubits": 2, "formats": ["openqasm2"]},
        }
        assert http.put("/v1/agent/devices/lab", json=device).status_code == 200
    said += run(lone, lab, tmp_path, *agents)
    counts = answers(lone)
    sys.stdout.write(f"{said}\n{counts}\n")  # for who runs it with -s, and for failures
    assert "5xx" not in counts
    assert sum(counts.values()) >= MIN_RESPONSES
    assert counts["2xx"] >= MIN_RESPONSES // 20, "it gets through to what the operations do"
