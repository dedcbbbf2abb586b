"""`QbraidSession`: a session of `requests` for one server, with its user's credentials.

`docs/clients/qbraid.md` lists how it differs from the class in the original package.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from requests import PreparedRequest, RequestException, Response
from requests.auth import AuthBase

from qwicket.clients.http import addresses, failures
from qwicket.clients.http import text as texts
from qwicket.clients.http.requests_adapter import DeadlineAdapter, drop_credentials
from qwicket.vendors.qbraid.client import config
from qwicket.vendors.qbraid.client.errors import ApiError, AuthError, RequestsApiError
from qwicket.vendors.qbraid.client.jobs_session import JobsSession
from qwicket.vendors.qbraid.client.retry import STATUS_FORCELIST, PostForcelistRetry

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ENDPOINT_URL: Final = "https://api.qbraid.com/api"

_PATH: Final = "/qbraid/api"
"""Path of the API on a Qwicket server."""
_CREDENTIALS: Final = ("api-key", "refresh-token", "id-token")
_HEADERS: Final = ("email", *_CREDENTIALS)
_TIMEOUT_S: Final = (10.0, 60.0)
"""Seconds to connect, and for the next byte of a response."""


class _NoAuth(AuthBase):
    """Authentication that adds nothing; without it `requests` would use a `.netrc`."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        return request


