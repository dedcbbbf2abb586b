"""Jobs of the server.

Their documents are fetched at first use and cached until `clear`. Each poll of `wait` reads the
status again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from requests.exceptions import RequestException

from qwicket.clients.http import Polling
from qwicket.vendors.xanadu.client import responses, results

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from qwicket.vendors.xanadu.client.connection import Connection
    from qwicket.vendors.xanadu.client.results import Result

_FINAL: Final = frozenset({"cancelled", "complete", "failed"})
_CACHED: Final = ("_details", "circuit", "result")


class Job:
    """Job of the server.

    Args:
        id_: Id of the job.
        connection: Connection to the server.
    """

    def __init__(self, id_: str, connection: Connection) -> None:
        self._id = id_
        self._connection = connection

    @staticmethod
    def list(
        connection: Connection,
        limit: int = 5,
        ids: Collection[str] | None = None,
        status: str | None = None,
    ) -> Sequence[Job]:
        """Return the account's jobs, newest first.

        Args:
            connection: Connection to the server.
            limit: Maximum number of jobs; ignored with `ids`.
            ids: Ids of the jobs to return.
            status: Status of the jobs to return.

        Raises:
            requests.exceptions.RequestException: The request failed; see `Connection.request`.
        """
        wanted = sorted(set(ids)) if ids else None
        params = {"size": len(wanted) if wanted else limit, "id": wanted, "status": status}
        found = responses.entries(connection.request("GET", "/jobs", params=params), "id")
        return [_known(details, connection) for details in found]

    @staticmethod
    def submit(
        connection: Connection,
        name: str | None,
        target: str,
        circuit: str,
        language: str = "blackbird:1.0",
    ) -> Job:
        """Submit a program; return its job.

        Args:
            connection: Connection to the server.
            name: Name of the job, or None.
            target: Name of the device.
            circuit: Text of the program.
            language: Language of the program.

        Raises:
            requests.exceptions.RequestException: The request failed; see `Connection.request`.
        """
        body = {"name": name, "target": target, "circuit": circuit, "language": language}
        response = connection.request("POST", "/jobs", json=body)
        responses.text(response, "id")
        job = _known(responses.content(response), connection)
        job.__dict__["circuit"] = circuit
        return job

    @property
    def id(self) -> str:
        return self._id

    @property
    def overview(self) -> Mapping[str, Any]:
        """Main properties by name."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "target": self.target,
            "language": self.language,
            "created_at": self.created_at,
            "finished_at": self.finished_at,
            "running_time": self.running_time,
            "metadata": self.metadata,
        }

    @property
    def status(self) -> str:
        """`open`, `queued` (or running), `cancel_pending`, `complete`, `failed` or `cancelled`."""
        return str(self._field("status"))

    @property
    def finished(self) -> bool:
        """Whether the status is final."""
        return self.status in _FINAL

    @property
    def name(self) -> str | None:
        name = self._field("name")
        return None if name is None else str(name)

    @property
    def target(self) -> str:
        return str(self._field("target"))

    @property
    def language(self) -> str:
        return str(self._field("language"))

    @property
    def created_at(self) -> datetime | None:
        return self._time("created_at")

    @property
    def started_at(self) -> datetime | None:
        """Start of the run; None before it."""
        return self._time("started_at")

    @property
    def finished_at(self) -> datetime | None:
        """End of the job; None before it."""
        return self._time("finished_at")

    @property
    def running_time(self) -> timedelta | None:
        """Duration of the run; None before its end."""
        seconds = self._field("running_time")
        if seconds is None:
            return None
        if not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
            raise RequestException(f"running_time of job {self._id} is not a number of seconds.")
        return timedelta(seconds=seconds)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """`error-code` and `error-detail` of a failed job."""
        found = self._field("meta")
        return found if isinstance(found, dict) else {}

    @cached_property
    def circuit(self) -> str:
        """Text of the submitted program."""
        return responses.text(self._connection.request("GET", f"{self._path}/circuit"), "circuit")

    @cached_property
    def result(self) -> Result:
        """Result from `get_result`, fetched once."""
        return self.get_result()

    def get_result(self, integer_overflow_protection: bool = True) -> Result:
        """Return the arrays of a complete job's result.

        Args:
            integer_overflow_protection: Whether to convert all integers to int64.

        Returns:
            `output` is a list of arrays. From a Qwicket server it has one array: shots × measured
            modes in ascending order, or shots × 1 × time bins; int64 (photons, clicks), float64
            (with homodyne) or complex128 (with heterodyne). Other keys are names of arrays.

        Raises:
            requests.exceptions.RequestException: The job has no result, or the response is not an
                archive of arrays.
        """
        response = self._connection.request("GET", f"{self._path}/result", stream=True)
        return results.arrays(response, widen=integer_overflow_protection)

    def cancel(self) -> None:
        """Cancel the job and clear the cached documents, unless the cached status is final.

        Raises:
            requests.exceptions.RequestException: A request failed.
        """
        if not self.finished:
            self._connection.request("PATCH", self._path, json={"status": "cancelled"})
            self.clear()

    def wait(self, delay: float = 1, timeout: float | None = None) -> None:
        """Wait until the job has ended.

        Args:
            delay: Seconds between two polls.
            timeout: Seconds after which the wait ends in any case; None for no limit.

        Raises:
            TimeoutError: The job has not ended in time; it continues on the server.
            requests.exceptions.RequestException: The request failed; see `Connection.request`.
        """
        polling = Polling(timeout, delay, delay, clock=self._connection.clock)
        while not polling.ask(self._has_finished, RequestException):
            if not polling.pause():
                raise TimeoutError(f"Job {self._id} has not ended within {timeout} s.")

    def _has_finished(self) -> bool:
        """Return whether the job has ended, from a new response."""
        self.__dict__.pop("_details", None)
        return self.finished

    def clear(self) -> None:
        """Clear the cached documents."""
        for name in _CACHED:
            self.__dict__.pop(name, None)

    def __repr__(self) -> str:
        return f"<Job: id={self._id}>"

    @property
    def _path(self) -> str:
        return f"/jobs/{quote(self._id, safe='')}"

    @cached_property
    def _details(self) -> Mapping[str, Any]:
        return responses.content(self._connection.request("GET", self._path))

    def _field(self, name: str) -> Any:
        if name not in self._details:
            raise RequestException(f"The document of job {self._id} has no {name}.")
        return self._details[name]

    def _time(self, name: str) -> datetime | None:
        text = self._field(name)
        if text is None:
            return None
        try:
            return datetime.fromisoformat(text)
        except (TypeError, ValueError):
            pass
        raise RequestException(f"{name} of job {self._id} is not a time.")


def _known(details: Mapping[str, Any], connection: Connection) -> Job:
    """Return a job whose document is known."""
    job = Job(details["id"], connection)
    job.__dict__["_details"] = details
    return job
