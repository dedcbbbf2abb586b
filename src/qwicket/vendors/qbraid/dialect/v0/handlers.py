"""Handlers of the API before v1: the registry of jobs, and v0."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.responses import json, json_in_thread
from qwicket.dialects.streaming import raw_list
from qwicket.gateway.views import is_quick
from qwicket.model.errors import Forbidden, InvalidRequest, NotFound
from qwicket.vendors.qbraid.dialect import (
    catalogue,
    ids,
    jobs,
    params,
    query,
    statuses,
    submissions,
    wire,
)
from qwicket.vendors.qbraid.dialect.handlers import CommonHandlers, filter_accepts
from qwicket.vendors.qbraid.dialect.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.vendors.qbraid.dialect.handlers import JobRow
    from qwicket.vendors.qbraid.dialect.registry import Form

_SDK_VERSION: Final = "0.4.5"
"""Version that the registry's clients compare with their own."""
_DEFAULT_PAGE_LENGTH: Final = 10
"""Jobs or documents in a list by default."""
_MAX_PAGES: Final = 1_000_000_000
_MAX_MINUTES: Final = 525_600
"""A year."""
_OPENQASM: Final = ("qasm2", "qasm3")
_TEXT_BYTES: Final = 1 << 20
"""Size of the longest OpenQASM that a job's document shows."""


