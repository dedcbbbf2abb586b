"""Plans driven by a thread: it sends, pauses, and tells the plan what came."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from qwicket.clients.http import HTTPClient, InvalidResponse, NoResponse, RetryPolicy
from qwicket.clients.http.failures import URL_SOURCE
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.native.errors import ClientError
from qwicket.clients.native.plans import (
    NO_HEADERS,
    RETRY_POLICY,
    STREAM_POLICY,
    Api,
    Outcome,
    Pause,
    Plan,
    Send,
    StreamPolicy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qwicket.clients.native.events import Following

T = TypeVar("T")


class Transport:
    """Requests to one server with one token, for any number of threads.

    Args:
        url: Address of the server.
        token: The secret.
        timeout_s: Time for one answer; a large one may take longer, a slow one may not.
        retry_policy: How long requests are tried again.
        outage: How long a wait outlasts a server that is away.
        most_bytes: Size of the largest answer.
        stream_policy: When streams of events are reopened.
        url_source: Where the address comes from, for the error where no server runs.

    Raises:
        ClientError: The address or the token cannot be one.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout_s: float,
        retry_policy: RetryPolicy = RETRY_POLICY,
        outage: RetryPolicy = OUTAGE,
        most_bytes: int | None = None,
        *,
        stream_policy: StreamPolicy = STREAM_POLICY,
        url_source: str = URL_SOURCE,
    ) -> None:
        self._http = HTTPClient(url, ClientError, most_bytes, url_source=url_source)
        self.url = self._http.url
        self.api = Api(token, timeout_s, retry_policy, outage, self.url, stream_policy)

    def __repr__(self) -> str:
        return f"<Transport {self.url}>"

    def run(self, plan: Plan[T]) -> T:
        """Do what a plan says; return what it returns."""
        told: Outcome = None
        while True:
            try:
                step = plan.send(told)
            except StopIteration as end:
                value: T = end.value
                return value
            told = self._do(step)

    def get(self, path: str, of: type[T]) -> T:
        """Read, as `Api.get` says."""
        return self.run(self.api.get(path, of))

    def post(self, path: str, body: Any, of: type[T], *, key: str | None = None) -> T:
        """Write, as `Api.post` says."""
        return self.run(self.api.post(path, body, of, key=key))

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        of: type[T],
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        hold_s: float = 0.0,
    ) -> T:
        """Write, as `Api.send` says."""
        return self.run(self.api.send(method, path, body, of, headers=headers, hold_s=hold_s))

    def follow(self, following: Following[T]) -> Iterator[T]:
        """Yield the events of a stream, which is taken up again where it broke, to its end.

        Raises:
            ClientError: It is not to be had, or no longer.
        """
        while not following.is_over:
            failure: NoResponse | InvalidResponse | None = None
            try:
                for piece in self._http.stream(following.request()):
                    yield from following.feed(piece)
            except (NoResponse, InvalidResponse) as error:
                failure = error
            if not following.is_over:
                time.sleep(following.pause_s(failure))

    def close(self) -> None:
        self._http.close()

    def _do(self, step: Send | Pause) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.exchange(step)
        except (NoResponse, InvalidResponse) as error:
            return error
