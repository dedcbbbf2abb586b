"""`IonQClient`: methods for the routes of the API, and for tasks of several requests."""

from __future__ import annotations

import platform
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from qwicket import __version__
from qwicket.clients.http import HTTPClient, InvalidResponse, Polling, Request, validated_header
from qwicket.clients.http.addresses import Service, choose_destination
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.http.sending import (
    ServiceClient,
    invalid_response,
    json_of,
    object_of,
    objects_of,
    send,
)
from qwicket.clients.http.text import MIN_SECRET_CHARS, json_bytes, quoted_path
from qwicket.vendors.ionq.client.errors import (
    INVALID_RESPONSE,
    IonQAPIError,
    IonQClientError,
    IonQCredentialsError,
    IonQJobTimeoutError,
    IonQRetriableError,
    failure,
)
from qwicket.vendors.ionq.client.estimates import JobEstimate
from qwicket.vendors.ionq.client.jobs import Submittable, body_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qwicket.clients.http import Response, RetryPolicy

T = TypeVar("T")

DEFAULT_URL: Final = "https://api.ionq.co/v0.4"
"""Address of IonQ's own service."""

_SERVICE: Final = Service("IONQ_API_URL", "IONQ_API_KEY", "/ionq/v0.4", DEFAULT_URL)
_FINAL: Final = frozenset({"completed", "failed", "canceled", "deleted"})
_FIRST_PAUSE_S: Final = 0.5
_RESULT_ADDRESS: Final = re.compile(r"(?:/v\d+\.\d+)?(/jobs/[\w-]+/results(?:/[\w-]+)*)\Z")


