"""Ids in three spellings, and times: there and back again."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from qwicket.dialects.times import format_time
from qwicket.model.ids import new_id
from qwicket.vendors.qbraid.dialect import ids
from support.for_each import for_each


@given(st.integers(0, (1 << 45) - 1))
def test_a_tail_holds_the_whole_of_an_id(now_ms: int) -> None:
    id_text = new_id(now_ms)
    tail = ids.tail(id_text)
    assert re.fullmatch(r"[0-9a-z]{20}", tail)
    assert ids.id_of(f"qbraid_statevector-ada-qjob-{tail}") == id_text
    assert ids.id_of(tail) == id_text
    assert ids.is_object_id(ids.object_id(id_text))


@given(st.text())
def test_any_text_is_an_id_or_none(text: str) -> None:
    assert ids.id_of(text) == "" or len(ids.id_of(text)) == 36


@for_each("text", ["", "-", "x" * 20, "z" * 20, "0" * 20, "٣" * 20, "A" * 20])
def test_odd_texts_raise_nothing(text: str) -> None:
    ids.id_of(text)


def test_times_have_milliseconds_and_a_z() -> None:
    assert format_time(1_769_862_896_007) == "2026-01-31T12:34:56.007Z"
    assert format_time(None) is None
