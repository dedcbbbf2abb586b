"""The superconducting twins have the noise of their published properties, by closed formulas.

Everything is read from `/properties` as a client reads it. A gate of average infidelity e and time
t relaxes its qubits by T1 and T2 and depolarizes by r, so that its process fidelity is the
calibrated one: f = 1 - e (d + 1)/d = (1 - r) f_R + r/d², f_R = Π (1 + 2 exp(-t/T2) + exp(-t/T1))/4
(Nielsen, Phys. Lett. A 303, 249, 2002; decision 10).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, prod, sqrt
from typing import Any

import httpx
import pytest

from support.ibm import Client, experiment, measure, qobj
from support.server import LiveServer

LINE, HEAVY = "qwicket_line5", "qwicket_heavyhex27"
SHOTS = 20_000


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        yield Client(http, server.token("twins"))


class Figures:
    """A twin's properties, in SI units."""

    def __init__(self, client: Client, device: str) -> None:
        found = client.get(f"/backends/{device}/properties")
        self.qubits = [
            {entry["name"]: entry["value"] for entry in qubit} for qubit in found["qubits"]
        ]
        self.gates = {
            gate["name"]: {entry["name"]: entry["value"] for entry in gate["parameters"]}
            for gate in found["gates"]
        }

    def kept(self, qubit: int, seconds: float) -> float:
        """Return how much of ⟨Z⟩ is left."""
        return exp(-seconds / (1e-6 * self.qubits[qubit]["T1"]))

    def relaxed(self, qubits: tuple[int, ...], seconds: float) -> float:
        """Return the process fidelity of relaxation alone."""
        return prod(
            (1 + 2 * exp(-seconds / (1e-6 * self.qubits[q]["T2"])) + self.kept(q, seconds)) / 4
            for q in qubits
        )

    def gate(self, name: str, *qubits: int) -> tuple[float, float]:
        """Return a gate's seconds, and how much its depolarizing leaves of each Pauli."""
        gate = self.gates[name + "_".join(map(str, qubits))]
        seconds, d = 1e-9 * gate["gate_length"], 2.0 ** len(qubits)
        calibrated = 1 - gate["gate_error"] * (d + 1) / d
        relaxed = self.relaxed(qubits, seconds)
        return seconds, 1 - max(0.0, (relaxed - calibrated) / (relaxed - 1 / d**2))

    def read(self, qubit: int, one: float) -> float:
        """Return how often 1 is read where it is 1 with this probability."""
        found = self.qubits[qubit]
        missed, imagined = found["prob_meas0_prep1"], found["prob_meas1_prep0"]
        return float(one * (1 - missed) + (1 - one) * imagined)


def counts(client: Client, device: str, program: dict[str, Any]) -> list[dict[str, int]]:
    job = client.done(program, device=device)
    return [each["data"]["counts"] for each in job["qObjectResult"]["results"]]


def assert_likely(found: int, p: float) -> None:
    """Within 5 σ of a binomial, which is left once in two million times."""
    assert abs(found / SHOTS - p) < 5 * sqrt(p * (1 - p) / SHOTS), (found / SHOTS, p)


def test_read_out_errs_as_the_properties_say(client: Client) -> None:
    figures = Figures(client, LINE)
    program = qobj(experiment(*measure(*range(5)), qubits=5), shots=SHOTS)
    (found,) = counts(client, LINE, program)
    for q in range(5):
        ones = sum(n for key, n in found.items() if int(key, 16) >> q & 1)
        assert_likely(ones, figures.read(q, 0.0))


