"""Client for event loops: the methods of `Client` as coroutines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from qwicket.clients.http import ends_by
from qwicket.clients.http.polling import wait_deadline
from qwicket.clients.native import operations
from qwicket.clients.native.events import Change, Event, account_stream, job_stream
from qwicket.clients.native.progress import progress_display
from qwicket.clients.native.views import DeviceView, JobView, Listing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
    from os import PathLike

    from qwicket.clients.native.async_transport import AsyncTransport
    from qwicket.clients.native.client import Filters, JobAction, Options
    from qwicket.clients.native.programs import Program
    from qwicket.clients.native.results import Result
    from qwicket.schema.jobs import EstimateBody

    Progress = bool | Callable[["AsyncJob"], None]


class AsyncClient:
    """Client of one server with one token, for the tasks of one event loop.

    Create it with `aconnect`. Cancelling a task closes the connection of its request. A submission
    whose task is cancelled may be stored: submit with the same `key` to get the job.
    """

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"<AsyncClient of {self._transport.url}>"

    def __await__(self) -> Generator[Any, None, AsyncClient]:
        return self._itself().__await__()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._transport.url

    async def close(self) -> None:
        await self._transport.close()

    async def devices(self) -> Listing[AsyncDevice]:
        """Return the server's devices; see `Client.devices`."""
        found = await self._transport.run(operations.devices(self._transport.api))
        return Listing(AsyncDevice(self, body) for body in found)

    async def device(self, name: str) -> AsyncDevice:
        """Return one device; see `Client.device`."""
        operation = operations.device(self._transport.api, name)
        return AsyncDevice(self, await self._transport.run(operation))

    async def submit(
        self,
        program: Program,
        device: str | Sequence[str],
        *,
        shots: int = 1000,
        **options: Unpack[Options],
    ) -> AsyncJob:
        """Submit a program; see `Client.submit`."""
        operations.check_options("submit", options)
        operation = operations.submit(self._transport.api, program, device, shots=shots, **options)
        return AsyncJob(self._transport, await self._transport.run(operation))

    async def estimate(
        self,
        program: Program,
        device: str | Sequence[str],
        *,
        shots: int = 1000,
        **options: Unpack[Options],
    ) -> EstimateBody:
        """Return what a submission would take now; see `Client.estimate`."""
        operations.check_options("estimate", options)
        api = self._transport.api
        return await self._transport.run(
            operations.estimate(api, program, device, shots=shots, **options)
        )

    async def job(self, id: str, *, everybody: bool = False) -> AsyncJob:
        """Return a job by its id; see `Client.job`."""
        operation = operations.job(self._transport.api, id, everybody=everybody)
        body = await self._transport.run(operation)
        return AsyncJob(self._transport, body, everybody=everybody)

    async def jobs(
        self,
        limit: int = 20,
        *,
        everybody: bool = False,
        oldest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> Listing[AsyncJob]:
        """Return the account's newest jobs; see `Client.jobs`."""
        operation = operations.jobs(
            self._transport.api, limit, filters, everybody=everybody, oldest_first=oldest_first
        )
        found = await self._transport.run(operation)
        return Listing(AsyncJob(self._transport, body, everybody=everybody) for body in found)

    async def change_jobs(
        self,
        action: JobAction,
        *,
        priority: int | None = None,
        dry_run: bool = False,
        watch: Callable[[int], None] | None = None,
        **filters: Unpack[Filters],
    ) -> dict[str, Any]:
        """Apply one action to all jobs that match the filters; see `Client.change_jobs`."""
        operation = operations.change_jobs(
            *(self._transport.api, action, filters), priority=priority, dry_run=dry_run, watch=watch
        )
        return await self._transport.run(operation)

    async def calibration(self, device: str, at: str | None = None) -> dict[str, Any]:
        """Return the calibration of a device; see `Device.calibration`."""
        return await self._transport.run(operations.calibration(self._transport.api, device, at))

    async def account(self) -> dict[str, Any]:
        """Return the account and the token; see `Client.account`."""
        return await self._transport.run(operations.account(self._transport.api))

    async def set_preferences(self, **changes: str | None) -> dict[str, Any]:
        """Set what you prefer at the pages; see `Client.set_preferences`."""
        return await self._transport.run(operations.set_preferences(self._transport.api, **changes))

    async def change_password(self, old: str, new: str) -> None:
        """Change your password; see `Client.change_password`."""
        await self._transport.run(operations.change_password(self._transport.api, old, new))

    async def sessions(self) -> list[dict[str, Any]]:
        """Return your sessions at the pages; see `Client.sessions`."""
        return await self._transport.run(operations.sessions(self._transport.api))

    async def end_session(self, id: str) -> None:
        """End a session at the pages; see `Client.end_session`."""
        await self._transport.run(operations.end_session(self._transport.api, id))

    async def shares(self) -> list[dict[str, Any]]:
        """Return the shares of the account's jobs; see `Client.shares`."""
        return await self._transport.run(operations.shares(self._transport.api))

    async def unshare(self, id: str) -> None:
        """End a share; see `Client.unshare`."""
        await self._transport.run(operations.unshare(self._transport.api, id))

    async def confirmations(self) -> list[dict[str, Any]]:
        """Return the jobs that wait for your confirmation; see `Client.confirmations`."""
        return await self._transport.run(operations.confirmations(self._transport.api))

    async def answer_confirmation(self, id: str, *, is_confirmed: bool) -> dict[str, Any]:
        """Confirm or refuse a job of an assistant; see `Client.answer_confirmation`."""
        operation = operations.answer_confirmation(self._transport.api, id, is_confirmed)
        return await self._transport.run(operation)

    async def webhooks(self) -> list[dict[str, Any]]:
        """Return the account's webhooks; see `Client.webhooks`."""
        return await self._transport.run(operations.webhooks(self._transport.api))

    async def add_webhook(
        self, url: str, events: Sequence[str] | None = None, device: str | None = None
    ) -> dict[str, Any]:
        """Register an address that receives events of jobs; see `Client.add_webhook`."""
        operation = operations.add_webhook(self._transport.api, url, events, device)
        return await self._transport.run(operation)

    async def remove_webhook(self, id: str) -> None:
        """Remove a webhook; see `Client.remove_webhook`."""
        await self._transport.run(self._transport.api.delete(operations.webhook_path(id)))

    async def rotate_webhook(self, id: str) -> dict[str, Any]:
        """Replace the secret of a webhook; see `Client.rotate_webhook`."""
        return await self._transport.run(operations.rotate_webhook(self._transport.api, id))

    async def test_webhook(self, id: str) -> dict[str, Any]:
        """Send an event to a webhook now; see `Client.test_webhook`."""
        return await self._transport.run(operations.test_webhook(self._transport.api, id))

    def events(self, since: int | None = None) -> AsyncGenerator[Change, None]:
        """Yield changes of the account's jobs: `async for change in client.events()`."""
        return self._transport.follow(account_stream(self._transport.api, since))

    async def _itself(self) -> AsyncClient:
        return self


class AsyncDevice(DeviceView):
    """Device of a server; see `Device`."""

    def __init__(self, client: AsyncClient, body: dict[str, Any]) -> None:
        super().__init__(body)
        self._client = client

    async def run(
        self, program: Program, shots: int = 1000, **options: Unpack[Options]
    ) -> AsyncJob:
        """Submit a program to this device; see `Device.run`."""
        operations.check_options("run", options)
        defaults: Options = {"wait": operations.RUN_WAIT_S, **self.default_options(program)}
        chosen: Options = {**defaults, **options}
        return await self._client.submit(program, self.name, shots=shots, **chosen)

    async def refresh(self) -> AsyncDevice:
        """Return the present state of the device; see `Device.refresh`."""
        return await self._client.device(self.name)

    async def calibration(self, at: str | None = None) -> dict[str, Any]:
        """Return the calibration of the device; see `Device.calibration`."""
        return await self._client.calibration(self.name, at)


class AsyncJob(JobView):
    """Job on the server; see `Job`. `status` and `position` are awaited: `await job.status`."""

    def __init__(
        self, transport: AsyncTransport, body: dict[str, Any], *, everybody: bool = False
    ) -> None:
        super().__init__(body, transport.url, everybody=everybody)
        self._transport = transport

    @property
    def status(self) -> Awaitable[str]:
        """Awaitable of the present state; see `Job.status`."""
        return self._status()

    @property
    def position(self) -> Awaitable[int | None]:
        """Awaitable of the present position in the queue; see `Job.position`."""
        return self._position()

    async def refresh(self) -> AsyncJob:
        """Update the job from the server; see `Job.refresh`."""
        operation = operations.job(self._transport.api, self.id, everybody=self.everybody)
        return self.update(await self._transport.run(operation))

    async def wait(
        self, timeout: float | None = operations.WAIT_S, *, progress: Progress = False
    ) -> AsyncJob:
        """Wait until the job has ended; see `Job.wait`. Thousands of waits share 64 connections."""
        transport = self._transport
        clock = transport.api.clock
        with (
            progress_display(progress) as watch,
            transport.count_wait() as max_hold_s,
            ends_by(wait_deadline(timeout, clock), clock),
        ):
            await transport.run(operations.wait(transport.api, self, timeout, watch, max_hold_s))
        return self

    async def result(
        self,
        timeout: float | None = operations.WAIT_S,
        *,
        progress: Progress = False,
        arrays: bool = False,
    ) -> Result:
        """Wait for the job and return its result; see `Job.result`.

        The result has NumPy arrays only with `arrays=True`.
        """
        transport = self._transport
        ends_at = wait_deadline(timeout, transport.api.clock)
        await self.wait(timeout, progress=progress)
        operation = operations.result(transport.api, self, with_arrays=arrays)
        with operations.rest_of_wait(transport.api, ends_at, self, timeout):
            return await transport.run(operation)

    async def compiled(self, part: int = 0) -> str:
        """Return a compiled circuit as OpenQASM 3; see `Job.compiled`."""
        transport = self._transport
        return await transport.run(operations.fetch_compiled(transport.api, self.id, part))

    async def mitigated(self, part: int = 0) -> dict[str, float]:
        """Return counts with readout errors mitigated; see `Job.mitigated`."""
        transport = self._transport
        return await transport.run(operations.mitigated(transport.api, self.id, part))

    async def archive(self, path: str | PathLike[str]) -> None:
        """Write the job with its program and result to a ZIP file; see `Job.archive`."""
        from qwicket.clients.native.archives import verified_archive_file

        with verified_archive_file(path) as file:
            await self._transport.run(operations.job_archive(self._transport.api, self.id, file))

    async def share_with(self, account: str) -> dict[str, Any]:
        """Let another account read the job; see `Job.share_with`."""
        operation = operations.share(self._transport.api, self.id, account=account)
        return await self._transport.run(operation)

    async def share_link(self, expires_s: int = operations.LINK_S) -> dict[str, Any]:
        """Make a link that shows the job and its result; see `Job.share_link`."""
        operation = operations.share(self._transport.api, self.id, life_s=expires_s)
        return await self._transport.run(operation)

    async def shares(self) -> list[dict[str, Any]]:
        """Return the shares of the job; see `Job.shares`."""
        return await self._transport.run(operations.shares(self._transport.api, self.id))

    async def cancel(self) -> AsyncJob:
        """Cancel the job; see `Job.cancel`."""
        return self.update(await self._transport.run(operations.cancel(self._transport.api, self)))

    async def hold(self) -> AsyncJob:
        """Keep the waiting job from starting; see `Job.hold`."""
        return await self._change(held=True)

    async def release(self) -> AsyncJob:
        """Let the held job start; see `Job.release`."""
        return await self._change(held=False)

    async def prioritize(self, priority: int) -> AsyncJob:
        """Change the priority of the waiting job; see `Job.prioritize`."""
        return await self._change(priority=priority)

    async def requeue(self) -> AsyncJob:
        """Queue the running job again, as an administrator; see `Job.requeue`."""
        operation = operations.requeue(self._transport.api, self)
        return self.update(await self._transport.run(operation))

    async def _change(self, *, held: bool | None = None, priority: int | None = None) -> AsyncJob:
        operation = operations.change(self._transport.api, self, held=held, priority=priority)
        return self.update(await self._transport.run(operation))

    async def delete(self) -> None:
        """Delete the job; see `Job.delete`."""
        await self._transport.run(operations.delete(self._transport.api, self))

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield changes of the job: `async for event in job.events()`."""
        return self._transport.follow(job_stream(self._transport.api, self))

    async def _status(self) -> str:
        return self.state if self.is_final else (await self.refresh()).state

    async def _position(self) -> int | None:
        return None if self.is_final else (await self.refresh()).queue_position