class IonQClient(ServiceClient):
    """Client of IonQ's API. It is thread-safe, and sends no request when it is created.

    Args:
        token: API key; by default that in `IONQ_API_KEY`, then that in `QWICKET_TOKEN`, which is
            only sent to the server in `QWICKET_URL`.
        url: Address with the version, such as `https://api.ionq.co/v0.4`; by default
            `IONQ_API_URL`, then the server in `QWICKET_URL` unless the key is IonQ's, then IonQ's
            own service. An address that ends in `/v0.3` selects the older API.
        custom_headers: Additional headers. They cannot replace the client's own.

    Attributes:
        retry_policy: Bounds of retries.
        timeout_s: Seconds for one response.
        clock: Clock for deadlines and pauses.

    Raises:
        IonQClientError: The address is invalid, or a Qwicket token would be sent to IonQ.
    """

    def __init__(
        self,
        token: str | None = None,
        url: str | None = None,
        custom_headers: Mapping[str, str] | None = None,
    ) -> None:
        destination = choose_destination(_SERVICE, url, token, IonQClientError)
        self._token = destination.token
        self._custom_headers = dict(custom_headers or {})
        url = destination.url or DEFAULT_URL
        self._http = HTTPClient(url, IonQClientError, url_source=destination.url_source)

    @property
    def _url(self) -> str:
        return self._http.url

    @property
    def _is_v03(self) -> bool:
        return self._url.endswith("/v0.3")

    @property
    def api_headers(self) -> dict[str, str]:
        """Headers of every request, including `Authorization` with the key if there is one.

        Raises:
            IonQClientError: A header is not printable ASCII.
        """
        own = {
            "Content-Type": "application/json",
            "User-Agent": f"qwicket/{__version__} python/{platform.python_version()}",
        }
        if self._token:
            own["Authorization"] = f"apiKey {validated_header(self._token, 'key', IonQClientError)}"
        fixed = {"authorization", *(name.lower() for name in own)}
        custom = {
            validated_header(name, "name of a custom header", IonQClientError): validated_header(
                value, "value of a custom header", IonQClientError
            )
            for name, value in self._custom_headers.items()
            if name.lower() not in fixed
        }
        return {**custom, **own}

    def make_path(self, *parts: str) -> str:
        """Return the address of a path; its parts are not quoted."""
        return f"{self._url}/{'/'.join(parts)}"

    # --- jobs ----------------------------------------------------------------------------------

    def submit_job(self, job: Submittable, *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Submit a job.

        A submission is only repeated if the first one certainly had no effect: after status 429,
        or if no connection was made. With an idempotency key it is repeated like a read.

        Args:
            job: Body of a submission as a dict; a `Job`; one or several circuits, which run on the
                simulator; or an object with the attributes of qiskit-ionq's job.
            idempotency_key: Key under which the server creates only one job. Pass one only to a
                server that supports such keys; another server may create the job twice.

        Returns:
            At least `id` and `status`.

        Raises:
            IonQClientError: The job is invalid; no request was sent.
            IonQCredentialsError: The client has no key; no request was sent.
            IonQAPIError: The server refused the submission, so no job exists; or it failed (500),
                or its response is invalid, so the job may exist.
            IonQRetriableError: The outcome is unknown: the job may exist, unless
                `was_surely_not_done` is true.
        """
        body = body_of(job, is_v03=self._is_v03)
        return self._send("POST", "/jobs", _with_id, body, key=idempotency_key, can_repeat=False)

    def retrieve_job(self, job_id: str) -> dict[str, Any]:
        """Return a job's document.

        Raises:
            IonQAPIError: This key has no access to a job with this id, or the request failed.
        """
        return self._send("GET", _path("jobs", job_id), _job)

    def list_jobs(self, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield jobs, page by page, in the server's order.

        Args:
            **query: Filters, such as `status`, `session_id`, `limit` (of one page).

        Raises:
            IonQAPIError: The request failed, or the list has no end.
        """
        read_pages: set[str] = set()
        while True:
            page = self.list_page(**query)
            yield from page.get("jobs") or ()
            next_page = page.get("next")
            if not next_page:  # an empty page is not the end: filters may have emptied it
                return
            if next_page in read_pages:
                message = "The list of jobs has no end: it refers to the same page twice."
                raise IonQAPIError(message, None, {}, "", INVALID_RESPONSE)
            read_pages.add(next_page)
            query["next"] = next_page

    def list_page(self, **query: Any) -> dict[str, Any]:
        """Return one page of the list of jobs: `jobs`, and in `next` the place of the next page.

        Args:
            **query: As for `list_jobs`; `next` is the place of this page.

        Raises:
            IonQAPIError: The request failed.
        """
        return self._send("GET", "/jobs", _page, query=query)

    def wait(self, job_id: str, timeout: float = 3600.0) -> dict[str, Any]:
        """Wait until a job has ended, and return its document.

        The first pause is half a second; later ones grow by half, up to five seconds. The wait
        continues while the server restarts, for up to five minutes.

        Args:
            job_id: Id of the job.
            timeout: Seconds after which the wait ends in any case.

        Raises:
            IonQJobTimeoutError: The job has not ended in time; it continues on the server.
            IonQAPIError: The request failed.
        """
        polling = Polling(timeout, _FIRST_PAUSE_S, clock=self.clock)
        while True:
            job = polling.ask(
                lambda: self._send("GET", _path("jobs", job_id), _job, retry_policy=OUTAGE),
                IonQRetriableError,
            )
            if job is not None and job.get("status") in _FINAL:
                return job
            if not polling.pause():
                raise IonQJobTimeoutError(
                    f"Job {job_id} has not ended within {timeout:g} s. It continues on the server."
                )

    def cancel_job(self, job_id: str) -> dict[str, Any]:
        """Cancel a job. A job that has ended does not change.

        Returns:
            At least `id` and `status`.

        Raises:
            IonQAPIError: The request failed.
        """
        return self._send("PUT", _path("jobs", job_id, "status", "cancel"), object_of)

    def cancel_jobs(self, job_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Cancel several jobs in sequence."""
        return [self.cancel_job(job_id) for job_id in job_ids]

    def delete_job(self, job_id: str) -> dict[str, Any]:
        """Delete a job and its result.

        Returns:
            At least `id` and `status`.

        Raises:
            IonQAPIError: The request failed. A status of 404 may mean that an earlier attempt
                deleted the job and its response was lost.
        """
        return self._send("DELETE", _path("jobs", job_id), object_of)

    # --- results -------------------------------------------------------------------------------

    def get_results(
        self,
        job_id: str = "",
        sharpen: bool | None = None,
        extra_query_params: Mapping[str, Any] | None = None,
        *,
        results_url: str = "",
    ) -> Any:
        """Return the result of a completed job: probabilities by outcome, or by child job.

        Args:
            job_id: Id of the job, or one of the addresses in the job's `results`.
            sharpen: For jobs with debiasing: whether to favour outcomes that most variants share.
            extra_query_params: Further query parameters.
            results_url: Alternative to `job_id`, under the name that qiskit-ionq 1.1 uses.

        Raises:
            IonQClientError: The text is neither an id nor the address of a result.
            IonQAPIError: There is no result (404), or the request failed.
        """
        query = {} if sharpen is None else {"sharpen": str(bool(sharpen))}
        query |= extra_query_params or {}
        return self._send("GET", self._result_path(job_id or results_url), json_of, query=query)

    def get_artifact(self, job_id: str, artifact_id: str) -> Any:
        """Return a file of a job: JSON, text or bytes, according to its media type.

        Without a media type, content that is valid JSON is decoded; other content is text.

        Raises:
            IonQAPIError: There is no such file (404), or the request failed.
        """
        return self._send("GET", _path("jobs", job_id, "artifacts", artifact_id), _artifact)

    # --- backends ------------------------------------------------------------------------------

    def list_backends(self) -> list[dict[str, Any]]:
        """Return the documents of all backends. This request needs no key.

        Raises:
            IonQAPIError: The request failed.
        """
        return self._send("GET", "/backends", objects_of, is_public=True)

    def get_calibration_data(self, backend_name: str) -> dict[str, Any]:
        """Return the present calibration; {} for a backend without calibration.

        Args:
            backend_name: Name, such as `qpu.aria-1`; a leading `ionq_` is ignored.

        Raises:
            IonQAPIError: The backend is unknown, or the request failed.
        """
        if not self._is_v03:
            found = self.list_calibrations(backend_name, limit=1)
            return found[0] if found else {}
        name = backend_name.removeprefix("ionq_")
        path = _path("characterizations", "backends", name, "current")
        try:
            return self._send("GET", path, object_of)
        except IonQAPIError as error:
            if error.status_code != 404 or name not in self._backend_names():
                raise
        return {}

    def list_calibrations(
        self, backend_name: str, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the calibrations of a backend, newest first (v0.4). This request needs no key.

        Args:
            backend_name: Name, such as `qpu.aria-1`; a leading `ionq_` is ignored.
            limit: Maximum number of entries, from 1 to 10.

        Raises:
            IonQClientError: The address selects v0.3, which has no such list.
            IonQAPIError: The backend is unknown, or the request failed.
        """
        if self._is_v03:
            raise IonQClientError("Version 0.3 of the API lists no calibrations.")
        path = _path("backends", backend_name.removeprefix("ionq_"), "characterizations")
        query = {} if limit is None else {"limit": limit}
        return self._send("GET", path, _calibrations, query=query, is_public=True)

    def _backend_names(self) -> list[str]:
        return [str(backend.get("backend")) for backend in self.list_backends()]

    def estimate_job(
        self,
        backend: str,
        oneq_gates: int,
        twoq_gates: int,
        qubits: int,
        shots: int,
        error_mitigation: bool = False,
        session: bool = False,
        job_type: str = "ionq.circuit.v1",
    ) -> JobEstimate:
        """Return the estimated cost and time of a job.

        Args:
            backend: Name, such as `qpu.aria-1`; a leading `ionq_` is ignored.
            oneq_gates: Number of one-qubit gates.
            twoq_gates: Number of two-qubit gates.
            qubits: Number of qubits.
            shots: Number of shots.
            error_mitigation: Whether errors are mitigated.
            session: Whether the job runs in a session.
            job_type: IonQ's name of the kind of job.

        Raises:
            IonQAPIError: The request failed.
        """
        query = {
            "type": job_type,
            "backend": backend.removeprefix("ionq_"),
            "1q_gates": oneq_gates,
            "2q_gates": twoq_gates,
            "qubits": qubits,
            "shots": shots,
            "error_mitigation": str(error_mitigation).lower(),
            "session": str(session).lower(),
        }
        return self._send("GET", "/jobs/estimate", _estimate, query=query)

    # --- sessions, see also `Session` ------------------------------------------------------------

    def create_session(self, backend: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Start a session on a backend; return its document."""
        body = {"backend": backend.removeprefix("ionq_"), "settings": dict(settings)}
        return self._send("POST", "/sessions", _with_id, body, can_repeat=False)

    def retrieve_session(self, session_id: str) -> dict[str, Any]:
        """Return the document of a session."""
        return self._send("GET", _path("sessions", session_id), object_of)

    def end_session(self, session_id: str) -> dict[str, Any]:
        """End a session. Ending it twice succeeds."""
        return self._send("POST", _path("sessions", session_id, "end"), object_of)

    # -------------------------------------------------------------------------------------------

    def _result_path(self, job: str) -> str:
        if "/" not in job:
            ending = ["results"] if self._is_v03 else ["results", "probabilities"]
            return _path("jobs", job, *ending)
        found = _RESULT_ADDRESS.match(job)
        if found is None:
            # Any other address could send the key to another server.
            raise IonQClientError("Pass the id of a job or the address of its result.")
        return found[1]

    def _send(
        self,
        method: str,
        path: str,
        read: Callable[[Response], T],
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
        can_repeat: bool = True,
        is_public: bool = False,
        retry_policy: RetryPolicy | None = None,
    ) -> T:
        if not self._token and not is_public:
            raise IonQCredentialsError("No API key: pass token=… or set IONQ_API_KEY.")
        headers = self.api_headers
        if key is not None:
            headers["Idempotency-Key"] = validated_header(key, "idempotency key", IonQClientError)
        if query:
            path = f"{path}?{urlencode(query)}"
        content = None if body is None else json_bytes(body, "The job", IonQClientError)
        secrets = [(self._token or "").strip(), *self._custom_headers.values()]
        hidden = [secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS]
        can_repeat = can_repeat or key is not None
        request = Request(
            method, path, headers, content, self.timeout_s, hidden, can_repeat=can_repeat
        )
        retry_policy = retry_policy or self.retry_policy
        return send(self._http, request, read, partial(failure, method), retry_policy, self.clock)


def _path(*parts: object) -> str:
    return quoted_path(parts, "id", IonQClientError)


def _with_id(response: Response) -> dict[str, Any]:
    document = object_of(response)
    if "id" not in document:
        raise invalid_response(response, "has no id")
    return document


def _job(response: Response) -> dict[str, Any]:
    document = object_of(response)
    if not isinstance(document.get("status"), str | None):
        raise invalid_response(response, "has a status that is not a text")
    return document


def _page(response: Response) -> dict[str, Any]:
    document = object_of(response)
    jobs = document.get("jobs") or []
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise invalid_response(response, "has no list of jobs")
    if not isinstance(document.get("next"), str | None):
        raise invalid_response(response, "names no next page")
    return document


def _estimate(response: Response) -> JobEstimate:
    try:
        return JobEstimate.from_body(object_of(response))
    except AttributeError:  # the part with the request is not an object
        raise invalid_response(response, "is not an estimate") from None


def _calibrations(response: Response) -> list[dict[str, Any]]:
    found = object_of(response).get("characterizations") or []
    if not isinstance(found, list):
        raise invalid_response(response, "has no list of calibrations")
    return found


def _artifact(response: Response) -> Any:
    media_type = response.headers.get("Content-Type", "").lower()
    if "octet-stream" in media_type:
        return response.content
    if media_type.startswith("text/"):
        return response.text
    try:
        return json_of(response)
    except InvalidResponse:
        if media_type:
            raise
    return response.text
