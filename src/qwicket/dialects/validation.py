"""Turns validation errors of msgspec into errors for users: field, allowed values, value.

msgspec reports a field's path and a sentence in Python's type names, such as "Expected `int`, got
`str` - at `$.shots`". Users read "shots must be a whole number, not "a"." instead.
"""

from __future__ import annotations

import functools
import json
import re
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from qwicket.model.errors import InvalidRequest

SMALL_BODY_BYTES: Final = 64 << 10
"""A body up to this size is parsed on the event loop, unless its route has another bound.

An error quotes a value only from such a body, because the body is decoded again for this.
"""
SMALL_FORM_BYTES: Final = 4 << 10
"""The same for a form: 64 KB of escapes or fields take up to 28 ms."""
_QUOTED_CHARS: Final = 100
_MAX_FIELDS: Final = 16
_MAX_VALUES: Final = 32
_SECRET: Final = re.compile("token|password|secret|key", re.IGNORECASE)
"""Part of the names of fields whose values are not shown in errors."""
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_ANY_KEY: Final = "[...]"
"""What msgspec writes for any key of an object whose keys are data, not fields."""
_MISSING: Final = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_EXPECTED: Final = re.compile(
    r"Expected `(?P<kinds>[^`]+)`(?:, got `[^`]*`"
    r"|(?: of length)? (?P<sign>>=|<=|>|<) (?P<bound>\S+)"
    r"| of length (?P<length>\d+)| matching regex '(?P<pattern>.*)')?",
    re.DOTALL,
)
_MALFORMED: Final = re.compile(r"JSON is malformed: (?P<reason>.+) \(byte (?P<byte>\d+)\)")
_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "datetime": "a time such as 2026-01-31T12:00:00Z",
    "bytes": "a text in base64",
    "null": "null",
}
_SIGNS: Final = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}
_UNITS: Final = {"str": "characters", "array": "items", "bytes": "bytes"}


def malformed_body(error: msgspec.DecodeError | UnicodeDecodeError) -> InvalidRequest:
    """Return the error of a body that is not JSON."""
    if isinstance(error, UnicodeDecodeError):
        return InvalidRequest(f"The body is not UTF-8 at byte {error.start}.")
    if found := _MALFORMED.fullmatch(str(error)):
        return InvalidRequest(
            f"The body is not valid JSON at byte {found['byte']}: {found['reason']}."
        )
    if "truncated" in str(error):
        return InvalidRequest("The body is not valid JSON: it ends too early.")
    return InvalidRequest("The body is not valid JSON.")


def invalid_field(
    error: msgspec.ValidationError, body: bytes, type_: Any, field: str = ""
) -> InvalidRequest:
    """Return the error of an invalid, missing or unknown field.

    Args:
        error: msgspec's error.
        body: JSON text in which msgspec found the error.
        type_: Type that the text should have.
        field: Path of this text, if it is a field of a larger body.
    """
    reason, _, where = str(error).partition(" - at `$")
    where = where.rstrip("`")
    path = (field + where).removeprefix(".")
    if missing := _MISSING.fullmatch(reason):
        path = f"{path}.{missing[1]}".removeprefix(".")
        return InvalidRequest(f"{path} is missing.", field=path)
    if unknown := _UNKNOWN.fullmatch(reason):
        return _unknown_field(unknown[1], path, _type_at(type_, where))
    allowed = _allowed(reason, _type_at(type_, where))
    shown = _shown_at(body, where, allowed) if not _SECRET.search(path) else ""
    return InvalidRequest(f"{path or 'The body'} must be {allowed}{shown}.", field=path or None)


def quoted(value: object) -> str:
    """Return a value for an error message: as JSON or else its `repr`, cut to 100 characters."""
    if isinstance(value, msgspec.Raw):
        text = bytes(value)[: 4 * _QUOTED_CHARS].decode(errors="replace")
        return clip_text(_visible(text), _QUOTED_CHARS)
    if isinstance(value, str):
        value = value[: _QUOTED_CHARS + 1]  # encoding a long text would only take time
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError):
        text = repr(value)
    return clip_text(_visible(text), _QUOTED_CHARS)


