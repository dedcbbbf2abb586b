"""Filters: against a slow and simple reading of the same text on bodies as they are shown."""

from __future__ import annotations

import contextlib
import json
import operator
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from qwicket.dialects.times import format_time
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.jobs import Job, JobQuery
from qwicket.model.limits import Limits
from qwicket.model.states import JobState
from qwicket.vendors.ibm.dialect import filters, jobs, statuses, wire
from qwicket.vendors.ibm.dialect.jobs import JobRow
from support.for_each import for_each

LIMITS = Limits()
T0 = 1_790_000_000_000
DEVICES = ["qwicket_simulator", "qwicket_line5"]
NAMES = ["", "bell", "Bell", "ghz-3", "über"]
TAGS = ["a", "b", "ab"]
PATTERNS = ["^b", "e", "ell$", "^$", "B.ll", "[0-9]", "a|b", "ü", "^ERROR", "C.*D$"]
ID = "0197a0b0-0000-7000-8000-{:08d}0000"


def job(**changes: Any) -> Job:
    made = Job(
        id=ID.format(0),
        seq=1,
        account="account",
        project="p0",
        device=DEVICES[0],
        dialect="ibm",
        group=None,
        state=JobState.COMPLETED,
        version=1,
        name="",
        tags=(),
        shots=100,
        n_circuits=1,
        n_qubits=2,
        n_ops_1q=1,
        n_ops_2q=1,
        est_bytes=0,
        est_seconds=0.1,
        priority=0,
        attempts=0,
        calibration=None,
        change=0,
        created_at=T0,
        queued_at=T0,
        started_at=None,
        ended_at=None,
        expires_at=None,
        error_code=None,
        error_text=None,
    )
    return structs.replace(made, **changes)


def some_jobs(number: int) -> list[JobRow]:
    """Return jobs that differ in everything a filter can ask for."""
    draw = random.Random(7)
    return [some_job(draw, n % 4) for n in range(number)]


def some_job(draw: random.Random, number: int) -> JobRow:
    def at(*others: None) -> Any:
        return draw.choice([*others, *(T0 + 1000 * n for n in range(6))])

    vendor_fields = wire.VendorFields(
        kind=draw.choice(["q-object", "q-object-external-storage"]),
        client=draw.choice(["", "qiskit-ibmq-provider/0.20.2"]),
        experiment=draw.choice(["", "bell", "exp"]),
        share=draw.choice(["", "none"]),
        is_live=draw.random() < 0.5,
    )
    made = job(
        id=ID.format(number),
        state=draw.choice([*JobState]),
        device=draw.choice(DEVICES),
        name=draw.choice(NAMES),
        tags=tuple(draw.sample(TAGS, draw.randint(0, 2))),
        shots=draw.choice([1, 100, 1024]),
        created_at=at(),
        queued_at=at(None),
        started_at=at(None, None),
        ended_at=at(None, None),
        error_code=draw.choice([None, "draft_expired", "out_of_memory"]),
    )
    return JobRow(made, vendor_fields, "ada")


times = st.integers(0, 5).map(lambda n: T0 + 1000 * n)
texts = st.sampled_from(["", "bell", "ab", "a", ID.format(1), *DEVICES, *statuses.STATUSES, "ada"])
dates = times.map(format_time) | times.map(
    lambda at: (format_time(at) or "").replace("Z", "+00:00")
)
VALUES = {
    "text": texts,
    "texts": st.sampled_from([*TAGS, "c"]),
    "a date": dates,
    "a number": st.sampled_from([0, 1, 100, 1024.0]),
    "true or false": st.booleans(),
}


