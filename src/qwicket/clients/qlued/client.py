"""`QluedClient`: one method for each thing that can be asked of the server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlencode

from qwicket import __version__
from qwicket.clients.http import (
    Answer,
    Line,
    NoAnswer,
    Patience,
    Polling,
    WrongAnswer,
    erased,
    insist,
    pause_asked_s,
    plain,
)
from qwicket.clients.http.addresses import Service, choose
from qwicket.clients.qlued.circuits import Circuit
from qwicket.clients.qlued.errors import (
    RETRIABLE,
    QluedAPIError,
    QluedClientError,
    QluedJobError,
    QluedNotFinishedError,
    QluedRetriableError,
    QluedTimeoutError,
)

Job = Mapping[str, Any] | Circuit | Sequence[Circuit]
"""What can be posted: the experiments as they are sent, one built experiment, or several."""

_SERVICE: Final = Service("QLUED_URL", "QLUED_TOKEN", "/qlued/api/v2", None)
_OUTAGE: Final = Patience(tries=100, total_s=300.0, longest_pause_s=10.0)
"""Who waits for hours does not give up because the server restarts."""
_GRACE_S: Final = 2.0
"""A try that begins in time may end this much later."""
_FIRST_PAUSE_S: Final = 0.1
_LEAST_SECRET_CHARS: Final = 8
_DONE: Final = frozenset({"DONE", "finished"})
_ERROR: Final = frozenset({"ERROR", "error"})
"""The second word of each is that of servers before 2024."""


@dataclass(frozen=True)
class _Request:
    """One request; its path and body hold the token."""

    method: str
    path: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)

    def asked_s(self, error: Exception) -> float | None:
        """Return the seconds that are asked for before another try; None when none is allowed."""
        if not isinstance(error, QluedRetriableError):
            return None
        return pause_asked_s(error, can_repeat=self.method == "GET")


class QluedClient:
    """A client of qlued's API, for any number of threads. Nothing is sent when it is made.

    Args:
        url: Address with the version, such as `http://127.0.0.1:8000/qlued/api/v2`; by default
            `QLUED_URL`, then the server in `QWICKET_URL`.
        token: By default `QLUED_TOKEN`, then `QWICKET_TOKEN`; without one only devices can be read.

    Attributes:
        patience: Bounds on trying again, in tries and time.
        timeout_s: Seconds for one answer.

    Raises:
        QluedClientError: There is no address, or it is none.
    """

    patience = Patience()
    timeout_s = 30.0

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        target = choose(_SERVICE, url, token, QluedClientError)
        if target.url is None:
            raise QluedClientError("No address: pass url=… or set QLUED_URL or QWICKET_URL.")
        self._token = target.token
        self._line = Line(target.url, QluedClientError)

    def __repr__(self) -> str:
        return f"<QluedClient of {self._line.url}>"

    def __enter__(self) -> QluedClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._line.close()

    # --- devices --------------------------------------------------------------------------------

    def backends(self) -> list[dict[str, Any]]:
        """Return the configurations of all devices; no token is needed.

        Raises:
            QluedAPIError: The server could not be asked.
        """
        answer = self._send(_Request("GET", "/backends"))
        document = _document(answer)
        if not isinstance(document, list) or not all(isinstance(it, dict) for it in document):
            raise _wrong(answer, "is no list of devices")
        return document

    def config(self, name: str) -> dict[str, Any]:
        """Return the configuration of a device; no token is needed.

        Args:
            name: Its short name, such as `rydberg`, or its full one.

        Raises:
            QluedAPIError: There is no such device, or the server could not be asked.
        """
        return _object(self._send(_Request("GET", _path(name, "get_config"))))

    def backend_status(self, name: str) -> dict[str, Any]:
        """Return whether a device works, and how many jobs wait; no token is needed.

        Raises:
            QluedAPIError: There is no such device, or the server could not be asked.
        """
        return _object(self._send(_Request("GET", _path(name, "get_backend_status"))))

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
        body = {"job": _text(_experiments(job)), "token": self._secret()}
        request = _Request("POST", _path(name, "post_job"), json.dumps(body).encode())
        answer = self._send(request)
        job_id = _object(answer).get("job_id")
        if not isinstance(job_id, str):
            raise _wrong(answer, "has no job_id")
        return job_id

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
        return self._result(name, job_id, self.patience)

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
        found = self._ask(name, "get_job_status", job_id, _OUTAGE)
        self._check(found)
        # The result's own word counts nothing: some servers never bring it up to date.
        return self._result(name, job_id, _OUTAGE) if found.get("status") in _DONE else {}

    def _result(self, name: str, job_id: str, patience: Patience) -> dict[str, Any]:
        found = self._ask(name, "get_job_result", job_id, patience)
        if "results" in found:
            return found
        self._check(found)
        raise QluedNotFinishedError(f"Job {job_id} has not ended.")

    def _check(self, found: Mapping[str, Any]) -> None:
        """Refuse the status of a job that ended in an error, or is not there."""
        if found.get("status") in _ERROR:
            said = plain(found.get("error_message")) or plain(found.get("detail"))
            raise QluedJobError(erased(said, self._secrets()) or "The job failed.")

    def _ask(
        self, name: str, route: str, job_id: str, patience: Patience | None = None
    ) -> dict[str, Any]:
        """Return the answer about a job: one of 406 tells of the job, not of the request."""
        query = urlencode({"job_id": job_id, "token": self._secret()})
        request = _Request("GET", f"{_path(name, route)}?{query}")
        return _object(self._send(request, patience, also=406))

    # ----------------------------------------------------------------------------------------------

    def _secret(self) -> str:
        if not self._token:
            raise QluedClientError("No token: jobs need one.")
        return self._token

    def _send(
        self, request: _Request, patience: Patience | None = None, also: int | None = None
    ) -> Answer:
        def attempt(left_s: float) -> Answer:
            return self._once(request, min(self.timeout_s, left_s + _GRACE_S), also)

        return insist(patience or self.patience, attempt, request.asked_s)

    def _once(self, request: _Request, limit_s: float, also: int | None) -> Answer:
        answer = self._exchange(request, limit_s)
        if answer.status < 400 or answer.status == also:
            return answer
        kind = QluedRetriableError if answer.status in RETRIABLE else QluedAPIError
        raise kind(_told(answer), answer.status, answer.headers)

    def _exchange(self, request: _Request, limit_s: float) -> Answer:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"qwicket/{__version__}",
        }
        try:
            return self._line.exchange(
                request.method,
                request.path,
                headers=headers,
                limit_s=limit_s,
                body=request.body,
                secrets=self._secrets(),
                is_fresh=request.method != "GET",
            )
        except NoAnswer as error:
            kind = QluedAPIError if error.is_absent else QluedRetriableError
            failure = kind(str(error), was_sent=error.was_sent)
        except WrongAnswer as error:
            failure = QluedAPIError(str(error))
        raise failure

    def _secrets(self) -> list[str]:
        """Return the token in every form in which a server may repeat it."""
        token = self._token or ""
        if len(token) < _LEAST_SECRET_CHARS:
            return []
        return [token, quote(token, safe=""), quote_plus(token)]


def _path(name: object, route: str) -> str:
    if not isinstance(name, str) or name in {"", ".", ".."}:
        raise QluedClientError(f"{name!r} is no device.")
    return f"/{quote(name, safe='')}/{route}"


def _experiments(job: Job) -> Mapping[str, Any]:
    if isinstance(job, Mapping):
        return job
    circuits = [job] if isinstance(job, Circuit) else list(job)
    if not circuits or not all(isinstance(each, Circuit) for each in circuits):
        raise QluedClientError("A job is a dict, an experiment, or a list of experiments.")
    return {f"experiment_{number}": each.experiment() for number, each in enumerate(circuits)}


def _text(experiments: Mapping[str, Any]) -> str:
    try:
        return json.dumps(experiments, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        what = type(error).__name__ if isinstance(error, RecursionError) else str(error)
    raise QluedClientError(f"The job is no JSON: {what}.")


def _told(answer: Answer) -> str:
    """Return what a refusal says."""
    try:
        document = json.loads(answer.content)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        detail = document.get("detail")
        said = detail if isinstance(detail, str) else json.dumps(detail)
        if said := plain(document.get("error_message")) or plain(said):
            return said
    return f"The server answered {answer.status}."


def _document(answer: Answer) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        pass
    raise _wrong(answer, "is no JSON")


def _object(answer: Answer) -> dict[str, Any]:
    document = _document(answer)
    if not isinstance(document, dict):
        raise _wrong(answer, "is no object")
    return document


def _wrong(answer: Answer, what: str) -> QluedAPIError:
    return QluedAPIError(f"The answer {what}. Is the address right?", answer.status)
