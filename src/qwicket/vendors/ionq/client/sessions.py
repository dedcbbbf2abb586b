"""Sessions: jobs that run in sequence on one backend, within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.vendors.ionq.client.jobs import Submittable, body_of

if TYPE_CHECKING:
    from qwicket.vendors.ionq.client.client import IonQClient

_WAITING: Final = frozenset({"submitted", "ready"})


class Session:
    """Session on a backend.

    As a context manager it ends with the block. If the block raises an error, the session's waiting
    jobs are cancelled first.

    Args:
        client: Client of the server.
        backend: Name of the backend, such as `qpu.aria-1`.
        max_time: Longest duration in minutes.
        max_cost: Highest cost in US dollars.
        max_jobs: Maximum number of jobs.
        session_id: Id of an existing session, in place of a new one.

    Attributes:
        session_id: Id of the session.
        backend: Name of the backend, without a leading `ionq_`.

    Raises:
        IonQAPIError: The server refused the session, or it does not exist.
    """

    def __init__(
        self,
        client: IonQClient,
        backend: str,
        *,
        max_time: float | None = None,
        max_cost: float | None = None,
        max_jobs: int | None = None,
        session_id: str | None = None,
    ) -> None:
        self._client = client
        self.backend = backend.removeprefix("ionq_")
        if session_id is None:
            settings = _settings(max_time, max_cost, max_jobs)
            self.session_id: str = client.create_session(self.backend, settings)["id"]
        else:
            self.session_id = session_id
            self.details()

    @classmethod
    def from_id(cls, session_id: str, *, client: IonQClient, backend: str) -> Session:
        """Return a session by its id, also one that another process started."""
        return cls(client, backend, session_id=session_id)

    def __repr__(self) -> str:
        return f"<Session {self.session_id} on {self.backend}>"

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        try:
            if kind is not None:
                self.cancel()
        finally:
            self.close()

    def run(self, job: Submittable, *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Submit a job to this session and its backend; see `IonQClient.submit_job`."""
        field = "target" if self._client._is_v03 else "backend"
        body = dict(body_of(job, is_v03=self._client._is_v03))
        body |= {field: self.backend, "session_id": self.session_id}
        return self._client.submit_job(body, idempotency_key=idempotency_key)

    def details(self) -> dict[str, Any]:
        """Return the document of the session."""
        return self._client.retrieve_session(self.session_id)

    def status(self) -> str | None:
        """Return `created`, `started` or `ended`."""
        details = self.details()
        return details.get("status") or details.get("state")

    def usage(self) -> float | None:
        """Return the used time in seconds."""
        return self.details().get("usage_time")

    def cancel(self) -> None:
        """Cancel the session's waiting jobs."""
        jobs = list(self._client.list_jobs(session_id=self.session_id))
        self._client.cancel_jobs(job["id"] for job in jobs if job.get("status") in _WAITING)

    def close(self) -> None:
        """End the session. Ending it twice succeeds."""
        self._client.end_session(self.session_id)


def _settings(
    max_time: float | None, max_cost: float | None, max_jobs: int | None
) -> dict[str, Any]:
    cost = None if max_cost is None else {"unit": "usd", "value": max_cost}
    limits = {"job_count_limit": max_jobs, "duration_limit_min": max_time, "cost_limit": cost}
    return {name: limit for name, limit in limits.items() if limit is not None}
