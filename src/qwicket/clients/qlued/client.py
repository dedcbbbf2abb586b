"""`QluedClient`: one method for each thing that can be asked of the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, quote_plus, urlencode

from qwicket import __version__
from qwicket.clients.http import HTTPClient, Polling, Request, redacted, sanitized
from qwicket.clients.http.addresses import Service, choose_target
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.http.sending import (
    ServiceClient,
    invalid_response,
    object_of,
    objects_of,
    send,
)
from qwicket.clients.http.text import MIN_SECRET_CHARS, json_bytes, quoted_path
from qwicket.clients.qlued.circuits import Circuit
from qwicket.clients.qlued.errors import (
    QluedClientError,
    QluedJobError,
    QluedNotFinishedError,
    QluedRetriableError,
    QluedTimeoutError,
    failure,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.clients.http import Response, RetryPolicy

T = TypeVar("T")

Job = Mapping[str, Any] | Circuit | Sequence[Circuit]
"""What can be posted: the experiments as they are sent, one built experiment, or several."""

_SERVICE: Final = Service("QLUED_URL", "QLUED_TOKEN", "/qlued/api/v2", None)
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": f"qwicket/{__version__}"}
_FIRST_PAUSE_S: Final = 0.1
_DONE: Final = frozenset({"DONE", "finished"})
_ERROR: Final = frozenset({"ERROR", "error"})
"""The second word of each is that of servers before 2024."""


class QluedClient(ServiceClient):
    """A client of qlued's API, for any number of threads. Nothing is sent when it is made.

    Args:
        url: Address with the version, such as `http://127.0.0.1:8000/qlued/api/v2`; by default
            `QLUED_URL`, then the server in `QWICKET_URL`.
        token: By default `QLUED_TOKEN`, then `QWICKET_TOKEN`; without one only devices can be read.

    Attributes:
        retry_policy: Bounds on trying again, in tries and time.
        timeout_s: Seconds for one answer.

    Raises:
        QluedClientError: There is no address, or it is none.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        target = choose_target(_SERVICE, url, token, QluedClientError)
        if target.url is None:
            raise QluedClientError("No address: pass url=… or set QLUED_URL or QWICKET_URL.")
        self._token = target.token
        self._http = HTTPClient(target.url, QluedClientError, url_source=target.url_source)

    # --- devices --------------------------------------------------------------------------------

    def backends(self) -> list[dict[str, Any]]:
        """Return the configurations of all devices; no token is needed.

        Raises:
            QluedAPIError: The server could not be asked.
        """
        return self._send("GET", "/backends", objects_of)

    def config(self, name: str) -> dict[str, Any]:
        """Return the configuration of a device; no token is needed.

        Args:
            name: Its short name, such as `rydberg`, or its full one.

        Raises:
            QluedAPIError: There is no such device, or the server could not be asked.
        """
        return self._send("GET", _path(name, "get_config"), object_of)

    def backend_status(self, name: str) -> dict[str, Any]:
        """Return whether a device works, and how many jobs wait; no token is needed.

        Raises:
            QluedAPIError: There is no such device, or the server could not be asked.
        """
        return self._send("GET", _path(name, "get_backend_status"), object_of)

    # --- jobs -------------------------------------------------------------------------------------

    def post(self, name: str, job: Job) -> str:
        """Send a job, and return its id.

        It is sent again only where it cannot double: after 429, or when no connection was made. A
        program that the device refuses is no error here: its job ends in one.

        Args:
            name: The device.
            job: An experiment, several, or the dict that is sent.

        Raises:
            QluedClientError: It cannot be sent; nothing was.
            QluedAPIError: It was refused.
            QluedRetriableError: No answer tells: unless `was_surely_not_done`, it may be there.
        """
        experiments = json_bytes(_experiments(job), "The job", QluedClientError).decode()
        form = {"job": experiments, "token": self._secret()}
        body = json_bytes(form, "The job", QluedClientError)
        return self._send("POST", _path(name, "post_job"), _job_id, body)

    def status(self, name: str, job_id: str) -> dict[str, Any]:
        """Return how a job stands, as the server says it, also when it ended in an error.

        Raises:
            QluedAPIError: The server could not be asked.
        """
        return self._ask(name, "get_job_status", job_id)

    def result(self, name: str, job_id: str) -> dict[str, Any]:
        """Return what a job gave; `shots` makes arrays of it.

        Raises:
            QluedNotFinishedError: It has not ended.
            QluedJobError: It ended in an error, which the message tells, or is not there.
            QluedAPIError: The server could not be asked.
        """
        return self._result(name, job_id, self.retry_policy)

    def wait(self, name: str, job_id: str, timeout: float = 3600.0) -> dict[str, Any]:
        """Wait for a job, and return what it gave.

        It is asked after a tenth of a second at first, later every five seconds. A server that is
        away for some minutes, because it restarts, does not end the wait.

        Args:
            name: The device.
            job_id: The job.
            timeout: Seconds to wait at most, whatever the server does.

        Raises:
            QluedTimeoutError: It has not ended; it goes on without us.
            QluedJobError: It ended in an error, which the message tells.
            QluedAPIError: The server could not be asked.
        """
        polling = Polling(timeout, _FIRST_PAUSE_S)
        while True:
            found = polling.ask(lambda: self._look(name, job_id), QluedRetriableError)
            if found:
                return found
            if not polling.pause():
                raise QluedTimeoutError(
                    f"Job {job_id} has not ended within {timeout:g} s and goes on."
                )

    # The names of the functions in qlued's own documentation.
    list_backends = backends
    get_config = config
    get_backend_status = backend_status
    post_job = post
    get_job_status = status
    get_job_result = result

    def _look(self, name: str, job_id: str) -> dict[str, Any]:
        """Return what a job gave; {} when it has not ended."""
        found = self._ask(name, "get_job_status", job_id, OUTAGE)
        self._check(found)
        # The result's own word counts nothing: some servers never bring it up to date.
        return self._result(name, job_id, OUTAGE) if found.get("status") in _DONE else {}

    def _result(self, name: str, job_id: str, retry_policy: RetryPolicy) -> dict[str, Any]:
        found = self._ask(name, "get_job_result", job_id, retry_policy)
        if "results" in found:
            return found
        self._check(found)
        raise QluedNotFinishedError(f"Job {job_id} has not ended.")

    def _check(self, found: Mapping[str, Any]) -> None:
        """Refuse the status of a job that ended in an error, or is not there."""
        if found.get("status") in _ERROR:
            said = sanitized(found.get("error_message")) or sanitized(found.get("detail"))
            raise QluedJobError(redacted(said, self._secrets()) or "The job failed.")

    def _ask(
        self, name: str, route: str, job_id: str, retry_policy: RetryPolicy | None = None
    ) -> dict[str, Any]:
        """Return the answer about a job: one of 406 tells of the job, not of the request."""
        query = urlencode({"job_id": job_id, "token": self._secret()})
        path = f"{_path(name, route)}?{query}"
        return self._send("GET", path, object_of, also_read=406, retry_policy=retry_policy)

    # ----------------------------------------------------------------------------------------------

    def _secret(self) -> str:
        if not self._token:
            raise QluedClientError("No token: jobs need one.")
        return self._token

    def _send(
        self,
        method: str,
        path: str,
        read: Callable[[Response], T],
        body: bytes | None = None,
        *,
        also_read: int | None = None,
        retry_policy: RetryPolicy | None = None,
    ) -> T:
        request = Request(
            method,
            path,
            _HEADERS,
            body,
            self.timeout_s,
            self._secrets(),
            can_repeat=method == "GET",
            also_read=also_read,
        )
        return send(self._http, request, read, failure, retry_policy or self.retry_policy)

    def _secrets(self) -> list[str]:
        """Return the token in every form in which a server may repeat it."""
        token = self._token or ""
        if len(token) < MIN_SECRET_CHARS:
            return []
        return [token, quote(token, safe=""), quote_plus(token)]


def _path(name: object, route: str) -> str:
    return quoted_path([name, route], "device", QluedClientError)


def _experiments(job: Job) -> Mapping[str, Any]:
    if isinstance(job, Mapping):
        return job
    circuits = [job] if isinstance(job, Circuit) else list(job)
    if not circuits or not all(isinstance(each, Circuit) for each in circuits):
        raise QluedClientError("A job is a dict, an experiment, or a list of experiments.")
    return {f"experiment_{number}": each.experiment() for number, each in enumerate(circuits)}


def _job_id(response: Response) -> str:
    job_id = object_of(response).get("job_id")
    if not isinstance(job_id, str):
        raise invalid_response(response, "has no job_id")
    return job_id
