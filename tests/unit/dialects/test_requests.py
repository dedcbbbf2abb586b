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


@pytest.mark.parametrize(("name", "maximum"), [("Accept", 8_192), ("Cookie", 32_768)])
def test_a_header_that_is_split_has_a_length(name: str, maximum: int) -> None:
    def read(n_chars: int) -> object:
        parts = [b"a" * (n_chars - 9), b"b=1,c=2 ;"]
        sent = request(headers=[(name.lower().encode(), part) for part in parts])
        return sent.cookies if name == "Cookie" else sent.list_header(name)

    assert read(maximum)
    said = f"{maximum + 1} characters; at most {maximum}"
    with pytest.raises(InvalidRequest, match=said) as refused:
        read(maximum + 1)
    assert refused.value.field == name
