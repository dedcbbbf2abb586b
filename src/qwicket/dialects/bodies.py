"""JSON bodies of requests: decoded, checked and bounded, with errors that name the field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import numpy as np

from qwicket.model.errors import InvalidRequest, LimitExceeded

if TYPE_CHECKING:
    from qwicket.model.limits import Limits

T = TypeVar("T")

SMALL_BODY_BYTES: Final = 64 << 10
"""Up to here a body is parsed on the event loop."""
_QUOTED_CHARS: Final = 100
_SECRET: Final = re.compile("token|password|secret|key", re.IGNORECASE)
"""Fields whose values are never shown."""
_STEP_OF_PATH: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_WRONG_KEY: Final = re.compile(
    r"Object (?:(missing required)|contains unknown) field `(.*)`", re.DOTALL
)
_BOUND: Final = re.compile(r"Expected `(int|float)` (>=|<=|>|<) (\S+)")
_KINDS: Final = {"int": "a whole number", "float": "a number"}
_SIGNS: Final = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}
"""How msgspec names a bound, and how a person does."""
_STEP: Final = np.array([(c in b"[{") - (c in b"]}") for c in range(256)], np.int8)
"""Change of the depth by each byte of JSON outside of texts."""
_NUL: Final = b"\\u0000"


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode JSON text.

    Raises:
        InvalidRequest: It is no JSON, or a field is wrong; `field` names it.
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec passes over what stays raw or is not asked for
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), body) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is no valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply (limit json_depth).") from None
    if _NUL in body:
        _refuse_nul(value, "")
    return value


def decode_field(raw: msgspec.Raw, decoder: msgspec.json.Decoder[T], field: str) -> T:
    """Decode what `decode` left raw.

    Raises:
        InvalidRequest: It has a wrong type; `field` says where.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), bytes(raw), field) from None


def invalid(detail: str, value: object, field: str) -> InvalidRequest:
    """Return the refusal of a value, quoting it: `size must be 1 to 10, not "many"`.

    Args:
        detail: What the value must be, as a sentence that can go on with "not".
        value: What it is.
        field: Which it is of.
    """
    return InvalidRequest(f"{detail.removesuffix('.')}, not {quoted(value)}.", field=field)


def quoted(value: object) -> str:
    """Return a value as a refusal shows it: as JSON, cut to 100 characters."""
    if isinstance(value, msgspec.Raw):
        return clipped(bytes(value)[: 4 * _QUOTED_CHARS].decode(errors="replace"), _QUOTED_CHARS)
    if isinstance(value, str):
        value = value[: _QUOTED_CHARS + 1]  # a long one is not worth writing out
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError):
        text = repr(value)
    return clipped(text, _QUOTED_CHARS)


def _misfit(complaint: str, body: bytes, field: str = "") -> InvalidRequest:
    """Return what msgspec complains of, with the field by its path from the body, and its value."""
    what, _, where = complaint.partition(" - at `$")
    where = where.rstrip("`")
    path = (field + where).removeprefix(".")
    if wrong := _WRONG_KEY.fullmatch(what):
        path = f"{path}.{wrong[2]}".removeprefix(".")
        detail = f"{path} is missing." if wrong[1] else f"There is no field {path}."
        return InvalidRequest(detail, field=path)
    shown = _shown_at(body, where) if path and not _SECRET.search(path) else ""
    if bound := _BOUND.fullmatch(what):
        kind, sign, most = bound.groups()
        what = f"must be {_KINDS[kind]} {_SIGNS[sign]} {most}"
    return InvalidRequest(f"{path or 'body'}: {what}{shown}.", field=path or None)


def _shown_at(body: bytes, where: str) -> str:
    """Return the value at a path of a body, to be added to a refusal; "" if it is no plain one."""
    if len(body) > SMALL_BODY_BYTES or "[...]" in where:
        return ""
    try:
        value = msgspec.json.decode(body)
        for key, index in _STEP_OF_PATH.findall(where):
            value = value[key] if key else value[int(index)]
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError):
        return ""
    is_plain = isinstance(value, str | int | float | bool)
    return f", in {quoted(value)}" if is_plain else ""


def _refuse_nul(value: object, field: str) -> None:
    """Refuse NUL characters: databases cannot keep them in text."""
    if isinstance(value, msgspec.Struct):
        for name, item in msgspec.structs.asdict(value).items():
            _refuse_nul(item, f"{field}.{name}" if field else name)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{field}[{index}]")
    elif (isinstance(value, str) and "\0" in value) or (
        isinstance(value, msgspec.Raw) and _has_nul(bytes(value))
    ):
        raise InvalidRequest(f"{field}: contains a NUL character.", field=field)


def _has_nul(text: bytes) -> bool:
    """Return whether JSON text has an escaped NUL: one after an even number of backslashes."""
    start = 0
    while (at := text.find(_NUL, start)) >= 0:
        before = text[start:at]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            return True
        start = at + len(_NUL)
    return False


def check_document(document: bytes, field: str, limits: Limits) -> None:
    """Refuse a free-form JSON document that is too large, too deep or has too many keys.

    Raises:
        LimitExceeded: It is or has; the limit is named.
    """
    bounds = limits.requests
    if len(document) > bounds.document_bytes:
        raise LimitExceeded(
            f"{field} is over {bounds.document_bytes} bytes (limit document_bytes).", field=field
        )
    brackets = document.count(b"{") + document.count(b"[")
    if brackets <= bounds.json_depth and document.count(b":") <= bounds.json_keys:
        return
    bare = b"".join(_without_escapes(document).split(b'"')[::2])  # what stands outside of texts
    if bare.count(b":") > bounds.json_keys:
        raise LimitExceeded(
            f"{field} has more than {bounds.json_keys} keys (limit json_keys).", field=field
        )
    steps = _STEP[np.frombuffer(bare, np.uint8)]
    if np.cumsum(steps, dtype=np.int32).max(initial=0) > bounds.json_depth:
        raise LimitExceeded(
            f"{field} is nested deeper than {bounds.json_depth} (limit json_depth).", field=field
        )


def _without_escapes(text: bytes) -> bytes:
    """Return JSON text without its escaped backslashes and quotes."""
    return text.replace(b"\\\\", b"").replace(b'\\"', b"")


def clipped(text: str, most: int) -> str:
    """Return a text cut to `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
