"""JSON bodies of requests: decoding and limits."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from qwicket.dialects.validation import invalid_field, malformed_body, quoted
from qwicket.model.errors import InvalidRequest, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sized

    from qwicket.model.limits import Limits

T = TypeVar("T")

objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
lists: Final = msgspec.json.Decoder(list[msgspec.Raw])
texts: Final = msgspec.json.Decoder(str)

_KEY: Final = re.compile(rb'\s*"(?:[^"\\]|\\.)*"\s*:\s*')
_NEXT: Final = re.compile(rb"\s*[,}]\s*")
_NUL: Final = b"\\u0000"
_PIECE_BYTES: Final = 1 << 20
_BLOCK_BYTES: Final = 256
_TO_ROUND_BRACKETS: Final = bytes.maketrans(b"[]{}", b"()()")
_ALL_BUT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ALL_BUT_BRACES_AND_QUOTES: Final = bytes(byte for byte in range(256) if byte not in b'{"')
_QUOTED: Final = re.compile(rb'"[^"]*"')
_MAX_FORM_FIELDS: Final = 32


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode JSON text.

    Raises:
        InvalidRequest: The body is not JSON, or a field is invalid; `field` names it.
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec does not check that raw and unknown fields are UTF-8
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid_field(error, body, decoder.type) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed_body(error) from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply (limit json_depth).") from None
    if _NUL in body:
        _refuse_nul(value, "")
    return value


def decode_field(raw: msgspec.Raw, decoder: msgspec.json.Decoder[T], field: str) -> T:
    """Decode a field that `decode` left raw.

    Raises:
        InvalidRequest: The field has a wrong type; `field` names it.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise invalid_field(error, bytes(raw), decoder.type, field) from None


def unique_fields(text: bytes) -> Mapping[str, msgspec.Raw]:
    """Return the fields of a JSON object, not decoded: objects would take far more memory.

    Raises:
        InvalidRequest: It is not an object, or has a field twice: this server might check one of
            the two, and the machine to which the request is passed on might read the other.
    """
    found = decode(text, objects)
    # If a field is there twice, the values of `found` in order do not make up the whole text.
    at = text.index(b"{") + 1
    for value in found.values():
        key = _KEY.match(text, at)
        if key is None or not text.startswith(value, key.end()):
            raise InvalidRequest("A field is there twice.")
        at = key.end() + len(value)
        if end := _NEXT.match(text, at):
            at = end.end()
    if found and at != len(text):
        raise InvalidRequest("A field is there twice.")
    return found


def refuse_lookalikes(names: Iterable[str], checked: Iterable[str]) -> None:
    """Refuse names that another server may read as checked ones, such as `Backend` as `backend`.

    Many parsers, such as that of Go, ignore case, and take the last of fields that are then equal.
    Those of Protocol Buffers take `sessionId` for `session_id`.

    Raises:
        InvalidRequest: A name differs from a checked one only in case, in forms of Unicode, or in
            marks between its words.
    """
    by_folded = {_folded(name): name for name in checked}
    for name in names:
        resembled = by_folded.get(_folded(name), name)
        if resembled != name:
            raise InvalidRequest(
                f"{quoted(name)} resembles {quoted(resembled)}, which is checked, and the machine"
                f" may take it for that: send it as {quoted(resembled)}, or leave it out.",
                field=resembled,
            )


def _folded(name: str) -> str:
    # In upper case first, as in Java, where the dotless ı is an I. The dot of İ is removed, too.
    folded = unicodedata.normalize("NFKC", name).upper().casefold()
    return "".join(filter(str.isalnum, folded))


def decode_or_none(decoder: msgspec.json.Decoder[T], value: bytes | msgspec.Raw | None) -> T | None:
    """Return a decoded value; None if it is absent, malformed or of another type."""
    if value is None:
        return None
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def invalid(detail: str, value: object, field: str) -> InvalidRequest:
    """Return the error of an invalid value, such as `size must be 1 to 10, not "many"`.

    Args:
        detail: Description of allowed values; ", not VALUE" is appended.
        value: The invalid value.
        field: Name of the field.
    """
    return InvalidRequest(f"{detail.removesuffix('.')}, not {quoted(value)}.", field=field)


def _refuse_nul(value: object, field: str) -> None:
    """Reject NUL characters, which PostgreSQL cannot store in text. Does not look into dicts."""
    if isinstance(value, msgspec.Struct):
        for name, item in msgspec.structs.asdict(value).items():
            _refuse_nul(item, f"{field}.{name}" if field else name)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{field}[{index}]")
    elif (isinstance(value, str) and "\0" in value) or (
        isinstance(value, msgspec.Raw) and _has_nul(value)
    ):
        raise InvalidRequest(f"{field}: contains a NUL character.", field=field)


