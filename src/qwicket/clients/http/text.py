"""Texts that go into requests and errors: checked, shortened, and without secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEAST_SECRET_CHARS: Final = 8
"""Shorter values of headers hide nothing; to erase them would maim every text."""
_MOST_CHARS: Final = 500


def plain(text: object) -> str:
    """Return what a server said as one short line, fit for a terminal; "" when it is no text."""
    if not isinstance(text, str):
        return ""
    line = " ".join(text[: 2 * _MOST_CHARS].split())
    shown = "".join(char if char.isprintable() else "�" for char in line)
    return shown if len(shown) <= _MOST_CHARS else shown[: _MOST_CHARS - 1] + "…"


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return the text without the secrets: proxies and debug pages repeat what they were sent."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "...")
    return text


def header(text: str, what: str, refuse: type[Exception]) -> str:
    """Return a header's text. Whatever is wrong with it, it is not quoted: it may be a secret.

    Raises:
        refuse: It cannot be sent.
    """
    text = text.strip()
    if not (text and text.isascii() and text.isprintable()):
        raise refuse(f"The {what} must be printable ASCII.")
    return text


def address(url: str, refuse: type[Exception]) -> str:
    """Return a server's address, which goes into texts, and therefore may hold no secret.

    Raises:
        refuse: It is no address, or holds more than one.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not url.isprintable() or " " in url:
        raise refuse("The server's address must be such as http://127.0.0.1:8000.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise refuse("The server's address may hold no password, query or fragment.")
    return url.rstrip("/")


def path_of(parts: Sequence[object], what: str, refuse: type[Exception]) -> str:
    """Return a path of one quoted segment for each part.

    Args:
        parts: Names and ids.
        what: What a part must be, for the error.
        refuse: Class of the error.

    Raises:
        refuse: A part names something else than itself, such as "" or "..".
    """
    for part in parts:
        if not isinstance(part, str) or part in {"", ".", ".."}:
            raise refuse(f"{part!r} is no {what}.")
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def json_bytes(
    body: Any, what: str, refuse: type[Exception], separators: tuple[str, str] | None = None
) -> bytes:
    """Return a body as JSON.

    Args:
        body: Its content.
        what: Its name, for the error.
        refuse: Class of the error.
        separators: Of `json.dumps`.

    Raises:
        refuse: It cannot be written as JSON.
    """
    try:
        return json.dumps(body, allow_nan=False, separators=separators).encode()
    except (TypeError, ValueError, RecursionError) as error:
        why = type(error).__name__ if isinstance(error, RecursionError) else str(error)
    raise refuse(f"{what} is no JSON: {why}.")


def without_credentials(location: str) -> str:
    """Return the part of an address that is surely no secret; "" when there is none."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return plain(f"{parts.scheme}://{host}") if host else ""
