"""Pipelined statements on one PostgreSQL connection, many in one round trip.

Statements are queued in this process until their rows are needed, and then sent together with one
sync. So PostgreSQL never waits for the rest of a pipeline: if this process stalls, its connection
is idle, and PostgreSQL's timeout for idle transactions ends its transaction.
"""

from __future__ import annotations

import re
import struct
from functools import cache
from itertools import count
from select import POLLIN, POLLOUT, poll
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from psycopg import errors
from psycopg.pq import ConnStatus, ExecStatus, Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from psycopg.pq.abc import PGresult

    from qwicket.store.database import Row

    _Held = tuple["Statement", list["_Dumped"], "PendingResult"]
    _Key = tuple[bytes, tuple[int, ...]]
    _Dumped = tuple[int, bytes | None, Format]

_PARAMETER: Final = re.compile(r"(?<![:\w]):(\w+)")
_NUMBER: Final = re.compile(rb"\$(\d+)")
_MAX_HELD_BYTES: Final = 1 << 20
"""Bytes of queued parameters above which the queued statements are sent."""
_FAILED: Final = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)


class Statement(NamedTuple):
    """SQL with parameters `$1`, `$2`, …, and their names.

    Attributes:
        text: The SQL.
        parameters: Names of the parameters, in the order of their numbers.
        is_planned_each_time: Whether each call is planned for its own values. A prepared plan must
            do for all values, so it does not use an index for a filter that may be absent.
    """

    text: bytes
    parameters: tuple[str, ...]
    is_planned_each_time: bool = False


def statement(text: str, *, is_planned_each_time: bool = False) -> Statement:
    """Convert SQL with parameters `:name` to numbered ones, each name to one number."""
    numbers: dict[str, int] = {}

    def numbered(match: re.Match[str]) -> str:
        return f"${numbers.setdefault(match[1], len(numbers) + 1)}"

    numbered_text = _PARAMETER.sub(numbered, text).encode()
    return Statement(numbered_text, tuple(numbers), is_planned_each_time)


@cache
def of_rows(insert: Statement, n_rows: int) -> Statement:
    """Return an `insert … values` of several rows, made from that of one row.

    The parameter `name` of row k, counted from 0, is `name_k`.
    """
    head, _, row = insert.text.rpartition(b"values ")
    width = len(insert.parameters)

    def shifted(by: int) -> bytes:
        return _NUMBER.sub(lambda found: b"$%d" % (int(found[1]) + by), row.rstrip(b";"))

    values = b", ".join(shifted(k * width) for k in range(n_rows))
    names = [f"{name}_{k}" for k in range(n_rows) for name in insert.parameters]
    return Statement(head + b"values " + values, tuple(names))


class MissingRow(Exception):
    """A statement that must return a row returned none."""


class PendingResult:
    """Result of a queued statement.

    Attributes:
        is_required: Whether the statement must return a row.
        result: The result; None until the pipeline is settled.
    """

    __slots__ = ("is_required", "result")

    def __init__(self, *, is_required: bool) -> None:
        self.is_required = is_required
        self.result: PGresult | None = None


