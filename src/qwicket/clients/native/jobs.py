"""A job as its user holds it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from qwicket.clients.native import wire
from qwicket.clients.native.errors import ApiError, JobFailed, ServerBusy, Unreachable, WaitTimeout
from qwicket.clients.native.results import Part, Result

if TYPE_CHECKING:
    from qwicket.clients.native.transport import Transport

_HOLD_S: Final = 30.0
_SPACING_S: Final = 1.0
_FINAL: Final = frozenset({"completed", "failed", "cancelled"})
_ANY: Final = dict[str, Any]


def path_of(id: str) -> str:  # noqa: A002 - the field's own word
    """Return the path of a job."""
    return f"/v1/jobs/{quote(id, safe='')}"


class Job:
    """One job on the server. The object is only a view: the job lives on without it.

    Attributes:
        id: Its id; `client.job(id)` finds it again from any process.
    """

    def __init__(self, transport: Transport, body: dict[str, Any]) -> None:
        self._transport = transport
        self._see(body)
        self.id = self._seen.id

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state}>"

    @property
    def state(self) -> str:
        """State when last read: queued, running, cancelling, completed, failed, cancelled, ..."""
        return self._seen.state

    @property
    def is_final(self) -> bool:
        return self.state in _FINAL

    @property
    def info(self) -> dict[str, Any]:
        """All that the server said of the job when last read."""
        return dict(self._body)

    def refresh(self) -> Job:
        """Read the job anew.

        Raises:
            ClientError: The server could not be asked.
        """
        return self._see(self._transport.get(path_of(self.id), _ANY))

    def wait(self, timeout: float = 3600.0) -> Job:
        """Wait until the job has ended; the server is asked about twice a minute.

        A server that is away for some minutes, because it restarts, does not end the wait.

        Args:
            timeout: Seconds to wait at most, give or take two when the server is silent.

        Raises:
            WaitTimeout: It has not ended; it goes on without us.
            ClientError: The server could not be asked.
        """
        deadline = time.monotonic() + timeout
        has_ended = self.is_final
        while not has_ended:
            has_ended = self._ask(deadline - time.monotonic())
            if not has_ended and time.monotonic() >= deadline:
                raise WaitTimeout(
                    f"Job {self.id} has not ended within {timeout:g} s (last seen: {self.state})"
                    f" and goes on; find it again with client.job({self.id!r})."
                )
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
            body = self._transport.get(f"{path_of(self.id)}/result", wire.ResultBody)
        except ApiError as error:
            if error.code != "no_result":
                raise
            detail = error.detail
        else:
            return Result(self.id, tuple(Part.from_body(part) for part in body.parts))
        raise JobFailed(f"Job {self.id}: {detail}")

    def cancel(self) -> Job:
        """Cancel the job: at once when it waits; a running one is asked to stop.

        Raises:
            ClientError: It was refused, or the server could not be asked.
        """
        return self._see(self._transport.post(f"{path_of(self.id)}/cancel", None, _ANY))

    def _ask(self, left_s: float) -> bool:
        """Ask once for news, for at most `left_s` seconds; return whether the job has ended."""
        asked_at = time.monotonic()
        path, hold_s = path_of(self.id), max(0.0, min(left_s, _HOLD_S))
        try:
            self._see(self._transport.get_news(path, _ANY, hold_s=hold_s, within_s=left_s))
        except (Unreachable, ServerBusy):
            if time.monotonic() < asked_at + left_s:
                raise
        if not self.is_final:
            # A server that stops, or a proxy in between, may not hold its answers back.
            sooner_s = asked_at + min(_SPACING_S, left_s) - time.monotonic()
            time.sleep(max(0.0, sooner_s))
        return self.is_final

    def _see(self, body: dict[str, Any]) -> Job:
        self._seen = wire.job(body)
        self._body = body
        return self
