"""The registry generation's queries: a small part of Mongo's, in time that is bounded."""

from __future__ import annotations

import time
from typing import Any

import pytest

from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.vendors.qbraid.dialect import query
from support.for_each import for_each

JOB = {
    "shots": 10,
    "status": "DONE",
    "ok": True,
    "name": "State vector simulator",
    "timeStamps": {"createdAt": "2026-01-31T12:00:00.000Z"},
    "statusText": None,
}


CONDITIONS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"shots": 10}, True),
    ({"shots": 10, "status": "FAILED"}, False),
    ({"shots": {"$eq": 10}}, True),
    ({"shots": {"$ne": 10}}, False),
    ({"shots": {"$gt": 9, "$lt": 11}}, True),
    ({"shots": {"$gte": 11}}, False),
    ({"shots": {"$lte": 10}}, True),
    ({"shots": {"$gt": "9"}}, False),
    ({"status": {"$gt": 1}}, False),
    ({"shots": {"$in": [1, 10]}}, True),
    ({"shots": {"$nin": [1, 10]}}, False),
    ({"absent": {"$nin": [1]}}, True),
    ({"absent": {"$in": [None]}}, True),
    ({"ok": {"$in": [1]}}, False),
    ({"ok": {"$in": [True]}}, True),
    ({"shots": {"$in": [10.0]}}, True),
    ({"timeStamps": {"$in": [1]}}, False),
    ({"shots.a.b.c": {"$exists": False}}, True),
    ({"absent": {"$exists": False}}, True),
    ({"shots": {"$exists": True}}, True),
    ({"absent": None}, True),
    ({"statusText": None}, True),
    ({"shots": None}, False),
    ({"ok": 1}, False),
    ({"shots": True}, False),
    ({"timeStamps.createdAt": {"$gt": "2026-01-01"}}, True),
    ({"timeStamps.createdAt.more": 1}, False),
    ({"timeStamps": {"createdAt": "2026-01-31T12:00:00.000Z"}}, True),
    ({"name": {"$regex": "vector"}}, True),
    ({"name": {"$regex": "^State"}}, True),
    ({"name": {"$regex": "^vector"}}, False),
    ({"name": {"$regex": "simulator$"}}, True),
    ({"name": {"$regex": "State$"}}, False),
    ({"name": {"$regex": "^State.*simulator$"}}, True),
    ({"name": {"$regex": "vector.*State"}}, False),
    ({"name": {"$regex": "^State vector simulator$"}}, True),
    ({"name": {"$regex": "^tate vector simulator$"}}, False),
    ({"name": {"$regex": ""}}, True),
    ({"shots": {"$regex": "1"}}, False),
]


def test_conditions_hold_or_do_not(subtests: pytest.Subtests) -> None:
    for asked, is_found in CONDITIONS:
        with subtests.test(str(asked)):
            assert query.parse(asked).matches(JOB) is is_found


@for_each(
    "asked",
    [
        {"$where": "sleep(1000)"},
        {"$or": [{}]},
        {"shots": {"$function": {}}},
        {"shots": {"$gt": 1, "plain": 2}},
        {"shots": {"$in": 7}},
        {"shots": {"$in": [[1]]}},
        {"name": {"$regex": "(a+)+$"}},
        {"name": {"$regex": "a{1,9}"}},
        {"name": {"$regex": "[ab]"}},
        {"name": {"$regex": "a.b"}},
        {"name": {"$regex": 7}},
        {"name": {"$regex": "x" * 201}},
    ],
)
def test_everything_else_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        query.parse(asked)


def test_the_number_of_conditions_is_bounded() -> None:
    with pytest.raises(LimitExceeded):
        query.parse({f"f{k}": k for k in range(101)})


def test_no_pattern_stalls() -> None:
    pattern = ".*".join("a" * 60)
    found = query.parse({"name": {"$regex": f"{pattern}b$"}})
    began = time.process_time()
    assert not found.matches({"name": "a" * 100_000})
    assert time.process_time() - began < 1


def test_a_long_list_and_a_long_path_cost_nothing_for_each_document() -> None:
    asked = {"shots": {"$nin": list(range(11, 100_000))}, ".".join("a" * 100_000): None}
    found = query.parse(asked)
    began = time.process_time()
    assert all(found.matches(JOB) for _ in range(10_000))
    assert time.process_time() - began < 2
