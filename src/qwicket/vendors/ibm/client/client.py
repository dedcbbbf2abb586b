"""`IBMQXClient`: methods for the routes of the API, and for tasks of several requests.

Paths are spelt as in the document of January 2020 that describes this API, misprints included.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from qwicket.clients.http import HTTPClient, InvalidResponse, Polling, Request, validated_header
from qwicket.clients.http.addresses import Service, choose_destination
from qwicket.clients.http.deadlines import within
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.http.sending import (
    ServiceClient,
    json_of,
    object_of,
    objects_of,
    send,
)
from qwicket.vendors.ibm.client import decoding, encoding
from qwicket.vendors.ibm.client.encoding import HEADERS
from qwicket.vendors.ibm.client.errors import (
    NOT_CONNECTED,
    IBMQXAPIError,
    IBMQXClientError,
    IBMQXError,
    IBMQXJobError,
    IBMQXRetriableError,
    failure,
    not_ended,
)
from qwicket.vendors.ibm.client.responses import (
    Account,
    Device,
    Job,
    QueueStatus,
    Record,
    Result,
    Status,
    device_names,
)
from qwicket.vendors.ibm.client.stream import StreamBroken, statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qwicket.clients.http import Response, RetryPolicy

T = TypeVar("T")

DEFAULT_URL: Final = "https://api.quantum-computing.ibm.com/api"
"""Address where IBM served this API in 2020."""
_SERVICE: Final = Service("QE_URL", "QE_TOKEN", "/ibm/api", DEFAULT_URL)
_DIRECT_BYTES: Final = 1 << 20
"""Size of the largest program in the body of a submission; larger ones are uploaded."""
_FIRST_PAUSE_S: Final = 0.5
_SIGN_IN_S: Final = 120.0
"""Longest wait for another thread's sign-in, which has a deadline of its own."""
_DIRECT_KIND: Final = "q-object"
"""Kind of a job whose program came in the body of its submission."""
_COMPLETED: Final = "COMPLETED"
_CANCELLED: Final = "CANCELLED"
_QUERY_KEYS: Final = ("limit", "skip", "order", "fields", "where")