class Pipeline:
    """One connection, used by one thread at a time.

    Statements are prepared at their first use, once per set of parameter types, unless they are
    planned each time.

    Attributes:
        has_failed: Whether any statement failed since the transaction began.
        has_responded: Whether PostgreSQL has responded since the transaction began.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._server = connection.pgconn
        self.has_failed = self.has_responded = False
        self._held: list[_Held] = []
        self._held_bytes = 0
        self._prepared: dict[_Key, bytes] = {}
        self._fresh: dict[_Key, bytes] = {}
        self._numbers = count()

    @property
    def is_open(self) -> bool:
        return self._server.status == ConnStatus.OK

    @property
    def holds_required(self) -> bool:
        """Whether a statement that must return a row is queued."""
        return any(pending.is_required for _, _, pending in self._held)

    def begin(self) -> None:
        """Discard queued statements and failures."""
        self._held.clear()
        self._held_bytes = 0
        self.has_failed = self.has_responded = False

    def put(
        self, statement: Statement, params: Mapping[str, Any], *, is_required: bool = False
    ) -> PendingResult:
        """Queue a statement until the next `fetch` or `settle`, or until 1 MiB is exceeded.

        Args:
            statement: SQL with numbered parameters.
            params: Values by name: int, float, str, bytes or None.
            is_required: Whether the statement must return a row.

        Raises:
            psycopg.DataError: A text contains NUL, which PostgreSQL cannot store.
            psycopg.Error: As for `fetch`.
            MissingRow: As for `fetch`.
        """
        pending = PendingResult(is_required=is_required)
        dumped = [_dump(params[name]) for name in statement.parameters]
        self._held.append((statement, dumped, pending))
        # A pipeline is sent at once, so the parameters of all its statements are copied in memory.
        self._held_bytes += sum([len(each[1]) for each in dumped if each[1]])
        if self._held_bytes > _MAX_HELD_BYTES:
            self.settle()
        return pending

    def fetch(self, statement: Statement, params: Mapping[str, Any]) -> PGresult:
        """Run the queued statements, then this one, and return its result.

        Raises:
            psycopg.Error: The error of the first statement that failed; later ones were not run.
            MissingRow: A required row is missing.
        """
        pending = self.put(statement, params)
        self.settle()
        assert pending.result is not None
        return pending.result

    def settle(self) -> None:
        """Run the queued statements.

        Raises:
            psycopg.Error: As for `fetch`.
            MissingRow: As for `fetch`.
        """
        if not self._held:
            return
        self.has_failed = True  # until all have succeeded
        held, self._held, self._held_bytes = self._held, [], 0
        is_missing = False
        for pending, result in self._exchange(held):
            if result.status in _FAILED:
                # Statements that refer to a missing row fail as well: the missing row is the cause.
                raise MissingRow if is_missing else errors.error_from_result(result)
            pending.result = result
            if pending.is_required and result.status == ExecStatus.TUPLES_OK and not result.ntuples:
                is_missing = True
        # Only now: a statement that was prepared in a failed pipeline may not exist.
        self._prepared.update(self._fresh)
        if is_missing:
            raise MissingRow
        self.has_failed = False
        self.has_responded = True

    def _exchange(self, held: Sequence[_Held]) -> Iterable[tuple[PendingResult, PGresult]]:
        """Return the results of all statements and of their preparations, in order."""
        self._fresh = {}
        server = self._server
        if server.status != ConnStatus.OK:
            raise psycopg.OperationalError("the connection is closed")
        server.enter_pipeline_mode()
        pending_results: list[PendingResult] = []
        for statement, dumped, pending in held:
            pending_results += [pending] * self._send(statement, dumped)
        server.pipeline_sync()
        results = self._results()
        server.exit_pipeline_mode()
        return zip(pending_results, results, strict=True)

    def _send(self, statement: Statement, dumped: list[_Dumped]) -> int:
        """Send a statement, preparing it at its first use; return its number of results."""
        key = statement.text, tuple([each[0] for each in dumped])
        values = [each[1] for each in dumped]
        formats = [each[2] for each in dumped]
        if statement.is_planned_each_time:
            self._server.send_query_params(key[0], values, key[1], formats, Format.BINARY)
            return 1
        name = self._prepared.get(key) or self._fresh.get(key)
        is_new = name is None
        if name is None:
            name = self._fresh[key] = b"q%d" % next(self._numbers)
            self._server.send_prepare(name, *key)
        self._server.send_query_prepared(name, values, formats, Format.BINARY)
        return 1 + is_new

    def _results(self) -> list[PGresult]:
        found: list[PGresult] = []
        while True:
            self._await()
            result = self._server.get_result()
            if result is None:  # the end of one statement
                if self._server.status != ConnStatus.OK:
                    raise psycopg.OperationalError("the connection broke")
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return found
            else:
                found.append(result)

    def _await(self) -> None:
        """Send and receive until a result is available."""
        server = self._server
        if not server.is_busy():
            return
        waiting = poll()
        while True:
            is_sent = not server.flush()
            if not server.is_busy():
                return
            waiting.register(server.socket, POLLIN if is_sent else POLLIN | POLLOUT)
            waiting.poll()
            server.consume_input()


def rows(result: PGresult) -> list[Row]:
    """Return the rows of a result in binary format as Python values."""
    loads = [_LOADS[result.ftype(column)] for column in range(result.nfields)]
    get = result.get_value
    return [
        tuple([
            None if (value := get(row, column)) is None else load(value)
            for column, load in enumerate(loads)
        ])
        for row in range(result.ntuples)
    ]  # fmt: skip


def _dump(value: object) -> _Dumped:
    match value:
        case int():
            return _INT8, str(int(value)).encode(), Format.TEXT
        case None:
            return 0, None, Format.TEXT
        case str():
            if "\0" in value:
                raise psycopg.DataError("text cannot contain NUL")
            return 0, value.encode(), Format.TEXT
        case bytes():
            return _BYTEA, value, Format.BINARY
        case float():
            return _FLOAT8, repr(value).encode(), Format.TEXT
    raise TypeError(f"a parameter must not be a {type(value).__name__}")


def _unpack(layout: str) -> Callable[[bytes], Any]:
    unpack = struct.Struct(layout).unpack
    return lambda value: unpack(value)[0]


_INT8: Final = 20
_FLOAT8: Final = 701
_BYTEA: Final = 17
_LOADS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    16: _unpack(">?"),
    _BYTEA: bytes,
    _INT8: _unpack(">q"),
    21: _unpack(">h"),
    23: _unpack(">i"),
    25: bytes.decode,
    _FLOAT8: _unpack(">d"),
    1043: bytes.decode,
}
"""Decoders of binary values, by the type's object id in PostgreSQL's table `pg_type`.

16 is boolean, 21 is smallint, 23 is integer, 25 is text, 1043 is varchar.
"""
