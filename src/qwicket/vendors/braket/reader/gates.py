"""Named gates of Amazon Braket's OpenQASM, as flat gates.

Their matrices are those of Braket's documentation, with the first qubit as the most significant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi
from typing import Final

from qwicket.circuits.qubit import Gate
from qwicket.programs.openqasm.gates import StandardGate, Template


def _of(n_qubits: int, *ops: Gate) -> Template:
    return Template(n_qubits, ops)


def _prx(theta: float, phi: float) -> Template:
    return _of(1, Gate("rz", (0,), (-phi,)), Gate("rx", (0,), (theta,)), Gate("rz", (0,), (phi,)))


def _gpi(phi: float) -> Template:
    return _of(1, Gate("x", (0,)), Gate("rz", (0,), (2 * phi,)))


def _gpi2(phi: float) -> Template:
    return _prx(pi / 2, phi)


def _ms(phi_0: float, phi_1: float, theta: float) -> Template:
    return _of(
        2,
        *(Gate("rz", (0,), (-phi_0,)), Gate("rz", (1,), (-phi_1,))),
        Gate("rxx", (0, 1), (theta,)),
        *(Gate("rz", (0,), (phi_0,)), Gate("rz", (1,), (phi_1,))),
    )


def _xy(theta: float) -> Template:
    return _of(2, Gate("rxx", (0, 1), (-theta / 2,)), Gate("ryy", (0, 1), (-theta / 2,)))


def _pswap(phi: float) -> Template:
    return _of(
        2,
        Gate("swap", (0, 1)),
        *(Gate("p", (0,), (phi,)), Gate("p", (1,), (phi,))),
        Gate("p", (1,), (-2 * phi,), (0,)),
    )


def _ecr() -> Template:
    """Return (X⊗I − Y⊗X)/√2 = (X⊗I) exp(-iπ/4 Z⊗X)."""
    turn = Gate("h", (1,))
    return _of(2, turn, Gate("rzz", (0, 1), (pi / 2,)), turn, Gate("x", (0,)))


def _phase_of(state: str) -> Callable[[float], Template]:
    """Return a function that makes a phase e^{iφ} on one basis state of two qubits."""
    flips = tuple(Gate("x", (qubit,)) for qubit, bit in enumerate(state) if bit == "0")
    return lambda phi: _of(2, *flips, Gate("p", (1,), (phi,), (0,)), *flips)


_SAME: Final = {name: StandardGate(0, 1, name) for name in ("x", "y", "z", "h", "s", "t")}

# Number of angles, number of qubits, flat gate, number of controls.
GATES: Final[Mapping[str, StandardGate]] = {
    **_SAME,
    "i": StandardGate(0, 1, "id"),
    "si": StandardGate(0, 1, "sdg"),
    "ti": StandardGate(0, 1, "tdg"),
    "v": StandardGate(0, 1, "sx"),
    "vi": StandardGate(0, 1, "sxdg"),
    **{name: StandardGate(1, 1, name) for name in ("rx", "ry", "rz")},
    "U": StandardGate(3, 1, "u"),  # without the phase that OpenQASM 3 gives it
    "phaseshift": StandardGate(1, 1, "p"),
    "prx": StandardGate(2, 1, compose=_prx),
    "gpi": StandardGate(1, 1, compose=_gpi),
    "gpi2": StandardGate(1, 1, compose=_gpi2),
    "cnot": StandardGate(0, 2, "x", 1),
    "cy": StandardGate(0, 2, "y", 1),
    "cz": StandardGate(0, 2, "z", 1),
    "cv": StandardGate(0, 2, "sx", 1),
    "cphaseshift": StandardGate(1, 2, "p", 1),
    **{
        f"cphaseshift{state}": StandardGate(1, 2, compose=_phase_of(state))
        for state in ("00", "01", "10")
    },
    "swap": StandardGate(0, 2, "swap"),
    "iswap": StandardGate(0, 2, compose=lambda: _xy(pi)),
    "pswap": StandardGate(1, 2, compose=_pswap),
    "xy": StandardGate(1, 2, compose=_xy),
    "ecr": StandardGate(0, 2, compose=_ecr),
    "xx": StandardGate(1, 2, "rxx"),
    "yy": StandardGate(1, 2, "ryy"),
    "zz": StandardGate(1, 2, "rzz"),
    "ms": StandardGate(3, 2, compose=_ms),
    "ccnot": StandardGate(0, 3, "x", 2),
    "cswap": StandardGate(0, 3, "swap", 1),
}
