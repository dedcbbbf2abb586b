"""The seam between operations and databases.

An operation is a plain function of a `Tx`; it never knows which database runs it. A database runs
operations all or nothing, tells what they changed after the commit, and does nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from qwicket.store.changes import Changed

    Committed = Callable[[int, int, float], None]
    """Called after each batch: its operations, how many the database failed, and the seconds."""

T = TypeVar("T")
Row = tuple[Any, ...]


class Deferred(Generic[T]):
    """The result of an operation that is known only when all of its batch was sent."""

    __slots__ = ("value",)

    def __init__(self, value: Callable[[], T]) -> None:
        self.value = value


class Tx(Protocol):
    """Inside one operation: run statements by name. Parameters bind to `:name` in the SQL."""

    def one(self, name: str, /, **params: Any) -> Row | None:
        """Return the first row, or None."""

    def all(self, name: str, /, **params: Any) -> list[Row]:
        """Return all rows."""

    def run(self, name: str, /, **params: Any) -> None:
        """Write; an error may be raised by a later statement of the operation's batch."""

    def run_each(self, name: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        """As `run`, of an `insert … values`, once for each of some parameters."""

    def later(self, name: str, /, **params: Any) -> Callable[[], Row | None]:
        """As `one`, for a row on which nothing in the operation depends.

        Returns:
            How to read the row, from within a `Deferred` or once rows were asked for after it.
        """

    def require(
        self, name: str, refusal: Callable[[], Exception], /, **params: Any
    ) -> Callable[[], Row]:
        """As `later`, for a row without which the operation is refused with `refusal()`."""

    def count(self, name: str, /, **params: Any) -> int:
        """Write, and return the number of rows written."""

    memo: dict[str, Any]
    """What the operations of this batch share of slow reads: empty after a refusal."""

    def changed(self, change: Changed) -> None:
        """Tell this after the commit."""


class Database(Protocol):
    """Runs operations. `write` is atomic, and on disk when it returns unless `durable` is false."""

    def on_commit(self, committed: Committed) -> None:
        """Call `committed` (quick, in another thread) after every batch of writes."""

    async def write(
        self, operation: Callable[[Tx], T | Deferred[T]], *, durable: bool = True
    ) -> T: ...

    def submit(self, operation: Callable[[Tx], T]) -> Future[T]:
        """As `write`, for threads that have no event loop."""

    async def read(self, operation: Callable[[Tx], T]) -> T:
        """A quick look-up by key."""

    async def scan(self, operation: Callable[[Tx], T]) -> T:
        """A list or a large value, as of one moment: not on the loop, and with a deadline."""

    @property
    def is_alive(self) -> bool:
        """Whether writes can still be done."""

    async def close(self) -> None: ...
