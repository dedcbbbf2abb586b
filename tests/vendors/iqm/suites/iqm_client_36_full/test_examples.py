"""The example programs that iqm-client 36.0.0 brings, and its guides refer to, unmodified."""

import ast
import os
import subprocess
import sys

import pytest

URL = os.environ["QWICKET_URL"]
SHOTS = 1_000


def run(name, *options, **settings):
    env = {"HOME": os.environ["HOME"], "PATH": os.environ["PATH"], **settings}
    done = subprocess.run(
        [sys.executable, "-m", f"iqm.{name}", *options],
        capture_output=True,
        text=True,
        check=False,
        env={**env, "IQM_TOKEN": os.environ["QWICKET_TOKEN"], "IQM_SERVER_URL": URL},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["bell_measure", "transpile_example"])
@pytest.mark.parametrize("computer", ["simulator", "garnet"])
def test_an_example_of_the_qiskit_guide_prints_a_ghz_state(name, computer):
    said = run(f"qiskit_iqm.examples.{name}", "--url", URL, "--qc", computer)
    counts = ast.literal_eval(said.splitlines()[-1])
    assert sum(counts.values()) == SHOTS
    good = (counts["0" * 5] + counts["1" * 5]) / SHOTS
    assert good == 1 if computer == "simulator" else 0.5 < good < 0.95


def test_the_demo_of_the_cirq_guide_prints_a_bell_pair():
    said = run("cirq_iqm.examples.demo_iqm_execution", IQM_QUANTUM_COMPUTER="garnet")
    (line,) = (line for line in said.splitlines() if line.startswith("Counter("))
    counts = ast.literal_eval(line.removeprefix("Counter(").removesuffix(")"))
    assert sum(counts.values()) == SHOTS
    assert (counts["00"] + counts["11"]) / SHOTS > 0.8
