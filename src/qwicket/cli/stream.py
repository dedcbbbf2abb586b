"""Server-sent events of `/v1`, read by a thread, resumed when the line breaks."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import urllib3
from urllib3.poolmanager import pool_classes_by_scheme

from qwicket.clients.http.timely import connections
from qwicket.clients.native import ApiError, BadAnswer, ClientError, Unreachable, wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qwicket.clients.native import Client

_READ_S: Final = 40.0
"""A server that says nothing for so long, not even that it is there, is gone."""
_CONNECT_S: Final = 10.0
_PAUSE_S: Final = 2.0
_OUTAGE_S: Final = 300.0
_MOST_CHARS: Final = 1 << 20
_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
_EVENT: Final = "job"
_MOST_WAITING: Final = 1000

Job = dict[str, Any]
"""A job's document."""


class _Ended(Exception):
    """There is nothing more to come."""


class Stream:
    """The events of one path, from when it is entered until it is left.

    Args:
        client: Whose server and token.
        path: Of a stream, quoted.
    """

    def __init__(self, client: Client, path: str) -> None:
        self._url, self._secret = client._transport.url, client._transport._secret
        self._connections = connections(self._url)
        # A stream may take longer than any answer: what bounds it is the time of each read.
        self._connections.pool_classes_by_scheme = pool_classes_by_scheme
        self._path = path
        self._told: queue.Queue[Job | ClientError] = queue.Queue(_MOST_WAITING)
        self._is_open = threading.Event()
        self._is_left = threading.Event()
        self._last: str | None = None

    def __enter__(self) -> Stream:
        threading.Thread(target=self._read, name="events", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._is_left.set()

    def wait_until_open(self) -> None:
        """Return when all that changes from now on will be told, or cannot be."""
        self._is_open.wait(_OUTAGE_S)

    def next(self, timeout_s: float) -> Job | None:
        """Return the next job that changed; None when none did within the time.

        Raises:
            ClientError: The server refuses, or was away for too long.
        """
        try:
            told = self._told.get(timeout=timeout_s) if timeout_s else self._told.get_nowait()
        except queue.Empty:
            return None
        if isinstance(told, ClientError):
            raise told
        return told

    def _read(self) -> None:
        try:
            self._read_on()
        except ClientError as error:
            self._put(error)
        finally:
            self._is_open.set()

    def _read_on(self) -> None:
        heard_at = time.monotonic()
        while not self._is_left.is_set():
            try:
                for job in self._once():
                    heard_at = time.monotonic()
                    self._is_open.set()
                    if job is not None:
                        self._put(job)
                    if self._is_left.is_set():
                        return
            except _Ended:
                return
            except (urllib3.exceptions.HTTPError, OSError):
                if time.monotonic() - heard_at > _OUTAGE_S:
                    raise Unreachable(f"{self._url} cannot be reached any more.") from None
            self._is_left.wait(_PAUSE_S)

    def _put(self, told: Job | ClientError) -> None:
        while not self._is_left.is_set():
            with contextlib.suppress(queue.Full):
                self._told.put(told, timeout=1.0)
                return

    def _once(self) -> Iterator[Job | None]:
        """Yield the jobs of one answer, and None for whatever else shows that it is alive.

        Raises:
            _Ended: There is nothing more to come.
            ClientError: The server refuses, or it is none of ours.
        """
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {self._secret}"}
        if self._last is not None:
            headers["Last-Event-ID"] = self._last
        answer = self._connections.urlopen(
            "GET",
            self._url + self._path,
            headers=headers,
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            if answer.status == 204:
                raise _Ended
            if answer.status in _AGAIN:
                return
            if answer.status != 200:
                raise ApiError(answer.status, wire.problem(answer.read(_MOST_CHARS)))
            yield from self._events(_lines(answer.stream(decode_content=True)))
        finally:
            answer.close()

    def _events(self, lines: Iterable[str]) -> Iterator[Job | None]:
        event, data = "", ""
        for line in lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                self._last = value
            elif name == "event":
                event = value
            elif name == "data":
                data = value
            elif not line:
                yield wire.read(data.encode(), dict[str, Any]) if event == _EVENT else None
                event = data = ""


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Cut a stream into its lines, whose ends our server writes as one LF."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
        if len(rest) > _MOST_CHARS:
            raise BadAnswer("The stream has a line without an end.")
