"""Decodes JSON text into typed structs, for program formats that are JSON.

Has the errors that these formats share: bytes that are not UTF-8 or not JSON, NUL characters,
nesting that is too deep, values of the wrong type.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import msgspec

from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import INT64_MAX

T = TypeVar("T")

Int64 = Annotated[int, msgspec.Meta(ge=-INT64_MAX - 1, le=INT64_MAX)]
"""Bounded, because Python's integers may have any number of digits, and errors quote them."""

SHOWN_CHARS: Final = 32
"""Characters of untrusted text that an error message shows."""

_EXPECTED: Final = re.compile(r"Expected `([\w |]+)`, got `(\w+)`")
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_LENGTH: Final = re.compile(r"Expected `array` of length (\d+)")
_TYPE_NAMES: Final = {
    "int": "an integer",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}


class FieldError(Exception):
    """Error in one gate or instruction, raised by code that does not know its place in the program.

    Callers that know the place turn it into `InvalidProgram`.

    Args:
        text: Description of the error.
        field: Key of the wrong value, within the gate or instruction.
    """

    def __init__(self, text: str, field: str) -> None:
        super().__init__(text)
        self.field = field


def check_limit(name: str, number: int, limit: int, suffix: str = "") -> None:
    """Refuse a number above a limit.

    Args:
        name: Name of the limit.
        number: Number in the program.
        limit: Largest number that is allowed.
        suffix: Text that follows the number in the error.

    Raises:
        LimitExceeded: The number is above the limit; the detail names the limit and both numbers.
    """
    if number > limit:
        # Python writes no integer of more than 4,300 digits, and a product of sizes can have more.
        shown = f"{number}{suffix}" if number <= INT64_MAX else "a number above 2^63"
        raise LimitExceeded(f"{name}: {shown} is above the limit of {limit}", field=name)


def decode(
    decoder: msgspec.json.Decoder[T], source: bytes, locate: Callable[[bytes, str], str]
) -> T:
    """Decode a program's JSON text.

    Args:
        decoder: Decoder of the format's struct.
        source: JSON text.
        locate: Given the text and a path such as `circuit[3].target`, returns the beginning of the
            error message, such as `"gate 3 (x): "`.

    Raises:
        InvalidProgram: The text is not JSON, or does not fit the struct.
    """
    if b"\0" in source or b"\\u0000" in source:
        raise InvalidProgram("the program has NUL characters")
    try:
        source.decode()  # msgspec does not check fields that no struct has, nor their UTF-8
        return decoder.decode(source)
    except UnicodeDecodeError as error:
        raise InvalidProgram(f"the program is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise InvalidProgram("the program is nested too deeply") from None
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise _type_error(reason, path.strip(".`"), lambda path: locate(source, path)) from None
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise InvalidProgram(f"the program is not JSON: {reason}") from None


def _type_error(reason: str, path: str, locate: Callable[[str], str]) -> InvalidProgram:
    """Return an error for a value of the wrong type, without msgspec's own text."""
    if missing := _MISSING.fullmatch(reason):
        path = f"{path}.{missing[1]}".strip(".")
        problem = "is missing"
    elif expected := _EXPECTED.fullmatch(reason):
        types = expected[1].removesuffix(" | null").split(" | ")
        wanted = " or ".join(_TYPE_NAMES.get(name, name) for name in types)
        problem = f"must be {wanted}, not {_TYPE_NAMES.get(expected[2], expected[2])}"
    elif length := _LENGTH.fullmatch(reason):
        problem = f"must have {length[1]} entries"
    else:
        problem = "is out of range"
    subject = path.rpartition(".")[2] or "the program"
    return InvalidProgram(f"{locate(path)}{subject} {problem}", field=path or None)


def quoted(text: str, max_chars: int = SHOWN_CHARS) -> str:
    """Return untrusted text for an error message: escaped, in quotes, cut to `max_chars`.

    A single character that cannot be seen is named instead, such as a no-break space.
    """
    if len(text) == 1 and not text.isprintable() and (name := unicodedata.name(text, "")):
        return f"the invisible character U+{ord(text):04X} ({name.lower()})"
    return repr(text if len(text) <= max_chars else text[: max_chars - 1] + "…")
