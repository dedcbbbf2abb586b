"""Handlers that only the classic channel has: sign-in, projects by name, devices, usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwicket.dialects.responses import json
from qwicket.dialects.times import format_time
from qwicket.model.jobs import JobQuery
from qwicket.vendors.ibm.dialect import projects
from qwicket.vendors.ibm.dialect.names import DIALECT, GROUP, HUB, RUNTIME
from qwicket.vendors.ibm.dialect.runtime import wire
from qwicket.vendors.ibm.dialect.runtime.shared import Month, RuntimeHandlers

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor


class Handlers(RuntimeHandlers):
    """The handlers of `/ibm/runtime/classic`."""

    async def sign_in(self, request: Request[Any]) -> Actor:
        token = request.headers.get("x-access-token")
        return await self._gateway.access_tokens.actor(token, DIALECT, request.client_address)

    async def _listed_project(self, actor: Actor, request: Request[None]) -> str | None:
        instance = wire.instance(request.query_params.get("provider"), "provider")
        return await projects.find(self._gateway, actor, instance)

    async def _for_project(self, actor: Actor, instance: str | None) -> Actor:
        return await projects.for_project(self._gateway, actor, wire.instance(instance, "instance"))

    async def _project_names(self, actor: Actor) -> dict[str, str]:
        return await projects.names(self._gateway, actor)

    async def list_devices(self, actor: Actor, request: Request[None]) -> Response:
        """List the names of devices."""
        await self._listed_project(actor, request)
        views = await self._gateway.devices.of(RUNTIME)
        return json({"devices": [view.device.name for view in views]})

    async def read_usage(self, actor: Actor, request: Request[None]) -> Response:
        """Read how many seconds the account's jobs of this month ran in each project.

        `pendingJobs` are those of the account that have not ended. For a project with a budget of
        seconds, `quota` and `usage` are those of the budget.
        """
        month = Month.current()
        rows = []
        budgets = await self._gateway.usage.budgets(actor)
        for project in await self._gateway.accounts.projects(actor):
            pending = JobQuery(dialect=RUNTIME, project=project.id, states=wire.PENDING)
            rows.append(
                {
                    "instance": f"{HUB}/{GROUP}/{project.address}",
                    "usage": await self._used_s(actor, project.id, month.began),
                    **wire.quota(
                        self._gateway.usage.with_least_left(budgets, project.id, "seconds")
                    ),
                    "pendingJobs": sum((await self._gateway.jobs.tally(actor, pending)).values()),
                    "maxPendingJobs": self.limits.quotas.waiting_jobs,
                }
            )
        period = {"start": format_time(month.began), "end": format_time(month.now)}
        return json({"period": period, "byInstance": rows})
