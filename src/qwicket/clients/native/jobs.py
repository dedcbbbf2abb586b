"""Jobs of the client for threads."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qwicket.clients.http import ends_by
from qwicket.clients.http.polling import wait_deadline
from qwicket.clients.native import operations
from qwicket.clients.native.progress import progress_display
from qwicket.clients.native.views import JobView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from qwicket.clients.native.events import Event
    from qwicket.clients.native.results import Result
    from qwicket.clients.native.transport import Transport

    Progress = bool | Callable[["Job"], None]


class Job(JobView):
    """Job on the server.

    `state` and `queue_position` are values of the last response; `status` and `position` send a
    request unless the job has ended. The job continues on the server when this object is discarded.
    """

    def __init__(
        self, transport: Transport, body: dict[str, Any], *, everybody: bool = False
    ) -> None:
        super().__init__(body, transport.url, everybody=everybody)
        self._transport = transport

    @property
    def status(self) -> str:
        """Present state: queued, running, cancelling, completed, failed, cancelled, ...

        Raises:
            ClientError: The request failed.
        """
        return self.state if self.is_final else self.refresh().state

    @property
    def position(self) -> int | None:
        """Present position in the queue, from 1 (an estimate); None if unknown or not waiting.

        Raises:
            ClientError: The request failed.
        """
        return None if self.is_final else self.refresh().queue_position

    def refresh(self) -> Job:
        """Update the job from the server.

        Raises:
            ClientError: The request failed.
        """
        operation = operations.job(self._transport.api, self.id, everybody=self.everybody)
        return self.update(self._transport.run(operation))

    def wait(self, timeout: float | None = operations.WAIT_S, *, progress: Progress = False) -> Job:
        """Wait until the job has ended.

        The client polls about twice a minute, with `progress` once a second. The wait continues
        while the server restarts, for up to five minutes.

        Args:
            timeout: Seconds after which the wait ends in any case; None waits without a limit.
            progress: Whether to show the position in the queue, then the progress, on standard
                error; or a function that is called with the job after each response.

        Raises:
            WaitTimeout: The job has not ended in time; it continues on the server.
            ClientError: The request failed.
        """
        transport = self._transport
        clock = transport.api.clock
        with progress_display(progress) as watch, ends_by(wait_deadline(timeout, clock), clock):
            transport.run(operations.wait(transport.api, self, timeout, watch))
        return self

    def result(
        self,
        timeout: float | None = operations.WAIT_S,
        *,
        progress: Progress = False,
        arrays: bool = False,
    ) -> Result:
        """Wait for the job and return its result.

        Args:
            timeout: Seconds for the wait and the result; None for no limit. If the job ends at the
                last moment, its result still has half a second to arrive.
            progress: Whether to show the position in the queue, then the progress, on standard
                error; or a function that is called with the job after each response.
            arrays: Whether to fetch NumPy arrays now; by default at the first access to `arrays`.

        Raises:
            JobFailed: The job ended without a result.
            WaitTimeout: The job has not ended, or its result has not arrived, within `timeout`
                seconds.
            ClientError: The request failed.
        """
        transport = self._transport
        ends_at = wait_deadline(timeout, transport.api.clock)
        self.wait(timeout, progress=progress)
        with operations.rest_of_wait(transport.api, ends_at, self, timeout):
            found = transport.run(operations.result(transport.api, self, with_arrays=arrays))
        for number, part in enumerate(found.parts):
            if not arrays:
                part.fill(partial(self._part_arrays, number))
        return found

    def compiled(self, part: int = 0) -> str:
        """Return a circuit, compiled to the gates of its lab's device, as OpenQASM 3.

        Args:
            part: Number of the circuit, from 0.

        Raises:
            ApiError: The device belongs to no lab, or OpenQASM cannot express the circuit.
            ClientError: The request failed.
        """
        return self._transport.run(operations.fetch_compiled(self._transport.api, self.id, part))

    def mitigated(self, part: int = 0) -> dict[str, float]:
        """Return the counts of a circuit with its readout errors mitigated.

        The errors are those of the device's calibration when the job was submitted. The values add
        up to 1; some may be negative.

        Args:
            part: Number of the circuit, from 0.

        Raises:
            ApiError: The job has not ended, its device had no calibration, or the counts are too
                sparse; the detail says which.
            ClientError: The request failed.
        """
        return self._transport.run(operations.mitigated(self._transport.api, self.id, part))

    def archive(self, path: str | PathLike[str]) -> None:
        """Write the job with its program, options, calibration and result to a ZIP file.

        The job must have ended. `read_archive` reads the file without a server. The file appears
        at `path` once it was received and checked as a whole; an existing file is replaced.

        Args:
            path: The file.

        Raises:
            ApiError: The job has not ended.
            InvalidArchive: The response is not a whole archive.
            ClientError: The request failed.
            OSError: The file cannot be written.
        """
        from qwicket.clients.native.archives import verified_archive_file

        with verified_archive_file(path) as file:
            self._transport.run(operations.job_archive(self._transport.api, self.id, file))

    def share_with(self, account: str) -> dict[str, Any]:
        """Let another account read the job, its program, result and events.

        Args:
            account: Name or e-mail address of the account.

        Returns:
            The share; `client.unshare(share["id"])` ends it.

        Raises:
            ApiError: There is no such account, it is your own, or the job is another account's.
            ClientError: The request failed.
        """
        operation = operations.share(self._transport.api, self.id, account=account)
        return self._transport.run(operation)

    def share_link(self, expires_s: int = operations.LINK_S) -> dict[str, Any]:
        """Make a link with which anyone can read the job and its result, until it expires.

        Args:
            expires_s: Seconds until the link expires; by default a week, at most a year.

        Returns:
            The share; its `url`, the link, is not shown again.

        Raises:
            ApiError: The job belongs to another account.
            Unreachable: No response arrived; `shares()` shows whether there is another link.
        """
        operation = operations.share(self._transport.api, self.id, life_s=expires_s)
        return self._transport.run(operation)

    def shares(self) -> list[dict[str, Any]]:
        """Return the shares of the job, the oldest first.

        Raises:
            ClientError: The request failed.
        """
        return self._transport.run(operations.shares(self._transport.api, self.id))

    def cancel(self) -> Job:
        """Cancel the job. A waiting job is cancelled at once, a running job is requested to stop.

        Raises:
            ClientError: The request failed.
        """
        return self.update(self._transport.run(operations.cancel(self._transport.api, self)))

    def hold(self) -> Job:
        """Keep the waiting job from starting until `release`.

        Raises:
            ApiError: The job does not wait, or belongs to another account.
            ClientError: The request failed.
        """
        return self._change(held=True)

    def release(self) -> Job:
        """Let the held job start.

        Raises:
            ApiError: The job does not wait, belongs to another account, or an administrator holds
                it.
            ClientError: The request failed.
        """
        return self._change(held=False)

    def prioritize(self, priority: int) -> Job:
        """Change the priority of the waiting job.

        Args:
            priority: From -100 to 100. Of the jobs of a project, those with a higher one run first.

        Raises:
            ApiError: The job does not wait, or belongs to another account.
            ClientError: The request failed.
        """
        return self._change(priority=priority)

    def requeue(self) -> Job:
        """Take the running job from its runner and queue it again, as an administrator.

        Raises:
            ApiError: The job does not run or runs at another cloud, or the token is not an
                administrator's.
            Unreachable: No response arrived, so the job may have been requeued.
        """
        return self.update(self._transport.run(operations.requeue(self._transport.api, self)))

    def _change(self, *, held: bool | None = None, priority: int | None = None) -> Job:
        operation = operations.change(self._transport.api, self, held=held, priority=priority)
        return self.update(self._transport.run(operation))

    def delete(self) -> None:
        """Delete the job with its program and its result. The job must have ended.

        Nothing happens if the job does not exist any more.

        Raises:
            ApiError: The job has not ended; or it was read as an administrator, and belongs to
                another account or does not exist.
            ClientError: The request failed.
        """
        self._transport.run(operations.delete(self._transport.api, self))

    def events(self) -> Iterator[Event]:
        """Yield the job's present state, then each change until it has ended.

        Changes in quick succession may arrive as one. After a lost connection the stream resumes
        without a gap.

        Raises:
            ClientError: The server refused the stream, or was away for too long.
        """
        from qwicket.clients.native.events import job_stream

        return self._transport.follow(job_stream(self._transport.api, self))

    def _part_arrays(self, part: int) -> bytes:
        return self._transport.run(operations.part_arrays(self._transport.api, self.id, part))
