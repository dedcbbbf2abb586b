"""`IBMQXClient`: one method for each thing that can be asked of the server.

Paths are spelt as in the document of January 2020 that describes this API, misprints included.
"""

from __future__ import annotations

import contextlib
import json
import platform
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

from qwicket import __version__
from qwicket.clients.http import HTTPClient, InvalidResponse, Polling, Request, validated_header
from qwicket.clients.http.addresses import Service, choose_target
from qwicket.clients.http.deadlines import within
from qwicket.clients.http.retries import OUTAGE
from qwicket.clients.http.sending import (
    ServiceClient,
    invalid_response,
    json_of,
    object_of,
    objects_of,
    send,
)
from qwicket.clients.http.text import json_bytes, quoted_path
from qwicket.clients.ibm_qx.errors import (
    NOT_CONNECTED,
    IBMQXAPIError,
    IBMQXClientError,
    IBMQXError,
    IBMQXJobError,
    IBMQXRetriableError,
    IBMQXTimeoutError,
    failure,
)
from qwicket.clients.ibm_qx.responses import (
    Account,
    Device,
    Job,
    QueueStatus,
    Record,
    Result,
    Status,
    device_names,
)
from qwicket.clients.ibm_qx.stream import StreamBroken, statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qwicket.clients.http import Response, RetryPolicy

T = TypeVar("T")

DEFAULT_URL: Final = "https://api.quantum-computing.ibm.com/api"
"""Where IBM served this API; it does so no more."""
_SERVICE: Final = Service("QE_URL", "QE_TOKEN", "/ibm/api", DEFAULT_URL)
_DIRECT_BYTES: Final = 1 << 20
"""Programs up to here go with the job; larger ones are uploaded."""
_FIRST_PAUSE_S: Final = 0.5
_SIGN_IN_S: Final = 120.0
"""Longest wait for another thread's sign-in, which ends within its own bounds."""
_DIRECT: Final = "q-object"
_COMPLETED: Final = "COMPLETED"
_CANCELLED: Final = "CANCELLED"
_AROUND: Final = ("limit", "skip", "order", "fields", "where")