def conditions_on(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return every kind of condition on one field."""
    kind = filters.FIELDS[name].kind
    value = VALUES[kind]
    maybe = value | st.none()
    many = st.lists(maybe, max_size=3)
    asked: list[st.SearchStrategy[Any]] = [
        maybe,
        st.fixed_dictionaries({"neq": maybe}),
        st.fixed_dictionaries({"inq": many}),
        st.fixed_dictionaries({"nin": many}),
    ]
    if kind != "true or false":
        asked += [st.fixed_dictionaries({key: value}) for key in ("gt", "gte", "lt", "lte")]
        asked.append(st.fixed_dictionaries({"between": st.lists(value, min_size=2, max_size=2)}))
        asked.append(st.fixed_dictionaries({"gte": value, "lt": value}))
    if kind in ("text", "texts"):
        asked.append(st.sampled_from(PATTERNS).map(lambda pattern: {"regexp": pattern}))
    return st.one_of(asked).map(lambda each: {name: each})


fields = st.sampled_from(sorted(filters.FIELDS)).flatmap(conditions_on)
bare = dates.map(lambda date: {"gte": date})
wheres = st.recursive(
    fields,
    lambda inner: st.one_of(
        st.lists(inner | bare, max_size=3).map(lambda several: {"and": several}),
        st.lists(inner, max_size=3).map(lambda several: {"or": several}),
        st.tuples(inner, inner).map(lambda pair: {**pair[0], **pair[1]}),
    ),
    max_leaves=6,
)


# --- the reference: LoopBack's rules, read off the body that a client sees ------------------------


def shown_value(body: Mapping[str, Any], path: str) -> Any:
    found: Any = body
    for word in path.split("."):
        found = found.get(word) if isinstance(found, dict) else None
    return found


def comparable(path: str, value: Any) -> Any:
    if path in ("creationDate", "endDate") and isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    return value


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def one(path: str, value: Any, key: str, operand: Any) -> bool:
    if key in ("inq", "nin"):
        inside = value in [comparable(path, each) for each in operand]
        return inside is (key == "inq")
    if key == "neq":
        return bool(value != comparable(path, operand))
    if key == "eq":
        return bool(value == comparable(path, operand))
    if value is None:
        return False
    if key == "regexp":
        return re.search(operand, value) is not None
    if key == "between":
        low, high = (comparable(path, each) for each in operand)
        return bool(low <= value <= high)
    bound = comparable(path, operand)
    return bool(COMPARISONS[key](value, bound))


def holds(where: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    for key, asked in where.items():
        if key == "and":
            if not all(holds(each, body) for each in asked):
                return False
        elif key == "or":
            if not any(holds(each, body) for each in asked):
                return False
        elif key == "gte":
            if not holds({"creationDate": {"gte": asked}}, body):
                return False
        elif not field_holds(key, asked, body):
            return False
    return True


def field_holds(path: str, asked: Any, body: Mapping[str, Any]) -> bool:
    pairs = asked.items() if isinstance(asked, dict) else [("eq", asked)]
    value = shown_value(body, path)
    if path != "tags":
        return all(one(path, comparable(path, value), key, operand) for key, operand in pairs)
    return all(of_several(value, key, operand) for key, operand in pairs)


def of_several(values: list[str], key: str, operand: Any) -> bool:
    if key in ("neq", "nin"):
        return all(one("tags", value, key, operand) for value in values)
    if not values:
        return operand is None or (key == "inq" and None in operand)
    return any(one("tags", value, key, operand) for value in values)


def body_of(shown: JobRow) -> Any:
    """Return what a client sees."""
    return json.loads(json.dumps(jobs.body(shown), default=list))


JOBS = [(shown, body_of(shown)) for shown in some_jobs(400)]


@given(where=wheres, first=st.integers(0, len(JOBS) - 25))
@settings(max_examples=400, suppress_health_check=list(HealthCheck))
def test_a_filter_holds_of_what_the_reference_says(where: dict[str, Any], first: int) -> None:
    """400 filters, each on 25 jobs."""
    asked = filters.parse(json.dumps({"where": where}), LIMITS)
    query = asked.narrow(JobQuery(dialect="ibm"))
    for shown, body in JOBS[first : first + 25]:
        assert asked.where.holds(shown) is holds(where, body), body
        if asked.where.holds(shown):
            assert_found(query, shown.job)


def assert_found(query: JobQuery, of: Job) -> None:
    """What a filter holds of, the query that was made of it must find."""
    assert query.created_from <= of.created_at <= query.created_to
    assert not query.states or of.state in query.states
    assert query.device in (None, of.device)
    assert query.name in (None, of.name)
    assert set(query.tags) <= set(of.tags)


# --- what is around the conditions ----------------------------------------------------------------


def test_a_query_is_narrowed_by_what_must_hold() -> None:
    where = {
        "backend.name": "qwicket_line5",
        "name": "bell",
        "tags": "a",
        "status": {"inq": ["COMPLETED", "QUEUED"]},
        "and": [{"creationDate": {"lte": format_time(T0 + 5)}}, {"gte": format_time(T0)}],
        "or": [{"backend.name": "qwicket_simulator"}, {"id": "x"}],
    }
    found = filters.parse(json.dumps({"where": where, "order": "creationDate ASC"}), LIMITS)
    query = found.narrow(JobQuery(dialect="ibm"))
    assert query.device == "qwicket_line5"
    assert (query.name, query.tags) == ("bell", ("a",))
    assert set(query.states) == {JobState.COMPLETED, JobState.QUEUED}
    assert (query.created_from, query.created_to) == (T0, T0 + 5)
    assert query.oldest_first


def test_order_limit_skip_and_fields() -> None:
    asked = {"order": "creationDate DESC", "limit": 3, "skip": 2, "fields": {"id": True}}
    found = filters.parse(json.dumps(asked), LIMITS)
    assert (found.limit, found.skip, found.oldest_first) == (3, 2, False)
    assert found.select({"id": 1, "name": 2}) == {"id": 1}
    without = filters.parse('{"fields": {"name": false}}', LIMITS)
    assert without.select({"id": 1, "name": 2}) == {"id": 1}
    assert filters.parse(None, LIMITS) == filters.parse("", LIMITS) == filters.Filter()


HOSTILE = {
    "no JSON": "{",
    "no object": "[]",
    "an unknown key": '{"include": "all"}',
    "where is a list": '{"where": []}',
    "an unknown field": '{"where": {"password": 1}}',
    "SQL": json.dumps({"where": {"id; drop table job": 1}}),
    "an unknown operator": '{"where": {"name": {"like": "x"}}}',
    "no operator": '{"where": {"name": {}}}',
    "a wrong type": '{"where": {"shots": "100"}}',
    "no date": '{"where": {"creationDate": {"gt": "yesterday"}}}',
    "between one": '{"where": {"shots": {"between": [1]}}}',
    "a truth for a number": '{"where": {"shots": true}}',
    "a pattern of numbers": '{"where": {"shots": {"regexp": "1"}}}',
    "a wrong pattern": '{"where": {"name": {"regexp": "a("}}}',
    "a pattern that looks behind": '{"where": {"name": {"regexp": "(?<=a)b"}}}',
    "a pattern that refers back": json.dumps({"where": {"name": {"regexp": r"(a)\1"}}}),
    "a pattern of repeated repeats": '{"where": {"name": {"regexp": "((a{99}){99}){99}"}}}',
    "a large pattern": json.dumps({"where": {"name": {"regexp": r"\pL{900}"}}}),
    "a long pattern": json.dumps({"where": {"name": {"regexp": "a" * 300}}}),
    "a deep one": '{"where": ' + '{"and": [' * 500 + "]}" * 500 + "}",
    "a very deep one": "[" * 5_000,
    "many clauses": json.dumps({"where": {"or": [{"shots": n} for n in range(200)]}}),
    "many values": json.dumps({"where": {"id": {"inq": ["x"] * 200}}}),
    "a huge one": '{"where": {"name": "' + "x" * 100_000 + '"}}',
    "a huge number": '{"limit": 1' + "0" * 400 + "}",
    "below zero": '{"skip": -1}',
    "another order": '{"order": "name ASC"}',
    "two orders": '{"order": ["creationDate ASC", "id"]}',
    "fields of text": '{"fields": {"id": "yes"}}',
    "a lone surrogate": '{"where": {"name": {"regexp": "\\ud800"}}}',
    "nothing to compare": '{"where": {"shots": {"gt": null}}}',
}


@for_each("hostile", HOSTILE)
def test_a_hostile_filter_is_refused_at_once(hostile: str) -> None:
    began = time.thread_time()
    with pytest.raises((InvalidRequest, LimitExceeded)) as refused:
        filters.parse(HOSTILE[hostile], LIMITS)
    assert time.thread_time() - began < 1
    assert refused.value.status == 400
    assert refused.value.detail.startswith("filter")
    assert len(refused.value.detail) < 1_000


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "(x+x+)+y"])
def test_a_pattern_that_explodes_elsewhere_takes_no_time_here(pattern: str) -> None:
    asked = filters.parse(json.dumps({"where": {"name": {"regexp": pattern}}}), LIMITS)
    long = JobRow(job(name="a" * 250 + "!"), wire.VendorFields(kind=""), "ada")
    began = time.thread_time()
    for _ in range(100):
        asked.where.holds(long)
    assert time.thread_time() - began < 1


@given(st.text(max_size=200) | st.recursive(st.none() | st.booleans() | st.text(), st.lists))
@settings(max_examples=100)
def test_any_text_is_a_filter_or_refused(text: Any) -> None:
    with contextlib.suppress(InvalidRequest, LimitExceeded):
        filters.parse(text if isinstance(text, str) else json.dumps({"where": text}), LIMITS)


def test_properties_are_asked_for_as_of_a_date() -> None:
    text = json.dumps({"where": {"last_update_date": {"lt": format_time(T0)}}})
    assert filters.parse_before(text) == T0 - 1
    assert filters.parse_before(None) is None
    for wrong in ("{", "{}", '{"where": {"last_update_date": {"lt": "x"}}}'):
        with pytest.raises(InvalidRequest):
            filters.parse_before(wrong)
