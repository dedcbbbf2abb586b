"""Circuits in OpenQASM 3, which clients other than Qiskit's own send in place of QPY."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from qwicket.circuits.qubit import Op, QubitCircuit, Register
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import read_openqasm3

_INPUT: Final = re.compile(
    r"^[ \t]*input\s+(?:float|angle)(?:\[\d+\])?\s+([^\s;]+)\s*;", re.MULTILINE
)
"""Declaration of an input, at the start of a line."""


class TextTemplate:
    """A circuit in OpenQASM 3.

    Its parameters are its float and angle inputs, in the order of their declarations.

    Args:
        text: The program.
        limits: Limits on the program.
        values: Array of sets of values. The text, which might refuse 0, is read with the first.

    Raises:
        InvalidProgram: The text is malformed, or its circuit cannot be run.
        LimitExceeded: The circuit has too many qubits, bits or operations.
    """

    def __init__(self, text: bytes, limits: Limits, values: Any) -> None:
        self._text, self._limits = text, limits
        self.parameters: Final = tuple(_INPUT.findall(text.decode("utf-8", "replace")))
        first = values.reshape(-1)[: len(self.parameters)].tolist()
        first += [0.0] * (len(self.parameters) - len(first))  # too few, which the caller refuses
        self._circuit = self._read(first)

    @property
    def n_qubits(self) -> int:
        return self._circuit.n_qubits

    @property
    def registers(self) -> tuple[Register, ...]:
        return self._circuit.registers

    def bound(self, values: Sequence[float]) -> tuple[Op, ...]:
        """Return the operations with values in place of the parameters."""
        return (self._read(values) if self.parameters else self._circuit).ops

    def _read(self, values: Sequence[float]) -> QubitCircuit:
        inputs = dict(zip(self.parameters, values, strict=True))
        (circuit,) = read_openqasm3(self._text, self._limits, inputs)
        return circuit
