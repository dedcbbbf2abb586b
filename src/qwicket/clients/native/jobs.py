"""A job as its user holds it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qwicket.clients.http import ends_by
from qwicket.clients.http.polling import wait_ends
from qwicket.clients.native import operations
from qwicket.clients.native.progress import shown
from qwicket.clients.native.views import JobView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwicket.clients.native.events import Event
    from qwicket.clients.native.results import Result
    from qwicket.clients.native.transport import Transport

    Progress = bool | Callable[["Job"], None]


class Job(JobView):
    """One job on the server. The object is only a view: the job lives on without it.

    `state` and `place` are as last read; `status` and `position` ask the server.
    """

    def __init__(self, transport: Transport, body: dict[str, Any]) -> None:
        super().__init__(body)
        self._transport = transport

    @property
    def status(self) -> str:
        """The state now: queued, running, cancelling, completed, failed, cancelled, ...

        Raises:
            ClientError: The server could not be asked.
        """
        return self.state if self.is_final else self.refresh().state

    @property
    def position(self) -> int | None:
        """The place in the queue now, from 1: an estimate; None when the job does not wait.

        Raises:
            ClientError: The server could not be asked.
        """
        return None if self.is_final else self.refresh().place

    def refresh(self) -> Job:
        """Read the job anew.

        Raises:
            ClientError: The server could not be asked.
        """
        return self.see(self._transport.run(operations.job(self._transport.api, self.id)))

    def wait(self, timeout: float | None = operations.WAIT_S, *, progress: Progress = False) -> Job:
        """Wait until the job has ended, however long others stand before it.

        The server is asked about twice a minute, and once a second for whoever looks on. A server
        that is away for some minutes, because it restarts, does not end the wait.

        Args:
            timeout: Seconds to wait at most, whatever the server does; None waits for ever.
            progress: Whether to show the place in the queue, then the run, on standard error; or
                what is called with the job after each news.

        Raises:
            WaitTimeout: It has not ended; it goes on without us.
            ClientError: The server could not be asked.
        """
        with shown(progress) as watch, ends_by(wait_ends(timeout)):
            transport = self._transport
            transport.run(operations.wait(transport.api, self, timeout, watch))
        return self

    def result(
        self,
        timeout: float | None = operations.WAIT_S,
        *,
        progress: Progress = False,
        arrays: bool = False,
    ) -> Result:
        """Wait for the job and return what it gave.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
            progress: Whether to show the place in the queue, then the run, on standard error; or
                what is called with the job after each news.
            arrays: Whether to fetch NumPy arrays at once; by default when `arrays` is first read.

        Raises:
            JobFailed: It ended without a result.
            WaitTimeout: It has not ended within `timeout` seconds.
            ClientError: The server could not be asked.
        """
        self.wait(timeout, progress=progress)
        transport = self._transport
        found = transport.run(operations.result(transport.api, self, with_arrays=arrays))
        for number, part in enumerate(found.parts):
            if not arrays:
                part.fill(partial(self._archive, number))
        return found

    def compiled(self, part: int = 0) -> str:
        """Return a circuit in the gates that its lab's device announces, as OpenQASM 3.

        Args:
            part: Number of the circuit, from 0.

        Raises:
            ApiError: The device is no lab's, or the language has no words for the circuit.
            ClientError: The server could not be asked.
        """
        return self._transport.run(operations.compiled(self._transport.api, self.id, part))

    def cancel(self) -> Job:
        """Cancel the job: at once when it waits; a running one is asked to stop.

        Raises:
            ClientError: It was refused, or the server could not be asked.
        """
        return self.see(self._transport.run(operations.cancel(self._transport.api, self)))

    def delete(self) -> None:
        """Delete the job, which has ended, with its program and its result.

        It is no error that it is gone already: whoever loses an answer may ask again.

        Raises:
            ApiError: It has not ended, or it is another account's.
            ClientError: The server could not be asked.
        """
        self._transport.run(operations.delete(self._transport.api, self))

    def events(self) -> Iterator[Event]:
        """Yield the job's present state and then each change, to its end.

        Changes that follow one another closely are told as one. A lost connection is taken up
        again where it broke.

        Raises:
            ClientError: The server could not be asked.
        """
        from qwicket.clients.native.events import of_job

        return self._transport.follow(of_job(self._transport.api, self))

    def _archive(self, part: int) -> bytes:
        return self._transport.run(operations.archive(self._transport.api, self.id, part))
