"""What is read of a body that passes through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.dialects.ionq.routes import outline
from qwicket.dialects.pass_through import _fields, _number
from qwicket.model.errors import InvalidRequest
from qwicket.model.limits import Limits

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=6), st.sampled_from([None, 0, 2]))
def test_every_object_has_its_fields(content: dict[str, object], indent: int | None) -> None:
    body = json.dumps(content, indent=indent).encode()
    found = _fields(b" " + body + b"\n")
    assert {name: json.loads(bytes(value)) for name, value in found.items()} == content


@given(st.lists(st.tuples(st.sampled_from("abc"), VALUES), min_size=2, max_size=6))
def test_a_field_twice_is_refused(pairs: list[tuple[str, object]]) -> None:
    body = "{" + ", ".join(f"{json.dumps(k)} : {json.dumps(v)}" for k, v in pairs) + "}"
    names = [name for name, _ in pairs]
    if len({*names}) == len(names):
        assert [*_fields(body.encode())] == names
        return
    with pytest.raises(InvalidRequest, match="twice"):
        _fields(body.encode())


@pytest.mark.parametrize(
    "body", ['{"a": 1, "\\u0061": 1}', '{"a": {"a": 1}, "a": {"a": 1}}', '{"a":1,"a":1}']
)
def test_equal_values_and_other_spellings_are_a_field_twice(body: str) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        _fields(body.encode())


@pytest.mark.parametrize("body", ["", "[]", "1", "{", '{"a"}', '{"a": 1}}', "[" * 10_000])
def test_what_is_no_object_is_refused(body: str) -> None:
    with pytest.raises(InvalidRequest):
        _fields(body.encode())


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="limit must be a number"):
        _number("9" * 5_000, "limit", 100)


def test_circuits_are_counted() -> None:
    for body, expected in (
        ('{"input": {"circuits": [1, 2, 3]}}', 3),
        ('{"input": {"circuits": []}}', 1),
        ('{"input": {"circuit": []}}', 1),
        ('{"input": []}', 1),
        ("{}", 1),
    ):
        assert outline(_fields(body.encode()), Limits()).shots == 100 * expected
