"""Jobs of the server, each of their documents fetched when it is first needed."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from requests.exceptions import RequestException

from qwicket.clients.http import Polling
from qwicket.clients.xanadu import responses, results

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from qwicket.clients.xanadu.connection import Connection
    from qwicket.clients.xanadu.results import Result

_FINAL: Final = frozenset({"cancelled", "complete", "failed"})
_CACHED: Final = ("_details", "circuit", "result")


class Job:
    """Represents a job of the server.

    Args:
        id_: The job's id.
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
        """Return one's own jobs, newest first.

        Args:
            connection: Connection to the server.
            limit: How many at most; with ids as many as there are ids.
            ids: Only these.
            status: Only with this status.

        Raises:
            requests.exceptions.RequestException: As for `Connection.request`.
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
            name: A name for people, or None.
            target: Name of the device.
            circuit: Text of the program.
            language: Language of the program.

        Raises:
            requests.exceptions.RequestException: As for `Connection.request`.
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
        """What a user asks first, by the names of the properties."""
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
        """`open`, `queued`, `cancel_pending`, `complete`, `failed` or `cancelled`."""
        return str(self._field("status"))

    @property
    def finished(self) -> bool:
        """Whether the status will not change any more."""
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
        """When the job began to run; None as long as it has not."""
        return self._time("started_at")

    @property
    def finished_at(self) -> datetime | None:
        """When the job ended; None as long as it has not."""
        return self._time("finished_at")

    @property
    def running_time(self) -> timedelta | None:
        """How long the job ran; None as long as it has not ended."""
        seconds = self._field("running_time")
        if seconds is None:
            return None
        if not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
            raise RequestException(f"The running time of the job {self._id} is no time.")
        return timedelta(seconds=seconds)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Of a failed job, why it failed: `error-code` and `error-detail`."""
        found = self._field("meta")
        return found if isinstance(found, dict) else {}

    @cached_property
    def circuit(self) -> str:
        """The text of the program, as it was submitted."""
        return responses.text(self._connection.request("GET", f"{self._path}/circuit"), "circuit")

    @cached_property
    def result(self) -> Result:
        """What `get_result` returns, fetched once."""
        return self.get_result()

    def get_result(self, integer_overflow_protection: bool = True) -> Result:
        """Return the arrays that a complete job gave.

        Args:
            integer_overflow_protection: Whether integers become int64, whatever was sent.

        Returns:
            `output` is a list of arrays, of a Qwicket server one: shots × measured modes in
            ascending order, or shots × 1 × time bins; int64 (photons, clicks), float64 (with
            homodyne) or complex128 (with heterodyne). Other keys are arrays by their names.

        Raises:
            requests.exceptions.RequestException: The job has no result, or what came is none.
        """
        response = self._connection.request("GET", f"{self._path}/result", stream=True)
        return results.arrays(response, widen=integer_overflow_protection)

    def cancel(self) -> None:
        """Ask the job to end, unless it has; then read anew what became of it."""
        if not self.finished:
            self._connection.request("PATCH", self._path, json={"status": "cancelled"})
            self.clear()

    def wait(self, delay: float = 1, timeout: float | None = None) -> None:
        """Return when the job has ended.

        Args:
            delay: Seconds between two looks.
            timeout: Seconds after which to give up; None is never.

        Raises:
            TimeoutError: It has not ended in time. It goes on; `cancel` stops it.
            requests.exceptions.RequestException: As for `Connection.request`.
        """
        polling = Polling(timeout, delay, delay)
        while not polling.ask(self._has_finished, RequestException):
            if not polling.pause():
                raise TimeoutError(f"The job {self._id} has not ended within {timeout} s.")

    def _has_finished(self) -> bool:
        """Read the job anew."""
        self.__dict__.pop("_details", None)
        return self.finished

    def clear(self) -> None:
        """Forget what was fetched."""
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
            raise RequestException(f"The answer about the job {self._id} holds no {name}.")
        return self._details[name]

    def _time(self, name: str) -> datetime | None:
        text = self._field(name)
        if text is None:
            return None
        try:
            return datetime.fromisoformat(text)
        except (TypeError, ValueError):
            pass
        raise RequestException(f"{name} of the job {self._id} is no time.")


def _known(details: Mapping[str, Any], connection: Connection) -> Job:
    """Return a job of which the server has just told all."""
    job = Job(details["id"], connection)
    job.__dict__["_details"] = details
    return job
