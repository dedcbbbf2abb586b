"""Cold-atom circuits in flat form, the result of all parsers and the input of the engines.

Differences between formats are resolved: atoms are loaded before the first gate, gates on all wires
name all of them, there are no barriers, and measurements are a list of columns.

Spins: a wire with N atoms has levels k = 0..N with m = N/2 - k, and starts in k = 0. With
L+ |k> = sqrt(k (N - k + 1)) |k-1>, L- its transpose and Lx = (L+ + L-)/2, each gate is exp(-iH):

| gate | H |
|---|---|
| `rlx rlz rlz2` (θ) | θ Lx, θ Lz, θ Lz² on one wire |
| `sq_full` (Ω, Δ, χ) | Ω Lx + Δ Lz + χ Lz² on one wire |
| `rlxly` (J) | J Σ (L+ L- + L- L+) over neighbours in `wires` |
| `rlzlz` (J) | J Σ Lz Lz over neighbours in `wires` |
| `multiqudit_full` (Ω, Δ, χ, Jxy, Jzz) | `sq_full` on all wires, `rlxly` and `rlzlz`, added |
| `rydberg_block` (φ) | φ Σ_{i<j} n_i n_j / (i - j)⁶ with n = 1/2 - Lz, two levels per wire |
| `rydberg_full` (Ω, Δ, φ) | Σ (Ω Lx + Δ Lz), plus `rydberg_block` |

Fermions: four sites with two spins; wire 2s is spin up on site s, wire 2s + 1 spin down.

| gate | H |
|---|---|
| `load` | none: creates an atom on one wire |
| `fhop` (J per bond) | Σ J (c†_s c_{s+1} + h.c.) of both spins, over neighbours in `wires` |
| `fint` (U) | U Σ n_up n_down over all sites |
| `fphase` (μ per site) | μ (n_up + n_down) |
"""

from __future__ import annotations

from math import prod
from typing import Final, Literal

import msgspec

FERMION_SITES: Final = 4
FERMION_WIRES: Final = 2 * FERMION_SITES


class AtomGate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A gate on `wires`; parameters are energies times time, in radians."""

    name: str
    wires: tuple[int, ...]
    params: tuple[float, ...] = ()


class AtomCircuit(msgspec.Struct, frozen=True, array_like=True):
    """Gates in time order, then one measurement.

    Attributes:
        kind: Kind of physics.
        atoms: Atoms on each wire of spins; empty for fermions.
        gates: In time order.
        measured: The wire that each column of the samples shows.
        shots: Rows of the samples; 0 uses the job's.
        seed: Random seed of the shots; None uses the job's.
    """

    kind: Literal["spins", "fermions"]
    atoms: tuple[int, ...]
    gates: tuple[AtomGate, ...]
    measured: tuple[int, ...]
    shots: int
    seed: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Levels of each wire."""
        if self.kind == "fermions":
            return (2,) * FERMION_WIRES
        return tuple([n + 1 for n in self.atoms])

    @property
    def dimension(self) -> int:
        return prod(self.shape)


_decoder = msgspec.msgpack.Decoder(tuple[AtomCircuit, ...])
_encoder = msgspec.msgpack.Encoder()


def pack(circuits: tuple[AtomCircuit, ...]) -> bytes:
    """Encode circuits as one opaque blob."""
    return _encoder.encode(circuits)


def unpack(blob: bytes) -> tuple[AtomCircuit, ...]:
    """Return the circuits of a blob made by `pack`."""
    return _decoder.decode(blob)
