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
