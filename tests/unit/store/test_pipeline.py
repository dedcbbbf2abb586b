"""Statements that share a round trip, on a real PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Iterator

import psycopg
import pytest

from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.store.pipeline import MissingRow, Pipeline, Statement, of_rows, rows, statement
from support.postgres import PostgresServer

ECHO = {
    0: "select cast(:value as bigint)",
    INT64_MAX: "select cast(:value as bigint)",
    -INT64_MAX - 1: "select cast(:value as bigint)",
    7: "select cast(:value as integer)",
    -3: "select cast(:value as smallint)",
    math.pi: "select cast(:value as double precision)",
    5e-324: "select cast(:value as double precision)",
    1.7976931348623157e308: "select cast(:value as double precision)",
    "": "select cast(:value as text)",
    "naïve ☃ 𝄞 %s :x $1 \\ '": "select cast(:value as text)",
    "varying": "select cast(:value as varchar)",
    JobState.QUEUED: "select cast(:value as text)",
    bytes(range(256)): "select cast(:value as bytea)",
    b"": "select cast(:value as bytea)",
    None: "select cast(:value as text)",
}


@pytest.fixture
def connection(postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.url, autocommit=True) as opened:
        opened.execute("create temporary table kept (number integer primary key, body bytea)")
        yield opened


@pytest.fixture
def pipeline(connection: psycopg.Connection) -> Pipeline:
    return Pipeline(connection)


PUT = statement("insert into kept (number, body) values (:number, :body)")
ALL = statement("select number from kept order by number")


def put(pipeline: Pipeline, number: int, body: bytes | None = None) -> None:
    pipeline.put(PUT, {"number": number, "body": body})


def kept(connection: psycopg.Connection) -> list[int]:
    return [number for (number,) in connection.execute("select number from kept order by number")]


def test_parameters_are_numbered_in_the_order_of_their_names() -> None:
    assert statement("a = :one and b = :two::text or :one") == Statement(
        b"a = $1 and b = $2::text or $1", ("one", "two")
    )


@pytest.mark.parametrize("value", ECHO)
def test_a_value_comes_back_as_it_went(pipeline: Pipeline, value: object) -> None:
    ((back,),) = rows(pipeline.fetch(statement(ECHO[value]), {"value": value}))
    assert back == value


def test_statements_are_held_back_until_rows_are_wanted(
    pipeline: Pipeline, connection: psycopg.Connection
) -> None:
    put(pipeline, 1)
    put(pipeline, 2)
    assert kept(connection) == []
    assert rows(pipeline.fetch(ALL, {})) == [(1,), (2,)]


def test_several_rows_go_in_one_statement(
    pipeline: Pipeline, connection: psycopg.Connection
) -> None:
    params = {
        f"{name}_{k}": v for k in range(3) for name, v in (("number", k), ("body", b"%d" % k))
    }
    pipeline.put(of_rows(PUT, 3), params)
    pipeline.settle()
    found = connection.execute("select number, body from kept order by number").fetchall()
    assert found == [(0, b"0"), (1, b"1"), (2, b"2")]


def test_settling_runs_what_was_held_back(
    pipeline: Pipeline, connection: psycopg.Connection
) -> None:
    pipeline.settle()  # nothing was held back
    put(pipeline, 1)
    pipeline.settle()
    assert kept(connection) == [1]


def test_a_statement_is_prepared_once_for_the_types_of_its_parameters(
    pipeline: Pipeline, connection: psycopg.Connection
) -> None:
    for number in range(5):
        put(pipeline, number, b"body" if number % 2 else None)
        pipeline.settle()
    prepared = connection.execute("select statement from pg_prepared_statements").fetchall()
    assert [text for (text,) in prepared] == [PUT.text.decode()] * 2


def test_a_statement_with_optional_filters_is_planned_for_the_values_of_each_call(
    pipeline: Pipeline, connection: psycopg.Connection
) -> None:
    for number in range(3):
        put(pipeline, number)
    text = "select number from kept where cast(:least as bigint) is null or number >= :least"
    listing = statement(f"{text} order by 1", is_planned_each_time=True)
    for _ in range(20):
        assert rows(pipeline.fetch(listing, {"least": 1})) == [(1,), (2,)]
        assert rows(pipeline.fetch(listing, {"least": None})) == [(0,), (1,), (2,)]
    prepared = connection.execute("select statement from pg_prepared_statements").fetchall()
    assert [text for (text,) in prepared] == [PUT.text.decode()]


def test_after_a_failure_nothing_of_the_same_round_trip_is_stored_or_counts_as_prepared(
    pipeline: Pipeline, connection: psycopg.Connection
) -> None:
    put(pipeline, 1)
    pipeline.settle()
    for number in (2, 1, 3):
        put(pipeline, number)
    pipeline.put(ALL, {})
    with pytest.raises(psycopg.errors.UniqueViolation):
        pipeline.settle()
    assert pipeline.has_failed
    assert kept(connection) == [1]
    pipeline.begin()
    put(pipeline, 4)
    assert rows(pipeline.fetch(ALL, {})) == [(1,), (4,)]
    assert not pipeline.has_failed


ONE = statement("select number from kept where number = :number")


def test_a_required_row_that_is_missing_ends_the_trip(pipeline: Pipeline) -> None:
    put(pipeline, 1)
    pipeline.put(ONE, {"number": 1}, is_required=True)
    pipeline.settle()
    pipeline.put(ONE, {"number": 2}, is_required=True)
    with pytest.raises(MissingRow):
        pipeline.settle()
    assert pipeline.has_failed


def test_a_missing_row_counts_before_what_fails_after_it(pipeline: Pipeline) -> None:
    """A job that is refused is missed by its program's row, which refers to it."""
    put(pipeline, 1)
    pipeline.put(ONE, {"number": 2}, is_required=True)
    put(pipeline, 1)
    with pytest.raises(MissingRow):
        pipeline.fetch(ALL, {})


