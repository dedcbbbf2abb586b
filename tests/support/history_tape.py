"""Calls of a store, recorded inside its writer: the order of their commits, and their answers.

Writers follow each other on both databases (docs/decisions/0003), so the order in which operations
run is the order of their commits; a counter inside each operation records it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import msgspec

from qwicket.model.jobs import Assignment
from qwicket.store import JobChange, Store
from qwicket.store.database import Database, Deferred, Tx
from qwicket.store.postgres import PostgresTx
from qwicket.store.sqlite import SQLiteTx

_READS = {"jobs.get", "jobs.results", "queues.state", "leases.held"}
_READ_FIRST = {
    f"maintenance.{verb}"
    for verb in ("expire_drafts", "delete_ended", "delete_expired_keys", "repair_fair_share")
}
"""Operations that write only what is due; when nothing is, they are reads."""


@dataclass
class Call:
    """One call of the store, and its answer.

    `at` is its place in the order of commits; a read happened between `since` and `at`.
    """

    name: str
    args: tuple[Any, ...]
    at: int = 0
    since: int = 0
    answer: Any = None
    published: tuple[JobChange, ...] = ()
    is_read: bool = False

    def has_only_read(self) -> bool:
        return self.name in _READS or (self.name in _READ_FIRST and not self.at)

    def start(self, store: Store) -> Awaitable[Any]:
        group, verb = self.name.split(".")
        named: dict[str, Callable[[], Awaitable[Any]]] = {
            "jobs.add": lambda: store.jobs.add(self.args[0], waiting_limit=self.args[1]),
            "jobs.cancel": lambda: store.jobs.cancel(
                self.args[0], actor="somebody", now=self.args[1]
            ),
            "jobs.cancel_group": lambda: store.jobs.cancel_group(
                self.args[0], actor="somebody", now=self.args[1]
            ),
            "queues.state": lambda: store.queues.state(self.args[0], 0, limit=1_000),
            "leases.claim": lambda: store.leases.claim(*self.args[:3], maximum=self.args[3]),
            "leases.release": lambda: store.leases.release(
                *self.args[:3], counts_as_attempt=self.args[3]
            ),
            "leases.record_heartbeat": lambda: asyncio.wrap_future(
                store.leases.record_heartbeat(*self.args)
            ),
        }
        if self.name in named:
            return named[self.name]()
        asked: Awaitable[Any] = getattr(getattr(store, group), verb)(*self.args)
        return asked

    def __str__(self) -> str:
        args = ", ".join(_short(each) for each in self.args)
        return f"{self.at:4} {self.name}({args}) -> {_short(self.answer)}"


present_call: ContextVar[Call] = ContextVar("call")


class Taped:
    """A database that records when each operation ran, its result and its changes."""

    def __init__(self, database: Database, place: Callable[[], int]) -> None:
        self._database = database
        self._place = place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, operation: Callable[[Tx], Any], *, durable: bool = True) -> Any:
        return await self._database.write(self._taped(operation), durable=durable)

    def submit(self, operation: Callable[[Tx], Any]) -> Future[Any]:
        return self._database.submit(self._taped(operation))

    def _taped(self, operation: Callable[[Tx], Any]) -> Callable[[Tx], Any]:
        call = present_call.get()

        def run(tx: Tx) -> Any:
            tx.one("epoch_get")  # on PostgreSQL the lock comes with the first answer
            call.at = self._place()
            before = len(_changes(tx))
            answer = operation(tx)
            call.published = tuple(_changes(tx)[before:])
            return Deferred(lambda: read(tx, answer)) if isinstance(answer, Deferred) else answer

        def read(tx: Tx, answer: Deferred[Any]) -> Any:
            before = len(_changes(tx))
            value = answer.value()
            call.published += tuple(_changes(tx)[before:])
            return value

        return run


def _changes(tx: Tx) -> list[JobChange]:
    """Return the changes to publish after the commit."""
    assert isinstance(tx, PostgresTx | SQLiteTx)
    return tx.changes


def _short(value: Any) -> str:
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return "[" + ", ".join(_short(each) for each in value) + "]"
    if isinstance(value, Assignment):
        value = value.lease
    if isinstance(value, msgspec.Struct):
        names = ("id", "job", "state", "account", "project", "device", "now", "fence", "nonce")
        shown = {name: getattr(value, name) for name in names if hasattr(value, name)}
        return f"{type(value).__name__}{shown}"
    return repr(value)
