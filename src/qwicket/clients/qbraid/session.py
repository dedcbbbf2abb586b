"""`QbraidSession`: a session of `requests` for one server, with its user's credentials.

Two things are not as in the package that this is named after: certificates are checked, and what
comes back are responses, not their JSON.
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
from qwicket.clients.http.requests_adapter import DeadlineAdapter
from qwicket.clients.qbraid import config
from qwicket.clients.qbraid.errors import ApiError, AuthError, RequestsApiError
from qwicket.clients.qbraid.retry import STATUS_FORCELIST, PostForcelistRetry
from qwicket.clients.qbraid.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ENDPOINT_URL: Final = "https://api.qbraid.com/api"

_MOUNT: Final = "/qbraid/api"
_CREDENTIALS: Final = ("api-key", "refresh-token", "id-token")
_OURS: Final = ("email", *_CREDENTIALS)
_TIMEOUT_S: Final = (10.0, 60.0)
"""To connect, and for the next byte of an answer."""


class _NoOther(AuthBase):
    """Adds nothing: without it `requests` would add what a `.netrc` has for the host."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        return request


class QbraidSession(Runs):
    """A session of `requests` for a qBraid API, or for a gateway that speaks it.

    Each setting is the argument, else what the file of settings has, else the environment's, else
    the default; an empty text counts as absent. It is settled when it is assigned.

    Args:
        user_email: E-mail address of the user; file `email`, environment `JUPYTERHUB_USER`.
        api_key: File `api-key`, environment `QBRAID_API_KEY`.
        refresh_token: File `refresh-token`, environment `REFRESH`, then `QBRAID_REFRESH_TOKEN`.
        id_token: File `id-token`, environment `QBRAID_ID_TOKEN`; sent without a refresh token.
        base_url: File `url`, environment `QBRAID_API_URL`; by default the server in
            `QWICKET_URL` where there is no other credential or one of Qwicket, else the public
            service.
        retries_total: How often a request is sent again at most.
        retries_connect: How often when no connection could be made.
        backoff_factor: Pauses are 0, then this times 2, 4, 8, … seconds.

    Raises:
        ApiError: A setting cannot be sent in a header.
        ConfigError: There is a file of settings, and it cannot be read.
    """

    __attrs__ = [*Runs.__attrs__, "_settings", "_url_source"]  # noqa: RUF012 - as its base has it

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
        self.auth = _NoOther()
        self.user_email = user_email
        self.api_key = api_key
        self.refresh_token = refresh_token
        self.id_token = id_token
        self.base_url = base_url
        self._settle_on_qwicket()
        retry = PostForcelistRetry(
            total=retries_total,
            connect=retries_connect,
            backoff_factor=backoff_factor,
            status_forcelist=STATUS_FORCELIST,
            raise_on_status=False,  # so that the last answer says why
        )
        for scheme in ("http://", "https://"):
            self.mount(scheme, DeadlineAdapter(max_retries=retry))

    def __del__(self) -> None:
        if hasattr(self, "adapters"):
            self.close()

    def __repr__(self) -> str:
        return (
            f"<QbraidSession for {texts.without_credentials(self.base_url)} as {self.user_email}>"
        )

    # --- settings ---------------------------------------------------------------------------------

    @property
    def user_email(self) -> str | None:
        """Return the session user email."""
        return self._settings.get("email")

    @user_email.setter
    def user_email(self, value: str | None) -> None:
        self._settle("email", value, "JUPYTERHUB_USER")

    @property
    def api_key(self) -> str | None:
        """Return the api key."""
        return self._settings.get("api-key")

    @api_key.setter
    def api_key(self, value: str | None) -> None:
        self._settle("api-key", value, "QBRAID_API_KEY")

    @property
    def refresh_token(self) -> str | None:
        """Return the session refresh token."""
        return self._settings.get("refresh-token")

    @refresh_token.setter
    def refresh_token(self, value: str | None) -> None:
        self._settle("refresh-token", value, "REFRESH", "QBRAID_REFRESH_TOKEN")

    @property
    def id_token(self) -> str | None:
        """Return the session id token."""
        return self._settings.get("id-token")

    @id_token.setter
    def id_token(self, value: str | None) -> None:
        self._settle("id-token", value, "QBRAID_ID_TOKEN")

    @property
    def base_url(self) -> str:
        """Return the qbraid api url."""
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

    def _settle_on_qwicket(self) -> None:
        """Choose the server that `QWICKET_URL` names, where nothing else says where to go."""
        given = [self._settings.get(name) for name in _CREDENTIALS]
        url, home = self._settings.get("url"), addresses.qwicket_url()
        if url is None and home and (not any(given) or any(map(addresses.is_qwicket_token, given))):
            url = self._settings["url"] = home + _MOUNT
        if url is not None and not any(given):
            self.api_key = addresses.qwicket_token_for(url)

    def _settle(self, name: str, value: str | None, *variables: str) -> None:
        """Choose a setting, and send what is chosen from now on."""
        in_environment = [os.environ.get(variable) for variable in variables]
        chosen = _first(value, None if value else config.read(name), *in_environment)
        if chosen and name in _CREDENTIALS:
            chosen = texts.validated_header(chosen, name, ApiError)
        self._settings[name] = chosen
        has_refresh = self._settings.get("refresh-token")
        for each in _OURS:
            text = self._settings.get(each) or ""
            can_be_sent = text.isascii() and text.isprintable()  # an address may not
            if text and can_be_sent and not (each == "id-token" and has_refresh):
                self.headers[each] = text
            else:
                self.headers.pop(each, None)

    def get_config_variable(self, config_name: str) -> str | None:
        """Return the config value of specified config; None where there is none.

        Raises:
            ConfigError: There is a file, and it cannot be read.
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
        """Take these settings, check them at the server, and write them to the file.

        The address is compared with that of the account, if the account has one.

        Raises:
            AuthError: The server does not take them, or they belong to another user; nothing is
                written.
            ConfigError: The file cannot be written.
        """
        self.user_email = user_email or self.user_email
        self.api_key = api_key or self.api_key
        self.refresh_token = refresh_token or self.refresh_token
        self.id_token = id_token or self.id_token
        if base_url:
            self.base_url = base_url
        email, is_known = self._identity()
        if is_known and self.user_email and self.user_email != email:
            raise AuthError(f"The credentials are those of {email}, not of {self.user_email}.")
        self.user_email = email if is_known else self.user_email or email
        found = {name: self._settings.get(name) for name in _OURS}
        chosen = {name: text for name, text in found.items() if text}
        config.write({**chosen, "url": self.base_url})

    def _identity(self) -> tuple[str, bool]:
        """Return the e-mail address that the credentials belong to, and whether it is a real one.

        A server calls an account without an address `NAME@localhost`: there is nothing to compare.
        """
        try:
            answer = self.get("/identity")
        except RequestsApiError as error:
            raise AuthError(str(error)) from error
        email = name = None
        with suppress(ValueError, AttributeError):
            found = answer.json()
            email, name = found.get("email"), found.get("userName")
        # Raised out here: the decoder's error carries the text, in which a server may repeat a key.
        if answer.status_code != 200 or not isinstance(email, str) or not email:
            raise AuthError("The server does not say whose the credentials are.")
        return email, email != f"{name}@localhost"

    # --- requests ---------------------------------------------------------------------------------

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Response:
        """Send a request to a path of the server.

        Args:
            method: Of HTTP.
            url: The path, beginning with `/`; the base is put before it.
            *args: As for `requests.Session.request`.
            **kwargs: Likewise; `headers` are for this request alone. A
                POST without an `Idempotency-Key` is given one, so that sent again it is done once.

        Raises:
            RequestsApiError: The server refused, or there was no answer; `__cause__` has it.
        """
        method, path = _text(method), _text(url)
        if not path.startswith("/"):
            raise RequestsApiError("A path begins with /, which what was asked for does not.")
        headers = kwargs["headers"] = dict(kwargs.get("headers") or {})
        if method.upper() == "POST" and not any(k.lower() == "idempotency-key" for k in headers):
            headers["Idempotency-Key"] = str(uuid.uuid4())
        kwargs.setdefault("timeout", _TIMEOUT_S)
        if self._settings.get("url") is None:
            for name in _CREDENTIALS:
                token = self._settings.get(name)
                addresses.refuse_our_token(token, DEFAULT_ENDPOINT_URL, RequestsApiError)
        address = self.base_url.rstrip("/") + path
        try:
            response = super().request(method, address, *args, **kwargs)
            response.raise_for_status()
        except RequestException as error:
            absent = failures.refused_here(self.base_url, error, self._url_source)
            self._clean(error, headers)
            raise RequestsApiError(absent or self._told(error, headers)) from error
        return response

    def _told(self, error: RequestException, headers: Mapping[str, Any]) -> str:
        """Return what an exception and the answer in it say, without secrets."""
        message = str(error)
        if error.response is not None:
            try:
                inner = error.response.json()["error"]
                message += f". {inner['message']}, Error code: {inner['code']}."
            except (ValueError, KeyError, TypeError):
                message += f". {error.response.text}"
        return texts.redacted(message, self._secrets(headers))

    def _clean(self, error: RequestException, headers: Mapping[str, Any]) -> None:
        """Take the credentials out of an exception: it is printed, logged and sent to strangers."""
        secrets = self._secrets(headers)
        error.args = tuple(
            [
                texts.redacted(a, secrets) if isinstance(a, str) else _Said(a, secrets)
                for a in error.args
            ]
        )
        error.__cause__ = error.__context__ = None  # what a library below said of the same
        answers = [] if error.response is None else [error.response, *error.response.history]
        for request in [error.request, *[answer.request for answer in answers]]:
            if request is not None:
                _erase(request.headers)

    def _secrets(self, headers: Mapping[str, Any]) -> list[str]:
        own = [self._settings.get(name) for name in _CREDENTIALS]
        given = [value for name, value in headers.items() if name.lower() in _CREDENTIALS]
        return [text for text in (*own, *given) if isinstance(text, str) and len(text) > 3]

    def merge_environment_settings(
        self, url: str | bytes | None, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """As `requests` does it, but `session.verify` stands before `REQUESTS_CA_BUNDLE`."""
        if verify is None and self.verify is not True:
            verify = self.verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)

    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Send no credentials along when the server sends us elsewhere, and none of a `.netrc`."""
        former = response.request.url or ""
        if addresses.origin(prepared_request.url or "") != addresses.origin(former):
            for name in ("Authorization", *_OURS):
                prepared_request.headers.pop(name, None)


class _Said:
    """The inner error of an exception of `requests`, which is shown without secrets."""

    def __init__(self, error: object, secrets: list[str]) -> None:
        self._text = texts.redacted(str(error), secrets)

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
