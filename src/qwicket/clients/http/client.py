"""A line to one server: a request goes out once, a whole answer comes back in time, or an error.

Redirects are not followed: credentials stay where they belong. What leaves here knows no secret.
"""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Final

import urllib3
from urllib3 import exceptions as broken

from qwicket.clients.http import deadline_connections, deadlines, failures
from qwicket.clients.http.text import address, redacted, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONNECT_S: Final = 10.0
MOST_BYTES: Final = 512 << 20
_CHUNK_BYTES: Final = 64 << 10

_NEVER_SENT: Final = (
    (broken.ProxyError, "the proxy makes no connection"),
    (broken.NameResolutionError, "the name is not known"),
    (broken.NewConnectionError, "there is no connection"),
    (broken.ConnectTimeoutError, "no connection was made in time"),
)


class NoResponse(Exception):
    """No whole answer came; another try may help.

    Attributes:
        was_sent: Whether the request may have arrived.
        is_absent: Whether nobody listens at an address of this machine, which never answered: a
            server that restarts did, so this one was not started, and another try does not help.
    """

    def __init__(self, text: str, *, was_sent: bool, is_absent: bool = False) -> None:
        self.was_sent = was_sent
        self.is_absent = is_absent
        super().__init__(text)


class InvalidResponse(Exception):
    """What is there is not the server that was meant; another try does not help.

    Attributes:
        status: HTTP status of an answer whose content is of another API; None otherwise.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True)
class Request:
    """One request. What may hold a secret is not shown, its path and body included.

    Attributes:
        method: HTTP method.
        path: Path and query below the server's address, quoted.
        headers: All headers that matter.
        body: Bytes to send.
        limit_s: Seconds for the whole answer; a large one may take longer, a slow one may not.
        secrets: Texts that the answer may not repeat.
        can_repeat: Whether the server may carry it out twice.
        can_be_empty: Whether the answer may have no body.
        also_read: Status of 400 or more whose answer is read like a good one.
    """

    method: str
    path: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    limit_s: float = 0.0
    secrets: Sequence[str] = field(default=(), repr=False)
    can_repeat: bool = True
    can_be_empty: bool = False
    also_read: int | None = None


@dataclass(frozen=True)
class Response:
    """What came back: a status below 300 with a body, or one of 400 and more."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def status_code(self) -> int:
        """The status, by the name that it has in `requests` and `httpx`."""
        return self.status


def validated(answer: Response, url: str, request: Request) -> Response:
    """Return an answer that may leave: without secrets, and from the server that was meant.

    Raises:
        NoResponse: It is empty.
        InvalidResponse: It is a redirect.
    """
    if answer.status >= 400:
        told = ((name, redacted(text, request.secrets)) for name, text in answer.headers.items())
        content = redacted(answer.text, request.secrets).encode()
        return Response(answer.status, urllib3.HTTPHeaderDict(told), content)
    if answer.status >= 300:
        where = without_credentials(redacted(answer.headers.get("Location", ""), request.secrets))
        to = f" to {where}" if where else ""
        raise InvalidResponse(f"{url} redirects{to}; this is not followed.")
    if not answer.content and not request.can_be_empty:  # a head that breaks off looks like this
        raise NoResponse(f"{url} cannot be reached: the answer is empty.", was_sent=True)
    return answer


