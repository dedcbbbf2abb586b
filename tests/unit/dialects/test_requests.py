from __future__ import annotations

from typing import Any

import pytest

from qwicket.dialects.requests import Request
from qwicket.model.errors import InvalidRequest


def request(**scope: Any) -> Request[None]:
    return Request({"type": "http", "headers": [], **scope})


def test_the_address_is_that_of_the_client() -> None:
    assert request(client=("192.0.2.1", 5)).client_address == "192.0.2.1"
    assert request(client=None).client_address == ""


@pytest.mark.parametrize("key", [None, "k", "k" * 255])
def test_an_idempotency_key_is_what_the_client_gives(key: str | None) -> None:
    headers = [] if key is None else [(b"idempotency-key", key.encode())]
    assert request(headers=headers).idempotency_key == key


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_idempotency_key_has_a_length(key: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _ = request(headers=[(b"idempotency-key", key.encode())]).idempotency_key
    assert refused.value.field == "Idempotency-Key"


def test_a_list_in_a_header_may_have_several_lines() -> None:
    lines = [(b"accept", b"a/b, c/d"), (b"accept", b"e/f")]
    assert request(headers=lines).list_header("Accept") == ["a/b", "c/d", "e/f"]
    assert request().list_header("Accept") == []


def with_header(name: bytes, n_chars: int) -> Request[None]:
    """Return a request whose header has two lines with this number of characters."""
    return request(headers=[(name, b"a" * (n_chars - 9)), (name, b"b=1,c=2 ;")])


def test_a_long_list_in_a_header_is_ignored() -> None:
    assert with_header(b"accept", 8_192).list_header("Accept")[1:] == ["b=1", "c=2 ;"]
    assert with_header(b"accept", 8_193).list_header("Accept") == []


def test_cookies_have_a_length() -> None:
    assert with_header(b"cookie", 32_768).cookies
    with pytest.raises(InvalidRequest, match="32769 characters; at most 32768") as refused:
        _ = with_header(b"cookie", 32_769).cookies
    assert refused.value.field == "Cookie"
