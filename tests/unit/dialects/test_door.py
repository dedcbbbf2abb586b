from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from qwicket.dialects.door import (
    Door,
    address,
    check_document,
    decode,
    decode_field,
    idempotency_key,
    on,
)
from qwicket.dialects.pieces import ANSWER
from qwicket.gateway.answers import SMALL_ANSWER_BYTES, Answer
from qwicket.model.errors import InvalidRequest, LimitExceeded, QwicketError, Unavailable
from qwicket.model.limits import Limits
from support.answers import answer

LIMITS = Limits(json_depth=3, json_keys=4, document_bytes=10_000)

TEXTS = st.text(st.sampled_from('ab{}[]:,"\\'), max_size=6)
JSON = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def n_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(n_keys, value.values()))
    return sum(map(n_keys, value)) if isinstance(value, list) else 0


def complaint(check: Callable[[], object]) -> tuple[str | None, str]:
    """Return which field is refused, and why; nothing when it is taken."""
    try:
        check()
    except QwicketError as error:
        return error.field, error.detail
    return None, ""


@given(JSON)
def test_a_document_is_refused_by_its_depth_and_its_keys_alone(value: Any) -> None:
    document = json.dumps(value).encode()
    field, why = complaint(lambda: check_document(document, "metadata", LIMITS))
    is_deep, has_many = depth(value) > 3, n_keys(value) > 4
    assert (field == "metadata") == (is_deep or has_many)
    assert is_deep or "json_depth" not in why
    assert has_many or "json_keys" not in why


def test_a_document_is_refused_by_its_size() -> None:
    check_document(b'"' + b"x" * 9_998 + b'"', "metadata", LIMITS)
    with pytest.raises(LimitExceeded, match="document_bytes"):
        check_document(b'"' + b"x" * 9_999 + b'"', "metadata", LIMITS)


class Body(msgspec.Struct):
    rest: msgspec.Raw


BODY = msgspec.json.Decoder(Body)


@given(st.lists(st.sampled_from(["\0", "\\", "u0000", "0", "x", '"']), max_size=8).map("".join))
def test_a_nul_is_found_behind_any_number_of_backslashes(text: str) -> None:
    body = json.dumps({"rest": [text]}).encode()
    field, _ = complaint(lambda: decode(body, BODY))
    assert field == ("rest" if "\0" in text else None)


@pytest.mark.parametrize(
    ("raw", "field"),
    [(b"1", "tags"), (b"null", "tags"), (b"[1]", "tags[0]"), (b'["a",{}]', "tags[1]")],
)
def test_what_is_decoded_later_is_refused_by_its_place_in_the_body(raw: bytes, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_field(msgspec.Raw(raw), msgspec.json.Decoder(tuple[str, ...]), "tags")
    assert refused.value.field == field
    assert refused.value.detail.startswith(f"{field}: Expected ")


def test_the_address_is_that_of_the_client() -> None:
    assert address(Request({"type": "http", "client": ("192.0.2.1", 5)})) == "192.0.2.1"
    assert address(Request({"type": "http", "client": None})) == ""


async def answered(error_or_body: QwicketError | bytes, held: Answer) -> list[Any]:
    """Return what is sent by a door whose one endpoint raises or answers this."""

    async def endpoint(request: Request) -> Response:
        if isinstance(error_or_body, QwicketError):
            raise error_or_body
        return Response(error_or_body)

    async def receive() -> Any:
        raise AssertionError("nothing is to be read")

    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append((message, held._room.held_bytes))

    door = Door([on("/x", GET=endpoint)], lambda error: error.detail.encode())
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], ANSWER: held}
    await door(scope, receive, send)
    return messages


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("size", "account", "held_bytes"),
    [
        (SMALL_ANSWER_BYTES, "ada", 0),
        (SMALL_ANSWER_BYTES + 1, "ada", SMALL_ANSWER_BYTES + 1),
        (SMALL_ANSWER_BYTES + 1, "", 0),
    ],
)
async def test_a_large_answer_made_whole_is_counted_until_it_was_taken(
    size: int, account: str, held_bytes: int
) -> None:
    held = answer(account)
    messages = await answered(bytes(size), held)
    assert b"".join(each.get("body", b"") for each, _ in messages) == bytes(size)
    assert {held for _, held in messages} == {held_bytes}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("retry_after_s", "said"), [(0.0, "1"), (0.2, "1"), (1.6, "2"), (30.0, "30")]
)
async def test_nobody_is_told_to_come_back_at_once(retry_after_s: float, said: str) -> None:
    (begin, _), *_ = await answered(Unavailable("busy", retry_after_s=retry_after_s), answer())
    assert begin["status"] == 503
    assert dict(begin["headers"])[b"retry-after"] == said.encode()


@pytest.mark.parametrize(
    ("key", "is_taken"), [("", False), ("k", True), ("k" * 255, True), ("k" * 256, False)]
)
def test_an_idempotency_key_has_a_length(key: str, is_taken: bool) -> None:
    request = Request({"type": "http", "headers": [(b"idempotency-key", key.encode())]})
    field, why = complaint(lambda: idempotency_key(request))
    assert (field, why != "") == ((None, False) if is_taken else ("Idempotency-Key", True))
    assert idempotency_key(Request({"type": "http", "headers": []})) is None
