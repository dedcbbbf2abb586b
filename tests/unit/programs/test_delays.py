"""Delays of every format that has them, in seconds, for devices on which waiting qubits change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Duration, Parameter
from qiskit.circuit.classical import expr

from qwicket import programs
from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, QubitCircuit, Register, unpack
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs import batch
from support import pubs
from support.for_each import for_each
from support.ibm import experiment, measure, qobj

pytestmark = pytest.mark.needs_vendors


LIMITS = Limits()
QASM3 = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'


def delays(format: str, source: bytes, inputs: dict[str, float] | None = None) -> Any:
    """The qubit and seconds of each delay of all circuits."""
    checked = programs.read(format, source, LIMITS, inputs or {}, with_delays=True)
    found = [
        (op.targets, op.params)
        for circuit in unpack(checked.circuits)
        for op in circuit.ops
        if isinstance(op, Gate) and op.name == "delay"
    ]
    assert checked.summary.n_delays == len(found)
    assert checked.summary.delay_s == pytest.approx(sum(seconds for _, (seconds,) in found))
    return [(qubit, pytest.approx(seconds, rel=1e-12)) for (qubit,), (seconds,) in found]


@for_each(
    "case",
    [
        ("delay[300ns] q[1];", [(1, 3e-7)]),
        ("delay[1us] q;", [(0, 1e-6), (1, 1e-6)]),
        ("delay[2ms];", [(0, 2e-3), (1, 2e-3)]),
        ("delay[9dt] q[0];", [(0, 2e-9)]),
        ("delay[0s] q[0];", []),
        ("box[5us] { delay[2us] q[1]; }", [(1, 2e-6)]),
        ("for int k in [1:3] delay[k * 1us] q[0];", [(0, 1e-6), (0, 2e-6), (0, 3e-6)]),
        ("c[0] = measure q[0]; if (c[0]) { delay[4s] q[1]; }", [(1, 4.0)]),
        ("input float t; delay[t * 1us] q[0];", [(0, 2.5e-6)]),
    ],
)
def test_openqasm_3_waits(case: tuple[str, list[tuple[int, float]]]) -> None:
    body, expected = case
    inputs = {"t": 2.5} if "input" in body else {}
    text = f"{QASM3} {body} c = measure q;".encode()
    assert delays("openqasm3", text, inputs) == expected
    if inputs:
        return
    two = batch.write((batch.Member(format="openqasm3", source=text.decode()),) * 2)
    assert delays("batch", two) == 2 * expected


def test_a_qobj_waits_in_dt() -> None:
    def waiting(*params: Any, qubit: int = 1) -> bytes:
        delay = {"name": "delay", "qubits": [qubit], "params": list(params)}
        return json.dumps(qobj(experiment(delay, *measure(0, 1)))).encode()

    assert delays("qobj", waiting(4500)) == [(1, 1e-6)]
    assert delays("qobj", waiting(0)) == []
    for params in ([], [1, 2], ["x"]):
        with pytest.raises(InvalidProgram, match="takes one number, the delay in dt"):
            delays("qobj", waiting(*params))
    for number in (-1, 1e20):
        with pytest.raises(InvalidProgram, match="a delay must be 0 to 1e\\+09 s, not "):
            delays("qobj", waiting(number))


def sampled(circuit: QuantumCircuit, *values: float) -> bytes:
    circuit.measure(0, 0)
    return pubs.source("sampler", [pubs.circuit(circuit), pubs.array(values), 10])


def test_qiskits_circuits_wait() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.delay(4500, [0, 1])
    for duration in (Duration.ps(3), Duration.ns(3), Duration.us(3), Duration.ms(3), Duration.s(3)):
        circuit.delay(expr.lift(duration), 1)
    circuit.delay(expr.lift(Duration.dt(9)), 0)
    circuit.delay(circuit.add_stretch("chosen"), 0)
    with circuit.if_test((0, 1)), circuit.for_loop(range(2)):
        circuit.delay(45, 1)
    expected = [(0, 1e-6), (1, 1e-6)]
    expected += [(1, 3e-12), (1, 3e-9), (1, 3e-6), (1, 3e-3), (1, 3.0)]
    expected += [(0, 2e-9), (1, 1e-8), (1, 1e-8)]
    assert delays("qiskit.primitives", sampled(circuit)) == expected


def test_delays_whose_unit_qpy_loses_are_refused() -> None:
    """Qiskit 2.6 reads back `delay(1.5, unit="us")` as 1.5 dt, which it then refuses itself."""
    for duration, values in ((1.5, ()), (Parameter("t"), (1.0,))):
        circuit = QuantumCircuit(1, 1)
        circuit.delay(duration, 0, unit="us")
        with pytest.raises(InvalidProgram, match=r"instruction 0 \('delay'\): .* transpile the"):
            delays("qiskit.primitives", sampled(circuit, *values))


def test_devices_without_lifetimes_get_no_delays() -> None:
    text = f"{QASM3} c[0] = measure q[0]; if (c[0]) {{ delay[1s] q; x q[1]; }} c = measure q;"
    plain = text.replace("delay[1s] q;", "")
    found = programs.read("openqasm3", text.encode(), LIMITS)
    assert found == programs.read("openqasm3", plain.encode(), LIMITS)
    assert found != programs.read("openqasm3", text.encode(), LIMITS, with_delays=True)


def test_jumps_skip_what_is_left() -> None:
    wait = Gate("delay", (0,), (1.0,))
    x, y = Gate("x", (0,)), Gate("y", (0,))
    registers = (Register("c", 1),)
    ops = (
        *(wait, Measure(0, 0), Branch((0,), "==", "1", 4), wait, x, wait, Jump(3), wait, y, wait),
        *(Branch((0,), "==", "0", 1), wait),
    )
    kept = (Measure(0, 0), Branch((0,), "==", "1", 2), x, Jump(1), y, Branch((0,), "==", "0", 0))
    assert QubitCircuit(1, ops, registers).without_delays() == QubitCircuit(1, kept, registers)
