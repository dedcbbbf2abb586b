"""Handlers of Amazon Braket's API: devices, quantum tasks (its jobs), tags."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from qwicket.dialects.bodies import invalid
from qwicket.dialects.responses import json
from qwicket.model.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    NotOffered,
)
from qwicket.model.states import JobState
from qwicket.model.suggestions import did_you_mean
from qwicket.vendors.braket.dialect import catalogue, tasks, wire
from qwicket.vendors.braket.dialect.names import DIALECT, device_of, job_of, own_arn
from qwicket.vendors.braket.dialect.signin import SignatureSignIn, region
from qwicket.vendors.braket.limits import BraketDialectLimits

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits
    from qwicket.vendors.braket.dialect.catalogue import NamedDevice

_MAX_TAGS: Final = 50
_MAX_READ: Final = 1_000
"""Tasks that one search reads before it returns an incomplete page."""


class Handlers:
    """Handlers of Braket."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._sign_in = SignatureSignIn(gateway, "braket")

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._sign_in(request)

    async def search_devices(self, actor: Actor, request: Request[wire.SearchBody]) -> Response:
        """Search for devices."""
        found = await self._devices(region(request))
        for each in request.payload.filters:
            if each.name != "deviceArn":
                raise invalid("filters: name must be deviceArn", each.name, "filters")
            arns = set(map(own_arn, each.values))
            found = [device for device in found if device.arn in arns]
        return json({"devices": [catalogue.summary(device) for device in found]})

    async def read_device(self, actor: Actor, request: Request[None]) -> Response:
        """Read a device with its capabilities."""
        arn = own_arn(request.path_params["arn"])
        for device in await self._devices(region(request)):
            if device.arn == arn:
                forecast = await self._gateway.queue.forecast(device.view.device.name)
                return json(catalogue.details(device, forecast.n_waiting))
        name = device_of(arn)
        if name is None:
            raise NotFound(f"There is no device {arn[:100]!r}: this is not an ARN of this server.")
        catalogue.local_device_name(name)
        near = did_you_mean(name, [each.name for each in await self._devices(region(request))])
        raise NotFound(f"There is no device {name} in {region(request)}.{near}")

    async def _devices(self, region_name: str) -> list[NamedDevice]:
        views = await self._gateway.devices.of(DIALECT)
        return [
            device
            for view in views
            for device in catalogue.named_devices(view, self.limits)
            if device.is_in(region_name)
        ]

    # --- tasks ------------------------------------------------------------------------------------

    async def create_task(self, actor: Actor, request: Request[wire.CreateBody]) -> Response:
        """Create a quantum task."""
        # In a thread, because a program set may list hundreds of thousands of programs.
        submission = await asyncio.to_thread(wire.submission, request.payload, region(request))
        job = await self._gateway.jobs.submit(actor, submission, clients_repeat=True)
        fields = wire.vendor_fields(submission.vendor_fields)
        return json({"quantumTaskArn": tasks.arn(job, fields)}, 201)

    async def read_task(self, actor: Actor, request: Request[None]) -> Response:
        """Read a quantum task."""
        job, fields = await self._task(actor, request)
        job = await self._gateway.first_polls.wait_if_ending_soon(
            actor, job, request.wait_until_disconnected
        )
        position = await self._gateway.queue.position(job)
        return json(tasks.details(job, fields, position))

    async def cancel_task(self, actor: Actor, request: Request[wire.CancelBody]) -> Response:
        """Cancel a task."""
        job, fields = await self._own_task(actor, request)
        if not job.state.is_final:
            job = await self._gateway.jobs.cancel(actor, job.id, dialect=DIALECT)
        if job.state in (JobState.COMPLETED, JobState.FAILED):
            raise Conflict(f"The task is {tasks.status(job)} and cannot be cancelled.")
        status = "CANCELLED" if job.state is JobState.CANCELLED else "CANCELLING"
        return json({"quantumTaskArn": tasks.arn(job, fields), "cancellationStatus": status})

    async def search_tasks(self, actor: Actor, request: Request[wire.SearchBody]) -> Response:
        """Search for tasks, newest first."""
        body = request.payload
        max_filters = self.limits.of(BraketDialectLimits).search_filters
        limit = min(body.max_results, self.limits.requests.list_page)
        search = tasks.search(body, limit, max_filters)
        bodies: list[dict[str, Any]] = []
        query, n_read, is_complete = search.query, 0, search.finds_nothing
        # The database does not know ARNs: it is read until the page is full.
        while not is_complete and len(bodies) < limit and n_read < _MAX_READ:
            found = await self._gateway.jobs.page_with_vendor_fields(actor, query)
            is_complete = len(found) < query.limit
            n_read += len(found)
            for job, document in found:
                query = replace(query, before=job.seq)
                fields = wire.vendor_fields(document)
                if search.finds(job, fields):
                    bodies.append(tasks.summary(job, fields))
                    if len(bodies) == limit:
                        is_complete = is_complete and job is found[-1][0]
                        break
        page: dict[str, Any] = {"quantumTasks": bodies}
        if not is_complete:
            page["nextToken"] = str(query.before)
        return json(page)

    async def _task(self, actor: Actor, request: Request[Any]) -> tuple[Job, wire.VendorFields]:
        """Return the task of a path, and its vendor fields.

        Raises:
            NotFound: There is no such task that the actor may read.
        """
        arn = request.path_params["arn"]
        job, document = await self._gateway.jobs.get_with_vendor_fields(
            actor, job_of(arn), dialect=DIALECT
        )
        fields = wire.vendor_fields(document)
        if arn != tasks.arn(job, fields):  # of another region or account
            raise NotFound("There is no such quantum task.")
        return job, fields

    async def _own_task(self, actor: Actor, request: Request[Any]) -> tuple[Job, wire.VendorFields]:
        job, fields = await self._task(actor, request)
        if job.account != actor.account:
            raise Forbidden("Only the account that created a task may change it.")
        return job, fields

    # --- tags -------------------------------------------------------------------------------------

    async def list_tags(self, actor: Actor, request: Request[None]) -> Response:
        """List the tags of a task."""
        job, _ = await self._task(actor, request)
        return json({"tags": wire.tags_of(job.tags)})

    async def add_tags(self, actor: Actor, request: Request[wire.TagsBody]) -> Response:
        """Add or change tags of a task."""
        job, _ = await self._own_task(actor, request)
        await self._retag(actor, job, wire.tags_of(job.tags) | request.payload.tags)
        return json({})

    async def remove_tags(self, actor: Actor, request: Request[None]) -> Response:
        """Remove tags from a task."""
        keys = request.query_params.getlist("tagKeys")
        if not keys:
            raise InvalidRequest("tagKeys is missing.", field="tagKeys")
        job, _ = await self._own_task(actor, request)
        tags = wire.tags_of(job.tags)
        await self._retag(actor, job, {key: tags[key] for key in tags.keys() - set(keys)})
        return json({})

    async def _retag(self, actor: Actor, job: Job, tags: dict[str, str]) -> None:
        if len(tags) > _MAX_TAGS:
            raise LimitExceeded(f"tags: a task has at most {_MAX_TAGS}.", field="tags")
        texts = tuple(wire.tag_texts(tags))
        await self._gateway.jobs.set_name_and_tags(actor, job.id, dialect=DIALECT, tags=texts)

    async def refuse(self, actor: Actor, request: Request[None]) -> Response:
        """Refuse hybrid jobs and spending limits."""
        raise NotOffered("This server has no hybrid jobs and no spending limits.")
