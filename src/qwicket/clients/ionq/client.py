"""`IonQClient`: one method for each thing that can be asked of the server."""

from __future__ import annotations

import platform
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from qwicket import __version__
from qwicket.clients.http import HTTPClient, InvalidResponse, Polling, Request, header
from qwicket.clients.http.addresses import Service, choose
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.http.sending import (
    ServiceClient,
    json_of,
    object_of,
    objects_of,
    send,
    wrong,
)
from qwicket.clients.http.text import LEAST_SECRET_CHARS, json_bytes, path_of
from qwicket.clients.ionq.errors import (
    IonQAPIError,
    IonQClientError,
    IonQCredentialsError,
    IonQJobTimeoutError,
    IonQRetriableError,
    failure,
)
from qwicket.clients.ionq.estimates import JobEstimate
from qwicket.clients.ionq.jobs import Submittable, body_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qwicket.clients.http import Response, RetryPolicy

T = TypeVar("T")

DEFAULT_URL: Final = "https://api.ionq.co/v0.4"

_SERVICE: Final = Service("IONQ_API_URL", "IONQ_API_KEY", "/ionq/v0.4", DEFAULT_URL)
_FINAL: Final = frozenset({"completed", "failed", "canceled", "deleted"})
_FIRST_PAUSE_S: Final = 0.5
_RESULT_ADDRESS: Final = re.compile(r"(?:/v\d+\.\d+)?(/jobs/[\w-]+/results(?:/[\w-]+)*)\Z")


