"""JSON text into typed structs, for every format that is JSON.

Owns the refusals that all such formats share: bytes that are not UTF-8 or not JSON, NUL characters,
nesting without end, values of the wrong kind. Does not know what any format means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import msgspec

from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import INT64_MAX

T = TypeVar("T")

Int64 = Annotated[int, msgspec.Meta(ge=-INT64_MAX - 1, le=INT64_MAX)]
"""Python's integers have no end, refusals that quote them must."""

_EXPECTED: Final = re.compile(r"Expected `([\w |]+)`, got `(\w+)`")
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_LENGTH: Final = re.compile(r"Expected `array` of length (\d+)")
_KINDS: Final = {
    "int": "an integer",
    "float": "a number",
    "str": "text",
    "bool": "a truth value",
    "array": "a list",
    "object": "an object",
}


class Fault(Exception):
    """Fault in a part of a program, raised by code that does not know which part it is.

    Args:
        text: Description of the fault.
        field: The key at fault.
    """

    def __init__(self, text: str, field: str) -> None:
        super().__init__(text)
        self.field = field


def check_limit(name: str, number: int, limit: int, suffix: str = "") -> None:
    """Refuse a number above a limit.

    Raises:
        LimitExceeded: The number is above the limit; the detail names the limit and both numbers.
    """
    if number > limit:
        raise LimitExceeded(f"{name}: {number}{suffix} is above the limit of {limit}", field=name)


def decode(
    decoder: msgspec.json.Decoder[T], source: bytes, place: Callable[[bytes, str], str]
) -> T:
    """Decode a program's JSON text.

    Args:
        decoder: Decoder of the format's struct.
        source: JSON text.
        place: Given the text and a path such as `circuit[3].target`, returns words to open the
            refusal with, such as `"gate 3 (x): "`.

    Raises:
        InvalidProgram: The text is not JSON, or not what the struct asks for.
    """
    if b"\0" in source or b"\\u0000" in source:
        raise InvalidProgram("the program has NUL characters")
    try:
        source.decode()  # msgspec skips what no struct names, bad bytes in it too
        return decoder.decode(source)
    except UnicodeDecodeError as error:
        raise InvalidProgram(f"the program is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise InvalidProgram("the program is nested too deeply") from None
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise _misshapen(reason, path.strip(".`"), lambda at: place(source, at)) from None
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise InvalidProgram(f"the program is not JSON: {reason}") from None


def _misshapen(reason: str, path: str, place: Callable[[str], str]) -> InvalidProgram:
    """Say in our words what msgspec says in its own."""
    if missing := _MISSING.fullmatch(reason):
        path = f"{path}.{missing[1]}".strip(".")
        complaint = "is missing"
    elif expected := _EXPECTED.fullmatch(reason):
        kinds = expected[1].removesuffix(" | null").split(" | ")
        wanted = " or ".join(_KINDS.get(kind, kind) for kind in kinds)
        complaint = f"must be {wanted}, not {_KINDS.get(expected[2], expected[2])}"
    elif length := _LENGTH.fullmatch(reason):
        complaint = f"must have {length[1]} entries"
    else:
        complaint = "is out of range"
    subject = path.rpartition(".")[2] or "the program"
    return InvalidProgram(f"{place(path)}{subject} {complaint}", field=path or None)


def quoted(text: str) -> str:
    """Return text of a stranger fit for a refusal: printable, in quotes, at most 32 characters."""
    shown = text if len(text) <= 32 else text[:31] + "…"
    return repr(shown)
