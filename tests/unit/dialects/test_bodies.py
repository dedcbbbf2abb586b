"""JSON bodies: what is refused, and which field the refusal names."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.dialects.bodies import (
    check_document,
    check_objects,
    decode,
    decode_field,
    small_form,
)
from qwicket.model.errors import InvalidRequest, LimitExceeded, QwicketError
from qwicket.model.limits import Limits
from support.for_each import for_each

LIMITS = Limits.from_names(json_depth=3, json_keys=4, document_bytes=10_000)

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


def n_objects(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(n_objects, value.values()))
    return sum(map(n_objects, value)) if isinstance(value, list) else 0


@given(JSON, st.integers(0, 4))
def test_objects_are_counted_without_those_in_texts(value: Any, maximum: int) -> None:
    text = json.dumps(value).encode()
    if n_objects(value) <= maximum:
        check_objects(text, maximum, "limit circuits")
    else:
        with pytest.raises(LimitExceeded, match=f"at most {maximum} objects .* {n_objects(value)}"):
            check_objects(text, maximum, "limit circuits")


def test_a_form_has_at_most_32_fields() -> None:
    fields = [f"f{number}=x" for number in range(33)]
    assert len(small_form("&".join(fields[:32]).encode(), LIMITS)) == 32
    with pytest.raises(LimitExceeded, match="32 fields"):
        small_form("&".join(fields).encode(), LIMITS)


class Body(msgspec.Struct):
    rest: msgspec.Raw


BODY = msgspec.json.Decoder(Body)


@given(st.lists(st.sampled_from(["\0", "\\", "u0000", "0", "x", '"']), max_size=8).map("".join))
def test_a_nul_is_found_behind_any_number_of_backslashes(text: str) -> None:
    body = json.dumps({"rest": [text]}).encode()
    field, _ = complaint(lambda: decode(body, BODY))
    assert field == ("rest" if "\0" in text else None)


@for_each("n_backslashes", [0, 1, 255, 256, 257, 3_000_001])
@for_each("shift", range(-7, 3))
def test_a_nul_is_found_in_every_piece_of_a_large_text(n_backslashes: int, shift: int) -> None:
    """It lies around the end of a piece, or behind backslashes that fill several pieces."""
    head = "x" * ((1 << 20) + shift)
    text = f'["{head}' + "\\" * (n_backslashes + 1) + 'u0000"]'
    body = f'{{"rest":{text}}}'.encode()
    field, _ = complaint(lambda: decode(body, BODY))
    assert field == ("rest" if n_backslashes % 2 == 0 else None)


def test_a_large_field_is_not_copied_to_find_a_nul() -> None:
    size = 16 << 20
    body = b'{"rest":"' + b"x" * size + b'\\u0000"}'
    tracemalloc.start()
    try:
        field, _ = complaint(lambda: decode(body, BODY))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert field == "rest"
    assert peak < size / 4


@pytest.mark.parametrize(
    ("raw", "field"),
    [(b"1", "tags"), (b"null", "tags"), (b"[1]", "tags[0]"), (b'["a",{}]', "tags[1]")],
)
def test_what_is_decoded_later_is_refused_by_its_place_in_the_body(raw: bytes, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_field(msgspec.Raw(raw), msgspec.json.Decoder(tuple[str, ...]), "tags")
    assert refused.value.field == field
    assert re.fullmatch(
        rf"{re.escape(field)} must be a (list|text), not (1|null|an object)\.",
        refused.value.detail,
    )
