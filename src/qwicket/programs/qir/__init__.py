"""Format `qir`: QIR (quantum programs in LLVM's language), base profile, one circuit.

Reads LLVM's text and bitcode, both also in base64, as clients send them. Nothing of LLVM is used:
its readers were not made for hostile input.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from qwicket.circuits.qubit import QubitCircuit
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs.json_text import check_limit
from qwicket.programs.qir.bitcode import BitcodeReader
from qwicket.programs.qir.text import TextReader

__all__ = ["read"]

_MAGIC: Final = (b"BC\xc0\xde", b"\xde\xc0\x17\x0b")
"""Beginnings of bitcode, the second one with a wrapper."""
_BASE64: Final = re.compile(rb"\s*+[A-Za-z0-9+/\s]++=*+\s*+")


def read(source: bytes, limits: Limits) -> tuple[QubitCircuit, ...]:
    """Read a program of QIR's base profile.

    Args:
        source: LLVM's text in UTF-8, or bitcode, either of them also in base64.
        limits: Bounds on bytes, qubits, classical bits and operations.

    Returns:
        One circuit. Its classical bits are the recorded results in the order of their recording;
        without records all results by number; without measurements every qubit.

    Raises:
        InvalidProgram: The program is refused; the detail says where and why.
        LimitExceeded: A limit is exceeded.
    """
    check_limit("program_text_bytes", len(source), limits.programs.program_text_bytes)
    decoded = _decoded(source)
    if decoded.startswith(_MAGIC):
        return (BitcodeReader(decoded, limits).circuit(),)
    try:
        text = decoded.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InvalidProgram(f"the text is not UTF-8 at byte {error.start}") from None
    return (TextReader(text, limits).circuit(),)


def _decoded(source: bytes) -> bytes:
    """Return the bytes that are in base64, and any other source unchanged."""
    if not _BASE64.fullmatch(source):
        return source
    try:
        return binascii.a2b_base64(b"".join(source.split()), strict_mode=True)
    except binascii.Error:
        return source
