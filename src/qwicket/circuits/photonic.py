"""Photonic circuits in flat form: the result of reading Blackbird, the input of the engine.

Conventions: ħ = 2, so x = a + a†, p = -i(a - a†) and the vacuum's variances are 1; vectors of
quadratures are (x…, p…). Every mode starts in vacuum.

| operation | action on the mode operators |
|---|---|
| `Sgate` (r, φ) | a → a cosh r - e^{iφ} a† sinh r |
| `S2gate` (r, φ) | a → a cosh r + e^{iφ} b† sinh r, b likewise with a† |
| `Dgate` (r, φ), `Xgate` (x), `Zgate` (p) | a → a + r e^{iφ}, a + x/2, a + ip/2 |
| `Rgate` (θ), `Fouriergate` | a → e^{iθ} a, ia |
| `BSgate` (θ, φ) | a → a cos θ - e^{-iφ} b sin θ, b → e^{iφ} a sin θ + b cos θ |
| `MZgate` (i, e), I = e^{ii}, E = e^{ie} | ½ [[(I-1)E, i(1+I)], [i(1+I)E, 1-I]] |
| `sMZgate` (i, e) | BS(π/4, π/2), R(e - π/2) on b, R(i - π/2) on a, BS(π/4, π/2) |
| `Pgate` (s) | p → p + sx |
| `CXgate` (s) | x₂ → x₂ + s x₁, p₁ → p₁ - s p₂ |
| `CZgate` (s) | p₁ → p₁ + s x₂, p₂ → p₂ + s x₁ |
| `Interferometer` (re, im, re, …) | a → U a, row by row |
| `GaussianTransform` (S) | (x…, p…) → S (x…, p…), row by row |
| `LossChannel` (T), `ThermalLossChannel` (T, n) | a → √T a + √(1-T) e, with ⟨e†e⟩ = 0 or n |
| `Vacuum`, `Coherent`, `Squeezed`, `DisplacedSqueezed`, `Thermal`, `Gaussian` | prepares a state |
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from qwicket.circuits.summary import Checked, Summary

FAMILY: Final = "photonic"

Kind = Literal["fock", "threshold", "homodyne", "heterodyne"]


class Formula(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """A parameter that depends on measured quadratures, in postfix order.

    Each item is a number (real and imaginary part), the name of an operator or function, or `q3`
    for the outcome of the homodyne measurement of mode 3.
    """

    code: tuple[tuple[float, float] | str, ...]


Parameter = float | Formula


class Gate(msgspec.Struct, frozen=True, array_like=True, tag="g"):
    """A gate, channel or preparation. Only `Dgate`, `Xgate` and `Zgate` may have formulas."""

    name: str
    modes: tuple[int, ...]
    params: tuple[Parameter, ...] = ()


class Measure(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """Measure modes. Nothing acts on a mode after its measurement.

    Attributes:
        kind: Kind of measurement.
        modes: Measured modes.
        angle: Angle φ of the homodyne quadrature x cos φ + p sin φ.
        dark_counts: Mean of the Poisson noise on each mode's photon count; empty means none.
    """

    kind: Kind
    modes: tuple[int, ...]
    angle: float = 0.0
    dark_counts: tuple[float, ...] = ()


Op = Gate | Measure


class PhotonicCircuit(msgspec.Struct, frozen=True, array_like=True):
    """Operations in time order.

    Attributes:
        n_modes: Number of modes.
        ops: Operations.
        n_bins: Time bins of a time-domain program, which is unrolled; 0 for other programs. Mode t
            is measured in bin t.
    """

    n_modes: int
    ops: tuple[Op, ...]
    n_bins: int = 0


_decoder = msgspec.msgpack.Decoder(tuple[PhotonicCircuit, ...])
_encoder = msgspec.msgpack.Encoder()


def pack(circuits: tuple[PhotonicCircuit, ...]) -> bytes:
    """Encode circuits as one opaque blob."""
    return _encoder.encode(circuits)


def unpack(blob: bytes) -> tuple[PhotonicCircuit, ...]:
    """Return the circuits of a blob made by `pack`."""
    return _decoder.decode(blob)


def summarise(circuits: tuple[PhotonicCircuit, ...]) -> Summary:
    """Summarise photonic circuits for admission, with modes as qubits.

    `n_clbits` is the maximum number of modes whose photons one circuit counts, and `n_splits` that
    of the modes that one circuit measures.
    """
    gates = [op for circuit in circuits for op in circuit.ops if isinstance(op, Gate)]
    n_single = sum(len(gate.modes) == 1 for gate in gates)
    n_modes = max((circuit.n_modes for circuit in circuits), default=0)
    return Summary(
        family=FAMILY,
        n_circuits=len(circuits),
        n_qubits=n_modes,
        n_ops_1q=n_single,
        n_ops_2q=len(gates) - n_single,
        n_active=max(1, n_modes),
        n_clbits=max((_count(each, ("fock", "threshold")) for each in circuits), default=0),
        n_splits=max((_count(each) for each in circuits), default=0),
    )


def to_checked(circuits: tuple[PhotonicCircuit, ...]) -> Checked:
    """Return packed circuits with their summary."""
    return Checked(summarise(circuits), pack(circuits))


def _count(circuit: PhotonicCircuit, kinds: tuple[Kind, ...] = ()) -> int:
    measured = [op for op in circuit.ops if isinstance(op, Measure)]
    return sum(len(op.modes) for op in measured if not kinds or op.kind in kinds)