class IBMQXClient(ServiceClient):
    """A client of the IBM Quantum Experience API of 2020, for any number of threads.

    Nothing is sent when it is made; the first request signs in.

    Args:
        token: The API token; by default `QE_TOKEN`, then `QWICKET_TOKEN`.
        email: With `password` in place of a token.
        password: Its password.
        url: Address of the API, such as `http://127.0.0.1:8000/ibm/api`; by default `QE_URL`, then
            that of the server in `QWICKET_URL`, then IBM's of 2020.
        hub: With `group` and `project`, to submit and list there alone.
        group: See `hub`.
        project: See `hub`.

    Attributes:
        retry_policy: Bounds on trying again, in tries and time.
        timeout_s: Seconds for one answer; large programs and results may take longer.

    Raises:
        IBMQXClientError: The address is none, or there is not one way to sign in.
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
        target = choose_target(
            _SERVICE, url, "" if has_password and token is None else token, IBMQXClientError
        )
        token = target.token or None
        if (token is not None) == has_password or (email is None) != (password is None):
            raise IBMQXClientError("Sign in with a token, or with an e-mail address and password.")
        place = (hub, group, project)
        if any(place) and not all(place):
            raise IBMQXClientError("hub, group and project go together.")
        url = target.url or DEFAULT_URL
        self._http = HTTPClient(url, IBMQXClientError, url_source=target.url_source)
        self._sign: dict[str, str] = (
            {"apiToken": token} if token else {"email": email or "", "password": password or ""}
        )
        self._scope = (
            _path("Network", hub, "Groups", group, "Projects", project) if all(place) else ""
        )
        self._access_token: str | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<IBMQXClient of {self._http.url}{self._scope}>"

    # --- account and devices ----------------------------------------------------------------------

    def login(self, email: str | None = None, password: str | None = None) -> Record:
        """Sign in with an e-mail address and a password, which are used from now on.

        Args:
            email: By default that of the client.
            password: By default that of the client.

        Returns:
            The access token as `id`, its life in seconds as `ttl`, `created` and `userId`.
        """
        given = {"email": email or "", "password": password or ""}
        return self._sign_in_anew(given if email and password else self._sign)

    def login_with_token(self, token: str | None = None) -> Record:
        """Sign in with an API token, which is used from now on; by default that of the client.

        Returns:
            As for `login`.
        """
        return self._sign_in_anew({"apiToken": token} if token else self._sign)

    def me(self) -> Account:
        """Return who is signed in."""
        return Account(self._send("GET", "/users/me", object_of))

    def network(self) -> list[Record]:
        """Return the hubs with their groups, projects and devices."""
        return [Record(each) for each in self._send("GET", "/network", objects_of)]

    def backends(self) -> list[Device]:
        """Return every device with what it can do.

        A server of the printed document alone has no such list: there the devices are those of
        `network`, by their names.
        """
        try:
            found = self._send("GET", f"{self._scope}/devices/v/1", objects_of)
            return [Device(each) for each in found]
        except IBMQXAPIError as error:
            if error.status_code != 404 or self._scope:
                raise
        return [Device({"backend_name": name}) for name in device_names(self.network())]

    def properties(self, device: str) -> Record:
        """Return what was measured of a device; empty when nothing was."""
        path = self._scope + _path("backends", device, "properties")
        return Record(self._send("GET", path, object_of))

    def defaults(self, device: str) -> Record:
        """Return a device's pulse defaults; empty when it has none."""
        path = self._scope + _path("backend", device, "defaults")
        return Record(self._send("GET", path, object_of))

    def queue_status(self, device: str) -> QueueStatus:
        """Return whether a device takes jobs, and how many wait; nothing is signed in for this."""
        path = self._scope + _path("backend", device, "queue", "status")
        return QueueStatus(self._exchange(Request("GET", path, _HEADERS), object_of))

    # --- jobs -------------------------------------------------------------------------------------

    def run_qobj(self, qobj: Mapping[str, Any], device: str, **options: Any) -> Job:
        """Submit a Qobj; a large one is uploaded.

        Nothing is submitted twice: a submission is repeated only after 429, or when no connection
        was made.

        Args:
            qobj: The program as a dict.
            device: Where to run it.
            **options: Further fields of the body, such as `name`, `tags`, `shots`, `shareLevel`.

        Raises:
            IBMQXClientError: It is no JSON; nothing was sent.
            IBMQXJobError: It was uploaded, and then refused; the text says why.
            IBMQXJobLimitError: The project has too many unfinished jobs.
            IBMQXAPIError: It was refused.
            IBMQXRetriableError: No answer tells: unless `was_surely_not_done`, it may be stored.
        """
        program = _json(dict(qobj))
        body = {**options, "backend": {"name": device}}
        if len(program) <= _DIRECT_BYTES:
            direct = {**body, "qObject": dict(qobj)}
            return self._post_job(direct)
        return self._upload(program, {**body, "allowObjectStorage": True})

    def _upload(self, program: bytes, body: Mapping[str, Any]) -> Job:
        draft = self._post_job(body)
        try:
            self._store("PUT", self.job_upload_url(draft.id), _whole, program)
            job = self.job_data_uploaded(draft.id)
        except IBMQXError:
            with contextlib.suppress(IBMQXError):  # the first error is the one to tell
                self.cancel(draft.id)
            raise
        if job.status.startswith("ERROR"):
            raise IBMQXJobError(job.error_message or "The job was refused.", job.status)
        return job

    def job_upload_url(self, id: str) -> str:
        """Return the address to which the program of a job is sent with PUT."""
        return self._send("GET", f"{self._at(id)}/jobUploadUrl", _address)

    def job_data_uploaded(self, id: str) -> Job:
        """Say that a job's program was sent, so that it is run."""
        path = f"{self._at(id)}/jobDataUploaded"
        found = self._send("POST", path, object_of, {}, can_repeat=False).get("job")
        return Job(found if isinstance(found, dict) else {})

    def job_download_url(self, id: str) -> str:
        """Return the address of a job's program."""
        return self._send("GET", f"{self._scope}{_path('job', f'{id}s')}/jobDownloadUrl", _address)

    def program(self, id: str) -> dict[str, Any]:
        """Return a job's program as a Qobj."""
        return self._store("GET", self.job_download_url(id), object_of)

    def jobs(self, **filters: Any) -> list[Job]:
        """Return this account's jobs, newest first, or those of the client's project.

        Args:
            **filters: `limit`, `skip`, `order`, `fields`, a whole `where`, and any field of a job
                with a value or an operator: `status="QUEUED"`, `name={"regexp": "^bell"}`,
                `tags={"inq": ["a", "b"]}`. `device` is its device's name.
        """
        asked = {name: filters.pop(name) for name in _AROUND if name in filters}
        if "device" in filters:
            filters["backend.name"] = filters.pop("device")
        where = {**dict(asked.pop("where", None) or {}), **filters}
        if where:
            asked["where"] = where
        query = f"?{urlencode({'filter': json.dumps(asked)})}" if asked else ""
        return [Job(each) for each in self._send("GET", f"{self._scope}/jobs{query}", objects_of)]

    def job(self, id: str) -> Job:
        """Return a job, from any process."""
        return self._send("GET", self._at(id), _job)

    def job_status(self, id: str) -> Status:
        """Return where a job stands."""
        return Status(self._send("GET", f"{self._at(id)}/status", object_of))

    def states(self, id: str, timeout: float | None = None) -> Iterator[Status]:
        """Yield each status of a job, the present one first, to the final one.

        They come over a websocket; where there is none, the server is asked now and then.

        Args:
            id: The job.
            timeout: Seconds after which to give up; None is never.

        Raises:
            IBMQXTimeoutError: The job has not ended; it goes on without us.
            IBMQXAPIError: There is no such job, or the server could not be asked.
        """
        polling = Polling(timeout, _FIRST_PAUSE_S)
        first = self._look(id, polling)  # signs in, and says so if there is no such job
        found: Status | None = None
        url = f"{self._http.url}{_path('jobs', id)}/status/v/1"
        try:
            for body in statuses(url, self._access_token or "", polling.deadline):
                found = Status(body)
                yield found
                if found.is_final:
                    return
        except StreamBroken:
            pass
        if found is None:
            yield first
        yield from self._polled(id, found or first, polling)

    def _polled(self, id_: str, last: Status, polling: Polling) -> Iterator[Status]:
        while not last.is_final:
            if not polling.pause():
                raise _not_ended(id_)
            status = self._look(id_, polling)
            if dict(status) != dict(last):
                last = status
                yield status

    def _look(self, id_: str, polling: Polling) -> Status:
        """Read a job's status, for as long as an outage may last.

        Raises:
            IBMQXTimeoutError: The deadline came first.
        """
        path = f"{self._at(id_)}/status"
        found = polling.ask(
            lambda: self._send("GET", path, object_of, retry_policy=OUTAGE), IBMQXRetriableError
        )
        if found is None:
            raise _not_ended(id_)
        return Status(found)

    def wait(self, id: str, timeout: float | None = None) -> Job:
        """Wait until a job has ended, and return it.

        Args:
            id: The job.
            timeout: Seconds to wait at most, whatever the server does; None waits for ever.

        Raises:
            IBMQXTimeoutError: It has not ended, or could not be read in time; it goes on without
                us.
            IBMQXAPIError: There is no such job, or the server could not be asked.
        """
        polling = Polling(timeout, _FIRST_PAUSE_S)
        for _ in self.states(id, timeout):
            pass
        job = polling.ask(lambda: self.job(id), IBMQXRetriableError)
        if job is None:
            raise _not_ended(id)
        return job

    def cancel(self, id: str) -> bool:
        """Cancel a job; return whether it was, or had ended before."""
        found = self._send("POST", f"{self._at(id)}/cancel", _if_any, {}, can_be_empty=True)
        if found is None:
            status = self.job_status(id)
            return status.status == _CANCELLED or not status.is_final
        return found.get("cancelled") is True and "error" not in found

    def job_properties(self, id: str) -> Record:
        """Return what was measured of its device when a job was taken; empty for a simulator."""
        return Record(self._send("GET", f"{self._at(id)}/properties", object_of))

    def result(self, id: str) -> Result:
        """Return what a job gave; of a failed one what its good circuits gave.

        Raises:
            IBMQXJobError: It has ended without a result, or not ended; `status` says which.
            IBMQXAPIError: There is no such job, or the server could not be asked.
        """
        job = self.job(id)
        found = job.get("qObjectResult")
        if not isinstance(found, dict):
            may_be_stored = job.is_final and (job.status == _COMPLETED or job.kind != _DIRECT)
            found = self._download(job) if may_be_stored else None
        if not isinstance(found, dict):
            why = job.error_message or f"The job is {job.status}."
            raise IBMQXJobError(why, job.status)
        return Result(found)

    def result_download_url(self, id: str) -> str:
        """Return the address of what a job gave."""
        return self._send("GET", f"{self._at(id)}/resultDownloadUrl", _address)

    def result_downloaded(self, id: str) -> None:
        """Say that what a job gave was read; it stays readable."""
        self._send("POST", f"{self._at(id)}/resultDownloaded", _whole, {}, can_be_empty=True)

    def _download(self, job: Job) -> Any:
        try:
            address = self.result_download_url(job.id)
        except IBMQXAPIError as error:
            if error.status_code != 404:
                raise
            return None
        found = self._store("GET", address, json_of)
        with contextlib.suppress(IBMQXError):  # it only tells the server
            self.result_downloaded(job.id)
        return found

    # ----------------------------------------------------------------------------------------------

    def _at(self, id_: str) -> str:
        return self._scope + _path("jobs", id_)

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
        """Send a request signed in; once more when the access token has expired meanwhile.

        The token is in the body, as the document prints it, and in the header that IBM's own
        clients send: a proxy may drop the body of a GET.
        """
        for is_last in (False, True):
            access = self._signed_in()
            headers = {**_HEADERS, "X-Access-Token": access}
            content = _json({**(body or {}), "access_token": access})
            request = Request(
                method,
                path,
                headers,
                content,
                secrets=[access],
                can_repeat=can_repeat,
                can_be_empty=can_be_empty,
            )
            try:
                return self._exchange(request, read, retry_policy)
            except IBMQXAPIError as error:
                if error.status_code != 401 or is_last:
                    raise
            with self._lock:
                self._access_token = None if self._access_token == access else self._access_token
        raise AssertionError("the last try returns or raises")

    def _exchange(
        self,
        request: Request,
        read: Callable[[Response], T],
        retry_policy: RetryPolicy | None = None,
    ) -> T:
        secrets = [*request.secrets, *self._sign.values()]
        request = replace(request, limit_s=self.timeout_s, secrets=secrets)
        return send(self._http, request, read, failure, retry_policy or self.retry_policy)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Let one thread sign in, and the others wait for it within their time."""
        if not self._lock.acquire(timeout=within(_SIGN_IN_S)):
            text = "Another thread signs in, and has no answer yet."
            raise IBMQXRetriableError(text, None, None, NOT_CONNECTED, {})
        try:
            yield
        finally:
            self._lock.release()

    def _signed_in(self) -> str:
        """Return an access token, a new one when there is none."""
        with self._held():
            if self._access_token is None:
                self._sign_in()
            return self._access_token or ""

    def _sign_in_anew(self, sign: dict[str, str]) -> Record:
        with self._held():
            self._sign = sign
            return self._sign_in()

    def _sign_in(self) -> Record:
        path = "/users/loginWithToken" if "apiToken" in self._sign else "/users/login"
        found = self._exchange(Request("POST", path, _HEADERS, _json(self._sign)), _grant)
        self._access_token = validated_header(found["id"], "access token", IBMQXClientError)
        return Record(found)

    def _store(
        self, method: str, address: str, read: Callable[[Response], T], body: bytes | None = None
    ) -> T:
        """Send a request to an address that bears its own rights: no token goes there."""
        origin, path = _split(address)
        headers = _HEADERS if body is not None else {"User-Agent": _HEADERS["User-Agent"]}
        limit_s = max(self.timeout_s, 600.0)
        request = Request(method, path, headers, body, limit_s, can_be_empty=body is not None)
        with contextlib.closing(HTTPClient(origin, IBMQXClientError, has_answered=True)) as line:
            return send(line, request, read, failure, self.retry_policy)


_HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": f"qwicket/{__version__} python/{platform.python_version()}",
    "X-Qx-Client-Application": f"qwicket/{__version__}",
}


def _json(body: Mapping[str, Any]) -> bytes:
    return json_bytes(body, "This", IBMQXClientError, (",", ":"))


def _path(*parts: object) -> str:
    return quoted_path(parts, "id or name", IBMQXClientError)


def _split(address: str) -> tuple[str, str]:
    """Return server and path of an address that the server gave out."""
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        raise failure(InvalidResponse("The server gave out an address that is none."))
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}", path


def _whole(response: Response) -> Response:
    return response


def _if_any(response: Response) -> dict[str, Any] | None:
    """Return an object; None for an empty answer, as the document prints it."""
    return object_of(response) if response.content else None


def _job(response: Response) -> Job:
    """Return a job, which the document prints within a list."""
    found = json_of(response)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if not isinstance(found, dict):
        raise invalid_response(response, "is no object")
    return Job(found)


def _address(response: Response) -> str:
    found = object_of(response).get("url")
    if not isinstance(found, str):
        raise invalid_response(response, "has no url")
    return found


def _grant(response: Response) -> dict[str, Any]:
    found = object_of(response)
    if not isinstance(found.get("id"), str):
        raise invalid_response(response, "has no access token")
    return found


def _not_ended(id_: str) -> IBMQXTimeoutError:
    return IBMQXTimeoutError(f"Job {id_} has not ended in time and goes on.")
