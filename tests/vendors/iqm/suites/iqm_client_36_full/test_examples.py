"""The example programs that iqm-client 36.0.0 brings, and its guides refer to, unmodified."""

import ast
import os
import runpy
import sys

import pytest

URL = os.environ["QWICKET_URL"]
SHOTS = 1_000


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a program in this process: another one takes 10 s of CPU to import the client."""

    def printed(name, *options, **settings):
        settings |= {"IQM_TOKEN": os.environ["QWICKET_TOKEN"], "IQM_SERVER_URL": URL}
        for variable, value in settings.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setattr(sys, "argv", [name, *options])
        runpy.run_module(f"iqm.{name}", run_name="__main__")
        return capsys.readouterr().out

    return printed


@pytest.mark.parametrize("name", ["bell_measure", "transpile_example"])
@pytest.mark.parametrize("computer", ["simulator", "garnet"])
def test_an_example_of_the_qiskit_guide_prints_a_ghz_state(run, name, computer):
    said = run(f"qiskit_iqm.examples.{name}", "--url", URL, "--qc", computer)
    counts = ast.literal_eval(said.splitlines()[-1])
    assert sum(counts.values()) == SHOTS
    good = (counts["0" * 5] + counts["1" * 5]) / SHOTS
    assert good == 1 if computer == "simulator" else 0.5 < good < 0.95


def test_the_demo_of_the_cirq_guide_prints_a_bell_pair(run):
    said = run("cirq_iqm.examples.demo_iqm_execution", IQM_QUANTUM_COMPUTER="garnet")
    (line,) = (line for line in said.splitlines() if line.startswith("Counter("))
    counts = ast.literal_eval(line.removeprefix("Counter(").removesuffix(")"))
    assert sum(counts.values()) == SHOTS
    assert (counts["00"] + counts["11"]) / SHOTS > 0.8