class Handlers(CommonHandlers):
    """The handlers of `/qbraid/api`."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._registry = Registry(gateway)

    async def identity(self, actor: Actor, request: Request[None]) -> Response:
        """Read the user of the token."""
        return json(
            {
                "email": await self._email(actor),
                "userName": actor.account_name,
                "_id": ids.object_id(actor.account),
                "organization": "qbraid",
                "role": "user",
                "active": True,
            }
        )

    async def _email(self, actor: Actor) -> str:
        return (await self._gateway.accounts.of(actor)).email

    async def credits(self, actor: Actor, request: Request[None]) -> Response:
        """Read the balance of credits: the rest of the cost budget for all devices, or 0."""
        left = await self._gateway.usage.credits_left(actor)
        return json({"qbraidCredits": round(left, 6)})

    async def sdk_version(self, request: Request[None]) -> Response:
        """Read the newest version of the registry's clients."""
        return json(_SDK_VERSION)

    # --- registered jobs --------------------------------------------------------------------------

    async def register_job(self, actor: Actor, request: Request[Form]) -> Response:
        """Register a job that ran on another server."""
        return json(await self._registry.register(actor, request.payload))

    async def update_record(self, actor: Actor, request: Request[Form]) -> Response:
        """Read a registered job; change its status if `status` and `qbraidStatus` are given."""
        email = await self._email(actor)
        return json([await self._registry.update(actor, email, request.payload)])

    async def search_records(self, actor: Actor, request: Request[dict[str, Any]]) -> Response:
        """Search registered jobs."""
        fields = request.payload
        maximum = fields.pop("numResults", _DEFAULT_PAGE_LENGTH)
        limit = self.limits.requests.list_page
        if not isinstance(maximum, int) or isinstance(maximum, bool) or not 1 <= maximum <= limit:
            detail = f"numResults must be 1 to {limit} (limit list_page)."
            raise InvalidRequest(detail, field="numResults")
        # In a thread: making a set of a list of 1 MB takes 0.1 s.
        sought = await asyncio.to_thread(query.parse, fields)
        await request.response_memory.begin()
        found = await self._registry.search(actor, await self._email(actor), sought, maximum)
        return await json_in_thread(lambda: raw_list(found))

    # --- devices ----------------------------------------------------------------------------------

    async def list_devices(self, request: Request[None]) -> Response:
        """List the devices whose fields have the values in the query."""
        return json(self._filtered(await self._devices(), request.query_params))

    async def search_devices(self, request: Request[dict[str, Any]]) -> Response:
        """Search the devices."""
        sought = await asyncio.to_thread(query.parse, request.payload)
        return json([device for device in await self._devices() if sought.matches(device)])

    async def list_own_devices(self, actor: Actor, request: Request[None]) -> Response:
        """List the devices whose fields have the values in the query."""
        return json(self._filtered(await self._devices(), request.query_params))

    async def update_device(self, actor: Actor, request: Request[None]) -> Response:
        """Refuse to update a device: only administrators can do that."""
        raise Forbidden("Only administrators can turn devices on and off.")

    async def _devices(self) -> list[dict[str, Any]]:
        now = time.time_ns() // 1_000_000
        views = await self._gateway.devices.of(wire.DIALECT)
        return [catalogue.v0_device(view, (await self._queue(view))[0], now) for view in views]

    def _filtered(
        self, devices: list[dict[str, Any]], filters: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """Return the devices whose fields equal the filters as text, in any case."""
        wanted = [(name, text.lower()) for name, text in filters.items()]
        return [
            device
            for device in devices
            if all(str(device.get(name, "")).lower() == text for name, text in wanted)
        ]

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, actor: Actor, request: Request[submissions.ParsedJob]) -> Response:
        """Submit a job."""
        email = await self._email(actor)
        row = await self._submit(actor, request)
        return json(jobs.v0_document(row, actor.account_name, email), 201)

    async def list_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """List a page of jobs, newest first, or the one job whose id is in the query."""
        query_params = request.query_params
        for name in ("qbraidJobId", "vendorJobId", "_id"):
            if name in query_params:
                return json(await self._named(actor, request, query_params[name]))
        if not filter_accepts(query_params, "provider", "qbraid") or not filter_accepts(
            query_params, "vendor", "qbraid"
        ):
            return json([])
        states = statuses.states(
            {"status": query_params["status"]} if "status" in query_params else {}
        )
        if not states:
            return json([])
        found, _ = await self._search(
            actor,
            request.response_memory,
            states=states,
            page=params.integer(query_params, "page", default=1, maximum=_MAX_PAGES),
            limit=params.integer(
                query_params,
                "resultsPerPage",
                default=_DEFAULT_PAGE_LENGTH,
                maximum=self.limits.requests.list_page,
            ),
            tags=_tags(query_params),
            device=_bare(query_params.get("qbraidDeviceId")),
        )
        email = await self._email(actor)
        name = actor.account_name
        return await json_in_thread(
            lambda: raw_list(jobs.v0_document(row, name, email) for row in found)
        )

    async def _named(self, actor: Actor, request: Request[None], name: str) -> list[dict[str, Any]]:
        """Return the job of this id, if any; with the counts of a small result for qbraid 0.7."""
        try:
            job = await self._find(actor, name)
            job = await self._gateway.first_polls.wait_if_ending_soon(
                actor, job, request.wait_until_disconnected
            )
            row = await self._show(job)
        except NotFound:
            return []
        document = jobs.v0_document(row, actor.account_name, await self._email(actor))
        if await self._shows_openqasm(row):
            program = await self._gateway.results.program(row.job, request.response_memory)
            document |= jobs.openqasm_field(program)
        is_one = statuses.status(row.job) == "COMPLETED" and row.job.n_circuits == 1
        if is_one and is_quick(row.job):
            found = await self._gateway.results.of(row.job, request.response_memory)
            if found.is_small:
                document["measurementCounts"] = jobs.v0_result(found)["measurementCounts"]
        return [document]

    async def _shows_openqasm(self, row: JobRow) -> bool:
        """Return whether a job's document contains its OpenQASM, which clients put into results.

        It does not if the client gave no depth: clients would then parse the text for it, and fail
        if they cannot.
        """
        job, vendor_fields = row.job, row.vendor_fields
        if not job.state.is_final or vendor_fields.is_batch or vendor_fields.depth is None:
            return False
        is_text = vendor_fields.formats[0] in _OPENQASM
        return is_text and (await self._gateway.results.sizes(job)).program <= _TEXT_BYTES

    async def cancel_job(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel a job."""
        job = await self._cancel(actor, await self._find(actor, request.path_params["id"]))
        return json(
            {
                "message": "Cancellation requested",
                "qbraidJobId": ids.v0_job_id(job, actor.account_name),
                "status": "CANCELLING",
            }
        )

    async def read_result(self, actor: Actor, request: Request[None]) -> Response:
        """Read the result of a job."""
        job = await self._find(actor, request.path_params["id"])
        found = await self._gateway.results.of(job, request.response_memory)
        return await json_in_thread(
            lambda: {"data": jobs.v0_result(found)}, is_small=found.is_small
        )

    async def delete_job(self, actor: Actor, request: Request[None]) -> Response:
        """Delete a job that has ended."""
        await self._delete(actor, await self._find(actor, request.path_params["id"]))
        return json({"message": "Job deleted"})

    async def estimate_cost(self, actor: Actor, request: Request[None]) -> Response:
        """Estimate the cost of a job in credits; 0 if the device has no cost."""
        query_params = request.query_params
        view = await self._device(query_params.get("qbraidDeviceId", ""))
        shots = params.integer(
            query_params, "shots", default=submissions.DEFAULT_SHOTS, maximum=self.limits.jobs.shots
        )
        minutes = params.integer(
            query_params, "minutes", default=0, maximum=_MAX_MINUTES, minimum=0
        )
        price = view.device.spec.cost
        credits_ = 0 if price is None else price.of(1, shots, 60.0 * minutes)
        return json({"estimatedCredits": credits_})


def _tags(query_params: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tags of a query `tags.<name>=<value>`; Python's clients write `True`."""
    found = [(name, text) for name, text in query_params.items() if name.startswith("tags.")]
    return tuple(
        [
            submissions.flat_tag(
                name.removeprefix("tags."), {"True": True, "False": False}.get(text, text)
            )
            for name, text in found
        ]
    )


def _bare(device: str | None) -> str | None:
    return None if device is None else device.removeprefix("qbraid_")
