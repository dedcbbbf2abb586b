"""A job as its user holds it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from qwicket.clients.native.errors import ApiError, JobFailed, WaitTimeout
from qwicket.clients.native.results import Part, Result

if TYPE_CHECKING:
    from qwicket.clients.native.transport import Transport

_POLL_S: Final = 30.0
_FINAL: Final = frozenset({"completed", "failed", "cancelled"})


class Job:
    """One job on the server. The object is only a view: the job lives on without it.

    Attributes:
        id: Its id; `client.job(id)` finds it again from any process.
    """

    def __init__(self, transport: Transport, body: Mapping[str, Any]) -> None:
        self._transport = transport
        self._body = dict(body)
        self.id: str = body["id"]

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state}>"

    @property
    def state(self) -> str:
        """State when last read: queued, running, cancelling, completed, failed, cancelled."""
        return str(self._body["state"])

    @property
    def is_final(self) -> bool:
        return self.state in _FINAL

    @property
    def info(self) -> dict[str, Any]:
        """All that the server said of the job when last read."""
        return dict(self._body)

    def refresh(self) -> Job:
        """Read the job anew."""
        return self._read(0)

    def wait(self, timeout: float = 3600.0) -> Job:
        """Wait until the job has ended; the server is asked about twice a minute.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            WaitTimeout: It has not ended; it goes on without us.
            ClientError: The server could not be asked.
        """
        deadline = time.monotonic() + timeout
        while not self.is_final:
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeout(
                    f"Job {self.id} is {self.state} after {timeout:g} s and goes on;"
                    f" find it again with client.job({self.id!r})."
                )
            self._read(min(left, _POLL_S))
        return self

    def result(self, timeout: float = 3600.0) -> Result:
        """Wait for the job and return what it gave.

        Raises:
            JobFailed: It ended without a result.
            WaitTimeout: It has not ended within `timeout` seconds.
            ClientError: The server could not be asked.
        """
        self.wait(timeout)
        try:
            body = self._transport.get(f"/v1/jobs/{self.id}/result")
        except ApiError as error:
            if error.code != "no_result":
                raise
            raise JobFailed(error.detail) from None
        return Result(self.id, tuple(Part.from_body(part) for part in body["parts"]))

    def cancel(self) -> Job:
        """Cancel the job: at once when it waits; a running one is asked to stop."""
        self._body = self._transport.post(f"/v1/jobs/{self.id}/cancel", None, repeatable=True)
        return self

    def _read(self, wait_s: float) -> Job:
        self._body = self._transport.get(f"/v1/jobs/{self.id}", wait_s=wait_s)
        return self
