"""Batches of operations that are committed together, and their retries."""

from __future__ import annotations

from abc import abstractmethod
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from qwicket.model.errors import QwicketError
from qwicket.registrations import of_features
from qwicket.store.database import Deferred, Tx
from qwicket.store.rows import from_texts

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from qwicket.store.changes import JobChange
    from qwicket.store.database import Row
    from qwicket.store.writer import Writer

T = TypeVar("T")


class NeedsSavepoints(Exception):
    """An operation of an optimistic batch fails (mostly a refusal), or depends on a late row."""


class NeedsOneByOne(Exception):
    """One of several pipelined statements failed, or the connection broke before the commit."""


class Mode(Enum):
    """Mode in which the operations of a batch share a transaction; see `Batch`."""

    OPTIMISTIC = auto()
    SAVEPOINTS = auto()
    ONE_BY_ONE = auto()


class _Sum(NamedTuple):
    """A sum that is still to be written; see `Tx.add_up`."""

    column: str
    amount: float
    refusal: Callable[[], Exception] | None
    key: dict[str, Any]


class Session(Tx):
    """A transaction on one connection: the `Tx` that operations see, plus its control.

    `later` and `require` read at once here; PostgreSQL overrides them.
    """

    def __init__(self) -> None:
        self.changes: list[JobChange] = []
        self.memo: dict[str, Any] = {}
        self._sums: dict[tuple[str, tuple[Any, ...]], _Sum] = {}
        self._gathered: dict[str, list[str]] = {}
        self.reads_late = False
        self.has_webhooks = False
        self.webhooks_were_removed = False

    def one(self, name: str, /, **params: Any) -> Row | None:
        found = self.all(name, **params)
        return found[0] if found else None

    def later(self, name: str, /, **params: Any) -> Callable[[], Row | None]:
        row = self.one(name, **params)
        return lambda: row

    def require(
        self, name: str, refusal: Callable[[], Exception], /, **params: Any
    ) -> Callable[[], Row]:
        row = self.one(name, **params)
        if row is None:
            raise refusal()
        return lambda: row

    def add_up(
        self,
        name: str,
        column: str,
        amount: float,
        refusal: Callable[[], Exception] | None = None,
        /,
        **key: Any,
    ) -> None:
        at = name, tuple(key.values())
        earlier = self._sums.get(at)
        total = amount if earlier is None else earlier.amount + amount
        self._sums[at] = _Sum(column, total, refusal, key)

    def gather(self, name: str, job: str, /) -> None:
        self._gathered.setdefault(name, []).append(job)

    def write_sums(self) -> None:
        for name, jobs in self._gathered.items():
            self.run(name, jobs=from_texts(tuple(jobs)))
        self._gathered.clear()
        while self._sums:
            at = next(iter(self._sums))
            column, amount, refusal, key = self._sums.pop(at)
            if refusal is None:
                self.run(at[0], **key, **{column: amount})
            else:
                self.require(at[0], refusal, **key, **{column: amount})

    def begin(self) -> None:
        """Forget what an earlier attempt, or on SQLite an earlier batch, has left."""
        self.changes = []  # a new list, because the former one was returned
        self.forget()

    def forget(self) -> None:
        """Forget what was read and added up in an operation that was rolled back."""
        self.memo.clear()
        self._sums.clear()
        self._gathered.clear()

    def changed(self, change: JobChange) -> None:
        self.changes.append(change)

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether the transaction is usable; databases abort it on some errors."""

    @abstractmethod
    def command(self, *texts: str) -> None:
        """Run SQL that has no name and returns no rows."""

    def settle(self) -> None:
        """Run and wait for all pipelined statements."""


class Request(Generic[T]):
    """An operation queued for the writer, and the future of its result."""

    __slots__ = ("durable", "error", "future", "operation", "result")

    def __init__(
        self,
        operation: Callable[[Tx], T | Deferred[T]],
        durable: bool,
        future: asyncio.Future[T] | Future[T],
    ) -> None:
        self.operation = operation
        self.durable = durable
        self.future = future
        self.result: T | Deferred[T] | None = None
        self.error: BaseException | None = None

    def refuse(self, error: Exception) -> None:
        """Store an error. Refusals lose their frames, which would refer to this request."""
        expected = isinstance(error, QwicketError)
        self.error = error.with_traceback(None) if expected else error

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # T, set by `Batch`


class Batch:
    """Operations that are committed together.

    A batch is tried in up to three modes::

         an operation fails (mostly a refusal),
              or depends on a late row
        OPTIMISTIC ─────────────────────────▶ SAVEPOINTS
            │                                     │
            │  a statement failed, or             │
            │  the connection broke               │
            │  before the commit                  │
            └───────────▶ ONE_BY_ONE ◀────────────┘

    - OPTIMISTIC: no savepoints. Rows asked for by `Tx.later` and `Tx.require` may arrive only after
      the operation has returned ("late"; only on PostgreSQL). An operation that fails ends the
      transaction.
    - SAVEPOINTS: a savepoint before each operation, so that its failure affects no other one.
      `Tx.require` reads at once.
    - ONE_BY_ONE: savepoints as before, and each statement waits for the previous one, so that an
      error belongs to its own statement. Only for databases with several statements per round trip.

    It ends in one of three ways:

    - committed: each request has its result or its refusal;
    - failed: nothing of it is stored, and each request has the error;
    - outcome unknown: the connection broke during the commit. Each request has the error and may
      be stored, so the batch is not retried.

    Attributes:
        requests: The operations in order.
        mode: The present mode. A batch begins in `OPTIMISTIC` or `SAVEPOINTS`.
        was_refused: Whether `NeedsSavepoints` ended the optimistic mode.
    """

    def __init__(self, requests: Sequence[Request[Any]], mode: Mode, database: Writer) -> None:
        self.requests = requests
        self.mode = mode
        self.was_refused = False
        self._database = database

    @property
    def is_durable(self) -> bool:
        """Whether the commit must be on disk."""
        return any(request.durable for request in self.requests)

    @property
    def is_optimistic(self) -> bool:
        return self.mode is Mode.OPTIMISTIC

    def commit(self) -> list[JobChange]:
        """Set a result or an error in each request; return the changes."""
        database = self._database
        # Each retry uses a stricter mode, so the loop ends after at most three attempts.
        while True:
            try:
                return database.attempt(self)
            except NeedsSavepoints as error:
                database.abandon(error)
                self.mode = Mode.SAVEPOINTS
                self.was_refused = True
            except NeedsOneByOne as error:
                database.abandon(error)
                self.mode = Mode.ONE_BY_ONE
            except Exception as error:  # failed; or outcome unknown, and a retry could write twice
                database.abandon(error)
                shown = database.translate(error)
                for request in self.requests:
                    request.error = shown
                return []

    def run(self, session: Session) -> None:
        """Run the operations in the open transaction of `session`, in the present mode.

        Raises:
            NeedsSavepoints: In optimistic mode, an operation fails or depends on a late row.
            MissingRow: On PostgreSQL, in optimistic mode, a required row is missing.
            Exception: The transaction failed; nothing of the batch is stored.
        """
        session.begin()
        for number, request in enumerate(self.requests):
            if not self.is_optimistic:
                if number:  # savepoints of one name would nest until the commit
                    session.command("release savepoint operation")
                session.command("savepoint operation")
            self._run_one(session, request)
        if self.is_optimistic:
            try:
                session.write_sums()
            except QwicketError as error:
                raise NeedsSavepoints from error
        self._read_deferred(session)
        for on_changes in of_features("on_changes"):
            on_changes(session, session.changes)

    def _run_one(self, session: Session, request: Request[Any]) -> None:
        n_changes = len(session.changes)
        request.result = request.error = None
        try:
            request.result = request.operation(session)
            if not self.is_optimistic:
                session.write_sums()  # one of them may be refused
        except Exception as error:
            # The transaction cannot go on, perhaps because of another operation's statement, so
            # `attempt` must decide.
            if not session.is_open:
                raise
            if self.is_optimistic:
                raise NeedsSavepoints from error
            session.command("rollback to savepoint operation")
            del session.changes[n_changes:]
            session.forget()
            request.result = None
            request.refuse(self._database.translate(error))

    def _read_deferred(self, session: Session) -> None:
        """Replace deferred results by their values."""
        if not any(isinstance(request.result, Deferred) for request in self.requests):
            return
        session.settle()
        for request in self.requests:
            if isinstance(request.result, Deferred):
                request.result = request.result.value()
        session.write_sums()
        # Deferred results add changes late, but those of one job must stay in order.
        session.changes.sort(key=lambda change: change.version)
