"""Recognises a program's format by marks of its text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qwicket.programs import openqasm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwicket.circuits.formats import Format

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


def recognise(source: bytes, formats: Iterable[Format]) -> str:
    """Return a program's format; empty if unknown. Of formats with the same marks the first counts.

    Args:
        source: The program, of which `_HEAD_BYTES` are read.
        formats: The formats that it may have.
    """
    head = source[:_HEAD_BYTES]
    if head.lstrip()[:1] in (b"{", b"["):
        return _of_json(head, formats)
    if _is_qir(head):
        return "qir"
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    if _OPENQASM.search(text):
        return f"openqasm{openqasm.guess_version(head)}"
    return next((each.name for each in formats if each.is_this(text)), "")


def guess(source: bytes, formats: Iterable[Format]) -> str:
    """Return the most likely format of a program whose submission states none.

    Most formats in JSON are not guessed. An object that has the keys of none counts as the most
    general one. A text without the marks of any format counts as OpenQASM.
    """
    head = source[:_HEAD_BYTES]
    if head.lstrip()[:1] == b"{":
        guessed = [each for each in formats if each.is_guessed]
        return _of_json(head, guessed) or next((it.name for it in guessed if it.is_general), "")
    found = recognise(source, formats)
    if found == "qir" or any(each.is_guessed and each.name == found for each in formats):
        return found
    return f"openqasm{openqasm.guess_version(head)}"


def _of_json(head: bytes, formats: Iterable[Format]) -> str:
    """Return the format whose keys occur, those last whose keys other formats may have as well."""
    in_order = sorted(formats, key=lambda each: each.is_general)
    found = (each.name for each in in_order if any(key in head for key in each.json_keys))
    return next(found, "")


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