def _has_nul(text: msgspec.Raw) -> bool:
    """Return whether JSON text has an escaped NUL, after an even number of backslashes.

    The text is searched in pieces, because a copy of a large one needs as much memory again.
    """
    whole = memoryview(text)
    for start in range(0, len(whole), _PIECE_BYTES):
        # An escaped NUL that begins in this piece may end in the next.
        piece = bytes(whole[start : start + _PIECE_BYTES + len(_NUL) - 1])
        at = piece.find(_NUL)
        while at >= 0:
            if _backslashes_before(whole, start + at) % 2 == 0:
                return True
            at = piece.find(_NUL, at + len(_NUL))
    return False


def _backslashes_before(text: memoryview, at: int) -> int:
    """Return how many backslashes are directly before a position."""
    first = at
    while first:
        block = bytes(text[max(0, first - _BLOCK_BYTES) : first])
        others = len(block.rstrip(b"\\"))
        first -= len(block) - others
        if others:
            break
    return at - first


def small_form(body: bytes, limits: Limits) -> dict[str, str]:
    """Return the fields of a form that is read before sign-in; of equal names the last counts.

    Raises:
        LimitExceeded: The form is too large or has too many fields.
    """
    if len(body) > limits.requests.document_bytes or body.count(b"&") >= _MAX_FORM_FIELDS:
        maximum = f"{limits.requests.document_bytes} bytes (limit document_bytes)"
        raise LimitExceeded(f"The form has more than {maximum} or {_MAX_FORM_FIELDS} fields.")
    return dict(parse_qsl(body.decode("latin-1")))


def check_document(text: bytes | msgspec.Raw, field: str, limits: Limits) -> None:
    """Reject a free-form JSON document that is too large, too deep or has too many keys.

    Raises:
        LimitExceeded: The document exceeds a limit, which the detail names.
    """
    bounds = limits.requests
    if memoryview(text).nbytes > bounds.document_bytes:  # before it is copied
        raise LimitExceeded(
            f"{field} is over {bounds.document_bytes} bytes (limit document_bytes).", field=field
        )
    document = bytes(text)
    brackets = document.count(b"{") + document.count(b"[")
    if brackets <= bounds.json_depth and document.count(b":") <= bounds.json_keys:
        return
    bare = b"".join(_without_escapes(document).split(b'"')[::2])  # without the texts
    if bare.count(b":") > bounds.json_keys:
        raise LimitExceeded(
            f"{field} has more than {bounds.json_keys} keys (limit json_keys).", field=field
        )
    if _is_deeper(bare, bounds.json_depth):
        raise LimitExceeded(
            f"{field} is nested deeper than {bounds.json_depth} (limit json_depth).", field=field
        )


def check_objects(text: bytes, maximum: int, limits: str, field: str | None = None) -> None:
    """Reject JSON with too many objects before they are created: `{}` has 2 bytes, its struct 80.

    A `max_length` of msgspec is checked only when the whole list has been decoded.

    Args:
        text: JSON text.
        maximum: Number of objects that are allowed.
        limits: Names of the limits from which this number follows.
        field: Name of the field that has most of them, if there is one.

    Raises:
        LimitExceeded: There are more objects.
    """
    if text.count(b"{") <= maximum:
        return
    marks = _without_escapes(text).translate(None, _ALL_BUT_BRACES_AND_QUOTES)
    number = _QUOTED.sub(b"", marks.replace(b'""', b"")).count(b"{")
    if number > maximum:
        raise LimitExceeded(
            f"The body must have at most {maximum:,} objects ({limits}), not {number:,}.",
            field=field,
        )


def check_length(items: Sized, field: str, maximum: int, limit: str) -> None:
    """Reject a list that is too long.

    Raises:
        LimitExceeded: It has more than `maximum` items.
    """
    if len(items) > maximum:
        raise LimitExceeded(
            f"{field} must have at most {maximum:,} items (limit {limit}), not {len(items):,}.",
            field=field,
        )


def _is_deeper(bare: bytes, depth: int) -> bool:
    """Return whether JSON whose texts were removed is nested deeper than `depth`.

    Each round removes the innermost pairs of brackets.
    """
    left = bare.translate(_TO_ROUND_BRACKETS, _ALL_BUT_BRACKETS)  # the second argument is deleted
    for _ in range(depth):
        if b"()" not in left:
            break
        left = left.replace(b"()", b"")
    return b"()" in left or left.count(b"(") > depth


def _without_escapes(text: bytes) -> bytes:
    """Return JSON text without its escaped backslashes and quotes."""
    return text.replace(b"\\\\", b"").replace(b'\\"', b"")
