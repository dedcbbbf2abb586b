"""Experiments on the four devices, built instruction by instruction.

    SingleQudit(shots=500).load(10).rlx(pi / 2).measure()

Each gate is exp(-iH). Its parameters are energies times time, in radians. The server refuses
values that are too large. A measurement returns the level of a wire, from 0 to its number of atoms;
for fermions, the number of atoms on it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from qwicket.clients.numbers import listed, whole
from qwicket.vendors.qlued.client.errors import QluedClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SITES: Final = 4
"""Sites of qlued's device for fermions."""


class Circuit:
    """Experiment: a list of instructions on wires (spins, atoms, or modes of fermions).

    Args:
        wires: Number of wires.
        shots: Number of shots.
        seed: Seed of random numbers; by default the server draws one.
    """

    wire_order: ClassVar[str] = "sequential"

    def __init__(self, wires: int, *, shots: int = 1000, seed: int | None = None) -> None:
        number = whole(wires)
        if number is None or number < 1:
            raise QluedClientError(f"wires must be a positive whole number, not {wires!r}.")
        self.wires = number
        self.shots = shots
        self.seed = seed
        self.instructions: list[tuple[str, list[int], list[float]]] = []

    def __repr__(self) -> str:
        size = f"{self.wires} wires, {len(self.instructions)} instructions"
        return f"<{type(self).__name__} of {size}, {self.shots} shots>"

    def instruction(self, name: str, wires: Sequence[int], *params: float) -> Self:
        """Add an instruction by its name.

        Raises:
            QluedClientError: The wires are no list, a wire is no whole number or does not exist,
                or a parameter is no finite number.
        """
        where = f"instruction {len(self.instructions)} ({name})"
        found = listed(wires)
        if found is None:
            raise QluedClientError(f"{where}: wires must be a list, not {wires!r}.")
        operands: list[int] = []
        for wire in found:
            number = whole(wire)
            if number is None:
                raise QluedClientError(f"{where}: a wire is a whole number, not {wire!r}.")
            if not 0 <= number < self.wires:
                raise QluedClientError(
                    f"{where}: wire {number} does not exist; there are {self.wires} wires."
                )
            operands.append(number)
        numbers = [_finite(param, where) for param in params]
        self.instructions.append((name, operands, numbers))
        return self

    def measure(self, *wires: int) -> Self:
        """Measure wires at the end, one column each in this order; by default all wires."""
        for wire in wires or range(self.wires):
            self.instruction("measure", [wire])
        return self

    def experiment(self) -> dict[str, Any]:
        """Return the experiment as JSON data."""
        seed = {} if self.seed is None else {"seed": self.seed}
        return {
            "instructions": [list(instruction) for instruction in self.instructions],
            "num_wires": self.wires,
            "shots": self.shots,
            "wire_order": self.wire_order,
            **seed,
        }


class SingleQudit(Circuit):
    """One collective spin in level 0, of one atom unless more are loaded."""

    def __init__(self, *, shots: int = 1000, seed: int | None = None) -> None:
        super().__init__(1, shots=shots, seed=seed)

    def load(self, atoms: int) -> Self:
        """Set the number of atoms, from the start of the experiment; the last call counts."""
        return self.instruction("load", [0], atoms)

    def rlx(self, omega: float) -> Self:
        """Add exp(-i·omega·Lx)."""
        return self.instruction("rlx", [0], omega)

    def rlz(self, delta: float) -> Self:
        """Add exp(-i·delta·Lz)."""
        return self.instruction("rlz", [0], delta)

    def rlz2(self, chi: float) -> Self:
        """Add exp(-i·chi·Lz²)."""
        return self.instruction("rlz2", [0], chi)

    def sq_full(self, omega: float, delta: float, chi: float) -> Self:
        """Add exp(-i (omega·Lx + delta·Lz + chi·Lz²))."""
        return self.instruction("sq_full", [0], omega, delta, chi)


