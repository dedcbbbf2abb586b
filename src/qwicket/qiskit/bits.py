"""Which classical bit of a circuit is which bit of an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def places(circuit: QuantumCircuit) -> list[int]:
    """Return the place of each classical bit of a circuit in the outcome, the lowest bit first.

    Registers are in the order of their declarations in OpenQASM. Qiskit declares bits without a
    register before all registers, and does not write registers that share bits.
    """
    bits = circuit.clbits
    declared = [bit for bit in bits if not circuit.find_bit(bit).registers]
    for register in circuit.cregs:
        declared.extend(register)
    place = {bit: number for number, bit in enumerate(declared)}
    return [place[bit] for bit in bits]


def reordered(key: str, order: list[int]) -> int:
    """Return an outcome's text, highest bit first, as a number with the circuit's order of bits."""
    return sum(1 << bit for bit, place in enumerate(order) if key[-1 - place] == "1")