class QbraidSession(JobsSession):
    """Session of `requests` for qBraid's API, or for a Qwicket server with the same API.

    Each setting comes from the argument, else the settings file, else the environment variable,
    else the default. An empty text counts as missing.

    Args:
        user_email: E-mail address of the user; file `email`, variable `JUPYTERHUB_USER`.
        api_key: API key; file `api-key`, variable `QBRAID_API_KEY`. Without any credentials it is
            `QWICKET_TOKEN`, if the address is on the server in `QWICKET_URL`.
        refresh_token: Refresh token; file `refresh-token`, variable `REFRESH`, then
            `QBRAID_REFRESH_TOKEN`.
        id_token: Id token; file `id-token`, variable `QBRAID_ID_TOKEN`. It is only sent without a
            refresh token.
        base_url: Address of the API; file `url`, variable `QBRAID_API_URL`. By default the server
            in `QWICKET_URL` if there are no credentials or a Qwicket token, else the public
            service.
        retries_total: Maximum number of retries of a request.
        retries_connect: Maximum number of retries after failed attempts to connect.
        backoff_factor: Factor of the pauses in seconds: 0, then this times 2, 4, 8, …, at most 120.

    Raises:
        ApiError: A setting cannot be sent in a header, or the address is invalid.
        ConfigError: The settings file exists, but cannot be read.
    """

    __attrs__ = [*JobsSession.__attrs__, "_settings", "_url_source"]  # noqa: RUF012 - as its base

    def __init__(
        self,
        user_email: str | None = None,
        api_key: str | None = None,
        refresh_token: str | None = None,
        id_token: str | None = None,
        base_url: str | None = None,
        retries_total: int = 5,
        retries_connect: int = 3,
        backoff_factor: float = 0.5,
    ) -> None:
        super().__init__()
        self._settings: dict[str, str | None] = {}
        self.auth = _NoAuth()
        self.user_email = user_email
        self.api_key = api_key
        self.refresh_token = refresh_token
        self.id_token = id_token
        self.base_url = base_url
        self._default_to_qwicket()
        retry = PostForcelistRetry(
            total=retries_total,
            connect=retries_connect,
            backoff_factor=backoff_factor,
            status_forcelist=STATUS_FORCELIST,
            raise_on_status=False,  # so that the error has the last response's text
        )
        for scheme in ("http://", "https://"):
            self.mount(scheme, DeadlineAdapter(max_retries=retry))

    def __del__(self) -> None:
        if hasattr(self, "adapters"):
            self.close()

    def __repr__(self) -> str:
        return f"<QbraidSession for {texts.scheme_and_host(self.base_url)} as {self.user_email}>"

    # --- settings ---------------------------------------------------------------------------------

    @property
    def user_email(self) -> str | None:
        """E-mail address of the user; None if it is not set."""
        return self._settings.get("email")

    @user_email.setter
    def user_email(self, value: str | None) -> None:
        self._choose("email", value, "JUPYTERHUB_USER")

    @property
    def api_key(self) -> str | None:
        """API key; None if it is not set."""
        return self._settings.get("api-key")

    @api_key.setter
    def api_key(self, value: str | None) -> None:
        self._choose("api-key", value, "QBRAID_API_KEY")

    @property
    def refresh_token(self) -> str | None:
        """Refresh token; None if it is not set."""
        return self._settings.get("refresh-token")

    @refresh_token.setter
    def refresh_token(self, value: str | None) -> None:
        self._choose("refresh-token", value, "REFRESH", "QBRAID_REFRESH_TOKEN")

    @property
    def id_token(self) -> str | None:
        """Id token; None if it is not set."""
        return self._settings.get("id-token")

    @id_token.setter
    def id_token(self, value: str | None) -> None:
        self._choose("id-token", value, "QBRAID_ID_TOKEN")

    @property
    def base_url(self) -> str:
        """Address of the API."""
        return self._settings.get("url") or DEFAULT_ENDPOINT_URL

    @base_url.setter
    def base_url(self, value: str | None) -> None:
        sources = {
            "the argument base_url": value,
            f"url in {config.path()}": None if value else self.get_config_variable("url"),
            "QBRAID_API_URL": os.environ.get("QBRAID_API_URL"),
        }
        found = ((source, url) for source, url in sources.items() if url)
        self._url_source, url = next(found, (failures.URL_SOURCE, None))
        self._settings["url"] = texts.validated_address(url, ApiError) if url else None

    def _default_to_qwicket(self) -> None:
        """Use `QWICKET_URL` and `QWICKET_TOKEN` as defaults of address and key; see the class."""
        given = [self._settings.get(name) for name in _CREDENTIALS]
        url, server = self._settings.get("url"), addresses.qwicket_url()
        is_ours = not any(given) or any(map(addresses.is_qwicket_token, given))
        if url is None and server and is_ours:
            url = self._settings["url"] = server + _PATH
        if url is not None and not any(given):
            self.api_key = addresses.qwicket_token_for(url)

    def _choose(self, name: str, value: str | None, *variables: str) -> None:
        """Choose the value of a setting, and update the session's headers."""
        in_environment = [os.environ.get(variable) for variable in variables]
        chosen = _first(value, None if value else config.read(name), *in_environment)
        if chosen and name in _CREDENTIALS:
            chosen = texts.validated_header(chosen, name, ApiError)
        self._settings[name] = chosen
        has_refresh = self._settings.get("refresh-token")
        for header in _HEADERS:
            text = self._settings.get(header) or ""
            can_be_sent = text.isascii() and text.isprintable()  # an e-mail address may be neither
            if text and can_be_sent and not (header == "id-token" and has_refresh):
                self.headers[header] = text
            else:
                self.headers.pop(header, None)

    def get_config_variable(self, config_name: str) -> str | None:
        """Return a setting of the file; None if it is missing.

        Raises:
            ConfigError: The settings file exists, but cannot be read.
        """
        return config.read(config_name)

    def save_config(
        self,
        user_email: str | None = None,
        api_key: str | None = None,
        refresh_token: str | None = None,
        id_token: str | None = None,
        base_url: str | None = None,
    ) -> None:
        """Set these settings, verify them with the server, and write them to the file.

        The e-mail address must be the account's, if the account has one.

        Raises:
            AuthError: The server refused the credentials, or they belong to another user. The
                file does not change, but this session keeps the new settings.
            ConfigError: The file cannot be read or written.
        """
        self.user_email = user_email or self.user_email
        self.api_key = api_key or self.api_key
        self.refresh_token = refresh_token or self.refresh_token
        self.id_token = id_token or self.id_token
        if base_url:
            self.base_url = base_url
        email, is_known = self._identity()
        if is_known and self.user_email and self.user_email != email:
            raise AuthError(f"The credentials belong to {email}, not to {self.user_email}.")
        self.user_email = email if is_known else self.user_email or email
        found = {name: self._settings.get(name) for name in _HEADERS}
        chosen = {name: text for name, text in found.items() if text}
        config.write({**chosen, "url": self.base_url})

    def _identity(self) -> tuple[str, bool]:
        """Return the account's e-mail address, and whether it is a real one.

        For an account without an address the server returns `NAME@localhost`.
        """
        try:
            response = self.get("/identity")
        except RequestsApiError as error:
            raise AuthError(str(error)) from error
        email = name = None
        with suppress(ValueError, AttributeError):
            found = response.json()
            email, name = found.get("email"), found.get("userName")
        # Raised outside the handler: the decoder's error has the text, which may repeat an API key.
        if response.status_code != 200 or not isinstance(email, str) or not email:
            raise AuthError("The server did not return the account of the credentials.")
        return email, email != f"{name}@localhost"

    # --- requests ---------------------------------------------------------------------------------

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Response:
        """Send a request to a path of the server.

        Args:
            method: HTTP method.
            url: Path below the base URL, beginning with `/`.
            *args: Arguments of `requests.Session.request`.
            **kwargs: Arguments of `requests.Session.request`. A POST without an `Idempotency-Key`
                header gets one, so that a retry has no second effect.

        Raises:
            RequestsApiError: The server refused or did not respond; see `__cause__`. Or the path
                does not begin with `/`, or a Qwicket token would be sent to qBraid.
        """
        method, path = _text(method), _text(url)
        if not path.startswith("/"):
            raise RequestsApiError("The path of a request must begin with /.")
        headers = kwargs["headers"] = dict(kwargs.get("headers") or {})
        if method.upper() == "POST" and not any(k.lower() == "idempotency-key" for k in headers):
            headers["Idempotency-Key"] = str(uuid.uuid4())
        kwargs.setdefault("timeout", _TIMEOUT_S)
        if self._settings.get("url") is None:
            for name in _CREDENTIALS:
                token = self._settings.get(name)
                addresses.refuse_qwicket_token(token, DEFAULT_ENDPOINT_URL, RequestsApiError)
        address = self.base_url.rstrip("/") + path
        try:
            response = super().request(method, address, *args, **kwargs)
            response.raise_for_status()
        except RequestException as error:
            absent = failures.message_if_not_started(self.base_url, error, self._url_source)
            self._redact(error, headers)
            raise RequestsApiError(absent or self._message(error, headers)) from error
        return response

    def _message(self, error: RequestException, headers: Mapping[str, Any]) -> str:
        """Return the text of an exception and of its response, without secrets."""
        message = str(error)
        if error.response is not None:
            try:
                inner = error.response.json()["error"]
                message += f". {inner['message']}, Error code: {inner['code']}."
            except (ValueError, KeyError, TypeError):
                message += f". {error.response.text}"
        return texts.redact(message, self._secrets(headers))

    def _redact(self, error: RequestException, headers: Mapping[str, Any]) -> None:
        """Remove the credentials from an exception, which users print and post."""
        secrets = self._secrets(headers)
        error.args = tuple(
            [
                texts.redact(arg, secrets) if isinstance(arg, str) else _RedactedError(arg, secrets)
                for arg in error.args
            ]
        )
        error.__cause__ = error.__context__ = None  # errors of urllib3, which contain the request
        responses = [] if error.response is None else [error.response, *error.response.history]
        for request in [error.request, *[response.request for response in responses]]:
            if request is not None:
                _erase(request.headers)

    def _secrets(self, headers: Mapping[str, Any]) -> list[str]:
        own = [self._settings.get(name) for name in _CREDENTIALS]
        given = [value for name, value in headers.items() if name.lower() in _CREDENTIALS]
        return [text for text in (*own, *given) if isinstance(text, str) and len(text) > 3]

    def merge_environment_settings(
        self, url: str | bytes | None, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Merge settings, with `session.verify` before `REQUESTS_CA_BUNDLE`, unlike `requests`."""
        if verify is None and self.verify is not True:
            verify = self.verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)

    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Remove the credentials for a redirect to another origin; use no `.netrc`."""
        drop_credentials(prepared_request, response, *_HEADERS)


class _RedactedError:
    """Text of an inner error without secrets."""

    def __init__(self, error: object, secrets: list[str]) -> None:
        self._text = texts.redact(str(error), secrets)

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__


def _erase(headers: Any) -> None:
    for name in (*_CREDENTIALS, "Authorization", "Proxy-Authorization"):
        if name in headers:
            headers[name] = "..."


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value), None)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
