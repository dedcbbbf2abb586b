"""Decorators that turn a function of a transaction (`Tx`) into a method of the store.

    class Jobs(Operations):
        @write
        def delete(tx: Tx, job: str) -> None: ...

    await store.jobs.delete(job)  # in a transaction of its own
    Jobs.delete(tx, job)          # as a part of the transaction `tx`

An operation may run several times before it is committed, so it must change only the database.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar, overload

from qwicket.store.database import Deferred, Tx

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qwicket.store.audit import ActRecorder
    from qwicket.store.database import Database

    Run = Callable[[Callable[[Tx], Any]], Coroutine[Any, Any, Any]]

P = ParamSpec("P")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)

ACT_RECORDER: Final[ContextVar[ActRecorder | None]] = ContextVar("act", default=None)
"""Records the `write` operations of an administrator's task in the audit; None for other tasks."""


class Operations:
    """Operations on one subject, over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database


class Operation(Generic[P, R_co]):
    """A function of a transaction, callable on an instance of `Operations` without one."""

    def __init__(
        self, function: Callable[Concatenate[Tx, P], R_co], run_in: Callable[[Database], Run]
    ) -> None:
        self._function = function
        self._run_in = run_in

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Tx, P], R_co]: ...

    @overload
    def __get__(
        self: Operation[P, T | Deferred[T]], instance: Operations, owner: type
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, instance: Operations | None, owner: type) -> Callable[..., Any]:
        if instance is None:
            return self._function
        function, run = self._function, self._run_in(instance._database)

        def start(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Any]:
            return run(lambda tx: function(tx, *args, **kwargs))

        instance.__dict__[self._name] = start  # later look-ups find it before this descriptor
        return start


def write(function: Callable[Concatenate[Tx, P], R_co]) -> Operation[P, R_co]:
    """Declare a write that is on disk when the call returns."""

    def run_in(database: Database) -> Run:
        def run(operation: Callable[[Tx], Any]) -> Coroutine[Any, Any, Any]:
            recorder = ACT_RECORDER.get()
            if recorder is None:
                return database.write(operation)
            return recorder.write(database, operation)

        return run

    return Operation(function, run_in)


def write_unflushed(function: Callable[Concatenate[Tx, P], R_co]) -> Operation[P, R_co]:
    """Declare a write that a power cut may lose without harm."""
    return Operation(function, lambda database: partial(database.write, durable=False))


def read(function: Callable[Concatenate[Tx, P], R_co]) -> Operation[P, R_co]:
    """Declare a quick look-up, mostly by key."""
    return Operation(function, attrgetter("read"))


def scan(function: Callable[Concatenate[Tx, P], R_co]) -> Operation[P, R_co]:
    """Declare a read of a list or a large value in one snapshot."""
    return Operation(function, attrgetter("scan"))
