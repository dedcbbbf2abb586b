"""Changes to `requests`: deadlines, bounds, and no credentials in redirects to other servers."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import RequestException
from urllib3 import exceptions as urllib3_errors

from qwicket.clients.http import addresses, bounds, deadline_connections
from qwicket.clients.http.bounds import BeyondBounds
from qwicket.clients.http.text import scheme_and_host

if TYPE_CHECKING:
    import urllib3
    from requests import PreparedRequest, Response, Session


def drop_credentials(redirected: PreparedRequest, response: Response, *names: str) -> None:
    """Remove headers with credentials from a redirect to another scheme, host or port.

    It replaces the body of `Session.rebuild_auth`, which would add credentials from `.netrc`.
    """
    if addresses.origin(redirected.url or "") != addresses.origin(response.request.url or ""):
        for name in ("Authorization", *names):
            redirected.headers.pop(name, None)


class DeadlineAdapter(HTTPAdapter):
    """Adapter of `requests` whose requests end by the deadline of `ends_by`.

    Within `bounds.within` it asks for uncompressed responses, and reads them within the bounds and
    as UTF-8.
    """

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if bounds.current() is None:
            return super().send(request, *args, **kwargs)
        request.headers["Accept-Encoding"] = "identity"
        url = scheme_and_host(request.url or "")
        try:
            response = super().send(request, *args, **kwargs)
            with closing(response.raw):
                response._content = bounds.body_of(
                    response.raw, url
                )  # `requests` would join chunks
        except BeyondBounds as error:
            raise RequestException(str(error), request=request) from None
        except (urllib3_errors.HTTPError, HTTPException, OSError) as error:
            if isinstance(error, RequestException):
                raise
            raise NoConnection(error, request=request) from error
        response._content_consumed = True  # type: ignore[attr-defined]  # the stubs lack it
        # Else the other machine chooses how its text is decoded: as punycode, 4 MB would take half
        # an hour of a processor, and UTF-7 hides brackets from the bounds.
        response.encoding = "utf-8"
        return response

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = deadline_connections.DEADLINE_POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = deadline_connections.DEADLINE_POOLS
        return manager


def mount_deadline_adapters(session: Session) -> None:
    """Let all requests of a session obey `ends_by` and `bounds.within`."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, DeadlineAdapter())
