"""Client of the IBM Quantum Platform's API, and of the sign-in service (IAM) beside it.

The API key goes to the address of IAM alone, the access token to that of the API alone.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from qwicket.clients.http import HTTPClient, InvalidResponse, NoResponse, Request, RetryPolicy
from qwicket.clients.http.retries import retry_after_s
from qwicket.clients.http.sending import error_body, object_of, send
from qwicket.clients.http.text import json_bytes, quoted_path, sanitize, validated_header
from qwicket.drivers.remote.clouds import KeyRefused, NotAccepted, TryLater
from qwicket.drivers.remote.renewals import Renewed
from qwicket.vendors.ibm.client.encoding import HEADERS
from qwicket.vendors.ibm.client.errors import IBMQXAPIError, IBMQXClientError, failure

if TYPE_CHECKING:
    from qwicket.clients.http import Response
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.calls import LeaseCheck

_ONCE: Final = RetryPolicy(max_attempts=1)
"""The driver repeats requests, not the client."""
_GRANT: Final = "urn:ibm:params:oauth:grant-type:apikey"
_VERSION: Final = "2026-04-15"
"""Date of the form of the API's bodies."""
_MAX_TOKEN_CHARS: Final = 16_384
_REFUSALS: Final = (400, 401, 403)
"""Status codes with which IAM refuses a key."""


class _SignIn:
    """Exchanges one API key for access tokens.

    Args:
        url: Address of IAM.
        key: The API key.
        timeout_s: Seconds for one response.
    """

    def __init__(self, url: str, key: str, timeout_s: float) -> None:
        self._http = HTTPClient(url, IBMQXClientError)
        form = {"grant_type": _GRANT, "apikey": key, "response_type": "cloud_iam"}
        self._request = Request(
            "POST",
            "/identity/token",
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
                "User-Agent": HEADERS["User-Agent"],
            },
            urlencode(form).encode(),
            timeout_s,
            [key, quote(key, safe=""), quote_plus(key)],
        )

    def exchange(self) -> tuple[str, object]:
        """Return an access token, and its life in seconds as IAM states it.

        Raises:
            NotAccepted: There is none; `KeyRefused` if IAM refuses the key.
        """
        found = send(self._http, self._request, object_of, _refusal, _ONCE)
        try:
            token = validated_header(found["access_token"], "access token", IBMQXClientError)
        except (KeyError, AttributeError, IBMQXClientError):
            raise NotAccepted("the sign-in there gives no access token") from None
        if len(token) > _MAX_TOKEN_CHARS:
            raise NotAccepted("the sign-in there gives too long an access token")
        return token, found.get("expires_in")

    def close(self) -> None:
        self._http.close()


def _refusal(response: Response | NoResponse | InvalidResponse) -> NotAccepted:
    """Return what a failed exchange of the key means: no request to the API was sent."""
    if isinstance(response, NoResponse | InvalidResponse):
        return NotAccepted(f"the sign-in there failed: {response}")
    message = sanitize(error_body(response.text).get("errorMessage"))
    text = f"the sign-in there failed: {message or f'status {response.status}'}"
    if response.status in _REFUSALS:
        return KeyRefused(text)
    kind = TryLater if response.status == 429 else NotAccepted
    return kind(text, retry_after_s(response.headers, time.time()))


class PlatformClient:
    """Client of the API for one account. It sends no request when it is created.

    Args:
        remote: Where the API, IAM and the instance are.
        key: API key of the account.
        lease_check: Called before each request that may create a job.

    Raises:
        IBMQXClientError: An address or the instance is malformed, or `iam_url` is missing.
    """

    def __init__(self, remote: Remote, key: str, lease_check: LeaseCheck) -> None:
        base = remote.url.rstrip("/").removesuffix("/api/v1")
        if not remote.iam_url and (urlsplit(base).hostname or "").endswith(".ibm.com"):
            raise IBMQXClientError("set iam_url; that of IBM is https://iam.cloud.ibm.com")
        self._http = HTTPClient(f"{base}/api/v1", IBMQXClientError)
        self._sign_in = _SignIn(remote.iam_url or f"{base}/iam", key, remote.timeout_s)
        self._tokens = Renewed(self._sign_in.exchange, remote.timeout_s)
        self._headers = {**HEADERS, "Accept": "application/json", "IBM-API-Version": _VERSION}
        if remote.instance:
            crn = validated_header(remote.instance, "instance", IBMQXClientError)
            self._headers["Service-CRN"] = crn
        self._key = key
        self._timeout_s = remote.timeout_s
        self._lease_check = lease_check

    def __repr__(self) -> str:
        return f"<PlatformClient of {self._http.url}>"

    def at_runtime(self, method: str, *place: str, body: Any = None, **query: Any) -> Any:
        """Return the object in the response, without the access token; {} if empty."""
        path = quoted_path(place, "id or name", IBMQXClientError)
        path += f"?{urlencode(query)}" if query else ""
        content = json_bytes(body, "The body", IBMQXClientError) if body else None
        for is_last in (False, True):
            access = self._tokens.current()
            if method == "POST":
                self._lease_check()  # again after each sign-in
            try:
                return self._exchange(method, path, content, access)
            except IBMQXAPIError as error:
                if error.status_code != 401 or is_last:
                    raise
            self._tokens.forget(access)
        raise AssertionError("the last attempt returns or raises")

    def _exchange(self, method: str, path: str, content: bytes | None, access: str) -> Any:
        request = Request(
            method,
            path,
            {**self._headers, "Authorization": f"Bearer {access}"},
            content,
            self._timeout_s,
            [access, self._key],
            can_repeat=method == "GET",
        )

        def read(response: Response) -> dict[str, Any]:
            content = response.content.replace(access.encode(), b"...")
            return object_of(replace(response, content=content)) if content else {}

        return send(self._http, request, read, failure, _ONCE)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._sign_in.close()
