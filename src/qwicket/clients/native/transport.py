"""Run the client's operations in the calling thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from qwicket.clients.http import (
    SYSTEM_CLOCK,
    HTTPClient,
    InvalidResponse,
    NoResponse,
    Response,
    RetryPolicy,
)
from qwicket.clients.http.failures import URL_SOURCE
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.native.errors import ClientError
from qwicket.clients.native.protocol import (
    NO_HEADERS,
    RETRY_POLICY,
    STREAM_POLICY,
    Api,
    Download,
    OperationRunner,
    Pause,
    Send,
    StepResult,
    StreamPolicy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qwicket.clients.http import Clock
    from qwicket.clients.native.events import EventStream

T = TypeVar("T")


class Transport(OperationRunner):
    """Requests to one server with one token, for any number of threads.

    Args:
        url: Address of the server.
        token: The secret.
        timeout_s: Seconds for a response; each 16 KiB extend them by a second.
        retry_policy: When requests are repeated.
        outage: When requests are repeated within a wait.
        max_bytes: Largest response in bytes, except streams and downloads; by default 512 MiB.
        stream_policy: When streams are reopened.
        url_source: Where the address comes from, for the error if no server runs there.
        clock: Clock for deadlines and pauses.

    Raises:
        ClientError: The address or the token is invalid.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout_s: float,
        retry_policy: RetryPolicy = RETRY_POLICY,
        outage: RetryPolicy = OUTAGE,
        max_bytes: int | None = None,
        *,
        stream_policy: StreamPolicy = STREAM_POLICY,
        url_source: str = URL_SOURCE,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._http = HTTPClient(url, ClientError, max_bytes, url_source=url_source)
        self.url = self._http.url
        super().__init__(
            Api(token, timeout_s, retry_policy, outage, self.url, stream_policy, clock)
        )

    def __repr__(self) -> str:
        return f"<Transport {self.url}>"

    def get(self, path: str, of: type[T]) -> T:
        """Run `Api.get`."""
        return self.run(self.api.get(path, of))

    def post(self, path: str, body: Any, of: type[T], *, key: str | None = None) -> T:
        """Run `Api.post`."""
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
        """Run `Api.send`."""
        return self.run(self.api.send(method, path, body, of, headers=headers, hold_s=hold_s))

    def follow(self, stream: EventStream[T]) -> Iterator[T]:
        """Yield the events of a stream to its end; reconnect after the last event received.

        Raises:
            ClientError: The server refused the stream, or was away for too long.
        """
        while not stream.is_over:
            failure: NoResponse | InvalidResponse | None = None
            try:
                for chunk in self._http.stream(stream.request()):
                    yield from stream.feed(chunk)
            except (NoResponse, InvalidResponse) as error:
                failure = error
            if not stream.is_over:
                self.api.clock.sleep(stream.pause_s(failure))

    def close(self) -> None:
        self._http.close()

    def _do(self, step: Send | Pause) -> StepResult:
        if isinstance(step, Pause):
            self.api.clock.sleep(step.seconds)
            return None
        try:
            if isinstance(step, Download):
                return self._download(step)
            return self._http.exchange(step)
        except (NoResponse, InvalidResponse) as error:
            return error

    def _download(self, step: Download) -> Response:
        assert step.file is not None, "a download has a file"
        step.file.seek(0)
        step.file.truncate()
        for chunk in self._http.stream(step):
            if isinstance(chunk, Response):
                return chunk
            step.file.write(chunk)
        return Response(200, {}, b"")
