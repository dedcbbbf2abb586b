"""Validation of texts in requests, and redaction of texts in errors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MIN_SECRET_CHARS: Final = 8
"""Most callers do not redact shorter values: they are hardly secrets, and occur in many texts."""
_MAX_CHARS: Final = 500


def sanitize(text: object) -> str:
    """Return a server's text as one printable line of at most 500 characters; "" for no text."""
    if not isinstance(text, str):
        return ""
    line = " ".join(text[: 2 * _MAX_CHARS].split())
    shown = "".join(char if char.isprintable() else "�" for char in line)
    return shown if len(shown) <= _MAX_CHARS else shown[: _MAX_CHARS - 1] + "…"


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets, also escaped ones: proxies and debug pages repeat what they received."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "...")
        if "\\" in text or "%" in text:
            text = re.sub("".join(map(_spellings, secret)), "...", text)
    return text


def _spellings(char: str) -> str:
    code = char.encode("utf-16-be", "surrogatepass").hex()
    in_json = re.sub("(....)", r"\\\\u\1", code)
    return rf"(?:\\?{re.escape(char)}|(?i:{in_json}|{quote(char, '', errors='replace')}))"


def validated_header(text: str, name: str, error_class: type[Exception]) -> str:
    """Return a header's text, stripped. The error does not quote it: it may be a secret.

    Raises:
        error_class: The text is not printable ASCII.
    """
    text = text.strip()
    if not (text and text.isascii() and text.isprintable()):
        raise error_class(f"The {name} must be printable ASCII.")
    return text


def validated_address(url: str, error_class: type[Exception]) -> str:
    """Return an address without a final "/". Errors quote it, so it must not contain a secret.

    Raises:
        error_class: The address is invalid, or has a user name, query or fragment.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not url.isprintable() or " " in url:
        raise error_class(
            "The server's address is invalid. Use scheme, host and port, as in"
            " http://127.0.0.1:8000."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise error_class("The server's address must not contain a password, query or fragment.")
    return url.rstrip("/")


def quoted_path(parts: Sequence[object], kind: str, error_class: type[Exception]) -> str:
    """Return a path of one quoted segment for each part; an error names their kind.

    Raises:
        error_class: A part is not a text, or would change the path ("", ".", "..").
    """
    for part in parts:
        if not isinstance(part, str) or part in {"", ".", ".."}:
            raise error_class(f"{part!r} is not a valid {kind}.")
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def json_bytes(
    body: Any, name: str, error_class: type[Exception], separators: tuple[str, str] | None = None
) -> bytes:
    """Encode a body as JSON; the error contains `name`.

    Raises:
        error_class: The content cannot be encoded as JSON.
    """
    try:
        return json.dumps(body, allow_nan=False, separators=separators).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = type(error).__name__ if isinstance(error, RecursionError) else str(error)
    raise error_class(f"{name} cannot be encoded as JSON: {reason}.")


def scheme_and_host(address: str) -> str:
    """Return scheme, host and port of an address, which are not secret; "" for an invalid one."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return sanitize(f"{parts.scheme}://{host}") if host else ""