class IonQClient(ServiceClient):
    """A client of IonQ's API, for any number of threads. Nothing is sent when it is made.

    Args:
        token: The API key; by default `IONQ_API_KEY`, then `QWICKET_TOKEN`.
        url: Address with the version, such as `https://api.ionq.co/v0.4`; by default
            `IONQ_API_URL`, then the server in `QWICKET_URL`, then IonQ's own service. Below
            `…/v0.3` the older API is spoken.
        custom_headers: Headers to send besides the client's own, which win.

    Attributes:
        retry_policy: Bounds on trying again, in tries and time.
        timeout_s: Seconds for one answer.

    Raises:
        IonQClientError: The address is none, or a Qwicket token would go to IonQ.
    """

    def __init__(
        self,
        token: str | None = None,
        url: str | None = None,
        custom_headers: Mapping[str, str] | None = None,
    ) -> None:
        target = choose(_SERVICE, url, token, IonQClientError)
        self._token = target.token
        self._custom_headers = dict(custom_headers or {})
        url = target.url or DEFAULT_URL
        self._http = HTTPClient(url, IonQClientError, url_source=target.url_source)

    @property
    def _url(self) -> str:
        return self._http.url

    @property
    def _is_v03(self) -> bool:
        return self._url.endswith("/v0.3")

    @property
    def api_headers(self) -> dict[str, str]:
        """Headers of every request: the custom ones, and this client's own, which win.

        They hold the key. Without a key there is no `Authorization`.

        Raises:
            IonQClientError: One of them cannot be sent.
        """
        own = {
            "Content-Type": "application/json",
            "User-Agent": f"qwicket/{__version__} python/{platform.python_version()}",
        }
        if self._token:
            own["Authorization"] = f"apiKey {header(self._token, 'key', IonQClientError)}"
        fixed = {"authorization", *(name.lower() for name in own)}
        custom = {
            header(name, "name of a custom header", IonQClientError): header(
                value, "value of a custom header", IonQClientError
            )
            for name, value in self._custom_headers.items()
            if name.lower() not in fixed
        }
        return {**custom, **own}

    def make_path(self, *parts: str) -> str:
        """Return the address of what these parts name, as they are."""
        return f"{self._url}/{'/'.join(parts)}"

    # --- jobs ----------------------------------------------------------------------------------

    def submit_job(self, job: Submittable, *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Submit a job.

        A submission is repeated only where it cannot double: after 429, or when no connection was
        made. With an idempotency key it is repeated like a read.

        Args:
            job: The body of a submission as a dict; a `Job`; a circuit or several, which then run
                on the simulator; or an object with the attributes of qiskit-ionq's job.
            idempotency_key: A text of one's own under which the server takes a job only once. Give
                one only to a server that knows such keys: any other would make the job twice.

        Returns:
            At least `id` and `status`.

        Raises:
            IonQClientError: It cannot be sent; nothing was.
            IonQAPIError: It was refused; nothing is stored.
            IonQRetriableError: No answer tells: unless `was_surely_not_done`, it may be stored.
        """
        body = body_of(job, is_v03=self._is_v03)
        return self._send("POST", "/jobs", _with_id, body, key=idempotency_key, can_repeat=False)

    def retrieve_job(self, job_id: str) -> dict[str, Any]:
        """Return what the server says of a job.

        Raises:
            IonQAPIError: There is no such job for this key, or the server could not be asked.
        """
        return self._send("GET", _path("jobs", job_id), object_of)

    def list_jobs(self, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield jobs, page by page, as the server orders them.

        Args:
            **query: Filters such as `status`, `session_id`, `limit` (of one page).

        Raises:
            IonQAPIError: The server could not be asked.
        """
        seen: set[str] = set()
        while True:
            page = self._send("GET", "/jobs", object_of, query=query)
            jobs, following = page.get("jobs") or [], page.get("next")
            yield from jobs
            if not jobs or not following or following in seen:
                return
            seen.add(following)
            query["next"] = following

    def wait(self, job_id: str, timeout: float = 3600.0) -> dict[str, Any]:
        """Wait until a job has ended, and return what the server says of it.

        It is asked after half a second at first, later every five. A server that is away for some
        minutes, because it restarts, does not end the wait.

        Args:
            job_id: The job.
            timeout: Seconds to wait at most, whatever the server does.

        Raises:
            IonQJobTimeoutError: It has not ended; it goes on without us.
            IonQAPIError: The server could not be asked.
        """
        polling = Polling(timeout, _FIRST_PAUSE_S)
        while True:
            job = polling.ask(
                lambda: self._send("GET", _path("jobs", job_id), object_of, retry_policy=OUTAGE),
                IonQRetriableError,
            )
            if job is not None and job.get("status") in _FINAL:
                return job
            if not polling.pause():
                raise IonQJobTimeoutError(
                    f"Job {job_id} has not ended within {timeout:g} s and goes on."
                )

    def cancel_job(self, job_id: str) -> dict[str, Any]:
        """Cancel a job; one that has ended stays as it is.

        Returns:
            At least `id` and `status`.

        Raises:
            IonQAPIError: It was refused, or the server could not be asked.
        """
        return self._send("PUT", _path("jobs", job_id, "status", "cancel"), object_of)

    def cancel_jobs(self, job_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Cancel several jobs, one after the other."""
        return [self.cancel_job(job_id) for job_id in job_ids]

    def delete_job(self, job_id: str) -> dict[str, Any]:
        """Delete a job and what it gave.

        Returns:
            At least `id` and `status`.

        Raises:
            IonQAPIError: It was refused, or the server could not be asked. A 404 may follow on an
                answer that was lost: the job is gone then.
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
        """Return what a completed job gave: probabilities by outcome, or by child job.

        Args:
            job_id: The job, or one of the addresses in the job's `results`.
            sharpen: For jobs with debiasing: whether to favour what most variants agree on.
            extra_query_params: Further parameters, as they are.
            results_url: Another name for `job_id`, by which qiskit-ionq 1.1 gives an address.

        Raises:
            IonQClientError: It is neither an id nor the address of a result of this server.
            IonQAPIError: There is no result (404), or the server could not be asked.
        """
        query = {} if sharpen is None else {"sharpen": str(bool(sharpen))}
        query |= extra_query_params or {}
        return self._send("GET", self._result_path(job_id or results_url), json_of, query=query)

    def get_artifact(self, job_id: str, artifact_id: str) -> Any:
        """Return a file that belongs to a job: JSON, text or bytes, by its media type.

        Without a media type it is JSON if it can be read as such, else text.

        Raises:
            IonQAPIError: There is none, or the server could not be asked.
        """
        return self._send("GET", _path("jobs", job_id, "artifacts", artifact_id), _artifact)

    # --- backends ------------------------------------------------------------------------------

    def list_backends(self) -> list[dict[str, Any]]:
        """Return what the server says of each backend; no key is needed.

        Raises:
            IonQAPIError: The server could not be asked.
        """
        return self._send("GET", "/backends", objects_of, is_public=True)

    def get_calibration_data(self, backend_name: str) -> dict[str, Any]:
        """Return the calibration in force; {} for a backend that has none.

        Args:
            backend_name: Such as `qpu.aria-1`; a leading `ionq_` does not matter.

        Raises:
            IonQAPIError: The backend is unknown, or the server could not be asked.
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
        """Return the calibrations of a backend, newest first (v0.4); no key is needed.

        Args:
            backend_name: Such as `qpu.aria-1`; a leading `ionq_` does not matter.
            limit: Entries at most, from 1 to 10.

        Raises:
            IonQClientError: The address is one of v0.3, which has no such list.
            IonQAPIError: The backend is unknown, or the server could not be asked.
        """
        if self._is_v03:
            raise IonQClientError("Version 0.3 of the API lists no calibrations.")
        path = _path("backends", backend_name.removeprefix("ionq_"), "characterizations")
        query = {} if limit is None else {"limit": limit}
        return self._send("GET", path, _calibrations, query=query, is_public=True)

    def _backend_names(self) -> list[str]:
        return [str(each.get("backend")) for each in self.list_backends()]

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
        """Return what such a job would cost, and how long it would take.

        Args:
            backend: Such as `qpu.aria-1`; a leading `ionq_` does not matter.
            oneq_gates: Gates on one qubit.
            twoq_gates: Gates on two.
            qubits: Their number.
            shots: Their number.
            error_mitigation: Whether errors are mitigated.
            session: Whether the job runs in a session.
            job_type: IonQ's word for the kind of job.

        Raises:
            IonQAPIError: It was refused, or the server could not be asked.
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
        return JobEstimate.from_body(self._send("GET", "/jobs/estimate", object_of, query=query))

    # --- sessions; `Session` is the comfortable way ----------------------------------------------

    def create_session(self, backend: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Start a session on a backend."""
        body = {"backend": backend.removeprefix("ionq_"), "settings": dict(settings)}
        return self._send("POST", "/sessions", _with_id, body, can_repeat=False)

    def retrieve_session(self, session_id: str) -> dict[str, Any]:
        """Return what the server says of a session."""
        return self._send("GET", _path("sessions", session_id), object_of)

    def end_session(self, session_id: str) -> dict[str, Any]:
        """End a session; one that has ended stays so."""
        return self._send("POST", _path("sessions", session_id, "end"), object_of)

    # -------------------------------------------------------------------------------------------

    def _result_path(self, job: str) -> str:
        if "/" not in job:
            ending = ["results"] if self._is_v03 else ["results", "probabilities"]
            return _path("jobs", job, *ending)
        found = _RESULT_ADDRESS.match(job)
        if found is None:
            # Whatever else it is, it might lead the key to another server.
            raise IonQClientError("That is neither a job's id nor the address of its result.")
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
            raise IonQCredentialsError("No key: pass token=… or set IONQ_API_KEY.")
        headers = self.api_headers
        if key is not None:
            headers["Idempotency-Key"] = header(key, "idempotency key", IonQClientError)
        asked = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json_bytes(body, "The job", IonQClientError)
        secrets = [(self._token or "").strip(), *self._custom_headers.values()]
        hidden = [each for each in secrets if len(each) >= LEAST_SECRET_CHARS]
        can_repeat = can_repeat or key is not None
        request = Request(
            method, asked, headers, content, self.timeout_s, hidden, can_repeat=can_repeat
        )
        return send(
            self._http, request, read, partial(failure, method), retry_policy or self.retry_policy
        )


def _path(*parts: object) -> str:
    return path_of(parts, "id", IonQClientError)


def _with_id(response: Response) -> dict[str, Any]:
    document = object_of(response)
    if "id" not in document:
        raise wrong(response, "has no id")
    return document


def _calibrations(response: Response) -> list[dict[str, Any]]:
    found = object_of(response).get("characterizations") or []
    if not isinstance(found, list):
        raise wrong(response, "is no list")
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
