"""Streams of events of a job or an account: read piece by piece, resumed where they broke."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from qwicket.clients.http import Attempts, InvalidResponse, NoResponse, Response
from qwicket.clients.native import wire
from qwicket.clients.native.errors import BadAnswer, ClientError
from qwicket.clients.native.operations import path_of
from qwicket.clients.native.plans import asked_s, validated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwicket.clients.native.plans import Api, Send
    from qwicket.clients.native.views import JobView
    from qwicket.schema.jobs import JobBody

T = TypeVar("T")


_MOST_LINE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Event:
    """One change of a job.

    Attributes:
        version: Rises with each change.
        state: Which the job has since.
        info: All that the server said of the job then.
    """

    version: int
    state: str
    info: dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One change of a job of the account.

    Attributes:
        number: Rises with each change; `client.events(since=number)` goes on after this one.
        job: Id of the job.
        state: Which the job has since.
        info: All that the server said of the job then.
        body: The same as a struct.
    """

    number: int
    job: str
    state: str
    info: dict[str, Any]
    body: JobBody


def of_job(api: Api, job: JobView) -> Following[Event]:
    """Return what follows a job to its end, and tells it each news."""

    def event(number: int, body: dict[str, Any]) -> tuple[Event, bool]:
        job.see(body)
        return Event(number, job.state, body), job.is_final

    return Following(api, f"{path_of(job.id)}/stream", event)


def of_account(api: Api, since: int | None) -> Following[Change]:
    """Return what follows all jobs of an account, without an end."""

    def change(number: int, body: dict[str, Any]) -> tuple[Change, bool]:
        job = wire.job(body)
        return Change(number, job.id, job.state, body, job), False

    return Following(api, "/v1/events", change, since)


class Following(Generic[T]):
    """A stream being followed; knows what came and what to ask for, does no I/O.

    Args:
        api: Where it is.
        path: Of the stream, quoted.
        event: Makes an event of a number and a document; says whether it was the last one.
        last: Number of the event after which the stream begins; by default it is the server's
            affair.
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
        self._tries = Attempts(api.outage)
        self._refusal: ClientError | None = None
        self._began_at = 0.0
        self.is_over = False

    def request(self) -> Send:
        """Return what to ask for now."""
        self._rest, self._fields = b"", {}
        self._refusal = None
        self._began_at = time.monotonic()
        self._tries.begin()
        return self._api.stream(self._path, self._last)

    def feed(self, piece: bytes | Response) -> Iterator[T]:
        """Take what arrived; yield the events that are complete with it.

        Raises:
            ClientError: It is no stream of events.
        """
        if isinstance(piece, Response):
            self._refused(piece)
            return
        if time.monotonic() - self._began_at >= self._api.stream_policy.healthy_s:
            self._forgive()
        *lines, self._rest = (self._rest + piece).replace(b"\r\n", b"\n").split(b"\n")
        if len(self._rest) > _MOST_LINE_BYTES:
            raise BadAnswer("The stream of events has a line without an end.")
        for line in lines:
            if line:
                name, _, value = line.decode("utf-8", "replace").partition(":")
                self._fields[name] = value.removeprefix(" ")
            else:
                yield from self._events()

    def pause_s(self, error: NoResponse | InvalidResponse | None) -> float:
        """Return the seconds to pause before the stream is taken up again.

        Args:
            error: Why it broke off; None when it ended.

        Raises:
            ClientError: It is not taken up again.
        """
        found = validated(error) if error else self._refusal
        assert not isinstance(found, bytes), "an error is no answer"
        wished_s = 0.0 if found is None else asked_s(found)
        pause_s = self._tries.pause_s(wished_s)
        if pause_s is None:
            raise found or BadAnswer("The server's streams of events end at once, again and again.")
        return pause_s

    def _refused(self, response: Response) -> None:
        if response.status == 204:  # it was told the end
            self.is_over = True
            return
        found = validated(response)
        if isinstance(found, bytes):
            raise BadAnswer("The answer is no stream of events. Is the address right?")
        self._refusal = found

    def _forgive(self) -> None:
        """Forget the failures so far: jobs may wait for days, and streams break and are resumed."""
        self._tries = Attempts(self._api.outage)
        self._tries.begin()

    def _events(self) -> Iterator[T]:
        """Yield the event that is complete; a number alone says where later ones begin."""
        fields, self._fields = self._fields, {}
        number = fields.get("id", "")
        if not (number.isascii() and number.isdigit() and len(number) < 20):
            return
        self._last = int(number)
        if "data" in fields:
            body = wire.read(fields["data"].encode(), dict[str, Any])
            event, self.is_over = self._make(self._last, body)
            self._forgive()
            yield event
