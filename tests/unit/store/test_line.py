"""Statements that share a round trip, on a real PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Iterator

import psycopg
import pytest

from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.store.line import Line, Statement, of_rows, rows, statement
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
def line(connection: psycopg.Connection) -> Line:
    return Line(connection)


PUT = statement("insert into kept (number, body) values (:number, :body)")
ALL = statement("select number from kept order by number")


def put(line: Line, number: int, body: bytes | None = None) -> None:
    line.put(PUT, {"number": number, "body": body})


def kept(connection: psycopg.Connection) -> list[int]:
    return [number for (number,) in connection.execute("select number from kept order by number")]


def test_parameters_are_numbered_in_the_order_of_their_names() -> None:
    assert statement("a = :one and b = :two::text or :one") == Statement(
        b"a = $1 and b = $2::text or $1", ("one", "two")
    )


@pytest.mark.parametrize("value", ECHO)
def test_a_value_comes_back_as_it_went(line: Line, value: object) -> None:
    ((back,),) = rows(line.ask(statement(ECHO[value]), {"value": value}))
    assert back == value


def test_statements_are_held_back_until_rows_are_wanted(
    line: Line, connection: psycopg.Connection
) -> None:
    put(line, 1)
    put(line, 2)
    assert kept(connection) == []
    assert rows(line.ask(ALL, {})) == [(1,), (2,)]


def test_several_rows_go_in_one_statement(line: Line, connection: psycopg.Connection) -> None:
    params = {
        f"{name}_{k}": v for k in range(3) for name, v in (("number", k), ("body", b"%d" % k))
    }
    line.put(of_rows(PUT, 3), params)
    line.settle()
    found = connection.execute("select number, body from kept order by number").fetchall()
    assert found == [(0, b"0"), (1, b"1"), (2, b"2")]


def test_settling_runs_what_was_held_back(line: Line, connection: psycopg.Connection) -> None:
    assert line.settle() is None
    put(line, 1)
    line.settle()
    assert kept(connection) == [1]


def test_a_statement_is_prepared_once_for_the_types_of_its_parameters(
    line: Line, connection: psycopg.Connection
) -> None:
    for number in range(5):
        put(line, number, b"body" if number % 2 else None)
        line.settle()
    prepared = connection.execute("select statement from pg_prepared_statements").fetchall()
    assert [text for (text,) in prepared] == [PUT.text.decode()] * 2


def test_after_a_failure_nothing_of_the_same_trip_stands_or_is_thought_prepared(
    line: Line, connection: psycopg.Connection
) -> None:
    put(line, 1)
    line.settle()
    for number in (2, 1, 3):
        put(line, number)
    line.put(ALL, {})
    with pytest.raises(psycopg.errors.UniqueViolation):
        line.settle()
    assert line.has_failed
    assert kept(connection) == [1]
    line.begin()
    put(line, 4)
    assert rows(line.ask(ALL, {})) == [(1,), (4,)]
    assert not line.has_failed


def test_what_is_forgotten_is_never_sent(line: Line) -> None:
    put(line, 1)
    line.begin()
    assert rows(line.ask(ALL, {})) == []


def test_large_statements_go_out_together(line: Line, connection: psycopg.Connection) -> None:
    for number in range(20):
        put(line, number, bytes([number]) * (1 << 20))
    count = statement("select length(body), body from kept order by number")
    assert [size for size, _ in rows(line.ask(count, {}))] == [1 << 20] * 20


def test_no_text_has_a_nul(line: Line) -> None:
    with pytest.raises(psycopg.DataError, match="NUL"):
        line.put(statement("select cast(:text as text)"), {"text": "a\0b"})


def test_what_no_statement_takes_is_a_fault_of_ours(line: Line) -> None:
    with pytest.raises(TypeError, match="list"):
        line.put(statement("select :value"), {"value": []})


def test_a_connection_that_was_ended_says_so(
    line: Line, connection: psycopg.Connection, postgres: PostgresServer
) -> None:
    with psycopg.connect(connection.info.dsn, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            line.ask(ALL, {})
        assert not line.is_open


def test_a_connection_that_waits_for_its_process_is_idle_for_the_server(
    line: Line, connection: psycopg.Connection
) -> None:
    """Else a server that stands still in the middle of its work would keep what it locked."""
    line.put(statement("begin"), {})
    line.ask(ALL, {})
    put(line, 1)
    with psycopg.connect(connection.info.dsn, autocommit=True) as other:
        (state,) = other.execute(
            "select state from pg_stat_activity where pid = %s", (connection.info.backend_pid,)
        ).fetchone() or ("",)
    assert state == "idle in transaction"
