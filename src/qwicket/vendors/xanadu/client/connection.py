"""`Connection`: requests with an access token that is renewed after status 401."""

from __future__ import annotations

from dataclasses import fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import requests
from requests.exceptions import HTTPError, RequestException
from urllib3.exceptions import NameResolutionError

from qwicket.clients.http import SYSTEM_CLOCK, failures, redact, sanitize
from qwicket.clients.http.addresses import is_qwicket_token, refuse_qwicket_token
from qwicket.clients.http.failures import URL_SOURCE
from qwicket.clients.http.requests_adapter import drop_credentials, mount_deadline_adapters
from qwicket.clients.http.text import MIN_SECRET_CHARS
from qwicket.vendors.xanadu.client import responses
from qwicket.vendors.xanadu.client.settings import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    HOST_ARGUMENTS,
    Settings,
    qwicket_server,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.clients.http import Clock

_API_VERSION: Final = "0.4.0"
SIGN_IN_PATH: Final = "/auth/realms/platform/protocol/openid-connect/token"


class _Session(requests.Session):
    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Remove the token for a redirect to another origin; use no `.netrc`."""
        drop_credentials(prepared_request, response)


class Connection:
    """Connection to a server with Xanadu Cloud's API.

    Args:
        refresh_token: API key for fetching access tokens.
        access_token: Access token; with a refresh token, the connection replaces a missing, wrong
            or expired one.
        host: Host name or address of the server. Without one, a Qwicket token goes to the server in
            `QWICKET_URL`, which is then also the default of `port` and `tls`.
        port: Port of the server.
        tls: Whether to use HTTPS.
        headers: Headers of requests; they replace the default ones. Of these, a request for an
            access token has only `Accept-Version` and `User-Agent`.
        timeout_s: Seconds to connect, and for the next byte of a response, of requests without
            `timeout`.
        clock: Clock for the deadlines and pauses of waits.

    Raises:
        ValueError: Both tokens are None, or a Qwicket token would be sent to Xanadu: there is
            neither a host nor `QWICKET_URL`.
    """

    def __init__(
        self,
        refresh_token: str | None = None,
        access_token: str | None = None,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        tls: bool = True,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if refresh_token is None and access_token is None:
            raise ValueError("A connection needs a refresh token or an access token.")
        host_source = HOST_ARGUMENTS
        server = qwicket_server()
        if host == DEFAULT_HOST and server and is_qwicket_token(refresh_token or access_token):
            host, host_source = server.host, URL_SOURCE
            port = server.port if port == DEFAULT_PORT else port
            tls = server.tls and tls
        if host == DEFAULT_HOST:
            for token in (refresh_token, access_token):
                refuse_qwicket_token(token, host, ValueError)
        self._refresh_token = refresh_token
        self._access_token = access_token
        self._host = host
        self._port = port
        self._tls = tls
        self._headers = dict(headers or {})
        self._timeout_s = timeout_s
        self.clock = clock
        self._host_source = host_source

    @classmethod
    def load(cls, settings: Settings | None = None, **kwargs: Any) -> Connection:
        """Return a connection from settings, by default from the environment and the file.

        Args:
            settings: Tokens and address.
            **kwargs: Arguments of the constructor, which replace the settings.

        Raises:
            ValueError: A setting is invalid, or as for the constructor.
        """
        # The settings get the arguments too: the address decides whether `QWICKET_TOKEN` is used.
        of_settings = {each.name for each in fields(Settings)}
        given = {name.upper(): kwargs[name] for name in kwargs if name.upper() in of_settings}
        found = settings or Settings(**given)
        known = {
            "refresh_token": found.REFRESH_TOKEN,
            "access_token": found.ACCESS_TOKEN,
            "host": found.HOST,
            "port": found.PORT,
            "tls": found.TLS,
        }
        if found.has_qwicket_token and any(
            kwargs.get(name, known[name]) != known[name] for name in ("host", "port", "tls")
        ):
            known["refresh_token"] = None
        made = cls(**{**known, **kwargs})
        if "host" not in kwargs:
            made._host_source = found.host_source
        return made

    @property
    def access_token(self) -> str | None:
        """Access token; None until the first one is fetched."""
        return self._access_token

    @property
    def refresh_token(self) -> str | None:
        """Token for fetching access tokens."""
        return self._refresh_token

    @property
    def tls(self) -> bool:
        """Whether requests use HTTPS."""
        return self._tls

    @property
    def scheme(self) -> str:
        """Scheme of the address: `https` or `http`."""
        return "https" if self._tls else "http"

    @property
    def host(self) -> str:
        """Host name or address of the server."""
        return self._host

    @property
    def port(self) -> int:
        """Port of the server."""
        return self._port

    @property
    def api_version(self) -> str:
        """Header Accept-Version."""
        return self._headers.get("Accept-Version", _API_VERSION)

    @property
    def user_agent(self) -> str:
        """Header User-Agent."""
        return self._headers.get("User-Agent", f"Qwicket/{version('qwicket')} (API)")

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the next request."""
        return {
            "Accept-Version": self.api_version,
            "Authorization": f"Bearer {self._access_token}",
            "User-Agent": self.user_agent,
            **self._headers,
        }

    def __repr__(self) -> str:
        return (
            f"<Connection: refresh_token={_masked(self._refresh_token)}, "
            f"access_token={_masked(self._access_token)}, url={self.url()}>"
        )

    def url(self, path: str = "") -> str:
        """Return the address of a path, always with the port."""
        host = f"[{self._host}]" if ":" in self._host else self._host  # an address of IPv6
        return f"{self.scheme}://{host}:{self._port}/{path.lstrip('/')}"

    def ping(self) -> requests.Response:
        """Check that the server runs and accepts the token; return its response.

        Raises:
            requests.exceptions.RequestException: The request failed; see `request`.
        """
        return self.request("GET", "/healthz")

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Send a request; after status 401, fetch an access token and repeat the request once.

        Without a refresh token, status 401 is an error.

        Args:
            method: HTTP method.
            path: Path on the server.
            **kwargs: Arguments of `requests.request`. `headers` are added to the connection's;
                `timeout` defaults to the connection's; redirects are only followed with
                `allow_redirects=True`.

        Raises:
            requests.exceptions.RequestException: There was no response, a redirect, or a status
                from 400. The text is the server's message, which is not read with `stream=True`.
        """
        extra = kwargs.pop("headers", None) or {}
        url = self.url(path)
        response = self._send(method, url, {**self.headers, **extra}, kwargs)
        if response.status_code == 401 and self._refresh_token is not None:
            response.close()
            self.update_access_token()
            response = self._send(method, url, {**self.headers, **extra}, kwargs)
        message = None if kwargs.get("stream") else responses.error_message(response)
        self._check(response, message)
        return response

    def update_access_token(self) -> None:
        """Fetch an access token with the refresh token.

        Raises:
            requests.exceptions.RequestException: The request failed, or there is no refresh token.
        """
        if self._refresh_token is None:
            raise RequestException("Fetching an access token needs a refresh token.")
        form = {
            "grant_type": "refresh_token",
            "client_id": "public",
            "refresh_token": self._refresh_token,
        }
        headers = {"Accept-Version": self.api_version, "User-Agent": self.user_agent}
        response = self._send("POST", self.url(SIGN_IN_PATH), headers, {"data": form})
        self._check(response, responses.grant_error(response))
        self._access_token = responses.text(response, "access_token")

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], kwargs: Mapping[str, Any]
    ) -> requests.Response:
        """Send one request. Its errors have no context, because that would contain the secrets."""
        kind: type[RequestException] = RequestException
        try:
            # An `auth` that adds nothing, because otherwise a `.netrc` would replace the header.
            given = {"auth": _unchanged, "allow_redirects": False, **kwargs}
            timeout = given.pop("timeout", self._timeout_s)
            with _Session() as session:
                mount_deadline_adapters(session)
                return session.request(method, url, headers=headers, timeout=timeout, **given)
        except requests.exceptions.Timeout:
            kind, text = requests.exceptions.Timeout, f"{method} request to '{url}' timed out"
        except requests.exceptions.ConnectionError as error:
            kind, text = requests.exceptions.ConnectionError, self._connection_error(error)
        except (requests.exceptions.InvalidHeader, UnicodeError):
            text = "A token or header contains characters that a header cannot have."
        except RequestException as error:
            text = self._shown(str(error))
        raise kind(text)

    def _connection_error(self, error: requests.exceptions.ConnectionError) -> str:
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(reason, NameResolutionError):
            return f"Failed to resolve hostname '{self._host}'"
        absent = failures.message_if_not_started(self.url().rstrip("/"), error, self._host_source)
        return absent or self._shown(str(error))

    def _check(self, response: requests.Response, message: str | None) -> None:
        """Raise an error for a status from 300; `message` is the one in the response's body."""
        if response.status_code < 300:
            return
        text = message
        if response.status_code < 400:
            text = f"{response.url} redirects elsewhere. Is the address right?"
        elif text is None:
            try:
                response.raise_for_status()
            except HTTPError as error:
                text = str(error)
        if text is not None:
            response.close()  # a streamed response would keep its socket open
            raise HTTPError(self._shown(text), response=response)

    def _shown(self, text: str) -> str:
        """Return a text without secrets, shortened."""
        bearer = self._headers.get("Authorization", "").partition(" ")[2]
        secrets = [self._refresh_token, self._access_token, bearer, *self._headers.values()]
        long = [secret for secret in secrets if secret and len(secret) >= MIN_SECRET_CHARS]
        return sanitize(redact(text, sorted(long, key=len, reverse=True)))


def _masked(token: str | None) -> str:
    return "None" if token is None else "..."


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
