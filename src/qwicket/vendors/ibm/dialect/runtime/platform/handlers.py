"""Handlers that only the platform channel has: sign-in, instances, usage, the list of devices.

`runtime/shared.py` has the handlers of both channels, this one and the classic one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.responses import json
from qwicket.dialects.times import format_time
from qwicket.model.errors import InvalidRequest, NotFound
from qwicket.vendors.ibm.dialect.names import RUNTIME
from qwicket.vendors.ibm.dialect.runtime import mocks
from qwicket.vendors.ibm.dialect.runtime.platform import instances, sign_in, wire
from qwicket.vendors.ibm.dialect.runtime.platform.usage import UsageCache
from qwicket.vendors.ibm.dialect.runtime.shared import Month, RuntimeHandlers

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView, Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.limits import Limits

_REFRESH_TOKEN_S: Final = 72 * 3600.0


class AccountHandlers:
    """The handlers of `/ibm/runtime`: sign-in, the search for instances, and their pricing plan.

    Args:
        gateway: Does the work.
        access_token_s: Life of an access token in seconds.
    """

    def __init__(self, gateway: Gateway, access_token_s: float) -> None:
        self._gateway = gateway
        self._access_token_s = access_token_s

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await sign_in.actor(self._gateway, request)

    async def issue_access_token(self, request: Request[wire.Grant]) -> Response:
        """Exchange a Qwicket token, or a refresh token, for an access token and a refresh token."""
        grant, tokens = request.payload, self._gateway.access_tokens
        if grant.type == wire.KEY_GRANT:
            actor = await self._gateway.auth.by_token(grant.key, request.client_address)
        elif grant.type == wire.REFRESH_GRANT:
            actor = await tokens.actor(grant.refresh_token, sign_in.REFRESH, request.client_address)
        else:
            raise InvalidRequest(
                f"grant_type must be {wire.KEY_GRANT} or {wire.REFRESH_GRANT}, not"
                f" {grant.type[:100]!r}.",
                field="grant_type",
            )
        response = json(
            {
                "access_token": await tokens.issue(actor, RUNTIME, self._access_token_s),
                "refresh_token": await tokens.issue(actor, sign_in.REFRESH, _REFRESH_TOKEN_S),
                "token_type": "Bearer",
                "expires_in": round(self._access_token_s),
                "expiration": round(time.time() + self._access_token_s),
                "scope": "ibm openid",
            }
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    async def list_keys(self, request: Request[None]) -> Response:
        """List public keys of access tokens: none, because their signing key is symmetric."""
        return json({"keys": []})

    async def search_instances(self, actor: Actor, request: Request[wire.SearchBody]) -> Response:
        """Search for instances: the token's project, if the query is for services of this kind."""
        if instances.SERVICE not in request.payload.query:
            return json({"items": [], "limit": 0})
        own = await self._gateway.accounts.projects(actor)
        items = [instances.search_item(project) for project in own if project.id == actor.project]
        return json({"items": items, "limit": len(items)})

    async def read_plan(self, actor: Actor, request: Request[None]) -> Response:
        """Read the pricing plan of an instance."""
        if request.path_params["plan"] != instances.PLAN:
            raise NotFound(f"There is no such plan; the only plan is {instances.PLAN}.")
        return json(instances.plan())


class Handlers(RuntimeHandlers):
    """The handlers of `/ibm/runtime/api/v1`. The instance is the project of the token."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._usage = UsageCache()

    async def sign_in(self, request: Request[Any]) -> Actor:
        actor = await sign_in.actor(self._gateway, request)
        instances.check_crn(request.headers.get("service-crn"), actor)
        return actor

    async def _listed_project(self, actor: Actor, request: Request[None]) -> str:
        return actor.project

    async def _for_project(self, actor: Actor, instance: str | None) -> Actor:
        instances.check_crn(instance, actor)
        return actor

    async def _project_names(self, actor: Actor) -> None:
        return None

    async def list_devices(self, actor: Actor, request: Request[None]) -> Response:
        """List the devices, with the lengths of their queues; with `include_mocks`, mocks, too."""
        views = await self._gateway.devices.of(RUNTIME)
        devices = {view.device.name: await self._overview(view) for view in views}
        listed = [*devices.values()]
        if request.query_params.get("include_mocks", "").lower() == "true":
            names = mocks.names([view.device for view in views])
            listed += [
                {**devices[device], "name": name, "class": mocks.CLASS}
                for name, device in names.items()
            ]
        return json({"devices": listed})

    async def _overview(self, view: DeviceView) -> dict[str, Any]:
        forecast = await self._gateway.queue.forecast(view.device.name)
        status = {"name": "online", "reason": "available"}
        if not view.is_online:
            name = "paused" if view.status.is_paused else "offline"
            status = {"name": name, "reason": view.status.reason}
        return {
            "name": view.device.name,
            "qubits": view.qubits,
            "queue_length": forecast.n_waiting,
            "status": status,
            "is_simulator": view.calibration is None,
        }

    async def read_usage(self, actor: Actor, request: Request[None]) -> Response:
        """Read how many seconds the account's jobs of this month ran in the instance.

        Jobs count in the month of their submission. If the project has a budget of seconds, the
        seconds, the limit and the beginning of the period are those of the budget, which all jobs
        of the project use; seconds that are reserved count as used.
        """
        month = Month.current()
        used_s = await self._usage.get(
            (actor.account, actor.project, actor.devices, month.began),
            lambda: self._used_s(actor, actor.project, month.began),
        )
        usage = self._gateway.usage
        found = usage.with_least_left(await usage.budgets(actor), actor.project, "seconds")
        began = month.began
        if found is not None:
            began = found.begins_at or found.budget.created_at
        return json(
            {
                "instance_id": instances.crn(actor.project),
                "plan_id": instances.PLAN,
                "usage_consumed_seconds": used_s,
                "usage_limit_reached": False,
                **wire.usage_limit(found),  # with a budget, replaces the two fields above
                "usage_period": {
                    "start_time": format_time(began),
                    "end_time": format_time(month.now),
                },
            }
        )
