"""Order of a circuit's classical bits in the outcomes of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def outcome_bits(circuit: QuantumCircuit) -> list[int]:
    """Return for each classical bit of a circuit its number in the outcome, 0 for the lowest bit.

    Outcomes have the registers in the order of their declarations in OpenQASM. Qiskit declares bits
    without a register before all registers, and refuses to write registers that share bits.
    """
    bits = circuit.clbits
    declared = [bit for bit in bits if not circuit.find_bit(bit).registers]
    for register in circuit.cregs:
        declared.extend(register)
    number_of = {bit: number for number, bit in enumerate(declared)}
    return [number_of[bit] for bit in bits]


def reorder_bits(key: str, order: list[int]) -> int:
    """Return an outcome as a number whose bit i is classical bit i of the circuit.

    Args:
        key: The outcome as text, the highest bit first.
        order: Result of `outcome_bits`.
    """
    return sum(1 << bit for bit, number in enumerate(order) if key[-1 - number] == "1")
