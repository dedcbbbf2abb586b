"""Errors of documents that labs write by hand: the field, its value and what is allowed there."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import msgspec

from qwicket.dialects.bodies import decode
from qwicket.model.errors import InvalidRequest

T = TypeVar("T")

_MAX_VALUE_CHARS: Final = 100
_MOST_FIELDS: Final = 16
_EXPECTED: Final = re.compile(r"Expected `([^`]*)`(?:, got `[^`]*`| ([<>=]+ \S+))?")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_STEP: Final = re.compile(r"[^.\[\]]+")
_ANY: Final = "..."
"""How msgspec writes a step into a table whose keys are free."""
_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a time such as 2026-01-31T12:00:00Z",
    "null": "absent",
}


def read(text: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode JSON text as `decode` does, with errors for people who wrote it by hand.

    Raises:
        InvalidRequest: It is no JSON, or a field is wrong; the detail says what it may be.
    """
    try:
        return decode(text, decoder)
    except InvalidRequest as refusal:
        cause = _complaint(text, decoder)
        if cause is None:
            raise
        raise _worded(cause, text, decoder) or refusal from None


def _complaint(text: bytes, decoder: msgspec.json.Decoder[Any]) -> str | None:
    try:
        decoder.decode(text)
    except msgspec.ValidationError as error:
        return str(error)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    return None


def _worded(
    complaint: str, text: bytes, decoder: msgspec.json.Decoder[Any]
) -> InvalidRequest | None:
    what, _, where = complaint.partition(" - at `$")
    path = where.rstrip("`").removeprefix(".")
    steps = _STEP.findall(path)
    if unknown := _UNKNOWN.fullmatch(what):
        return _no_field(unknown[1], path, _type_at(decoder.type, steps))
    wanted = _wanted(what, _type_at(decoder.type, steps))
    if wanted is None:
        return None
    shown = _shown(_value_at(msgspec.json.decode(text), steps))
    detail = f"{path or 'body'} is {shown}; it must be {wanted}."
    return InvalidRequest(detail, field=path or None)


def _wanted(what: str, expected: Any) -> str | None:
    """Return what a field may be, or None where the complaint is about something else."""
    if what.startswith("Invalid enum value"):
        values = expected.values if isinstance(expected, msgspec.inspect.LiteralType) else ()
        return f"one of {', '.join(map(str, values))}" if values else None
    if "RFC3339" in what:
        return _KINDS["datetime"]
    if match := _EXPECTED.match(what):
        kinds = [_KINDS.get(kind, kind) for kind in match[1].split(" | ")]
        bound = f" {match[2]}" if match[2] else ""
        return " or ".join(kinds) + bound
    return None


def _no_field(name: str, path: str, struct: Any) -> InvalidRequest:
    full = f"{path}.{name}".removeprefix(".")[:_MAX_VALUE_CHARS]
    known = [field.encode_name for field in getattr(struct, "fields", ())]
    near = get_close_matches(name[:_MAX_VALUE_CHARS], known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    if not near and known:
        hint = f" There are {', '.join(known[:_MOST_FIELDS])}."
    return InvalidRequest(f"There is no field {full}.{hint}", field=full)


def _type_at(root: Any, steps: list[str]) -> Any:
    """Return msgspec's description of the type at a path, or None."""
    found: Any = msgspec.inspect.type_info(root)
    for step in steps:
        found = _without_none(found)
        match found:
            case msgspec.inspect.StructType():
                fields = {field.encode_name: field.type for field in found.fields}
                found = fields.get(step)
            case msgspec.inspect.DictType():
                found = found.value_type
            case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
                found = found.item_type
            case _:
                return None
    return _without_none(found)


def _without_none(found: Any) -> Any:
    if isinstance(found, msgspec.inspect.UnionType):
        kinds = [each for each in found.types if not isinstance(each, msgspec.inspect.NoneType)]
        return kinds[0] if len(kinds) == 1 else None
    return found


def _value_at(document: Any, steps: list[str]) -> Any:
    for step in steps:
        if step == _ANY:
            return None
        try:
            document = document[int(step)] if isinstance(document, list) else document[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return document


def _shown(value: Any) -> str:
    """Return a value as it was written, cut to a hundred characters."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MAX_VALUE_CHARS else text[: _MAX_VALUE_CHARS - 1] + "…"
