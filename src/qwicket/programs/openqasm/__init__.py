"""Readers of OpenQASM 2 and 3, from text to one flat circuit, and a writer of OpenQASM 3.

No file is ever opened: the libraries `qelib1.inc` and `stdgates.inc` are built in. Limits are
checked while the text is read, and readers raise only `QwicketError`. Of version 3, everything that
needs run-time arithmetic, a compiler's schedule or pulses is refused; the error names the word and
its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from qwicket.circuits.qubit import QubitCircuit
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.openqasm.reader import Reader
from qwicket.programs.openqasm.writer import NotWritable, write

__all__ = [
    "NotWritable",
    "guess_version",
    "read_openqasm2",
    "read_openqasm3",
    "write",
]

# tokens.py explains `(?!)`.
_VERSION_LINE: Final = re.compile(r"(?:\s++|//[^\n]*+|/\*(?s:.*?)\*/|(?!))*+OPENQASM\s++([0-9]++)")
_WORD_OF_2: Final = re.compile(r"\b(?:qreg|creg|opaque)\b|qelib1\.inc")


def read_openqasm2(
    source: bytes, limits: Limits, inputs: Mapping[str, float] | None = None
) -> tuple[QubitCircuit, ...]:
    """Read a program in OpenQASM 2.

    Args:
        source: The text, UTF-8, with or without a byte order mark and a version line.
        limits: Bounds on bytes and operations. Gates and registers count in full.
        inputs: Must be empty: the language has no inputs.

    Returns:
        One circuit; its registers are those of the text, in order.

    Raises:
        InvalidProgram: The text is refused; the detail says where and why.
        LimitExceeded: A limit is exceeded.
    """
    return _read(source, limits, inputs or {}, 2)


def read_openqasm3(
    source: bytes, limits: Limits, inputs: Mapping[str, float] | None = None
) -> tuple[QubitCircuit, ...]:
    """Read a program in OpenQASM 3.

    Args:
        source: The text, UTF-8, with or without a byte order mark and a version line.
        limits: Bounds on bytes and operations. Loops, gates and registers count in full.
        inputs: A value for each `input`, angles in radians.

    Returns:
        One circuit; its registers are the declared bits, in order.

    Raises:
        InvalidProgram: The text is refused; the detail says where and why.
        LimitExceeded: A limit is exceeded.
    """
    return _read(source, limits, inputs or {}, 3)


def guess_version(source: bytes) -> Literal[2, 3]:
    """Return which version a text is in: by its version line, else its library, else its words."""
    text = source.decode("utf-8", "replace").removeprefix("\ufeff")
    line = _VERSION_LINE.match(text)
    if line is not None:
        return 2 if line[1] == "2" else 3
    if "stdgates.inc" in text:
        return 3
    return 2 if _WORD_OF_2.search(text) else 3


def _read(
    source: bytes, limits: Limits, inputs: Mapping[str, float], version: Literal[2, 3]
) -> tuple[QubitCircuit, ...]:
    if len(source) > limits.programs.program_text_bytes:
        raise LimitExceeded(
            f"the text has {len(source):,} bytes; "
            f"the limit 'program_text_bytes' is {limits.programs.program_text_bytes:,}"
        )
    try:
        text = source.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InvalidProgram(f"the text is not UTF-8 at byte {error.start}") from None
    try:
        return (Reader(text, limits, inputs, version).circuit(),)
    except RecursionError:
        raise InvalidProgram("the program is nested too deeply") from None
    except MemoryError:
        raise LimitExceeded("the program needs too much memory to be read") from None