class IBMQXClient(ServiceClient):
    """Client of the IBM Quantum Experience API of 2020. It is thread-safe.

    It sends no request when it is created, and signs in before the first request that needs it.

    Args:
        token: API token; by default that in `QE_TOKEN`, then that in `QWICKET_TOKEN`, which is only
            sent to the server in `QWICKET_URL`.
        email: E-mail address, to sign in with a password instead of a token.
        password: Password of the e-mail address.
        url: Address of the API, such as `http://127.0.0.1:8000/ibm/api`; by default `QE_URL`, then
            the server in `QWICKET_URL` unless a password or another service's token is given, then
            IBM's address of 2020.
        hub: Hub of a project. With `hub`, `group` and `project`, the client submits to this project
            and lists only its jobs and devices. Pass all three or none.
        group: Group of the project.
        project: Name of the project.

    Attributes:
        retry_policy: Bounds of retries.
        timeout_s: Seconds for one response; uploads and downloads may take at least 600 s.
        clock: Clock for deadlines and pauses.

    Raises:
        IBMQXClientError: The address is invalid, a Qwicket token would be sent to IBM, there is not
            exactly one way to sign in, or the project is incomplete.
    """

    timeout_s = 60.0

    def __init__(
        self,
        token: str | None = None,
        *,
        email: str | None = None,
        password: str | None = None,
        url: str | None = None,
        hub: str | None = None,
        group: str | None = None,
        project: str | None = None,
    ) -> None:
        has_password = email is not None and password is not None
        destination = choose_destination(
            _SERVICE, url, "" if has_password and token is None else token, IBMQXClientError
        )
        token = destination.token or None
        if (token is not None) == has_password or (email is None) != (password is None):
            raise IBMQXClientError("Sign in with a token, or with an e-mail address and password.")
        scope = (hub, group, project)
        if any(scope) and not all(scope):
            raise IBMQXClientError("Pass hub, group and project, or none of them.")
        url = destination.url or DEFAULT_URL
        self._http = HTTPClient(url, IBMQXClientError, url_source=destination.url_source)
        self._credentials: dict[str, str] = (
            {"apiToken": token} if token else {"email": email or "", "password": password or ""}
        )
        self._scope = (
            encoding.path("Network", hub, "Groups", group, "Projects", project)
            if all(scope)
            else ""
        )
        self._access_token: str | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<IBMQXClient of {self._http.url}{self._scope}>"

    # --- account and devices ----------------------------------------------------------------------

    def login(self, email: str | None = None, password: str | None = None) -> Record:
        """Sign in with an e-mail address and a password, and keep them for later sign-ins.

        Args:
            email: E-mail address. Unless both arguments are given, the client's own credentials
                are used, also an API token.
            password: Password; see `email`.

        Returns:
            The access token as `id`, its lifetime in seconds as `ttl`, `created` and `userId`.
        """
        given = {"email": email or "", "password": password or ""}
        return self._sign_in_with(given if email and password else self._credentials)

    def login_with_token(self, token: str | None = None) -> Record:
        """Sign in with an API token, and keep it for later sign-ins; by default the client's.

        Returns:
            The fields of `login`.
        """
        return self._sign_in_with({"apiToken": token} if token else self._credentials)

    def me(self) -> Account:
        """Return the signed-in account."""
        return Account(self._send("GET", "/users/me", object_of))

    def network(self) -> list[Record]:
        """Return the hubs with their groups, projects and devices."""
        return [Record(hub) for hub in self._send("GET", "/network", objects_of)]

    def backends(self) -> list[Device]:
        """Return all devices with their configurations.

        A server with only the routes of the document has no such list. Without a project, the
        method then returns devices that have only their names, from `network`.
        """
        try:
            found = self._send("GET", f"{self._scope}/devices/v/1", objects_of)
            return [Device(device) for device in found]
        except IBMQXAPIError as error:
            if error.status_code != 404 or self._scope:
                raise
        return [Device({"backend_name": name}) for name in device_names(self.network())]

    def properties(self, device_name: str) -> Record:
        """Return the calibration of a device; empty if it has none."""
        path = self._scope + encoding.path("backends", device_name, "properties")
        return Record(self._send("GET", path, object_of))

    def defaults(self, device_name: str) -> Record:
        """Return a device's pulse defaults; empty if it has none."""
        path = self._scope + encoding.path("backend", device_name, "defaults")
        return Record(self._send("GET", path, object_of))

    def queue_status(self, device_name: str) -> QueueStatus:
        """Return whether a device takes jobs, and how many wait. This request needs no sign-in."""
        path = self._scope + encoding.path("backend", device_name, "queue", "status")
        return QueueStatus(self._exchange(Request("GET", path, HEADERS), object_of))

    # --- jobs -------------------------------------------------------------------------------------

    def run_qobj(
        self, qobj: Mapping[str, Any], device_name: str, *, shots: int | None = None, **options: Any
    ) -> Job:
        """Submit a Qobj, in the submission itself up to 1 MiB, else as an upload.

        A submission is only repeated if the first one certainly had no effect: after status 429
        or 401 (with a new access token), or if no connection was made.

        Args:
            qobj: Program as a dict.
            device_name: Name of the device.
            shots: Shots of each circuit, in place of those in the Qobj's config.
            **options: Further fields of the body, such as `name`, `tags`, `shareLevel`. By default
                the name is empty.

        Returns:
            The job. If it was created, but a later request fails, the client cancels it and raises
            the error.

        Raises:
            IBMQXClientError: The program cannot be encoded as JSON, and no request was sent; or the
                server gave an access token or URL that cannot be used.
            IBMQXJobError: The server refused the program after the upload.
            IBMQXJobLimitError: The project has too many unfinished jobs.
            IBMQXAPIError: The server refused a request, or its response is invalid.
            IBMQXRetriableError: The outcome is unknown: the job may exist, unless
                `was_surely_not_done` is true.
        """
        if shots is not None:
            qobj = encoding.with_shots(qobj, shots)
        # The document prints both fields, and does not say that they may be absent.
        options = {"name": "", **encoding.shots_of(qobj), **options}
        if not self.is_large(qobj):
            return self._post_job(
                {**options, "backend": {"name": device_name}, "qObject": dict(qobj)}
            )
        draft = self.create_job(device_name, **options)
        try:
            self.upload_program(draft.id, qobj)
            return self.run_uploaded(draft.id)
        except IBMQXError:
            with contextlib.suppress(IBMQXError):  # the first error is the one to raise
                self.cancel(draft.id)
            raise

    def is_large(self, qobj: Mapping[str, Any]) -> bool:
        """Return whether a program is too large for the body of a submission.

        Raises:
            IBMQXClientError: The program cannot be encoded as JSON.
        """
        return len(encoding.body(dict(qobj))) > _DIRECT_BYTES

    def create_job(self, device_name: str, **options: Any) -> Job:
        """Create a job without a program; `upload_program` and `run_uploaded` complete it.

        Args:
            device_name: Name of the device.
            **options: As for `run_qobj`, without defaults. The Qobj's own `shots` replace those
                given here.
        """
        return self._post_job(
            {**options, "backend": {"name": device_name}, "allowObjectStorage": True}
        )

    def upload_program(self, job_id: str, qobj: Mapping[str, Any]) -> None:
        """Upload the program of a job that was created without one; `run_uploaded` then runs it.

        Args:
            job_id: Id of the job.
            qobj: Program as a dict.

        Raises:
            IBMQXClientError: The program cannot be encoded as JSON, or the server gave an access
                token or URL that cannot be used.
            IBMQXAPIError: The server refused a request, or its response is missing or invalid.
        """
        program = encoding.body(dict(qobj))
        self._transfer("PUT", self.job_upload_url(job_id), decoding.unchanged, program)

    def run_uploaded(self, job_id: str) -> Job:
        """Run a job whose program was uploaded.

        Args:
            job_id: Id of the job.

        Returns:
            The job. After an error it may run, or wait for another call.

        Raises:
            IBMQXJobError: The server refused the program.
            IBMQXAPIError: The server refused the request, or its response is missing or invalid.
        """
        job = self.job_data_uploaded(job_id)
        if job.status.startswith("ERROR"):
            raise IBMQXJobError(job.error_message or "The job was refused.", job.status)
        return job

    def job_upload_url(self, job_id: str) -> str:
        """Return the signed URL for uploading a job's program with PUT."""
        return self._send("GET", f"{self._job_path(job_id)}/jobUploadUrl", decoding.signed_url)

    def job_data_uploaded(self, job_id: str) -> Job:
        """Report that a job's program was uploaded, so that the server runs it."""
        path = f"{self._job_path(job_id)}/jobDataUploaded"
        found = self._send("POST", path, object_of, {}, can_repeat=False).get("job")
        return Job(found if isinstance(found, dict) else {})

    def job_download_url(self, job_id: str) -> str:
        """Return the signed URL of a job's program."""
        # A misprint of the document: `/job/{job_id}s` in place of `/jobs/{job_id}`.
        return self._send(
            "GET",
            f"{self._scope}{encoding.path('job', f'{job_id}s')}/jobDownloadUrl",
            decoding.signed_url,
        )

    def program(self, job_id: str) -> dict[str, Any]:
        """Return a job's program as a Qobj."""
        return self._transfer("GET", self.job_download_url(job_id), object_of)

    def jobs(self, **filters: Any) -> list[Job]:
        """Return the jobs of the account, or of the client's project, by default newest first.

        Args:
            **filters: `limit`, `skip`, `order`, `fields`, `where`, or any field of a job with a
                value or an operator: `status="QUEUED"`, `name={"regexp": "^bell"}`,
                `tags={"inq": ["a", "b"]}`. `device` filters by the name of the device.
        """
        selection = {name: filters.pop(name) for name in _QUERY_KEYS if name in filters}
        if "device" in filters:
            filters["backend.name"] = filters.pop("device")
        where = {**dict(selection.pop("where", None) or {}), **filters}
        if where:
            selection["where"] = where
        query = f"?{urlencode({'filter': json.dumps(selection)})}" if selection else ""
        return [Job(job) for job in self._send("GET", f"{self._scope}/jobs{query}", objects_of)]

    def job(self, job_id: str) -> Job:
        """Return a job by its id, also one that another process submitted."""
        return self._send("GET", self._job_path(job_id), decoding.job)

    def job_status(self, job_id: str) -> Status:
        """Return the status of a job."""
        return Status(self._send("GET", f"{self._job_path(job_id)}/status", object_of))

    def states(self, job_id: str, timeout: float | None = None) -> Iterator[Status]:
        """Yield each status of a job, from the present one to the final one.

        The client uses a websocket, and polls if none is available.

        Args:
            job_id: Id of the job.
            timeout: Seconds after which the iteration raises an error; None for no limit.

        Raises:
            IBMQXTimeoutError: The job has not ended in time; it continues on the server.
            IBMQXAPIError: The job does not exist, or the request failed.
        """
        polling = Polling(timeout, _FIRST_PAUSE_S, clock=self.clock)
        # Signs in, which the websocket cannot, and raises if the job does not exist.
        first = self._poll(job_id, polling)
        found: Status | None = None
        url = f"{self._http.url}{encoding.path('jobs', job_id)}/status/v/1"
        try:
            for body in statuses(url, self._access_token or "", polling.deadline, self.clock):
                found = Status(body)
                yield found
                if found.is_final:
                    return
        except StreamBroken:
            pass
        if found is None:
            yield first
        yield from self._polled(job_id, found or first, polling)

    def _polled(self, job_id: str, last: Status, polling: Polling) -> Iterator[Status]:
        while not last.is_final:
            if not polling.pause():
                raise not_ended(job_id)
            status = self._poll(job_id, polling)
            if dict(status) != dict(last):
                last = status
                yield status

    def _poll(self, job_id: str, polling: Polling) -> Status:
        """Read a job's status, with the retry policy for outages.

        Raises:
            IBMQXTimeoutError: The deadline has passed.
        """
        path = f"{self._job_path(job_id)}/status"
        found = polling.ask(
            lambda: self._send("GET", path, object_of, retry_policy=OUTAGE), IBMQXRetriableError
        )
        if found is None:
            raise not_ended(job_id)
        return Status(found)

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """Wait until a job has ended, and return it.

        Args:
            job_id: Id of the job.
            timeout: Seconds after which the wait ends in any case; None for no limit.

        Raises:
            IBMQXTimeoutError: The job has not ended or was not read in time; it continues on the
                server.
            IBMQXAPIError: The job does not exist, or the request failed.
        """
        # Begun before `states`, so that reading the job is within the timeout, too.
        polling = Polling(timeout, _FIRST_PAUSE_S, clock=self.clock)
        for _ in self.states(job_id, timeout):
            pass
        path = self._job_path(job_id)
        job = polling.ask(
            lambda: self._send("GET", path, decoding.job, retry_policy=OUTAGE), IBMQXRetriableError
        )
        if job is None:
            raise not_ended(job_id)
        return job

    def cancel(self, job_id: str) -> bool:
        """Cancel a job; return whether the server accepted this. The job may end later."""
        path = f"{self._job_path(job_id)}/cancel"
        found = self._send("POST", path, decoding.object_or_none, {}, can_be_empty=True)
        if found is None:  # an empty response does not say whether it was accepted
            status = self.job_status(job_id)
            return status.status == _CANCELLED or not status.is_final
        return found.get("cancelled") is True and "error" not in found

    def job_properties(self, job_id: str) -> Record:
        """Return the calibration of a job's device at submission; empty for a simulator."""
        return Record(self._send("GET", f"{self._job_path(job_id)}/properties", object_of))

    def result(self, job_id: str) -> Result:
        """Return the result of a job; for a failed job, the results of its completed circuits.

        Raises:
            IBMQXJobError: The job has not ended, or has ended without a result; see `status`.
            IBMQXAPIError: The job does not exist, or the request failed.
        """
        job = self.job(job_id)
        found = job.get("qObjectResult")
        if not isinstance(found, dict):
            # The result of a large job is not in its document, but at a signed URL. If the program
            # was in the submission, that URL exists only if the job completed.
            may_be_stored = job.is_final and (job.status == _COMPLETED or job.kind != _DIRECT_KIND)
            found = self._download(job) if may_be_stored else None
        if not isinstance(found, dict):
            reason = job.error_message or f"The job is {job.status}."
            raise IBMQXJobError(reason, job.status)
        return Result(found)

    def result_download_url(self, job_id: str) -> str:
        """Return the signed URL of a job's result."""
        return self._send("GET", f"{self._job_path(job_id)}/resultDownloadUrl", decoding.signed_url)

    def result_downloaded(self, job_id: str) -> None:
        """Report that a job's result was downloaded. The result remains available."""
        path = f"{self._job_path(job_id)}/resultDownloaded"
        self._send("POST", path, decoding.unchanged, {}, can_be_empty=True)

    def _download(self, job: Job) -> Any:
        try:
            address = self.result_download_url(job.id)
        except IBMQXAPIError as error:
            if error.status_code != 404:
                raise
            return None
        found = self._transfer("GET", address, json_of)
        with contextlib.suppress(IBMQXError):  # the result is complete without this report
            self.result_downloaded(job.id)
        return found

    # ----------------------------------------------------------------------------------------------

    def _job_path(self, job_id: str) -> str:
        return self._scope + encoding.path("jobs", job_id)

    def _post_job(self, body: Mapping[str, Any]) -> Job:
        return Job(self._send("POST", f"{self._scope}/jobs", object_of, body, can_repeat=False))

    def _send(
        self,
        method: str,
        path: str,
        read: Callable[[Response], T],
        body: Mapping[str, Any] | None = None,
        *,
        can_repeat: bool = True,
        can_be_empty: bool = False,
        retry_policy: RetryPolicy | None = None,
    ) -> T:
        """Send a request with an access token.

        The token is in the body, as in the document, and in the header of IBM's own clients,
        because a proxy may drop the body of a GET request.
        """

        def exchange(access: str) -> T:
            request = Request(
                method,
                path,
                {**HEADERS, "X-Access-Token": access},
                encoding.body({**(body or {}), "access_token": access}),
                secrets=[access],
                can_repeat=can_repeat,
                can_be_empty=can_be_empty,
            )
            return self._exchange(request, read, retry_policy)

        return self._signed_in(exchange)

    def _signed_in(self, exchange: Callable[[str], T]) -> T:
        """Call `exchange` with an access token; after status 401, sign in and repeat it once."""
        for is_last in (False, True):
            access = self._current_access_token()
            try:
                return exchange(access)
            except IBMQXAPIError as error:
                if error.status_code != 401 or is_last:
                    raise
            with self._sign_in_lock():  # another thread may have signed in again already
                self._access_token = None if self._access_token == access else self._access_token
        raise AssertionError("the last attempt returns or raises")

    def _exchange(
        self,
        request: Request,
        read: Callable[[Response], T],
        retry_policy: RetryPolicy | None = None,
    ) -> T:
        secrets = [*request.secrets, *self._credentials.values()]
        request = replace(request, limit_s=self.timeout_s, secrets=secrets)
        retry_policy = retry_policy or self.retry_policy
        return send(self._http, request, read, failure, retry_policy, self.clock)

    @contextlib.contextmanager
    def _sign_in_lock(self) -> Iterator[None]:
        """Let one thread sign in while the others wait, at most until their deadlines."""
        if not self._lock.acquire(timeout=within(_SIGN_IN_S)):
            text = "The sign-in of another thread has received no response yet."
            raise IBMQXRetriableError(text, None, None, NOT_CONNECTED, {})
        try:
            yield
        finally:
            self._lock.release()

    def _current_access_token(self) -> str:
        """Return the access token; sign in if there is none."""
        with self._sign_in_lock():
            if self._access_token is None:
                self._sign_in()
            return self._access_token or ""

    def _sign_in_with(self, credentials: dict[str, str]) -> Record:
        with self._sign_in_lock():
            before, self._credentials = self._credentials, credentials
            try:
                return self._sign_in()
            except BaseException:
                self._credentials = before  # refused credentials must not replace working ones
                raise

    def _sign_in(self) -> Record:
        """Sign in with the client's credentials; the caller holds the lock."""
        path = "/users/loginWithToken" if "apiToken" in self._credentials else "/users/login"
        found = self._exchange(
            Request("POST", path, HEADERS, encoding.body(self._credentials)),
            decoding.sign_in_response,
        )
        self._access_token = validated_header(found["id"], "access token", IBMQXClientError)
        return Record(found)

    def _transfer(
        self, method: str, address: str, read: Callable[[Response], T], body: bytes | None = None
    ) -> T:
        """Send a request to a signed URL, without any token."""
        origin, path = decoding.split_url(address)
        if origin.startswith("http:") and self._http.url.startswith("https:"):
            raise failure(InvalidResponse("The server returned a signed URL without TLS."))
        headers = HEADERS if body is not None else {"User-Agent": HEADERS["User-Agent"]}
        limit_s = max(self.timeout_s, _TRANSFER_S)
        retry_policy = replace(self.retry_policy, total_s=max(self.retry_policy.total_s, limit_s))
        # Anyone with the URL can read the program or the result.
        secrets = [
            path,
            *(each for each in re.split("[&=]", path) if len(each) > _MAX_PARAMETER_NAME_CHARS),
        ]
        request = Request(
            method, path, headers, body, limit_s, secrets, can_be_empty=body is not None
        )
        with contextlib.closing(HTTPClient(origin, IBMQXClientError, has_answered=True)) as http:
            return send(http, request, read, failure, retry_policy, self.clock)


_MAX_PARAMETER_NAME_CHARS: Final = 16
"""Longest name in a signed URL's query; longer parts may be its signature."""
_TRANSFER_S: Final = 600.0
"""Seconds that an upload or download, of perhaps hundreds of megabytes, may take at least."""