def _visible(text: str) -> str:
    """Return JSON with escapes in place of characters that cannot be seen."""
    shown = (c if c.isprintable() or c in "\t\n\r" else json.dumps(c)[1:-1] for c in text)
    return "".join(shown)


def clip_text(text: str, maximum: int) -> str:
    """Return a text cut to `maximum` characters."""
    return text if len(text) <= maximum else text[: maximum - 1] + "…"


def _allowed(reason: str, expected: Any) -> str:
    """Return the allowed values of a field, from msgspec's sentence and the field's type."""
    if isinstance(expected, msgspec.inspect.LiteralType | msgspec.inspect.EnumType):
        values = _values(expected)
        if reason.startswith("Invalid enum value") and len(values) <= _MAX_VALUES:
            return f"one of {', '.join(map(str, values))}"
    if "RFC3339" in reason or "timezone" in reason:
        return _KINDS["datetime"]
    if "base64" in reason:
        return _KINDS["bytes"]
    found = _EXPECTED.match(reason)
    if found is None:
        return "another value" if "range" not in reason else "a number in range"
    kinds = [kind for kind in found["kinds"].split(" | ") if kind != "null"]
    text = " or ".join(_KINDS.get(kind, kind) for kind in kinds)
    if found["length"]:
        return f"{text} of {found['length']} {_UNITS.get(kinds[0], 'items')}"
    if found["pattern"]:
        return f"{text} that matches {found['pattern']}"
    if not found["sign"]:
        return text
    unit = f" {_UNITS[kinds[0]]}" if " of length " in found[0] and kinds[0] in _UNITS else ""
    return f"{text} {_SIGNS[found['sign']]} {found['bound']}{unit}"


def _values(expected: msgspec.inspect.LiteralType | msgspec.inspect.EnumType) -> tuple[Any, ...]:
    if isinstance(expected, msgspec.inspect.LiteralType):
        return tuple(expected.values)
    return tuple(sorted(member.value for member in expected.cls))


def _unknown_field(name: str, path: str, struct: Any) -> InvalidRequest:
    full = f"{path}.{name}".removeprefix(".")[:_QUOTED_CHARS]
    known = [field.encode_name for field in getattr(struct, "fields", ())]
    near = get_close_matches(name[:_QUOTED_CHARS], known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    if not near and known:
        hint = f" There are {', '.join(known[:_MAX_FIELDS])}."
    return InvalidRequest(f"There is no field {full}.{hint}", field=full)


@functools.lru_cache(256)
def _type_info(type_: Any) -> Any:
    return msgspec.inspect.type_info(type_)


def _type_at(root: Any, where: str) -> Any:
    """Return msgspec's description of the type at a path, or None."""
    found: Any = _without_none(_type_info(root))
    for step in re.findall(r"[^.\[\]]+|\.\.\.", where):
        match found:
            case msgspec.inspect.StructType():
                found = {field.encode_name: field.type for field in found.fields}.get(step)
            case msgspec.inspect.DictType():
                found = found.value_type
            case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
                found = found.item_type
            case _:
                return None
        found = _without_none(found)
    return found


def _without_none(kind: Any) -> Any:
    if isinstance(kind, msgspec.inspect.UnionType):
        kinds = [each for each in kind.types if not isinstance(each, msgspec.inspect.NoneType)]
        return kinds[0] if len(kinds) == 1 else None
    return kind


def _shown_at(body: bytes, where: str, allowed: str) -> str:
    """Return `, not VALUE` for the value at a path; empty if it is unknown or the body is large."""
    if len(body) > SMALL_BODY_BYTES or _ANY_KEY in where:
        return ""
    try:
        value = msgspec.json.decode(body)
        for key, index in _STEP.findall(where):
            value = value[key] if key else value[int(index)]
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError):
        return ""
    if isinstance(value, dict):
        return ", not an object"
    if isinstance(value, list):
        # Where a list is right, its length is wrong.
        return (
            f", not a list of {len(value)}" if allowed.startswith("a list of") else ", not a list"
        )
    return f", not {quoted(value)}"
