"""`QluedClient`: one method for each route of the API, named as in qlued's documentation.

The types of documents, such as `StatusMsgDict`, are described at `/qlued/api/v2/docs` of a server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, quote_plus, urlencode

from qwicket import __version__
from qwicket.clients.http import HTTPClient, Polling, Request, redact, sanitize
from qwicket.clients.http.addresses import Service, choose_destination
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.http.sending import (
    ServiceClient,
    invalid_response,
    object_of,
    objects_of,
    send,
)
from qwicket.clients.http.text import MIN_SECRET_CHARS, json_bytes, quoted_path
from qwicket.vendors.qlued.client.circuits import Circuit
from qwicket.vendors.qlued.client.errors import (
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
"""Argument of `QluedClient.post`: the JSON data of experiments, an experiment, or several."""

_SERVICE: Final = Service("QLUED_URL", "QLUED_TOKEN", "/qlued/api/v2", None)
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": f"qwicket/{__version__}"}
_FIRST_PAUSE_S: Final = 0.1
_DONE: Final = ("DONE", "finished")
_ERROR: Final = ("ERROR", "error")
"""The second status of each pair is that of servers before 2024."""


class QluedClient(ServiceClient):
    """Client of qlued's API. It is thread-safe, and sends no request when it is created.

    Args:
        url: Address with the version, such as `http://127.0.0.1:8000/qlued/api/v2`; by default
            `QLUED_URL`, then the server in `QWICKET_URL`.
        token: Token; by default `QLUED_TOKEN`, then `QWICKET_TOKEN`, which is only sent to the
            server in `QWICKET_URL`. Jobs need a token, devices do not.

    Attributes:
        retry_policy: Bounds of retries.
        timeout_s: Seconds for one response.
        clock: Clock for deadlines and pauses.

    Raises:
        QluedClientError: The address is missing or invalid.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        destination = choose_destination(_SERVICE, url, token, QluedClientError)
        if destination.url is None:
            raise QluedClientError("No address: pass url=… or set QLUED_URL or QWICKET_URL.")
        self._token = destination.token
        self._http = HTTPClient(
            destination.url, QluedClientError, url_source=destination.url_source
        )

    # --- devices --------------------------------------------------------------------------------

    def list_backends(self) -> list[dict[str, Any]]:
        """Return the `BackendConfigSchemaOut` of each device. This request needs no token.

        Raises:
            QluedAPIError: The request failed.
        """
        return self._send("GET", "/backends", objects_of)

    def get_config(self, backend_name: str) -> dict[str, Any]:
        """Return the `BackendConfigSchemaOut` of a device. This request needs no token.

        Args:
            backend_name: Short name of the device, such as `rydberg`, or its full name.

        Raises:
            QluedAPIError: The device does not exist, or the request failed.
        """
        return self._send("GET", _path(backend_name, "get_config"), object_of)

    def get_backend_status(self, backend_name: str) -> dict[str, Any]:
        """Return whether a device works, and how many jobs wait. This request needs no token.

        The document is a `BackendStatusSchemaOut`.

        Raises:
            QluedAPIError: The device does not exist, or the request failed.
        """
        return self._send("GET", _path(backend_name, "get_backend_status"), object_of)

    # --- jobs -------------------------------------------------------------------------------------

    def post_job(self, backend_name: str, job: Job) -> dict[str, Any]:
        """Submit a job, and return its `StatusMsgDict`, which has `job_id`.

        A submission is only repeated if the first one certainly had no effect: after status 429,
        or if no connection was made. If the device refuses the program, the job ends in an error.

        Args:
            backend_name: Name of the device.
            job: One experiment, several, or their JSON data as a dict.

        Raises:
            QluedClientError: The job is invalid, or there is no token; no request was sent.
            QluedAPIError: The server refused the submission.
            QluedRetriableError: The outcome is unknown: the job may exist, unless
                `was_surely_not_done` is true.
        """
        return self._post(backend_name, job, object_of)

    def post(self, backend_name: str, job: Job) -> str:
        """Submit a job as `post_job` does, and return its id."""
        return self._post(backend_name, job, _job_id)

    def _post(self, backend_name: str, job: Job, read: Callable[[Response], T]) -> T:
        experiments = json_bytes(_experiments(job), "The job", QluedClientError).decode()
        form = {"job": experiments, "token": self._secret()}
        body = json_bytes(form, "The job", QluedClientError)
        return self._send("POST", _path(backend_name, "post_job"), read, body)

    def get_job_status(self, backend_name: str, job_id: str) -> dict[str, Any]:
        """Return the `StatusMsgDict` of a job.

        If the job ended in an error or does not exist, its `status` is ERROR. The server then
        sends the same document with status 406.

        Raises:
            QluedAPIError: The request failed.
        """
        return self._read_job(backend_name, "get_job_status", job_id)

    def get_job_result(self, backend_name: str, job_id: str) -> dict[str, Any]:
        """Return the `ResultDict` of a job that is done, else its `StatusMsgDict`.

        Raises:
            QluedAPIError: The request failed.
        """
        return self._read_job(backend_name, "get_job_result", job_id)

    def result(self, backend_name: str, job_id: str) -> dict[str, Any]:
        """Return the result of a job; `shots` converts it to arrays.

        Raises:
            QluedNotFinishedError: The job has not ended.
            QluedJobError: The job ended in an error or does not exist; the message is the server's.
            QluedAPIError: The request failed.
        """
        return self._result(backend_name, job_id, self.retry_policy)

    def wait(self, backend_name: str, job_id: str, timeout: float = 3600.0) -> dict[str, Any]:
        """Wait for a job, and return its result.

        The first pause is a tenth of a second; later ones grow by half, up to five seconds. The
        wait continues while the server restarts, for up to five minutes.

        Args:
            backend_name: Name of the device.
            job_id: Id of the job.
            timeout: Seconds after which the wait ends in any case.

        Raises:
            QluedTimeoutError: The job has not ended in time; it continues on the server.
            QluedJobError: The job ended in an error; the message is the server's.
            QluedAPIError: The request failed.
        """
        polling = Polling(timeout, _FIRST_PAUSE_S, clock=self.clock)
        while True:
            found = polling.ask(lambda: self._poll(backend_name, job_id), QluedRetriableError)
            if found:
                return found
            if not polling.pause():
                raise QluedTimeoutError(
                    f"Job {job_id} has not ended within {timeout:g} s. It continues on the server."
                )

    # Short names of methods above.
    backends = list_backends
    config = get_config
    backend_status = get_backend_status
    status = get_job_status

    def _poll(self, backend_name: str, job_id: str) -> dict[str, Any]:
        """Return the result of a job; {} if it has not ended."""
        found = self._read_job(backend_name, "get_job_status", job_id, OUTAGE)
        self._raise_if_failed(found)
        # The status in the result is ignored: some servers never update it.
        return self._result(backend_name, job_id, OUTAGE) if found.get("status") in _DONE else {}

    def _result(self, backend_name: str, job_id: str, retry_policy: RetryPolicy) -> dict[str, Any]:
        found = self._read_job(backend_name, "get_job_result", job_id, retry_policy)
        if "results" in found:
            return found
        self._raise_if_failed(found)
        raise QluedNotFinishedError(f"Job {job_id} has not ended.")

    def _raise_if_failed(self, document: Mapping[str, Any]) -> None:
        """Raise the error of a job that ended in one, or does not exist."""
        if document.get("status") in _ERROR:
            message = sanitize(document.get("error_message")) or sanitize(document.get("detail"))
            raise QluedJobError(redact(message, self._secrets()) or "The job failed.")

    def _read_job(
        self, backend_name: str, route: str, job_id: str, retry_policy: RetryPolicy | None = None
    ) -> dict[str, Any]:
        """Read a document of a job; with status 406 the error is the job's, not the request's."""
        query = urlencode({"job_id": job_id, "token": self._secret()})
        path = f"{_path(backend_name, route)}?{query}"
        return self._send("GET", path, object_of, also_read=406, retry_policy=retry_policy)

    # ----------------------------------------------------------------------------------------------

    def _secret(self) -> str:
        if not self._token:
            raise QluedClientError(
                "No token: jobs need one. Pass token=… or set QLUED_TOKEN or QWICKET_TOKEN."
            )
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
        retry_policy = retry_policy or self.retry_policy
        return send(self._http, request, read, failure, retry_policy, self.clock)

    def _secrets(self) -> list[str]:
        """Return the token in each form in which a server may repeat it."""
        token = self._token or ""
        if len(token) < MIN_SECRET_CHARS:
            return []
        return [token, quote(token, safe=""), quote_plus(token)]


def _path(name: object, route: str) -> str:
    return quoted_path([name, route], "device", QluedClientError)


def _experiments(job: Job) -> Mapping[str, Any]:
    if isinstance(job, Mapping):
        return job
    circuits: object = [job] if isinstance(job, Circuit) else job
    if not isinstance(circuits, Sequence) or not circuits or not all(map(_is_circuit, circuits)):
        raise QluedClientError("A job is a dict, an experiment, or a list of experiments.")
    return {f"experiment_{number}": circuit.experiment() for number, circuit in enumerate(circuits)}


def _is_circuit(value: object) -> bool:
    return isinstance(value, Circuit)


def _job_id(response: Response) -> str:
    job_id = object_of(response).get("job_id")
    if not isinstance(job_id, str):
        raise invalid_response(response, "has no job_id")
    return job_id
