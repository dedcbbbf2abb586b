"""Errors of requests that got no valid response: the cause, and the remedy if known."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from qwicket.clients.http.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator

URL_SOURCE: Final = "QWICKET_URL"
"""Setting that holds the address unless a caller names another."""
PROXY_FAILED: Final = "the proxy cannot connect"
NO_CONNECTION: Final = "the connection failed"
CONNECT_TIMEOUT: Final = "no connection was made in time"


class NoResponse(Exception):
    """No complete response arrived; repeating the request may help.

    Attributes:
        was_sent: Whether the request may have arrived.
        is_not_started: Whether no server listens at an address of this machine that has never
            answered. A restarting server has answered before, so this one was not started, and
            repeating the request does not help.
    """

    def __init__(self, text: str, *, was_sent: bool, is_not_started: bool = False) -> None:
        self.was_sent = was_sent
        self.is_not_started = is_not_started
        super().__init__(text)


class InvalidResponse(Exception):
    """TLS failed, or the response is not as expected; repeating the request does not help.

    Attributes:
        status: HTTP status of a response with unexpected content; None otherwise.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True)
class ExceptionKinds:
    """Meaning of the exceptions of an HTTP library.

    Attributes:
        never_sent: Exceptions before a request is sent, each with its cause; the first that
            applies counts.
        timeouts: Exceptions of a timeout.
    """

    never_sent: tuple[tuple[type[Exception], str], ...]
    timeouts: tuple[type[Exception], ...]


def error_of_exception(
    url: str, error: Exception, kinds: ExceptionKinds, *, has_answered: bool, url_source: str
) -> NoResponse | InvalidResponse:
    """Return the error for an exception of an HTTP library.

    Args:
        url: Address of the server.
        error: The library's exception.
        kinds: Meaning of its exceptions.
        has_answered: Whether the server is known to run.
        url_source: Setting that the message tells the user to change, such as `--url`.
    """
    causes = [*causes_of(error)]
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return InvalidResponse(tls_failure(url, error))
    if is_connection_refused(error) and is_this_machine(url):
        text = no_server_message(url, is_not_started=not has_answered, url_source=url_source)
        return NoResponse(text, was_sent=False, is_not_started=not has_answered)
    # Only the exception itself shows what was sent: its causes may be of an earlier attempt.
    for kind, why in kinds.never_sent:
        if isinstance(error, kind):
            if why == NO_CONNECTION and any(isinstance(each, socket.gaierror) for each in causes):
                why = "the host name cannot be resolved"
            return NoResponse(f"{url} cannot be reached: {why}.", was_sent=False)
    is_late = isinstance(error, kinds.timeouts)
    why = "no response came in time" if is_late else "the connection broke"
    return NoResponse(f"{url} cannot be reached: {why}.", was_sent=True)


def tls_failure(url: str, error: Exception) -> str:
    """Return a sentence for a failed TLS handshake.

    Args:
        url: Address of the server.
        error: Error that may wrap one of `ssl`.
    """
    cause = next((link for link in causes_of(error) if isinstance(link, ssl.SSLError)), None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"TLS with {url} failed: its certificate is not trusted"
            f" ({sanitize(cause.verify_message)}). If a private authority signed it, put the path"
            " of the authority's certificate into SSL_CERT_FILE."
        )
    if cause is not None and cause.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
        http_url = "http" + url.removeprefix("https")
        return f"TLS with {url} failed: the server there uses HTTP. Use {http_url} instead."
    return f"TLS with {url} failed: {sanitize(str(error))}."


def is_connection_refused(error: Exception) -> bool:
    """Return whether the connection was refused: no server listens at the address."""
    return any(isinstance(link, ConnectionRefusedError) for link in causes_of(error))


def no_server_message(url: str, *, is_not_started: bool, url_source: str = URL_SOURCE) -> str:
    """Return a sentence for an address at which no server listens.

    Args:
        url: Address of the server.
        is_not_started: Whether the address is on this machine and has never answered.
        url_source: Setting that the message tells the user to change, such as `--url`.
    """
    text = f"{url} cannot be reached: no server listens there."
    if not is_not_started:
        return text
    return (
        f"{text} Is the server running? Start it with `qwicket serve`,"
        f" or put its address into {url_source}."
    )


def message_if_not_started(url: str, error: Exception, url_source: str = URL_SOURCE) -> str | None:
    """Return a sentence if this machine refused the connection; None otherwise.

    Args:
        url: Address of the server.
        error: Why a request failed.
        url_source: Setting that the message tells the user to change, such as `--url`.
    """
    is_not_started = is_connection_refused(error) and is_this_machine(url)
    return (
        no_server_message(url, is_not_started=True, url_source=url_source)
        if is_not_started
        else None
    )


def is_this_machine(url: str) -> bool:
    """Return whether an address is on the loopback interface."""
    return is_loopback(urlsplit(url).hostname or "")


def is_loopback(host: str) -> bool:
    """Return whether a host name or an address without brackets is on the loopback interface."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, including those that urllib3 has in `args`."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        error = error.__cause__ or inner or error.__context__
