"""`IQMServer`: one method for each call of IQM Server's API that a remote device needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, quote_plus

from qwicket import __version__
from qwicket.clients.http import HTTPClient, Request
from qwicket.clients.http.sending import ServiceClient, json_of, object_of, send
from qwicket.clients.http.text import MIN_SECRET_CHARS, json_bytes, quoted_path
from qwicket.vendors.iqm.remote_errors import IQMClientError, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.clients.http import Response

T = TypeVar("T")

_DEFAULT: Final = "default"


class IQMServer(ServiceClient):
    """Client of IQM Server's API, version 1. It sends no request when it is created.

    Args:
        url: Address of the server, without `/api/v1`.
        token: Token of the account.
    """

    def __init__(self, url: str, token: str) -> None:
        self._http = HTTPClient(url.rstrip("/") + "/api/v1", IQMClientError)
        self._token = token

    def quantum_computers(self) -> Any:
        """Return the document with the list of quantum computers."""
        return self._read(["quantum-computers"], object_of)

    def health(self, alias: str) -> dict[str, Any]:
        """Return the document about the health of a quantum computer."""
        return self._read(["quantum-computers", alias, "health"], object_of)

    def architecture(self, alias: str) -> dict[str, Any]:
        """Return the dynamic architecture with the calibration set in force."""
        path = ["calibration-sets", alias, _DEFAULT, "dynamic-quantum-architecture"]
        return self._read(path, object_of)

    def calibration_set(self, alias: str, id: str) -> dict[str, Any]:
        """Return a calibration set."""
        return self._read(["calibration-sets", alias, id], object_of)

    def metrics(self, alias: str, id: str) -> dict[str, Any]:
        """Return the quality metrics of a calibration set."""
        return self._read(["calibration-sets", alias, id, "metrics"], object_of)

    def submit(self, alias: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Submit circuits; return the job. The request is sent once."""
        content = json_bytes(body, "The job", IQMClientError)
        return self._send("POST", ["jobs", alias, "circuit"], object_of, content)

    def job(self, id: str) -> dict[str, Any]:
        """Return a job."""
        return self._read(["jobs", id], object_of)

    def measurements(self, id: str) -> Any:
        """Return the measurements of a completed job."""
        return self._read(["jobs", id, "artifacts", "measurements"], json_of)

    def cancel(self, id: str) -> None:
        """Cancel a job."""
        self._send("POST", ["jobs", id, "cancel"], lambda _: None)

    def _read(self, path: list[str], read: Callable[[Response], T]) -> T:
        return self._send("GET", path, read)

    def _send(
        self,
        method: str,
        path: list[str],
        read: Callable[[Response], T],
        body: bytes | None = None,
    ) -> T:
        headers = {"User-Agent": f"qwicket/{__version__}", "Accept": "application/json"}
        headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = Request(
            method,
            quoted_path(path, "name", IQMClientError),
            headers,
            body,
            self.timeout_s,
            self._secrets(),
            can_repeat=method == "GET",
        )
        return send(self._http, request, read, failure, self.retry_policy, self.clock)

    def _secrets(self) -> list[str]:
        """Return the token in each form in which a server may repeat it."""
        if len(self._token) < MIN_SECRET_CHARS:
            return []
        return [self._token, quote(self._token, safe=""), quote_plus(self._token)]
