"""Devices that were never built: a number of qubits, a topology, and noise in a few figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from math import isqrt
from pkgutil import resolve_name
from typing import Final, Literal

import msgspec

from qwicket.circuits.calibrations import Calibration, GateFigures, Pair, QubitFigures
from qwicket.circuits.noise import Lifetime, Probability, Seconds
from qwicket.devices import DeviceFile
from qwicket.model.devices import DeviceSpec
from qwicket.registrations import vendors

Topology = Literal["all", "grid", "line", "ring", "star"]
MAX_QUBITS: Final = 1_000
POSITION: Final = 500
"""Position in lists: after the built-in devices."""
_FORMATS: Final = ("openqasm3", "openqasm2", "qir", "batch", "estimation")
"""What a virtual device takes, beside the formats of vendors for qubits."""
_GATES: Final = ("id", "rz", "sx", "x", "cx", "u1", "u2", "u3")
_NATIVE: Final = ("rz", "sx", "x", "cx")
_NO_DECAY_S: Final = 1e9
"""A lifetime so long that qubits do not relax."""
_SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Time that calibrations show, the same for all, so that equal devices have equal calibrations."""


class Noise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Noise of all qubits and pairs.

    Attributes:
        one_qubit: Average infidelity of a gate on one qubit.
        two_qubit: Average infidelity of a gate on two qubits.
        readout: Probability of a wrong outcome, the same for 0 and 1.
        t1_s: Lifetime of |1⟩ in seconds.
        t2_s: Lifetime of a superposition in seconds; by default as long as t1_s.
        gate_s: Duration of every gate in seconds.
    """

    one_qubit: Probability = 0.0
    two_qubit: Probability = 0.0
    readout: Probability = 0.0
    t1_s: Lifetime = _NO_DECAY_S
    t2_s: Lifetime | None = None
    gate_s: Seconds = 0.0


def virtual_device(
    name: str,
    qubits: int,
    topology: Topology | Sequence[Pair] = "all",
    noise: Noise | None = None,
) -> DeviceFile:
    """Return a device that does not imitate a machine.

    It has a calibration if it has noise or a topology other than `all`.

    Args:
        name: Its name.
        qubits: Number of qubits, from 1 to `MAX_QUBITS`.
        topology: Pairs that a gate can act on, or the name of their arrangement; `grid` fills the
            rows of the smallest square that holds all qubits.
        noise: Its noise; None for an ideal device.

    Raises:
        ValueError: The number of qubits is out of range, or a pair names a qubit that the device
            does not have.
    """
    if not 1 <= qubits <= MAX_QUBITS:
        raise ValueError(f"qubits must be from 1 to {MAX_QUBITS}; not {qubits}.")
    pairs = connectivity(topology, qubits)
    calibration = None
    if noise is not None or pairs is not None:
        calibration = _calibration(noise or Noise(), pairs)
    return device_file(name, qubits, f"Virtual device of {qubits} qubits", calibration)


def device_file(
    name: str,
    qubits: int,
    description: str,
    calibration: Calibration | None,
    native_gates: Sequence[str] = _NATIVE,
) -> DeviceFile:
    """Return a simulated device that every dialect for qubits shows.

    Raises:
        ValueError: The calibration names a qubit that the device does not have.
    """
    is_exact = calibration is None
    return DeviceFile(
        name=name,
        family="qubit",
        provider="qwicket",
        driver="simulated",
        position=POSITION,
        spec=DeviceSpec(
            description=description,
            qubits=qubits,
            formats=_formats(),
            gates=_GATES,
            native_gates=() if is_exact else tuple(native_gates),
            outputs=("counts", "memory", "probabilities"),
            exact=is_exact,
        ),
        calibration=calibration,
    )


def connectivity(topology: Topology | Sequence[Pair], qubits: int) -> tuple[Pair, ...] | None:
    """Return the pairs of a topology; None for all pairs."""
    numbers = range(qubits)
    match topology:
        case "all":
            return None
        case "line":
            return tuple(pairwise(numbers))
        case "ring":
            closing = ((0, qubits - 1),) if qubits > 2 else ()
            return (*pairwise(numbers), *closing)
        case "star":
            return tuple((0, q) for q in numbers[1:])
        case "grid":
            width = isqrt(qubits - 1) + 1
            right = [(q, q + 1) for q in numbers if (q + 1) % width and q + 1 < qubits]
            down = [(q, q + width) for q in numbers if q + width < qubits]
            return tuple(sorted(right + down))
    return tuple((a, b) for a, b in topology)


def _calibration(noise: Noise, pairs: tuple[Pair, ...] | None) -> Calibration:
    t2_s = noise.t1_s if noise.t2_s is None else noise.t2_s
    return Calibration(
        valid_from=_SINCE,
        source="as requested",
        qubit=QubitFigures(
            t1_s=noise.t1_s, t2_s=t2_s, one_for_zero=noise.readout, zero_for_one=noise.readout
        ),
        one_qubit=GateFigures(error=noise.one_qubit, duration_s=noise.gate_s),
        two_qubit=GateFigures(error=noise.two_qubit, duration_s=noise.gate_s),
        connectivity=pairs,
    )


def _formats() -> tuple[str, ...]:
    of_vendors = (each for it in vendors() for name in it.formats for each in resolve_name(name))
    return (*_FORMATS, *[each.name for each in of_vendors if each.family == "qubit"])
