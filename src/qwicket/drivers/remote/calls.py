"""Calls of one cloud in threads; checks on its ids and texts before they are stored or shown.

Turns bound the memory for large responses. No cloud delays another one: what a call waits for while
it receives is of its own cloud, and the turn that all clouds share is held only while a response is
parsed, or for a minute if the call sends another request then.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwicket.clients.http import bounds
from qwicket.clients.http.text import MIN_SECRET_CHARS
from qwicket.drivers.remote.clouds import (
    BeyondBounds,
    CloudError,
    InvalidResult,
    NoProof,
    NoSuchJob,
    NotAccepted,
    OutcomeUnknown,
    Refused,
)
from qwicket.drivers.remote.failures import not_understood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwicket.clients.http.bounds import Bounds, Turn
    from qwicket.drivers.remote.clouds import RequireLease

__all__ = ["CloudCalls", "LeaseCheck", "call_within"]

T = TypeVar("T")

_MAX_ID_CHARS: Final = 200
_PARSING: Final = threading.Lock()
"""Held while a very large response is parsed, one at a time in the whole server."""
_CHECK_S: Final = 0.5
"""Seconds after which a call that waits for its turn looks whether its cloud was closed."""
_DOTS: Final = (".", "..")
"""Ids that would change the path of a request."""


class CloudCalls:
    """Threads for the calls of one cloud.

    Args:
        key: Key of the account there: one word, or several.
        n_threads: Number of threads.
    """

    def __init__(self, key: str, n_threads: int) -> None:
        self._secrets = key.split()
        self._receiving = threading.Lock()
        self._is_closed = threading.Event()
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="remote")

    async def call(self, call: Callable[..., T], *args: Any, within: Bounds = bounds.SMALL) -> T:
        """Call the cloud in a thread.

        Args:
            call: Method of the cloud.
            *args: Its arguments.
            within: Bounds on each response.

        Raises:
            CloudError: The call failed, or its response was not understood or beyond the bounds.
            Refused: As in `Cloud`; likewise `NoSuchJob`, `NoProof` and `InvalidResult`.
        """
        return await self.call_in_turn(partial(call_within, within, partial(call, *args)))

    async def call_in_turn(self, call: Callable[[Turn], T]) -> T:
        """Call a function in a thread, with a turn that it may take until it returns.

        Raises:
            CloudError: As for `call`, and its other exceptions likewise.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._in_turn, call)
        except (CloudError, Refused, NoSuchJob, NoProof, InvalidResult):
            raise
        except Exception as error:
            raise not_understood(error) from None

    def _in_turn(self, call: Callable[[Turn], T]) -> T:
        with closing(_Turn(self._receiving, self._is_closed)) as turn:
            return call(turn)

    def is_id(self, text: str) -> bool:
        """Return whether a text can be an id: it is stored, shown, and a part of paths."""
        is_short = 1 <= len(text) <= _MAX_ID_CHARS
        has_key = any(len(each) >= MIN_SECRET_CHARS and each in text for each in self._secrets)
        return is_short and text.isprintable() and text not in _DOTS and not has_key

    def scrubbed(self, text: str) -> str:
        """Return a text of the cloud without the key, printable, and cut to 500 characters."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return "".join(each if each.isprintable() else " " for each in text[:500])

    def close(self) -> None:
        """Start no further calls; those that wait for a turn fail."""
        self._is_closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)


def call_within(limits: Bounds, call: Callable[[], T], turn: Turn) -> T:
    """Call a cloud within bounds.

    After a response beyond the bounds, the error says so, whatever the client made of it. A
    submission keeps its errors, which say whether a job may exist.

    Raises:
        BeyondBounds: A response is beyond the bounds.
        CloudError: As in `Cloud`, and its other exceptions likewise.
    """
    with bounds.within(limits, turn) as in_use:
        try:
            return call()
        except (NotAccepted, OutcomeUnknown):
            raise
        except CloudError:
            if in_use.exceeded:
                raise BeyondBounds(in_use.exceeded) from None
            raise


class _Turn:
    """Turn of one call: first at its cloud, then in the process; see `bounds.Turn`."""

    def __init__(self, receiving: threading.Lock, is_closed: threading.Event) -> None:
        self._left = [_PARSING, receiving]
        self._is_closed = is_closed
        self._held = ExitStack()

    def receive(self) -> None:
        self._take(1)

    def parse(self) -> None:
        self._take(0)

    def close(self) -> None:
        self._held.close()

    def _take(self, n_left: int) -> None:
        while len(self._left) > n_left:
            lock = self._left[-1]
            while not lock.acquire(timeout=_CHECK_S):
                if self._is_closed.is_set():
                    raise CloudError("the device was closed")
            self._left.pop()
            self._held.callback(lock.release)


class LeaseCheck(threading.local):
    """The lease check of the submission that this thread makes; each thread has its own.

    A client calls it before each request that may create a job. A sign-in may precede this request
    or its repetition, and meanwhile another server may adopt the job.
    """

    _require_lease: RequireLease | None = None

    @contextmanager
    def during(self, require_lease: RequireLease) -> Iterator[None]:
        """Use this check within the context."""
        self._require_lease = require_lease
        try:
            yield
        finally:
            self._require_lease = None

    def __call__(self) -> None:
        """Check the lease; outside a submission, do nothing.

        Raises:
            NotAccepted: Another server has the job, or this is unknown.
        """
        if self._require_lease is not None:
            self._require_lease()
