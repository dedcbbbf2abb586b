"""IBM's MCP server 0.6.2, unmodified, as a host starts it: a process that speaks over its pipes."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

BASE = os.environ["QWICKET_URL"] + "/ibm/runtime"
VARIABLES = {
    "IAM_URL": f"{BASE}/iam",
    "GLOBAL_SEARCH_URL": f"{BASE}/search",
    "GLOBAL_CATALOG_URL": f"{BASE}/catalog",
    "QISKIT_IBM_URL": f"{BASE}/experimental/api/v1",
    "QISKIT_IBM_TOKEN": os.environ["QWICKET_TOKEN"],
}
"""What `qwicket env qiskit-ibm-runtime` sets."""
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
PAIR = BELL.replace("bit[2] c;\n", "").replace("c = measure q;\n", "")


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """A function that calls a tool by its name with arguments, and returns the answer."""
    command = Path(sys.executable).with_name("qiskit-ibm-runtime-mcp-server")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")), **VARIABLES}
    client = Client(StdioTransport(str(command), [], env=env))
    with asyncio.Runner() as runner:
        runner.run(client.__aenter__())
        yield lambda tool, **arguments: runner.run(client.call_tool(tool, arguments)).data
        runner.run(client.__aexit__(None, None, None))


def result(ask, submitted):
    assert submitted["status"] == "success", submitted
    for _ in range(60):
        found = ask("get_job_results_tool", job_id=submitted["job_id"])
        if found["status"] != "pending":
            return found
    pytest.fail("no result")


def test_devices_are_listed(ask):
    found = ask("list_backends_tool")
    assert "qwicket_line5" in {each["name"] for each in found["backends"]}


def test_a_bell_pair_is_sampled(ask):
    submitted = ask("run_sampler_tool", circuit=BELL, backend_name="qwicket_simulator", shots=100)
    counts = result(ask, submitted)["counts"]
    assert counts.keys() <= {"00", "11"}
    assert sum(counts.values()) == 100


def estimate(ask, **options):
    return ask(
        "run_estimator_tool",
        circuit=PAIR,
        observables="ZZ",
        backend_name="qwicket_simulator",
        **options,
    )


def test_an_observable_is_estimated_with_and_without_zero_noise_extrapolation(ask):
    """Its tool for results shows none of an estimator's, whatever the server."""
    for options in ({}, {"zne_mitigation": False}):
        assert result(ask, estimate(ask, **options))["job_status"] == "DONE"
