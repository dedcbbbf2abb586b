"""The client for event loops: what `Client` is for threads, with `await` before what asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from qwicket.clients.http import ends_by
from qwicket.clients.http.polling import wait_ends
from qwicket.clients.native import operations
from qwicket.clients.native.events import Change, Event, of_account, of_job
from qwicket.clients.native.progress import shown
from qwicket.clients.native.views import DeviceView, JobView, Listing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from qwicket.clients.native.async_transport import AsyncTransport
    from qwicket.clients.native.client import Filters, Options
    from qwicket.clients.native.programs import Program
    from qwicket.clients.native.results import Result

    Progress = bool | Callable[["AsyncJob"], None]


class AsyncClient:
    """A connection to one server with one token; any tasks of one event loop may share it.

    A task that is cancelled closes the connection of its request. A submission whose task is
    cancelled may be stored all the same: only its `key` finds it again.
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
        """As `Client.devices`."""
        found = await self._transport.run(operations.devices(self._transport.api))
        return Listing(AsyncDevice(self, body) for body in found)

    async def device(self, name: str) -> AsyncDevice:
        """As `Client.device`."""
        plan = operations.device(self._transport.api, name)
        return AsyncDevice(self, await self._transport.run(plan))

    async def submit(
        self, program: Program, device: str, *, shots: int = 1000, **options: Unpack[Options]
    ) -> AsyncJob:
        """As `Client.submit`."""
        operations.check_options("submit", options)
        plan = operations.submit(self._transport.api, program, device, shots=shots, **options)
        return AsyncJob(self._transport, await self._transport.run(plan))

    async def job(self, id: str) -> AsyncJob:
        """As `Client.job`."""
        plan = operations.job(self._transport.api, id)
        return AsyncJob(self._transport, await self._transport.run(plan))

    async def jobs(self, limit: int = 20, **filters: Unpack[Filters]) -> Listing[AsyncJob]:
        """As `Client.jobs`."""
        plan = operations.jobs(self._transport.api, limit, filters)
        found = await self._transport.run(plan)
        return Listing(AsyncJob(self._transport, body) for body in found)

    async def calibration(self, device: str, at: str | None = None) -> dict[str, Any]:
        """As `Client.calibration`."""
        return await self._transport.run(operations.calibration(self._transport.api, device, at))

    async def account(self) -> dict[str, Any]:
        """As `Client.account`."""
        return await self._transport.run(operations.account(self._transport.api))

    def events(self, since: int | None = None) -> AsyncGenerator[Change, None]:
        """As `Client.events`: `async for change in client.events()`."""
        return self._transport.follow(of_account(self._transport.api, since))

    async def _itself(self) -> AsyncClient:
        return self


class AsyncDevice(DeviceView):
    """As `Device`."""

    def __init__(self, client: AsyncClient, body: dict[str, Any]) -> None:
        super().__init__(body)
        self._client = client

    async def run(
        self, program: Program, shots: int = 1000, **options: Unpack[Options]
    ) -> AsyncJob:
        """As `Device.run`."""
        operations.check_options("run", options)
        asked: Options = {**self.suited(program), **options}
        return await self._client.submit(program, self.name, shots=shots, **asked)

    async def refresh(self) -> AsyncDevice:
        """As `Device.refresh`."""
        return await self._client.device(self.name)

    async def calibration(self, at: str | None = None) -> dict[str, Any]:
        """As `Device.calibration`."""
        return await self._client.calibration(self.name, at)


class AsyncJob(JobView):
    """As `Job`; what asks the server is awaited, `status` and `position` as well."""

    def __init__(self, transport: AsyncTransport, body: dict[str, Any]) -> None:
        super().__init__(body)
        self._transport = transport

    @property
    def status(self) -> Awaitable[str]:
        """To be awaited; as `Job.status`."""
        return self._status()

    @property
    def position(self) -> Awaitable[int | None]:
        """To be awaited; as `Job.position`."""
        return self._position()

    async def refresh(self) -> AsyncJob:
        """As `Job.refresh`."""
        return self.see(await self._transport.run(operations.job(self._transport.api, self.id)))

    async def wait(
        self, timeout: float | None = operations.WAIT_S, *, progress: Progress = False
    ) -> AsyncJob:
        """As `Job.wait`. Thousands of jobs may be waited for; they share connections in turns."""
        transport = self._transport
        with shown(progress) as watch, transport.wait() as hold_s, ends_by(wait_ends(timeout)):
            await transport.run(operations.wait(transport.api, self, timeout, watch, hold_s))
        return self

    async def result(
        self,
        timeout: float | None = operations.WAIT_S,
        *,
        progress: Progress = False,
        arrays: bool = False,
    ) -> Result:
        """As `Job.result`; NumPy arrays are there only with `arrays=True`."""
        await self.wait(timeout, progress=progress)
        plan = operations.result(self._transport.api, self, with_arrays=arrays)
        return await self._transport.run(plan)

    async def compiled(self, part: int = 0) -> str:
        """As `Job.compiled`."""
        transport = self._transport
        return await transport.run(operations.compiled(transport.api, self.id, part))

    async def cancel(self) -> AsyncJob:
        """As `Job.cancel`."""
        return self.see(await self._transport.run(operations.cancel(self._transport.api, self)))

    async def delete(self) -> None:
        """As `Job.delete`."""
        await self._transport.run(operations.delete(self._transport.api, self))

    def events(self) -> AsyncGenerator[Event, None]:
        """As `Job.events`: `async for event in job.events()`."""
        return self._transport.follow(of_job(self._transport.api, self))

    async def _status(self) -> str:
        return self.state if self.is_final else (await self.refresh()).state

    async def _position(self) -> int | None:
        return None if self.is_final else (await self.refresh()).place