class _Spins(Circuit):
    """Several spins, each in level 0."""

    def rlx(self, wire: int, omega: float) -> Self:
        """Add exp(-i·omega·Lx) on a wire."""
        return self.instruction("rlx", [wire], omega)

    def rlz(self, wire: int, delta: float) -> Self:
        """Add exp(-i·delta·Lz) on a wire."""
        return self.instruction("rlz", [wire], delta)


class MultiQudit(_Spins):
    """Several collective spins, of one atom each unless more are loaded."""

    def load(self, wire: int, atoms: int) -> Self:
        """Set the number of atoms of a wire; the last call counts."""
        return self.instruction("load", [wire], atoms)

    def rlz2(self, wire: int, chi: float) -> Self:
        """Add exp(-i·chi·Lz²) on a wire."""
        return self.instruction("rlz2", [wire], chi)

    def rlxly(self, wires: Sequence[int], coupling: float) -> Self:
        """Add exp(-i·coupling·Σ (L₊L₋ + L₋L₊)) on two wires; if all are named, on neighbours."""
        return self.instruction("rlxly", wires, coupling)

    def rlzlz(self, wires: Sequence[int], coupling: float) -> Self:
        """Add exp(-i·coupling·Σ LzLz) on two wires; if all are named, on neighbours."""
        return self.instruction("rlzlz", wires, coupling)

    def multiqudit_full(
        self, omega: float, delta: float, chi: float, exchange: float, ising: float
    ) -> Self:
        """Add exp(-iH) on all wires.

        H = Σ (omega·Lx + delta·Lz + chi·Lz²) + exchange·Σ (L₊L₋ + L₋L₊) + ising·Σ LzLz, where the
        last two sums are over neighbours.
        """
        wires = range(self.wires)
        return self.instruction("multiqudit_full", wires, omega, delta, chi, exchange, ising)


class Rydberg(_Spins):
    """Two-level atoms in a row; atoms in level 1 interact (Rydberg blockade).

    In the formulas, n is the level of an atom, and neighbours have the distance 1.
    """

    def rydberg_block(self, phi: float) -> Self:
        """Add exp(-i·phi·Σ n·n/distance⁶) over all pairs."""
        return self.instruction("rydberg_block", range(self.wires), phi)

    def rydberg_full(self, omega: float, delta: float, phi: float) -> Self:
        """Add exp(-i (omega·ΣLx + delta·ΣLz + phi·Σ n·n/distance⁶))."""
        return self.instruction("rydberg_full", range(self.wires), omega, delta, phi)


class Fermions(Circuit):
    """Fermions on four sites. Wire 2s is spin up on site s, wire 2s + 1 spin down."""

    wire_order = "interleaved"

    def __init__(self, *, shots: int = 1000, seed: int | None = None) -> None:
        super().__init__(2 * _SITES, shots=shots, seed=seed)

    def load(self, *wires: int) -> Self:
        """Put an atom on each of these empty wires."""
        for wire in wires:
            self.instruction("load", [wire])
        return self

    def fhop(self, site: int, *coupling: float) -> Self:
        """Add exp(-i·coupling·Σ (c†c' + h.c.)) of both spins between neighbouring sites.

        Args:
            site: First site.
            coupling: One coupling for each pair of neighbours, from `site` on.
        """
        return self.instruction("fhop", self._wires(site, len(coupling) + 1), *coupling)

    def fint(self, energy: float) -> Self:
        """Add exp(-i·energy·Σ n↑n↓): an interaction of two atoms on one site, on all sites."""
        return self.instruction("fint", range(self.wires), energy)

    def fphase(self, site: int, *energy: float) -> Self:
        """Add exp(-i·energy·(n↑ + n↓)) on successive sites, from `site` on, one energy each."""
        return self.instruction("fphase", self._wires(site, len(energy)), *energy)

    def _wires(self, site: int, n_sites: int) -> range:
        first = whole(site)
        if first is None:
            raise QluedClientError(f"a site is a whole number, not {site!r}.")
        return range(2 * first, 2 * (first + n_sites))


def _finite(value: float, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise QluedClientError(f"{where}: a parameter must be a finite number, not {value!r}.")
    return number
