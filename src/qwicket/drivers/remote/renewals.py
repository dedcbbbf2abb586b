"""Access tokens and temporary keys: obtained when they are needed, and again before they end."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from qwicket.drivers.remote.clouds import NotAccepted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_USED_SHARE: Final = 0.8
"""Share of a life after which a token is renewed, as vendors' clients do."""
_MAX_LIFE_S: Final = 86_400.0
_UNKNOWN_LIFE_S: Final = 60.0


class Renewed(Generic[T]):
    """A token or a key that is renewed, for any number of threads.

    Args:
        obtain: Returns a new one, and its life in seconds, of which a server states anything.
        timeout_s: Seconds to wait while another thread obtains one.
    """

    def __init__(self, obtain: Callable[[], tuple[T, object]], timeout_s: float) -> None:
        self._obtain = obtain
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._current: T | None = None
        self._renew_at = 0.0

    def current(self) -> T:
        """Return one that is valid for some time.

        Raises:
            NotAccepted: There is none; `KeyRefused` if the key of the account is refused.
        """
        with self._locked():
            current = self._current
            if current is None or time.monotonic() >= self._renew_at:
                self._current, began = None, time.monotonic()
                current, life_s = self._obtain()
                self._renew_at = began + _USED_SHARE * _bounded(life_s)
                self._current = current
            return current

    def forget(self, refused: T) -> None:
        """Do not use one again that was refused."""
        with self._locked():
            if self._current == refused:
                self._current = None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=self._timeout_s):
            raise NotAccepted("the sign-in of another request has received no response yet")
        try:
            yield
        finally:
            self._lock.release()


def _bounded(stated: object) -> float:
    if isinstance(stated, int | float) and stated > 0:
        return min(stated, _MAX_LIFE_S)
    return _UNKNOWN_LIFE_S
