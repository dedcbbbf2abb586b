"""Handlers of version 1. Every success is `{"success": true, "data": …}`."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.circuits.qubit import Entangler
from qwicket.dialects.bodies import invalid
from qwicket.dialects.responses import json, json_in_thread
from qwicket.dialects.streaming import raw_list
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES
from qwicket.model.errors import Conflict, Forbidden, InvalidRequest, LimitExceeded, NotFound
from qwicket.model.groups import UNUSED
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.vendors.qbraid.dialect import (
    catalogue,
    groups,
    ids,
    jobs,
    params,
    statuses,
    submissions,
    wire,
)
from qwicket.vendors.qbraid.dialect.handlers import CommonHandlers, filter_accepts

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView
    from qwicket.model.accounts import Actor
    from qwicket.model.groups import Group
    from qwicket.model.jobs import Job

_MAX_SEARCH_CHARS: Final = 255
_NAMES_AT_ONCE: Final = 20
"""Jobs that are looked up before other requests may run."""
_MAX_COMPILED: Final = 100
"""Programs of a batch that are compiled for one response."""
_ENTANGLERS: Final[tuple[Entangler, ...]] = ("zz", "ms")
_names_decoder: Final = msgspec.json.Decoder(tuple[str, ...])


class Handlers(CommonHandlers):
    """The handlers of `/qbraid/api/v1`."""

    # --- users ------------------------------------------------------------------------------------

    async def verify_user(self, actor: Actor, request: Request[None]) -> Response:
        """Read the user of the token; every client calls this first."""
        account = await self._gateway.accounts.of(actor)
        return _success(
            {
                "userId": ids.object_id(actor.account),
                "userName": actor.account_name,
                "email": account.email,
                "organizationId": ids.object_id(actor.project),
                "organizationUserId": ids.object_id(actor.account),
            }
        )

    async def user_context(self, actor: Actor, request: Request[None]) -> Response:
        """Read whether the user is an administrator."""
        return _success({"user": {"isAdmin": str(actor.role == "admin").lower()}})

    async def credits(self, actor: Actor, request: Request[None]) -> Response:
        """Read the balance of credits: the rest of the cost budget for all devices, or 0."""
        left = await self._gateway.usage.credits_left(actor)
        return _success(
            {
                "qbraidCredits": round(left, 6),
                "awsCredits": 0,
                "autoRecharge": "off",
                "organizationId": ids.object_id(actor.project),
                "userId": ids.object_id(actor.account),
            }
        )

    # --- devices ----------------------------------------------------------------------------------

    async def list_devices(self, actor: Actor, request: Request[None]) -> Response:
        """List all devices; no device is retired."""
        views = await self._gateway.devices.of(wire.DIALECT)
        return _success([catalogue.v1_device(view, *await self._queue(view)) for view in views])

    async def read_device(self, actor: Actor, request: Request[None]) -> Response:
        """Read a device and its queue."""
        name = request.path_params["device"]
        view = await self._device(name)
        body = catalogue.v1_device(view, *await self._queue(view))
        return _success({**body, "qrn": ids.shown_qrn(name, view.device)})

    async def _device(self, name: str) -> DeviceView:
        """Return a device by its QRN or an alias; a device that has the name itself comes first."""
        try:
            return await super()._device(name)
        except NotFound:
            if name not in ids.ALIASES:
                raise
            return await self._gateway.devices.get(ids.ALIASES[name], wire.DIALECT)

    async def read_calibration(self, actor: Actor, request: Request[None]) -> Response:
        """Read the current calibration of a device, or null if it has none."""
        view = await self._device(request.path_params["device"])
        found = view.calibration
        if found is None:
            return _success(None)
        return await json_in_thread(lambda: _successful(catalogue.calibration(view, found, _now())))

    async def list_providers(self, actor: Actor, request: Request[None]) -> Response:
        """List the providers of devices; there is one."""
        views = await self._gateway.devices.of(wire.DIALECT)
        return _success({"providers": [catalogue.provider(views)]})

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, actor: Actor, request: Request[submissions.ParsedJob]) -> Response:
        """Submit a job."""
        return _success(jobs.v1_document(await self._submit(actor, request)), 201)

    async def read_job(self, actor: Actor, request: Request[None]) -> Response:
        """Read a job."""
        job = await self._named(actor, request)
        job = await self._gateway.first_polls.wait_if_ending_soon(
            actor, job, request.wait_until_disconnected
        )
        return _success(jobs.v1_document(await self._show(job)))

    async def list_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """List a page of jobs, newest first."""
        query = request.query_params
        page, limit = params.page(request.query_params)
        states = statuses.states(query)
        is_ours = filter_accepts(query, "vendor", "all", "qbraid") and filter_accepts(
            query, "provider", "all", "qbraid"
        )
        text = query.get("search", "")
        if len(text) > _MAX_SEARCH_CHARS:
            detail = f"search has at most {_MAX_SEARCH_CHARS} characters."
            raise LimitExceeded(detail, field="search")
        tags = submissions.read_tags(query["tags"]) if "tags" in query else ()
        if not states or not is_ours:
            return json(page_of([], page, limit, 0))
        found, total = await self._search(
            actor,
            request.response_memory,
            states=states,
            page=page,
            limit=limit,
            tags=tags,
            text=text,
        )
        return await json_in_thread(
            lambda: page_of(raw_list(jobs.v1_document(row) for row in found), page, limit, total),
            is_small=sum(row.vendor_fields.size_bytes for row in found) <= SMALL_RESPONSE_BYTES,
        )

    async def count_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """Count jobs by status."""
        tally = await self._gateway.jobs.tally(actor, JobQuery(dialect=wire.DIALECT))
        counts = dict.fromkeys(statuses.STATUSES, 0)
        for state, number in tally.items():
            counts[statuses.of_state(state)] += number
        return _success(counts)

    async def estimate_cost(self, actor: Actor, request: Request[None]) -> Response:
        """Estimate the cost of a job in credits, without the cost of its run time."""
        query = request.query_params
        view = await self._device(query.get("deviceQrn", ""))
        shots = params.integer(
            query, "shots", default=submissions.DEFAULT_SHOTS, maximum=self.limits.jobs.shots
        )
        price = view.device.spec.cost
        return _success(
            {
                "pricingAvailable": True,
                "deviceQrn": ids.qrn(view.device),
                "estimatedCost": price.of(1, shots, 0.0) if price is not None else 0,
                "shots": shots,
                "pricingModel": "fixed",
            }
        )

    async def read_result(self, actor: Actor, request: Request[None]) -> Response:
        """Read the result of a job; a failed batch has a result or an error for each program."""
        job = await self._named(actor, request)
        vendor_fields = wire.vendor_fields(await self._gateway.jobs.vendor_fields(job))
        found = await self._gateway.results.of(job, request.response_memory)
        return await json_in_thread(
            lambda: _successful(jobs.v1_result(found, vendor_fields)), is_small=found.is_small
        )

    async def read_program(self, actor: Actor, request: Request[None]) -> Response:
        """Read the program of a job."""
        job = await self._named(actor, request)
        vendor_fields = wire.vendor_fields(await self._gateway.jobs.vendor_fields(job))
        found = await self._gateway.results.program(job, request.response_memory)
        return await json_in_thread(lambda: _successful(jobs.program(found, vendor_fields)))

    async def read_compiled(self, actor: Actor, request: Request[None]) -> Response:
        """Compile a job's program for the machine whose twin ran it; 404 for other devices."""
        job = await self._named(actor, request)
        gate = await self._entangler(job)
        if job.state is not JobState.COMPLETED:
            raise NotFound("The job has no compiled program: it is not completed.")
        if job.n_circuits > _MAX_COMPILED:
            detail = f"Batches of at most {_MAX_COMPILED} programs are compiled"
            raise NotFound(f"{detail}, this has {job.n_circuits}.")
        vendor_fields = wire.vendor_fields(await self._gateway.jobs.vendor_fields(job))
        compile_ = self._gateway.compilation.native
        try:
            found = [await compile_(job, number, gate) for number in range(job.n_circuits)]
        except (InvalidRequest, LimitExceeded) as refusal:
            raise NotFound(refusal.detail) from None
        programs = [jobs.compiled_program(circuit) for circuit in found]
        return _success(programs if vendor_fields.is_batch or len(programs) > 1 else programs[0])

    async def _entangler(self, job: Job) -> Entangler:
        """Return the two-qubit gate of the machine whose twin ran a job.

        Raises:
            NotFound: The device is not a twin of a machine with native gates.
        """
        with suppress(NotFound):  # the device may have been removed
            device = (await self._gateway.devices.get(job.device, wire.DIALECT)).device
            if job.calibration is not None and device.is_simulated:
                for gate in _ENTANGLERS:
                    if gate in device.spec.native_gates:
                        return gate
        raise NotFound(f"The job has no compiled program: {job.device} ran it as it was submitted.")

    async def cancel_job(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel a job."""
        job = await self._named(actor, request)
        await self._cancel(actor, job)
        return _success(
            {
                "message": "Cancellation requested",
                "jobQrn": request.path_params["id"],
                "status": "CANCELLING",
            },
            202,
        )

    async def delete_job(self, actor: Actor, request: Request[None]) -> Response:
        """Delete a job that has ended."""
        job = await self._named(actor, request)
        await self._delete(actor, job)
        return _success({"message": "Job deleted"})

    async def delete_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """Delete several jobs, or none of them if one is unknown or has not ended."""
        names = _names(request.query_params.get("qrns", ""), self.limits.requests.list_page)
        found = []
        for number, name in enumerate(names):
            found.append(await self._find(actor, name))
            if number % _NAMES_AT_ONCE == 0:
                await asyncio.sleep(0)  # there may be a thousand reads of the database
        if any(job.account != actor.account for job in found):
            raise Forbidden("Only the account that submitted a job may delete it.")
        if running := [job for job in found if not job.state.is_final]:
            raise Conflict(f"{len(running)} of the jobs have not ended: none was deleted.")
        await self._gateway.bulk.delete(actor, [job.id for job in found], dialect=wire.DIALECT)
        return _success({"message": f"{len(names)} jobs deleted"})

    async def _named(self, actor: Actor, request: Request[None]) -> Job:
        """Return the job that the path names."""
        return await self._find(actor, request.path_params["id"])

    # --- groups -----------------------------------------------------------------------------------

    async def open_group(self, actor: Actor, request: Request[groups.Opening]) -> Response:
        """Open a group."""
        body = request.payload
        group = await self._gateway.job_groups.open(
            actor, wire.DIALECT, name=body.name, life_s=body.life_s, body=body.body
        )
        return _success(groups.body(group, {}, UNUSED, _now()), 201)

    async def read_group(self, actor: Actor, request: Request[None]) -> Response:
        """Read a group."""
        group = await self._group_named(actor, request)
        return await self._group_response(actor, group)

    async def list_groups(self, actor: Actor, request: Request[None]) -> Response:
        """List a page of the newest groups, of which there are at most `list_page` (a limit)."""
        word = request.query_params.get("status")
        if word is not None and word not in groups.STATUSES:
            raise invalid(f"status must be one of {', '.join(groups.STATUSES)}", word, "status")
        page, limit = params.page(request.query_params)
        maximum = self.limits.requests.list_page
        # Up to `list_page` groups are read, even if few are returned.
        await request.response_memory.begin()
        found = await self._gateway.job_groups.page(actor, wire.DIALECT, limit=maximum)
        if word is not None:
            found = [each for each in found if await self._group_status(actor, each) == word]
        bodies = [
            await self._group_document(actor, group)
            for group in found[(page - 1) * limit :][:limit]
        ]
        return json(page_of(bodies, page, limit, len(found)))

    async def _group_status(self, actor: Actor, group: Group) -> str:
        return groups.status(group, await self._gateway.job_groups.tally(actor, group), _now())

    async def close_group(self, actor: Actor, request: Request[None]) -> Response:
        """Close a group: it takes no more jobs, and its jobs still run."""
        group = await self._group_named(actor, request)
        closed = await self._gateway.job_groups.close(actor, group.id, dialect=wire.DIALECT)
        return await self._group_response(actor, closed)

    async def cancel_group(self, actor: Actor, request: Request[None]) -> Response:
        """Close a group, and cancel its jobs that have not ended."""
        group = await self._group_named(actor, request)
        await self._gateway.job_groups.close(actor, group.id, dialect=wire.DIALECT)
        await self._gateway.job_groups.cancel_all(actor, group.id, dialect=wire.DIALECT)
        group = await self._gateway.job_groups.annotate(actor, group, groups.mark_cancelled(group))
        return await self._group_response(actor, group)

    async def delete_group(self, actor: Actor, request: Request[None]) -> Response:
        """Delete a group."""
        group = await self._group_named(actor, request)
        await self._gateway.job_groups.delete(actor, group.id, dialect=wire.DIALECT)
        return _success({"message": "Group deleted"})

    async def list_group_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """List the newest jobs of a group, at most `list_page` (a limit), without pages."""
        group = await self._group_named(actor, request)
        found, _ = await self._search(
            actor,
            request.response_memory,
            states=tuple(JobState),
            page=1,
            limit=self.limits.requests.list_page,
            group=group.id,
        )
        return await json_in_thread(
            lambda: _successful(raw_list(jobs.v1_document(row) for row in found))
        )

    async def _group_named(self, actor: Actor, request: Request[None]) -> Group:
        """Return the group that the path names."""
        id_text = ids.id_of(request.path_params["group"])
        return await self._gateway.job_groups.get(actor, id_text, dialect=wire.DIALECT)

    async def _group_response(self, actor: Actor, group: Group) -> Response:
        return _success(await self._group_document(actor, group))

    async def _group_document(self, actor: Actor, group: Group) -> dict[str, Any]:
        tally = await self._gateway.job_groups.tally(actor, group)
        return groups.body(group, tally, await self._gateway.job_groups.use(actor, group), _now())


def _success(data: Any, status: int = 200) -> Response:
    return json(_successful(data), status)


def _successful(data: Any) -> dict[str, Any]:
    return {"success": True, "data": data}


def page_of(data: Any, page: int, limit: int, total: int) -> dict[str, Any]:
    """Return one page of a list."""
    n_pages = -(-total // limit)
    pagination = {
        "page": page,
        "limit": limit,
        "total": total,
        "totalPages": n_pages,
        "hasNext": page < n_pages,
        "hasPrev": page > 1,
    }
    return {"success": True, "data": data, "pagination": pagination}


def _names(text: str, maximum: int) -> tuple[str, ...]:
    """Return ids of jobs from a text that contains a JSON list."""
    try:
        names = _names_decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise invalid("qrns must be a JSON list of ids", text, "qrns") from None
    if not 1 <= len(names) <= maximum:
        raise LimitExceeded(f"qrns names 1 to {maximum} jobs (limit list_page).", field="qrns")
    return names


def _now() -> int:
    return time.time_ns() // 1_000_000
