"""Recognises a program's format by marks of its text, for errors about a wrong format."""

from __future__ import annotations

import re
from typing import Final

from qwicket.programs import openqasm
from qwicket.programs.blackbird import is_blackbird

_HEAD_BYTES: Final = 64 << 10
"""Bytes at the beginning of a program in which marks are looked for."""
_OPENQASM: Final = re.compile(
    r"^[ \t]*+(?:OPENQASM\b|include[ \t]*+\"(?:qelib1|stdgates)\.inc\"|(?:qreg|creg|qubit|bit)\b)",
    re.MULTILINE,
)
_QIR: Final = re.compile(
    r"^[ \t]*+(?:; ModuleID\b|source_filename[ \t]*+=|target[ \t]++(?:datalayout|triple)\b)"
    r"|@__quantum__(?:qis|rt)__",
    re.MULTILINE,
)
_BITCODE: Final = (b"BC\xc0\xde", b"\xde\xc0\x17\x0b")
"""Beginnings of LLVM's bitcode, the second one with a wrapper."""
_JSON: Final = (
    ("qiskit.primitives", b'"pubs"'),
    ("qiskit.primitives", b'"quantum_program"'),
    ("qobj", b'"qobj_id"'),
    ("qobj", b'"experiments"'),
    ("ahs", b'"hamiltonian"'),
    ("qlued", b'"experiment_0"'),
    ("ionq.circuit.v1", b'"circuit"'),
    ("ionq.circuit.v1", b'"circuits"'),
)
"""Keys by which a format is recognised. The first of this list that occurs decides: a later key may
also occur in the formats before it."""


def recognise_format(source: bytes) -> str:
    """Return a program's format, `qlued` for any format of that family; empty if unknown."""
    head = source[:_HEAD_BYTES]
    if head.lstrip()[:1] in (b"{", b"["):
        return next((name for name, key in _JSON if key in head), "")
    if _is_qir(head):
        return "qir"
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    if _OPENQASM.search(text):
        return f"openqasm{openqasm.guess_version(head)}"
    return "blackbird" if is_blackbird(text) else ""


def _is_qir(source: bytes) -> bool:
    """Return whether a source is QIR, by marks of its beginning."""
    if source.startswith(_BITCODE) or source.lstrip().startswith(b"QkPA3"):  # base64 of the magic
        return True
    return _QIR.search(source.decode("utf-8", "replace")) is not None


def may_be_meant(detected_format: str, format_name: str) -> bool:
    """Return whether a text in one format may have been sent on purpose as another format.

    This is so within a family, such as OpenQASM 2 and 3.
    """
    return _family(detected_format) == _family(format_name)


def _family(format_name: str) -> str:
    return format_name.partition(".")[0].rstrip("23")
