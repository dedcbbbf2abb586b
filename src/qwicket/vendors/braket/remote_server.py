"""`BraketService`: one method for each call of Amazon Braket and S3 that a remote device needs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from qwicket import __version__
from qwicket.clients.http import HTTPClient, Request, RetryPolicy
from qwicket.clients.http.clock import SYSTEM_CLOCK
from qwicket.clients.http.sending import json_of, object_of, send
from qwicket.clients.http.text import json_bytes
from qwicket.gateway.sigv4 import ALGORITHM, Signature, sign
from qwicket.vendors.braket.remote_errors import BraketAPIError, BraketClientError, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.clients.http import Response
    from qwicket.drivers.remote.renewals import Renewed
    from qwicket.vendors.braket.credentials import Credentials

T = TypeVar("T")

JSON: Final = "application/json"
XML: Final = "text/xml"
_ONCE: Final = RetryPolicy(max_attempts=1)
"""The driver repeats requests, not the client."""


class SignedHost:
    """Sends signed requests to one address, and to no other: it follows no redirects.

    Args:
        url: The address.
        service: Service that the signatures name.
        region: Region that they name.
        keys: Key pair of the account or of its role.
        timeout_s: Seconds for one response.
    """

    def __init__(
        self, url: str, service: str, region: str, keys: Renewed[Credentials], timeout_s: float
    ) -> None:
        self._http = HTTPClient(url, BraketClientError)
        address = urlsplit(self._http.url)
        self._host, self._root = address.netloc, address.path
        self._service = service
        self._region = region
        self._keys = keys
        self._timeout_s = timeout_s

    def send(
        self,
        method: str,
        path: str,
        read: Callable[[Response], T],
        body: bytes = b"",
        *,
        can_repeat: bool = True,
        form: str = JSON,
        accept: str = JSON,
        check: Callable[[], None] | None = None,
    ) -> T:
        """Send a request once, and return what `read` makes of its response.

        Args:
            method: HTTP method.
            path: Percent-encoded path and query below the address.
            read: Decodes a successful response, which it gets without the token of a session.
            body: The body.
            can_repeat: Whether the request is idempotent.
            form: Media type of the body.
            accept: Media type of the response.
            check: Called when nothing but the request itself remains to be done.

        Raises:
            BraketAPIError: The service refused, or its response is missing or invalid.
            NotAccepted: A role has no key pair now, so that nothing was sent.
        """
        pair = self._keys.current()
        if check is not None:
            check()
        headers = self._signed(pair, method, path, body)
        headers |= {"user-agent": f"qwicket/{__version__}", "accept": accept}
        if body:
            headers["content-type"] = form
        secrets = [each for each in pair[1:] if each]
        request = Request(
            method, path, headers, body or None, self._timeout_s, secrets, can_repeat=can_repeat
        )
        token = pair.session_token.encode()

        def read_without_token(response: Response) -> T:
            if token in response.content:
                response = replace(response, content=response.content.replace(token, b"..."))
            return read(response)

        reading = read_without_token if token else read
        try:
            return send(self._http, request, reading, failure, _ONCE, SYSTEM_CLOCK)
        except BraketAPIError as error:
            if error.status_code == 401:
                self._keys.forget(pair)
            raise

    def _signed(
        self, credentials: Credentials, method: str, path: str, body: bytes
    ) -> dict[str, str]:
        """Return the headers that are signed, with the signature."""
        date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        body_hash = hashlib.sha256(body).hexdigest()
        headers = {"host": self._host, "x-amz-content-sha256": body_hash, "x-amz-date": date}
        if credentials.session_token:
            headers["x-amz-security-token"] = credentials.session_token
        signature = Signature(
            credentials.key_id,
            day=date[:8],
            region=self._region,
            service=self._service,
            date=date,
            headers=tuple(sorted(headers)),
            value="",
        )
        raw_path, _, query = path.partition("?")
        value = sign(
            signature,
            credentials.secret,
            method,
            self._root + raw_path,
            query,
            {name: [text] for name, text in headers.items()},
            body_hash,
        )
        headers["authorization"] = (
            f"{ALGORITHM} Credential={signature.key_id}/{signature.credential_scope},"
            f" SignedHeaders={';'.join(signature.headers)}, Signature={value}"
        )
        return headers

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class BraketService:
    """Client of Amazon Braket, and of the one bucket with its results.

    It sends no request when it is created.

    Args:
        url: Address of Braket.
        bucket: Address of the bucket.
        region: Region of both.
        keys: Key pair of the account or of its role.
        timeout_s: Seconds for one response.
    """

    def __init__(
        self, url: str, bucket: str, region: str, keys: Renewed[Credentials], timeout_s: float
    ) -> None:
        self._braket = SignedHost(url, "braket", region, keys, timeout_s)
        self._bucket = SignedHost(bucket, "s3", region, keys, timeout_s)

    def search_devices(self, next_token: str | None) -> dict[str, Any]:
        """Return a page of the devices of the region."""
        return self._search("/devices", [], next_token)

    def device(self, arn: str) -> dict[str, Any]:
        """Return a device with its capabilities."""
        return self._braket.send("GET", f"/device/{quote(arn, safe='')}", object_of)

    def create_task(
        self, body: Mapping[str, Any], check: Callable[[], None] | None
    ) -> dict[str, Any]:
        """Create a task; return the document with its ARN."""
        content = json_bytes(body, "The task", BraketClientError)
        return self._braket.send(
            "POST", "/quantum-task", object_of, content, can_repeat=False, check=check
        )

    def task(self, arn: str) -> dict[str, Any]:
        """Return a task."""
        return self._braket.send("GET", f"/quantum-task/{quote(arn, safe='')}", object_of)

    def search_tasks(self, filters: list[dict[str, Any]], next_token: str | None) -> dict[str, Any]:
        """Return a page of the tasks that pass all filters."""
        return self._search("/quantum-tasks", filters, next_token)

    def _search(
        self, path: str, filters: list[dict[str, Any]], next_token: str | None
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"filters": filters, "maxResults": 100}
        if next_token is not None:
            body["nextToken"] = next_token
        content = json_bytes(body, "The search", BraketClientError)
        return self._braket.send("POST", path, object_of, content)

    def cancel_task(self, arn: str, client_token: str) -> None:
        """Cancel a task."""
        content = json_bytes({"clientToken": client_token}, "The request", BraketClientError)
        path = f"/quantum-task/{quote(arn, safe='')}/cancel"
        self._braket.send("PUT", path, lambda _: None, content)

    def result(self, key: str) -> Any:
        """Return the JSON of an object in the bucket."""
        return self._bucket.send("GET", f"/{quote(key, safe='/')}", json_of)

    def close(self) -> None:
        """Close the connections."""
        self._braket.close()
        self._bucket.close()
