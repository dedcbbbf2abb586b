"""Notifications between the servers on one PostgreSQL database after their commits, by NOTIFY.

A notification may be lost with a connection. So all waiters read again after each reconnect, and
slow polls find the rest. A separate thread and connection send many changes in one notification,
because a NOTIFY inside the commits would serialise them.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import secrets
import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import psycopg

from qwicket.model.states import JobState
from qwicket.store.changes import JobChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwicket.store.changes import Changes

    Connection = psycopg.Connection[tuple[Any, ...]]

_CHANNEL: Final = "qwicket_changes"
_MAX_CHANGES: Final = 40
"""Changes per notification, whose text must have less than 8,000 bytes for PostgreSQL."""
_GATHER_S: Final = 0.005
"""Pause after sending: a busy server's changes are bundled, an idle one's are sent at once."""
_RETRY_S: Final = 0.5
"""Pause before the listener connects again."""

_log = logging.getLogger(__name__)


class _Notification(msgspec.Struct, array_like=True):
    """One notification: sender and changes."""

    sender: str
    changes: list[tuple[str, int, JobState, str]]


_decoder = msgspec.json.Decoder(_Notification)


class Notifier:
    """Sends the changes of this server, and publishes those of other servers here.

    Args:
        connect: Opens a connection in autocommit mode.
        changes: This server's hub. Without a running event loop nothing is received, because
            there are no waiters.
    """

    def __init__(self, connect: Callable[[], Connection], changes: Changes) -> None:
        self._connect = connect
        self._changes = changes
        self._sender = secrets.token_hex(8)
        self._loop = _running_loop()
        self._outbox: queue.SimpleQueue[list[JobChange] | None] = queue.SimpleQueue()
        self._is_closed = threading.Event()
        self._waking, self._woken = socket.socketpair()
        works = [self._send_all] if self._loop is None else [self._send_all, self._listen]
        self._threads = [
            threading.Thread(target=work, name="notifier", daemon=True) for work in works
        ]
        for thread in self._threads:
            thread.start()

    def send(self, changes: list[JobChange]) -> None:
        """Send changes to the other servers; returns at once."""
        if changes:
            self._outbox.put(changes)

    def close(self) -> None:
        """Send what is left and stop listening."""
        self._is_closed.set()
        self._outbox.put(None)
        self._waking.close()  # makes `_woken` readable, which ends the wait in `_receive_all`
        for thread in self._threads:
            thread.join()
        self._woken.close()

    def _send_all(self) -> None:
        connection: Connection | None = None
        for changes in self._bundles():
            notification = _Notification(self._sender, [change[:4] for change in changes])
            text = msgspec.json.encode(notification).decode()
            try:
                if connection is None:
                    connection = self._connect()
                connection.execute("select pg_notify(%s, %s)", (_CHANNEL, text))
            except psycopg.Error as error:
                _log.info("changes could not be sent to other servers: %s", error)
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _bundles(self) -> Iterator[list[JobChange]]:
        """Yield queued changes, as many at once as fit into one notification."""
        is_open = True
        while is_open:
            waiting: list[JobChange] = []
            changes = self._outbox.get()
            while changes is not None:
                waiting += changes
                if self._outbox.empty():
                    break
                changes = self._outbox.get()
            is_open = changes is not None
            for start in range(0, len(waiting), _MAX_CHANGES):
                yield waiting[start : start + _MAX_CHANGES]
            self._is_closed.wait(_GATHER_S)

    def _listen(self) -> None:
        while not self._is_closed.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"listen {_CHANNEL}")
                    self._on_loop(self._changes.resync)  # earlier notifications were missed
                    self._receive_all(connection)
            except psycopg.Error as error:
                _log.info("changes of other servers cannot be received: %s", error)
                self._is_closed.wait(_RETRY_S)

    def _receive_all(self, connection: Connection) -> None:
        waiting = select.poll()  # not select(), which takes no descriptor above 1,023
        waiting.register(connection, select.POLLIN)
        waiting.register(self._woken, select.POLLIN)
        while not self._is_closed.is_set():
            for notification in connection.notifies(timeout=0):
                self._receive(notification.payload)
            waiting.poll()

    def _receive(self, payload: str) -> None:
        try:
            notification = _decoder.decode(payload)
        except msgspec.DecodeError:
            _log.warning("a notification on %s is not of this format", _CHANNEL)
            return
        if notification.sender != self._sender:
            self._on_loop(
                self._changes.publish, [JobChange(*each) for each in notification.changes]
            )

    def _on_loop(self, call: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has closed
                self._loop.call_soon_threadsafe(call, *arguments)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
