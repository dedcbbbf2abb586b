"""What is read of a body that passes through."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.dialects.bodies import refuse_lookalikes, unique_fields
from qwicket.dialects.pass_through import _number
from qwicket.dialects.validation import quoted
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ionq.dialect.routes import outline
from qwicket.vendors.iqm.dialect.wire import outline as outline_iqm
from qwicket.vendors.qlued.dialect.wire import outline_v2, outline_v3
from support.for_each import for_each

pytestmark = pytest.mark.needs_vendors


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=6), st.sampled_from([None, 0, 2]))
def test_every_object_has_itsunique_fields(content: dict[str, object], indent: int | None) -> None:
    body = json.dumps(content, indent=indent).encode()
    found = unique_fields(b" " + body + b"\n")
    assert {name: json.loads(bytes(value)) for name, value in found.items()} == content


@given(st.lists(st.tuples(st.sampled_from("abc"), VALUES), min_size=2, max_size=6))
def test_a_field_twice_is_refused(pairs: list[tuple[str, object]]) -> None:
    body = "{" + ", ".join(f"{json.dumps(k)} : {json.dumps(v)}" for k, v in pairs) + "}"
    names = [name for name, _ in pairs]
    if len({*names}) == len(names):
        assert [*unique_fields(body.encode())] == names
        return
    with pytest.raises(InvalidRequest, match="twice"):
        unique_fields(body.encode())


@pytest.mark.parametrize(
    "body", ['{"a": 1, "\\u0061": 1}', '{"a": {"a": 1}, "a": {"a": 1}}', '{"a":1,"a":1}']
)
def test_equal_values_and_other_spellings_are_a_field_twice(body: str) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        unique_fields(body.encode())


@for_each("body", ["", "[]", "1", "{", '{"a"}', '{"a": 1}}', "[" * 10_000])
def test_what_is_no_object_is_refused(body: str) -> None:
    with pytest.raises(InvalidRequest):
        unique_fields(body.encode())


@for_each(
    "name",
    [
        *("Backend", "BACKEND", "bac\u212aend", "\uff42ackend", "ſhots", "jobıd", "JobİD"),
        *("back_end", "job_id", "job-id", "jobId[]", "shots ", "\u200bshots"),
    ],
)
def test_a_name_that_another_parser_may_take_for_a_checked_one_is_refused(name: str) -> None:
    checked = ("backend", "shots", "jobId")
    with pytest.raises(InvalidRequest) as refused:
        refuse_lookalikes(["input", name], checked)
    assert quoted(name) in refused.value.detail
    assert refused.value.field in checked
    assert f'"{refused.value.field}"' in refused.value.detail


def test_checked_names_and_others_are_let_through() -> None:
    refuse_lookalikes(["backend", "backends", "bäckend", "Name", ""], ["backend"])


@for_each(
    "program", ['{"circuits": [1], "Circuits": [1, 2]}', '{"circuits": [], "circuits": [1, 2]}']
)
def test_circuits_that_cannot_be_counted_for_certain_are_refused(program: str) -> None:
    with pytest.raises(InvalidRequest, match=r"circuits|twice"):
        outline({"input": msgspec.Raw(program.encode())}, Limits())


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
        assert outline(unique_fields(body.encode()), Limits()).shots == 100 * expected


def test_shots_of_all_circuits_of_an_iqm_job_are_counted() -> None:
    for body, expected in (
        ('{"shots": 7, "circuits": [{"name": "a", "instructions": []}, "QIR"]}', 14),
        ('{"circuits": [{}, {}]}', 2),
        ('{"shots": 7, "circuits": []}', 7),
        ('{"shots": 7}', 7),
    ):
        assert outline_iqm(unique_fields(body.encode()), Limits()).shots == expected


@for_each(
    "body",
    [
        *(f'{{"shots": {shots}}}' for shots in ('"7"', "7.5", "null", "true")),
        *(f'{{"circuits": {each}}}' for each in ("[[]]", "[1]", "{}", "null", '"a"')),
        '{"circuits": [' + "{}," * 400_000 + "{}]}",
    ],
)
def test_shots_of_an_iqm_job_that_cannot_be_counted_are_refused(body: str) -> None:
    with pytest.raises((InvalidRequest, LimitExceeded), match=r"shots|circuits"):
        outline_iqm(unique_fields(body.encode()), Limits())


EXPERIMENT = '{"instructions": [], "num_wires": 1, "shots": %s}'


@pytest.mark.parametrize(
    ("job", "shots"),
    [
        ('{"experiment_0": {"shots": 7}}', 7),
        ('{"experiment_0": {"shots": 7}, "experiment_1": {"shots": 5.0}}', 12),
        ('{"experiment_0": {"shots": -7}}', 1),
        ("{}", 1),
    ],
)
def test_shots_of_all_experiments_are_counted(job: str, shots: int) -> None:
    fields = {"job": msgspec.Raw(json.dumps(job).encode()), "payload": msgspec.Raw(b"{}")}
    assert outline_v2(fields, Limits()).shots == shots
    payload = {"payload": msgspec.Raw(job.encode()), "job": msgspec.Raw(b'"{}"')}
    assert outline_v3(payload, Limits()).shots == shots


@for_each(
    "experiment",
    [
        *(EXPERIMENT % shots for shots in ("NaN", '"7"', "1e400", "7.5", "null", "true", "[7]")),
        '{"instructions": []}',
        '{"shots": 7, "a": NaN}',
        '{"shots": 7, "shots": 1}',
        '{"shots": 7, "sho\\u0074s": 1}',
        '{"shots": 7, "Shots": 1}',
        "7",
    ],
)
def test_shots_that_cannot_be_counted_are_refused(experiment: str) -> None:
    """The machine might read more than a budget allows."""
    for job in (f'{{"experiment_0": {experiment}}}', f'{{"e": {experiment}, "e": {experiment}}}'):
        with pytest.raises(InvalidRequest):
            outline_v2({"job": msgspec.Raw(json.dumps(job).encode())}, Limits())
