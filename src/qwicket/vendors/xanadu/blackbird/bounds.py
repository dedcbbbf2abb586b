"""Bounds of the Blackbird reader beyond `Limits`. Practical programs stay far below them."""

from __future__ import annotations

from typing import Final

MAX_LINE_CHARS: Final = 1 << 18
"""Characters of one line: a unitary of 40 modes in one row is shorter."""

MAX_HEADER_CHARS: Final = 1 << 12
"""Characters of a line of the header. Dialects read headers on the event loop, where a long line
would delay all requests."""

MAX_HEADER_TOKENS: Final = 200
"""Words, numbers and signs of a `target` or `type` line, for the same reason."""

MAX_DEPTH: Final = 50
"""Nested brackets in one expression."""

MAX_INTEGER: Final = 1_000_000_000
"""Largest absolute value of an integer, and of a gate's argument."""

MAX_STEPS: Final = 5_000_000
"""Characters that loops and time bins repeat, counted again in each iteration."""

MAX_NUMBERS: Final = 400_000
"""Numbers in all parameters of the circuit's operations."""

MAX_FORMULA: Final = 200
"""Numbers, operators and measured values of one parameter that depends on a measurement."""

MAX_SHOTS: Final = 1_000_000_000
"""Shots that a header may name; the device's own limit is checked later."""
