"""The interface between operations and databases.

An operation is a plain function of a `Tx`, independent of the database that runs it. A database
runs operations atomically and publishes their changes after the commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from qwicket.store.changes import JobChange

    Committed = Callable[[int, int, float], None]
    """Called after each batch: number of operations, number of those that failed because the
    database was unavailable or full, seconds."""

T = TypeVar("T")
Row = tuple[Any, ...]


class Deferred(Generic[T]):
    """Result of an operation that is known only after all statements of its batch were run.

    Args:
        value: Returns the result; called once they have run.
    """

    __slots__ = ("value",)

    def __init__(self, value: Callable[[], T]) -> None:
        self.value = value


class Tx(Protocol):
    """Run named statements inside one operation. Parameters bind to `:name` in the SQL."""

    def one(self, name: str, /, **params: Any) -> Row | None:
        """Return the first row, or None."""

    def all(self, name: str, /, **params: Any) -> list[Row]:
        """Return all rows."""

    def run(self, name: str, /, **params: Any) -> None:
        """Write. An error may be raised only by a later statement of the batch."""

    def run_each(self, name: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        """Run an `insert … values` for each set of parameters."""

    def later(self, name: str, /, **params: Any) -> Callable[[], Row | None]:
        """Read a row without waiting for it; the operation must not depend on it.

        Returns:
            A function that returns the row; call it in a `Deferred` or after a later read.
        """

    def require(
        self, name: str, refusal: Callable[[], Exception], /, **params: Any
    ) -> Callable[[], Row]:
        """Read a row without waiting for it; without a row the operation fails with `refusal()`.

        Returns:
            As for `later`.
        """

    def count(self, name: str, /, **params: Any) -> int:
        """Write, and return the number of rows written."""

    def add_up(
        self,
        name: str,
        column: str,
        amount: float,
        refusal: Callable[[], Exception] | None = None,
        /,
        **key: Any,
    ) -> None:
        """Write an amount together with others of this batch, as their sum.

        Args:
            name: The statement.
            column: The parameter that takes the sum.
            amount: The amount.
            refusal: If given, the statement returns no row for too large a sum, and an operation
                alone then fails with `refusal()`.
            key: The other parameters; amounts with the same ones are added up.
        """

    def gather(self, name: str, job: str, /) -> None:
        """Run a statement once for all jobs of this batch; `:jobs` is a list of their ids."""

    def write_sums(self) -> None:
        """Write the sums and what was gathered now, for statements that read what they change."""

    reads_late: bool
    """Whether `require` returns before the row is read, so that no decision can depend on it."""

    memo: dict[str, Any]
    """Cache of slow reads for the operations of this batch; cleared after a refusal."""

    has_webhooks: bool
    """Whether there are webhooks, for which changes must be recorded."""
    webhooks_were_removed: bool
    """Whether webhooks were removed, so that perhaps none is left."""

    def changed(self, change: JobChange) -> None:
        """Publish this change after the commit."""


class Database(Protocol):
    """Runs operations. `write` is atomic, and on disk when it returns unless `durable` is false."""

    def on_commit(self, committed: Committed) -> None:
        """Call `committed` (quick, in another thread) after every batch of writes."""

    async def write(
        self, operation: Callable[[Tx], T | Deferred[T]], *, durable: bool = True
    ) -> T: ...

    def submit(self, operation: Callable[[Tx], T]) -> Future[T]:
        """Write without a flush, for threads without an event loop."""

    async def read(self, operation: Callable[[Tx], T]) -> T:
        """Run a quick look-up, mostly by key."""

    async def scan(self, operation: Callable[[Tx], T]) -> T:
        """Read a list or a large value in a thread, as one snapshot and with a deadline."""

    has_webhooks: bool
    """Whether there were webhooks at the last commit of this server."""
    folder: Path | None
    """Folder of an embedded database; None for a database server's."""

    @property
    def is_alive(self) -> bool:
        """Whether the writer thread is alive, and PostgreSQL was reachable at the last write."""

    async def close(self) -> None: ...