def test_what_fails_before_a_missing_row_counts(pipeline: Pipeline) -> None:
    put(pipeline, 1)
    put(pipeline, 1)
    pipeline.put(ONE, {"number": 2}, is_required=True)
    with pytest.raises(psycopg.errors.UniqueViolation):
        pipeline.settle()


def test_what_is_forgotten_is_never_sent(pipeline: Pipeline) -> None:
    put(pipeline, 1)
    pipeline.begin()
    assert rows(pipeline.fetch(ALL, {})) == []


def test_large_statements_go_out_together(
    pipeline: Pipeline, connection: psycopg.Connection
) -> None:
    for number in range(20):
        put(pipeline, number, bytes([number]) * (1 << 20))
    count = statement("select length(body), body from kept order by number")
    assert [size for size, _ in rows(pipeline.fetch(count, {}))] == [1 << 20] * 20


def test_no_text_has_a_nul(pipeline: Pipeline) -> None:
    with pytest.raises(psycopg.DataError, match="NUL"):
        pipeline.put(statement("select cast(:text as text)"), {"text": "a\0b"})


def test_what_no_statement_takes_is_a_fault_of_ours(pipeline: Pipeline) -> None:
    with pytest.raises(TypeError, match="list"):
        pipeline.put(statement("select :value"), {"value": []})


def test_a_connection_that_was_ended_says_so(
    pipeline: Pipeline, connection: psycopg.Connection, postgres: PostgresServer
) -> None:
    with psycopg.connect(connection.info.dsn, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            pipeline.fetch(ALL, {})
        assert not pipeline.is_open


def test_a_connection_that_waits_for_its_process_is_idle_for_the_server(
    pipeline: Pipeline, connection: psycopg.Connection
) -> None:
    """Otherwise a server that is paused within a transaction would hold its locks."""
    pipeline.put(statement("begin"), {})
    pipeline.fetch(ALL, {})
    put(pipeline, 1)
    with psycopg.connect(connection.info.dsn, autocommit=True) as other:
        (state,) = other.execute(
            "select state from pg_stat_activity where pid = %s", (connection.info.backend_pid,)
        ).fetchone() or ("",)
    assert state == "idle in transaction"
