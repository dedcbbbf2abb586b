"""Client of the server's API for pilots: pull tasks, report results, leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from qwicket import __version__, schema
from qwicket.agents.api import RequestNumbers
from qwicket.circuits import PACKING_VERSION
from qwicket.clients.http import RetryPolicy
from qwicket.clients.native.async_transport import AsyncTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.pilots.node import Node

_TIMEOUT_S: Final = 30.0
_NO_RETRY: Final = RetryPolicy(max_attempts=1)


class PilotAPI:
    """One pilot at one server.

    Requests are numbered, so that the server can distinguish a claim whose response was lost
    from one whose response is on its way.

    Args:
        url: Address of the server.
        token: One with the scope `compute:serve`.
        name: Name of the pilot.
        node: What the machine has.
        devices: Names of the devices to serve; empty means all.
        projects: Names of the projects whose jobs to run; empty means all.
        except_projects: Names of projects whose jobs not to run.

    Raises:
        ClientError: The address or the token is invalid.
    """

    def __init__(
        self,
        url: str,
        token: str,
        name: str,
        node: Node,
        devices: Sequence[str] = (),
        projects: Sequence[str] = (),
        except_projects: Sequence[str] = (),
    ) -> None:
        self._transport = AsyncTransport(url, token, _TIMEOUT_S, retry_policy=_NO_RETRY)
        self._path = f"/v1/pilots/{quote(name, safe='')}"
        self._node = node
        self._devices = tuple(devices)
        self._projects = tuple(projects)
        self._except_projects = tuple(except_projects)
        self._requests = RequestNumbers()
        self.url = self._transport.url
        self.name = name

    def __repr__(self) -> str:
        return f"<PilotAPI of {self.name} at {self.url}>"

    async def pull(
        self,
        held: Sequence[schema.pilots.PilotLeaseBody],
        tasks: int,
        wait_s: float,
    ) -> schema.pilots.PulledBody:
        """Wait for tasks or directives.

        Args:
            held: Leases that the pilot holds.
            tasks: Number of tasks that it can start now.
            wait_s: Seconds to wait.

        Raises:
            ClientError: There is no response, or the server refuses the request.
        """
        with self._requests.next() as number:
            body = schema.pilots.PullBody(
                offer=self._offer(number, tasks, 0),
                settled=self._requests.settled,
                held=tuple(held),
            )
            path = f"{self._path}/pull?wait={wait_s:.3f}"
            return await self._transport.run(
                self._transport.api.send(
                    "POST", path, body, schema.pilots.PulledBody, hold_s=wait_s
                )
            )

    async def report(
        self,
        results: Sequence[schema.pilots.PilotResultBody],
        releases: Sequence[schema.pilots.PilotReleaseBody],
        tasks: int,
        tiny_tasks: int,
    ) -> schema.pilots.PilotReportedBody:
        """Report on jobs, and take new tasks.

        Args:
            results: Results of jobs.
            releases: Jobs that the pilot gives back.
            tasks: Number of tasks that it can start now.
            tiny_tasks: Number of further tasks, of tiny jobs only, that it takes in advance.

        Raises:
            ClientError: There is no response, or the server refuses the request.
        """
        with self._requests.next() as number:
            body = schema.pilots.PilotReportBody(
                offer=self._offer(number, tasks, tiny_tasks),
                results=tuple(results),
                releases=tuple(releases),
            )
            return await self._transport.run(
                self._transport.api.send(
                    "POST", f"{self._path}/results", body, schema.pilots.PilotReportedBody
                )
            )

    async def leave(self) -> None:
        """Remove the pilot from the server, which queues its unfinished jobs again.

        Raises:
            ClientError: There is no response, or the server refuses the request.
        """
        await self._transport.run(self._transport.api.delete(self._path))

    async def close(self) -> None:
        await self._transport.close()

    def _offer(self, number: int, tasks: int, tiny_tasks: int) -> schema.pilots.OfferBody:
        return schema.pilots.OfferBody(
            version=__version__,
            packing=PACKING_VERSION,
            request=number,
            slots=self._node.slots,
            tasks=tasks,
            tiny_tasks=tiny_tasks,
            memory_bytes=self._node.memory_bytes,
            seconds_left=self._node.seconds_left(),
            devices=self._devices,
            projects=self._projects,
            except_projects=self._except_projects,
        )