@pytest.mark.parametrize("qubit", [0, 3])
def test_gates_err_and_relax_towards_zero_as_the_properties_say(client: Client, qubit: int) -> None:
    """Of ⟨Z⟩ each x leaves -λ ⟨Z⟩, and relaxation e^(-t/T1) of it beside what falls to |0⟩."""
    figures = Figures(client, LINE)
    seconds, left = figures.gate("x", qubit)
    kept = figures.kept(qubit, seconds)
    for n_gates in (100, 301):
        flips = [{"name": "x", "qubits": [qubit]}] * n_gates
        program = qobj(experiment(*flips, *measure(qubit), qubits=5), shots=SHOTS)
        (found,) = counts(client, LINE, program)
        z = 1.0
        for _ in range(n_gates):
            z = -z * left * kept + (1 - kept)
        ones = sum(n for key, n in found.items() if int(key, 16) >> qubit & 1)
        assert_likely(ones, figures.read(qubit, (1 - z) / 2))


def test_qubits_that_wait_relax_as_the_properties_say(client: Client) -> None:
    """P(1) = e^(-t/T1) after x and a wait: the gate's errors are below what 20,000 shots show."""
    figures = Figures(client, LINE)
    flip, read = {"name": "x", "qubits": [0]}, measure(0)
    samples = (0, 100_000, 301_500, 1_000_000)  # of 2/9 ns: 0, 22, 67 and 222 µs
    waits = [{"name": "delay", "qubits": [0], "params": [each]} for each in samples]
    program = qobj(*(experiment(flip, wait, *read, qubits=5) for wait in waits), shots=SHOTS)
    for each, found in zip(samples, counts(client, LINE, program), strict=True):
        ones = sum(n for key, n in found.items() if int(key, 16) & 1)
        assert_likely(ones, figures.read(0, figures.kept(0, each / 4.5e9)))


@pytest.mark.parametrize("pair", [(0, 1), (1, 4), (25, 26)])
def test_a_pairs_gate_errs_as_the_properties_say(client: Client, pair: tuple[int, int]) -> None:
    """A cx takes Z of its target to ZZ and back; all Paulis are depolarized alike."""
    figures = Figures(client, HEAVY)
    control, target = pair
    seconds, left = figures.gate("cx", control, target)
    keep_c, keep_t = figures.kept(control, seconds), figures.kept(target, seconds)
    n_gates = 20
    gates = [{"name": "cx", "qubits": [control, target]}] * n_gates
    program = qobj(experiment(*gates, *measure(control, target), qubits=27), shots=SHOTS)
    (found,) = counts(client, HEAVY, program)
    z_c = z_t = both = 1.0
    for _ in range(n_gates):
        z_c, z_t, both = z_c * left * keep_c, both * left * keep_t, z_t * left * keep_c * keep_t
    for read_c in (0, 1):
        for read_t in (0, 1):
            expected = 0.0
            for c in (0, 1):
                for t in (0, 1):
                    p = (1 + (-1) ** c * z_c + (-1) ** t * z_t + (-1) ** (c + t) * both) / 4
                    ones = figures.read(control, float(c)), figures.read(target, float(t))
                    p *= ones[0] if read_c else 1 - ones[0]
                    p *= ones[1] if read_t else 1 - ones[1]
                    expected += p
            key = hex(read_c << control | read_t << target)
            assert_likely(found.get(key, 0), expected)


def test_changes_of_frame_cost_nothing(client: Client) -> None:
    figures = Figures(client, LINE)
    assert figures.gates["rz2"] == figures.gates["u12"] == {"gate_error": 0.0, "gate_length": 0.0}
    turns = [{"name": "rz", "qubits": [2], "params": [0.3]}] * 500
    program = qobj(experiment(*turns, *measure(2), qubits=5), shots=SHOTS)
    (found,) = counts(client, LINE, program)
    assert_likely(found.get("0x4", 0), figures.read(2, 0.0))


def test_both_bases_cost_what_one_pulse_does(client: Client) -> None:
    figures = Figures(client, HEAVY)
    for q in range(27):
        assert figures.gates[f"x{q}"] == figures.gates[f"sx{q}"] == figures.gates[f"u3{q}"]
    assert len(figures.qubits) == 27
    pairs = [name for name in figures.gates if name.startswith("cx")]
    assert len(pairs) == 56
    assert all(20 < each["T1"] < 200 and each["T2"] <= 2 * each["T1"] for each in figures.qubits)
