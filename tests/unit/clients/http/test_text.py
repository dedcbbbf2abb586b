from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from qwicket.clients.http import redact, sanitize, validated_header


def test_escape_sequences_do_not_reach_the_terminal() -> None:
    assert sanitize("red \x1b[31m alert\x07\r\nDone.\udc80") == "red �[31m alert� Done.�"


def test_long_texts_are_cut() -> None:
    assert sanitize("x" * 10_000) == "x" * 499 + "…"


@pytest.mark.parametrize("value", [None, 5, b"text", ["text"]])
def test_what_is_no_text_is_empty(value: object) -> None:
    assert sanitize(value) == ""


def test_every_secret_is_erased_in_every_place() -> None:
    assert redact("a key1 b key2 key1", ["key1", "key2", ""]) == "a ... b ... ..."


@pytest.mark.parametrize(
    "spell",
    [
        json.dumps,
        lambda secret: json.dumps(secret, ensure_ascii=False),
        lambda secret: json.dumps(secret).upper().replace("\\U", "\\u"),
        lambda secret: json.dumps(secret).replace("/", "\\/"),
        lambda secret: quote(secret, safe=""),
    ],
)
def test_an_escaped_secret_is_erased_too(spell: Callable[[str], str]) -> None:
    secret = 'PA"SS/\\Ü😀'
    found = redact(f"before {spell(secret)} after", [secret])
    assert found.replace('"', "") == "before ... after"


@pytest.mark.parametrize("text", ["", "a\nb", "a\r\nX: y", "pässword"])
def test_a_header_that_cannot_be_sent_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(LookupError, match=r"^The key must be printable ASCII\.$"):
        validated_header(text, "key", LookupError)
