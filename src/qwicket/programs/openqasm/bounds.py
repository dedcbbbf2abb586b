"""Bounds of the OpenQASM readers beyond `Limits`. Practical programs stay far below them."""

from __future__ import annotations

from typing import Final

import msgspec

MAX_ANGLE: Final = 1e100
"""Largest absolute value of an angle in radians. No real program comes near, and sums and
multiples of such angles stay finite."""

MAX_ANGLE_BITS: Final = 64
"""Bits of one value of type `angle`, so that a quotient of two stays below `MAX_INTEGER`. A float
has 53."""

MAX_QUBITS: Final = 10_000
"""Qubits of one text; the device checks its own number later."""

MAX_CLBITS: Final = 10_000
"""Classical bits of one text, and bits of one type or bit string."""

MAX_EXPRESSION_DEPTH: Final = 100
"""Nested operators and brackets in one expression."""

MAX_BLOCKS: Final = 50
"""Nested blocks."""

MAX_GATE_DEPTH: Final = 100
"""User gates inside user gates."""

MAX_POWER: Final = 1_000
"""Largest absolute value of the exponent of the gate modifier `pow`."""

MAX_INTEGER: Final = 1 << 64
"""Largest absolute value of an integer in arithmetic."""

MAX_LITERAL_DIGITS: Final = 3_100
"""Digits of one integer: enough to compare a register of `MAX_CLBITS` bits with."""


class OpenQASMLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of programs in OpenQASM."""

    openqasm_tokens: int = 1_500_000
    """Words, numbers and signs of one OpenQASM program; 170,000 gates with angles of 15 digits have
    1.3 million. A million takes about a second of one core and 200 MB, so a higher limit may need
    a higher `parse_time_s` and `parse_memory_bytes`."""

    openqasm_steps: int = 2_000_000
    """Steps of reading one OpenQASM program. A step is a word, number or sign of a loop or a gate,
    counted again whenever it is repeated; one outside of plain gates on qubits such as `q[3]` is
    three. A megabyte of branches as Qiskit writes them, each around one gate, has 1.3 million."""
