"""Programs to begin with in the editor."""

from __future__ import annotations

from typing import Final, NamedTuple


class Example(NamedTuple):
    """A program to begin with.

    Attributes:
        title: Its name.
        device: The device that is chosen with it, if that takes jobs.
        program: Its text.
        shots: Its shots.
    """

    title: str
    device: str
    program: str
    shots: str


_BELL: Final = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
_GHZ: Final = """OPENQASM 3.0;
include "stdgates.inc";
qubit[5] q;
bit[5] c;
h q[0];
for int i in [0:3] {
  cx q[i], q[i + 1];
}
c = measure q;
"""
_TELEPORTATION: Final = """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[2] m;
bit c;
ry(pi / 3) q[0];  // the state that is sent: 1 with a probability of 1/4
h q[1];
cx q[1], q[2];
cx q[0], q[1];
h q[0];
m[0] = measure q[0];
m[1] = measure q[1];
if (m[1] == 1) { x q[2]; }
if (m[0] == 1) { z q[2]; }
c = measure q[2];
"""
_QFT: Final = """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
x q[0];  // the transform of a basis state: all outcomes are equally likely
h q[2];
cp(pi / 2) q[1], q[2];
cp(pi / 4) q[0], q[2];
h q[1];
cp(pi / 2) q[0], q[1];
h q[0];
swap q[0], q[2];
c = measure q;
"""
_PHOTONS: Final = """name pair
version 1.0
target gaussian (shots=100)
S2gate(1.0, 0.0) | [0, 1]
MeasureFock() | [0, 1]
"""
_ATOMS: Final = """{
  "experiment_0": {
    "instructions": [
      ["load", [0], [10]],
      ["rlx", [0], [0.785]],
      ["measure", [0], []]
    ],
    "num_wires": 1,
    "shots": 100,
    "wire_order": "sequential"
  }
}
"""
EXAMPLES: Final = {
    "qubits": Example("Bell pair", "simulator", _BELL, "1000"),
    "ghz": Example("GHZ", "simulator", _GHZ, "1000"),
    "teleportation": Example("Teleportation", "simulator", _TELEPORTATION, "1000"),
    "qft": Example("QFT", "simulator", _QFT, "1000"),
    "photons": Example("Photons", "simulon_gaussian", _PHOTONS, "100"),
    "atoms": Example("Atoms", "singlequdit", _ATOMS, "100"),
    "empty": Example("Empty", "simulator", "", "1000"),
}
