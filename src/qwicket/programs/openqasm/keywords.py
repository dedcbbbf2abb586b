"""Keywords of OpenQASM 2 and 3, and why some of them are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CLASSICAL_TYPES: Final = frozenset({"bool", "bit", "int", "uint", "float", "angle", "duration"})

UNSUPPORTED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("while",), "a loop without a known end; use 'for', which may hold a 'break'"),
    **dict.fromkeys(("def", "return", "void"), "subroutines; define a gate, or repeat the text"),
    "extern": "functions that live outside of the program",
    **dict.fromkeys(("defcal", "cal", "defcalgrammar"), "pulse-level definitions"),
    **dict.fromkeys(
        ("stretch", "durationof"), "times that a compiler computes; gates here have no duration"
    ),
    **dict.fromkeys(
        ("array", "readonly", "mutable", "sizeof"), "arrays; use a constant for each element"
    ),
    "complex": "complex numbers",
    "output": "a choice of outputs; every declared bit is one",
}
"""Keywords of OpenQASM 3 that are refused, each with what the error says about it."""

OTHER_KEYWORDS_3: Final = frozenset(
    {
        "OPENQASM", "include", "gate", "box", "let", "break", "continue", "if", "else", "end",
        "for", "in", "switch", "case", "default", "nop", "pragma", "input", "const", "qreg",
        "qubit", "creg", "gphase", "inv", "pow", "ctrl", "negctrl", "reset", "measure", "barrier",
        "delay", "true", "false",
    }
)  # fmt: skip

RESERVED_3: Final = CLASSICAL_TYPES | OTHER_KEYWORDS_3 | UNSUPPORTED.keys()
"""Words, beside constants such as `tau`, that cannot be names in OpenQASM 3."""

RESERVED_2: Final = frozenset(
    {
        "OPENQASM", "include", "qreg", "creg", "gate", "opaque", "if", "measure", "reset",
        "barrier", "pi",
    }
)  # fmt: skip
"""Words that cannot be names in OpenQASM 2."""
