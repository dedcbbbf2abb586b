"""Blackbird that hangs, or fills the memory of, other parsers of it."""

from __future__ import annotations

from typing import Final

BOMBS: Final[dict[str, str]] = {
    "header": "target x (shots=" + "1+" * 100_000 + "1)\nMeasureFock() | 0",
    "turns": "for int i in 0:2000000000\n    Rgate(1) | 0",
    "long turns": "for int i in 0:99999\n    Rgate(" + "1+" * 1000 + "1) | 0",
    "quoted turns": "for int i in 0:99999\n    Rgate('" + "1+" * 1000 + "1') | 0",
    "template": "float array A[1000, 1000] =\n    {p}",
    "elements": "float array A =\n" + ("    " + "1," * 999 + "1\n") * 200,
    "power": "int x = 3**3000000",
    "tower": "int x = 9**9**9**9**9",
    "digits": "int x = " + "9" * 100_000,
    "brackets": "float x = " + "(" * 50_000,
    "calls": "float x = " + "sin(" * 10_000,
    "signs": "float x = " + "-" * 200_000,
    "powers": "float x = " + "1**" * 60_000 + "1",
    "formula": "float x = q0\n" + "float x = x*x\n" * 40,
    "lines": "\n" * 200_000,
    "long line": "float x = " + "1+" * 200_000 + "1",
    "high mode": "Rgate(1) | 999999999",
    "bins": "type tdm (temporal_modes=999999999)\nMeasureFock() | 0",
    "size": "#" * (1 << 20) + "#",
    "matrices": "float array U =\n"
    + "".join("    " + ", ".join("0" * 99 + "1") + "\n" for _ in range(100))
    + "for int i in 0:50000\n    Interferometer(U) | ["
    + ",".join(map(str, range(100)))
    + "]",
}
"""What there is too much of in each, and its text."""
