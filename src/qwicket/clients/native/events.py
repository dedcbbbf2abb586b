"""Parse event streams of a job or an account, and resume them after a lost connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from qwicket.clients.http import Attempts, InvalidResponse, NoResponse, Response
from qwicket.clients.native import wire
from qwicket.clients.native.errors import ClientError, UnexpectedResponse
from qwicket.clients.native.operations import job_path
from qwicket.clients.native.protocol import body_or_error, requested_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwicket.clients.native.protocol import Api, Send
    from qwicket.clients.native.views import JobView
    from qwicket.schema.jobs import JobBody

T = TypeVar("T")


_MAX_LINE_BYTES: Final = 1 << 20
"""Size in bytes above which an unfinished line is an error."""


@dataclass(frozen=True)
class Event:
    """One change of a job.

    Attributes:
        version: Rises with each change.
        state: State after the change.
        info: The server's document of the job at that time.
    """

    version: int
    state: str
    info: dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One change of a job of the account.

    Attributes:
        number: Rises with each change; `client.events(since=number)` continues after this one.
        job: Id of the job.
        state: State after the change.
        info: The server's document of the job at that time.
        body: The same document as a struct.
    """

    number: int
    job: str
    state: str
    info: dict[str, Any]
    body: JobBody


def job_stream(api: Api, job: JobView) -> EventStream[Event]:
    """Return the stream of a job's changes; each event updates `job`."""

    def event(number: int, document: dict[str, Any]) -> tuple[Event, bool]:
        job.update(document)
        return Event(number, job.state, document), job.is_final

    return EventStream(api, f"{job_path(job.id)}/stream", event)


def account_stream(api: Api, since: int | None) -> EventStream[Change]:
    """Return the stream of changes of all jobs of an account, without an end."""

    def change(number: int, document: dict[str, Any]) -> tuple[Change, bool]:
        job = wire.job(document)
        return Change(number, job.id, job.state, info=document, body=job), False

    return EventStream(api, "/v1/events", change, since)


class EventStream(Generic[T]):
    """Parser and reconnection state of a server-sent event stream, without I/O.

    Args:
        api: The server's API.
        path: Quoted path of the stream.
        event: Function of a number and a document that returns an event, and whether it is the
            last one.
        last: Number of the event after which the stream begins; by default the server chooses.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        event: Callable[[int, dict[str, Any]], tuple[T, bool]],
        last: int | None = None,
    ) -> None:
        self._api = api
        self._path = path
        self._make = event
        self._last = last
        self._rest = b""
        self._fields: dict[str, str] = {}
        self._attempts = Attempts(api.outage, api.clock)
        self._refusal: ClientError | None = None
        self._began_at = 0.0
        self.is_over = False

    def request(self) -> Send:
        """Return the request that opens the stream after the last event received."""
        self._rest, self._fields = b"", {}
        self._refusal = None
        self._began_at = self._api.clock.monotonic()
        self._attempts.begin()
        return self._api.stream(self._path, self._last)

    def feed(self, chunk: bytes | Response) -> Iterator[T]:
        """Parse a received chunk; yield the events that it completes.

        A response with another status than 200 comes as a whole, in place of chunks. If it is an
        error, `pause_s` handles it.

        Raises:
            UnexpectedResponse: A line is too long, an event is invalid, or a response without an
                error has another status than 200 and 204.
        """
        if isinstance(chunk, Response):
            self._handle_response(chunk)
            return
        if self._api.clock.monotonic() - self._began_at >= self._api.stream_policy.healthy_s:
            self._reset_attempts()
        *lines, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        if len(self._rest) > _MAX_LINE_BYTES:
            raise UnexpectedResponse(
                f"A line of the event stream exceeds {_MAX_LINE_BYTES:,} bytes."
            )
        for line in lines:
            if line:  # each document is one line of data; a comment gets the name ""
                name, _, value = line.decode("utf-8", "replace").partition(":")
                self._fields[name] = value.removeprefix(" ")
            else:
                yield from self._events()

    def pause_s(self, error: NoResponse | InvalidResponse | None) -> float:
        """Return the seconds to pause before the next connection.

        Args:
            error: Why the connection was lost; None if the server closed it.

        Raises:
            ClientError: The stream cannot continue.
        """
        found = body_or_error(error) if error else self._refusal
        assert not isinstance(found, bytes), "an error has no body"
        retry_after_s = 0.0 if found is None else requested_s(found)
        pause_s = self._attempts.pause_s(retry_after_s)
        if pause_s is None:
            raise found or UnexpectedResponse(
                f"The server ends every stream at {self._path} at once."
            )
        return pause_s

    def _handle_response(self, response: Response) -> None:
        """Note why a response is not a stream, for `pause_s`."""
        if response.status == 204:  # the last event was received before
            self.is_over = True
            return
        found = body_or_error(response)
        if isinstance(found, bytes):
            raise UnexpectedResponse(
                "The response is not a stream of events. Is the address right?"
            )
        self._refusal = found

    def _reset_attempts(self) -> None:
        """Reset the count of failures: a job may wait for days, with many reconnections."""
        self._attempts = Attempts(self._api.outage, self._api.clock)
        self._attempts.begin()  # the open connection is the first attempt

    def _events(self) -> Iterator[T]:
        """Yield the completed event if its id is valid; without data, only note where to resume."""
        fields, self._fields = self._fields, {}
        number = fields.get("id", "")
        if not (number.isascii() and number.isdigit() and len(number) < 20):
            return
        self._last = int(number)
        if "data" in fields:
            body = wire.decode(fields["data"].encode(), dict[str, Any])
            event, self.is_over = self._make(self._last, body)
            self._reset_attempts()
            yield event