class HTTPClient:
    """Connections to one server, for any number of threads.

    Args:
        url: Address of the server.
        refuse: What to raise when the address, or the environment's proxy, cannot be used.
        most_bytes: Size of the largest answer.
        has_answered: Whether the server is known to run.
        url_source: Where the address comes from, for the error where no server runs.
    """

    def __init__(
        self,
        url: str,
        refuse: type[Exception],
        most_bytes: int | None = None,
        *,
        has_answered: bool = False,
        url_source: str = failures.URL_SOURCE,
    ) -> None:
        self.url = address(url, refuse)
        self._most_bytes = MOST_BYTES if most_bytes is None else most_bytes
        self._has_answered = has_answered
        self._url_source = url_source
        try:
            self._kept = deadline_connections.connections(self.url)
        except broken.HTTPError:
            pass  # its text may quote the proxy's password
        else:
            return
        raise refuse("The proxy that the environment names cannot be used.")

    def __repr__(self) -> str:
        return f"<HTTPClient to {self.url}>"

    def exchange(self, request: Request) -> Response:
        """Send a request once.

        A request that may not be repeated has a connection of its own: the server may have closed a
        kept one just now, and then nobody can tell whether the request arrived.

        Raises:
            NoResponse: The server gave no whole answer.
            InvalidResponse: TLS failed, the answer is a redirect, or too large.
        """
        own = None if request.can_repeat else deadline_connections.connections(self.url)
        with own or nullcontext(self._kept) as connections:
            answer = self._ask(connections, request)
        return validated(answer, self.url, request)

    def stream(self, request: Request) -> Iterator[bytes | Response]:
        """Yield a good answer's body piece by piece while it comes, or another answer as a whole.

        Raises:
            NoResponse: The stream broke off, or the time is over.
            InvalidResponse: TLS failed, or the answer is a redirect.
        """
        with deadline_connections.connections(self.url) as connections:
            for piece in self._pieces(connections, request):
                if isinstance(piece, NoResponse | InvalidResponse):
                    raise piece  # out here, so that no chain leads to an object with the request
                yield validated(piece, self.url, request) if isinstance(piece, Response) else piece

    def _pieces(
        self, connections: urllib3.PoolManager, request: Request
    ) -> Iterator[bytes | Response | NoResponse | InvalidResponse]:
        try:
            with closing(self._opened(connections, request)) as response:
                if response.status != 200:
                    yield Response(response.status, response.headers, self._content(response))
                else:
                    yield from response.stream(_CHUNK_BYTES)
        except (broken.HTTPError, HTTPException, OSError) as error:
            failure = self._failed(error)
        else:
            return
        yield failure

    def close(self) -> None:
        self._kept.clear()

    def _ask(self, connections: urllib3.PoolManager, request: Request) -> Response:
        try:
            with closing(self._opened(connections, request)) as response:
                self._has_answered = True
                return Response(response.status, response.headers, self._content(response))
        except (broken.HTTPError, HTTPException, OSError) as error:
            failure = self._failed(error)
        # Raised out here, so that no chain leads to an object that knows the request.
        raise failure

    def _opened(
        self, connections: urllib3.PoolManager, request: Request
    ) -> urllib3.BaseHTTPResponse:
        limit_s = deadlines.within(request.limit_s)
        return connections.urlopen(
            request.method,
            self.url + request.path,
            body=request.body,
            headers=request.headers,
            timeout=urllib3.Timeout(connect=min(limit_s, CONNECT_S), total=limit_s),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def _content(self, response: urllib3.BaseHTTPResponse) -> bytes:
        content = bytearray()
        for chunk in response.stream(_CHUNK_BYTES):
            content += chunk
            if len(content) > self._most_bytes:
                raise InvalidResponse(f"{self.url} sends more than {self._most_bytes} bytes.")
        return bytes(content)

    def _failed(self, error: Exception) -> NoResponse | InvalidResponse:
        if isinstance(error, broken.SSLError):
            return InvalidResponse(failures.tls_failure(self.url, error))
        if failures.is_refused(error) and failures.is_this_machine(self.url):
            is_absent = not self._has_answered
            text = failures.not_connected(
                self.url, is_absent=is_absent, url_source=self._url_source
            )
            return NoResponse(text, was_sent=False, is_absent=is_absent)
        for kind, why in _NEVER_SENT:
            if isinstance(error, kind):
                return NoResponse(f"{self.url} cannot be reached: {why}.", was_sent=False)
        is_late = isinstance(error, broken.TimeoutError | TimeoutError)
        why = "no answer came in time" if is_late else "the connection broke"
        return NoResponse(f"{self.url} cannot be reached: {why}.", was_sent=True)
