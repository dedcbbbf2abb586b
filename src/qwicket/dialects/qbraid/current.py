"""Which path of today's generation does what. Every success is `{"success": true, "data": …}`."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.dialects.door import Door, answer_to, invalid, json, json_beside, on, read, settled
from qwicket.dialects.pieces import raw_list
from qwicket.dialects.qbraid import catalogue, groups, jobs, orders, wire, words
from qwicket.dialects.qbraid.desk import Desk, SingleSlashes, only
from qwicket.gateway.answers import SMALL_ANSWER_BYTES
from qwicket.model.accounts import Scope
from qwicket.model.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitExceeded,
    NotFound,
)
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.programs import Entangler

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.groups import Group
    from qwicket.model.jobs import Job

_PAGE: Final = 50
_LONGEST_PAGE: Final = 100
_MOST_PAGES: Final = 1_000_000_000
_MOST_SEARCH_CHARS: Final = 255
_KEPT_OUT: Final = (
    *("projects", "environments", "compute", "storage", "files", "organizations"),
    *("billing", "users", "access-tokens"),
)
_NAMES_AT_ONCE: Final = 20
_MOST_COMPILED: Final = 100
"""Programs of a batch that are compiled for one answer."""
_ENTANGLERS: Final[tuple[Entangler, ...]] = ("zz", "ms")
_names_decoder: Final = msgspec.json.Decoder(tuple[str, ...])


def current(gateway: Gateway) -> SingleSlashes:
    """Return the door of today's generation."""
    do = Routes(gateway)
    refused = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), do.refuse)
    return SingleSlashes(
        Door(
            [
                on("/users/verify", GET=do.verify_user),
                on("/users/context", GET=do.user_context),
                on("/billing/credits/balance", GET=do.credits),
                on("/devices", GET=do.list_devices),
                on("/devices/{device}", GET=do.read_device),
                on("/devices/{device}/calibrations", GET=do.read_calibration),
                on("/providers", GET=do.list_providers),
                on("/jobs", POST=do.submit_job, GET=do.list_jobs, DELETE=do.delete_jobs),
                on("/jobs/statuses", GET=do.count_jobs),
                on("/jobs/cost-estimate", GET=do.estimate_cost),
                on("/jobs/group", POST=do.open_group, GET=do.list_groups),
                on("/jobs/group/{group}", GET=do.read_group, DELETE=do.delete_group),
                on("/jobs/group/{group}/close", POST=do.close_group),
                on("/jobs/group/{group}/cancel", POST=do.cancel_group),
                on("/jobs/group/{group}/jobs", GET=do.list_group_jobs),
                on("/jobs/{id}", GET=do.read_job, DELETE=do.delete_job),
                on("/jobs/{id}/cancel", POST=do.cancel_job),
                on("/jobs/{id}/result", GET=do.read_result),
                on("/jobs/{id}/program", GET=do.read_program),
                on("/jobs/{id}/compiled-program", GET=do.read_compiled),
                *[on(f"/{name}{{rest:path}}", **refused) for name in _KEPT_OUT],
            ],
            wire.problem,
            recast=wire.recast,
            challenge="X-API-Key",
        )
    )


class Routes(Desk):
    """The endpoints: HTTP in, gateway call, HTTP out."""

    # --- users ------------------------------------------------------------------------------------

    async def verify_user(self, request: Request) -> Response:
        """Answer the first call of every client."""
        actor = await self.sign_in(request, Scope.JOBS_READ)
        account = await self.gateway.account(actor)
        return _success(
            {
                "userId": words.object_id(actor.account),
                "userName": actor.account_name,
                "email": account.email,
                "organizationId": words.object_id(actor.project),
                "organizationUserId": words.object_id(actor.account),
            }
        )

    async def user_context(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_READ)
        return _success({"user": {"isAdmin": str(actor.role == "admin").lower()}})

    async def credits(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_READ)
        return _success(
            {
                "qbraidCredits": 0,
                "awsCredits": 0,
                "autoRecharge": "off",
                "organizationId": words.object_id(actor.project),
                "userId": words.object_id(actor.account),
            }
        )

    # --- devices ----------------------------------------------------------------------------------

    async def list_devices(self, request: Request) -> Response:
        """Answer with every device; none is ever retired."""
        await self.sign_in(request, Scope.DEVICES_READ)
        views = await self.gateway.devices.of(wire.DOOR)
        return _success([catalogue.current(view, *await self.depth(view)) for view in views])

    async def read_device(self, request: Request) -> Response:
        await self.sign_in(request, Scope.DEVICES_READ)
        view = await self.device(request.path_params["device"])
        return _success(catalogue.current(view, *await self.depth(view)))

    async def read_calibration(self, request: Request) -> Response:
        """Answer with the calibration in force, null for a device without one."""
        await self.sign_in(request, Scope.DEVICES_READ)
        view = await self.device(request.path_params["device"])
        found = view.calibration
        return _success(catalogue.calibration(view, found, _now()) if found else None)

    async def list_providers(self, request: Request) -> Response:
        await self.sign_in(request, Scope.DEVICES_READ)
        views = await self.gateway.devices.of(wire.DOOR)
        return _success({"providers": [catalogue.provider(views)]})

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_WRITE)  # before a body is taken in
        return _success(jobs.current(await self.submit(actor, request, orders.current)), 201)

    async def read_job(self, request: Request) -> Response:
        _, job = await self._named(request, Scope.JOBS_READ)
        job = await settled(request, self.gateway, job)
        return _success(jobs.current(await self.show(job)))

    async def list_jobs(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_READ)
        asked = request.query_params
        page, limit = self._page(request)
        states = words.states(asked)
        is_ours = only(asked, "vendor", "all", "qbraid") and only(
            asked, "provider", "all", "qbraid"
        )
        text = asked.get("search", "")
        if len(text) > _MOST_SEARCH_CHARS:
            detail = f"search has at most {_MOST_SEARCH_CHARS} characters."
            raise LimitExceeded(detail, field="search")
        tags = orders.read_tags(asked["tags"]) if "tags" in asked else ()
        if not states or not is_ours:
            return json(_page_of([], page, limit, 0))
        found, total = await self.search(
            *(actor, answer_to(request)),
            states=states,
            page=page,
            limit=limit,
            tags=tags,
            text=text,
        )
        return await json_beside(
            lambda: _page_of(raw_list(jobs.current(shown) for shown in found), page, limit, total),
            is_small=sum(shown.kept.size_bytes for shown in found) <= SMALL_ANSWER_BYTES,
        )

    async def count_jobs(self, request: Request) -> Response:
        """Answer with the number of jobs under each word for a state."""
        actor = await self.sign_in(request, Scope.JOBS_READ)
        tally = await self.gateway.tally(actor, JobQuery(door=wire.DOOR))
        counts = dict.fromkeys(words.STATUSES, 0)
        for state, number in tally.items():
            counts[words.word(state)] += number
        return _success(counts)

    async def estimate_cost(self, request: Request) -> Response:
        """Answer that a job costs nothing, which is the truth."""
        await self.sign_in(request, Scope.JOBS_READ)
        asked = request.query_params
        view = await self.device(asked.get("deviceQrn", ""))
        shots = words.number(asked, "shots", orders.DEFAULT_SHOTS, self.gateway.limits.shots)
        return _success(
            {
                "pricingAvailable": True,
                "deviceQrn": words.qrn(view.device),
                "estimatedCost": 0,
                "shots": shots,
                "pricingModel": "fixed",
            }
        )

    async def read_result(self, request: Request) -> Response:
        """Answer with the result; of a batch that failed, with what its good programs gave."""
        _, job = await self._named(request, Scope.JOBS_READ)
        kept = wire.kept(await self.gateway.wire(job))
        found = await self.gateway.results_of(job, answer_to(request))
        return await json_beside(
            lambda: _successful(jobs.current_result(found, kept)), is_small=found.is_small
        )

    async def read_program(self, request: Request) -> Response:
        _, job = await self._named(request, Scope.JOBS_READ)
        kept = wire.kept(await self.gateway.wire(job))
        found = await self.gateway.program(job, answer_to(request))
        return await json_beside(lambda: _successful(jobs.program(found, kept)))

    async def read_compiled(self, request: Request) -> Response:
        """Answer with what a twin's machine would run, compiled now; clients take 404 for none."""
        _, job = await self._named(request, Scope.JOBS_READ)
        gate = await self._entangler(job)
        if job.state is not JobState.COMPLETED:
            raise NotFound("The job has no compiled program: it is not completed.")
        if job.n_circuits > _MOST_COMPILED:
            detail = f"Batches of at most {_MOST_COMPILED} programs are compiled"
            raise NotFound(f"{detail}, this has {job.n_circuits}.")
        kept = wire.kept(await self.gateway.wire(job))
        compile_ = self.gateway.compilation.native
        try:
            found = [await compile_(job, number, gate) for number in range(job.n_circuits)]
        except (InvalidRequest, LimitExceeded) as refusal:
            raise NotFound(refusal.detail) from None
        programs = [jobs.compiled(circuit) for circuit in found]
        return _success(programs if kept.is_batch or len(programs) > 1 else programs[0])

    async def _entangler(self, job: Job) -> Entangler:
        """Return the gate on two qubits of the machine whose twin ran a job.

        Raises:
            NotFound: It is no twin of a machine with gates of its own.
        """
        with suppress(NotFound):  # the administrator may have taken the device away
            device = (await self.gateway.devices.get(job.device, wire.DOOR)).device
            if job.calibration is not None and device.driver == "simulated":
                for gate in _ENTANGLERS:
                    if gate in device.spec.native_gates:
                        return gate
        raise NotFound(f"The job has no compiled program: {job.device} ran it as it was submitted.")

    async def cancel_job(self, request: Request) -> Response:
        actor, job = await self._named(request, Scope.JOBS_WRITE)
        await self.cancel(actor, job)
        return _success(
            {
                "message": "Cancellation requested",
                "jobQrn": request.path_params["id"],
                "status": "CANCELLING",
            },
            202,
        )

    async def delete_job(self, request: Request) -> Response:
        actor, job = await self._named(request, Scope.JOBS_WRITE)
        await self.delete(actor, job)
        return _success({"message": "Job deleted"})

    async def delete_jobs(self, request: Request) -> Response:
        """Delete several jobs: all of them are there and have ended, or none is deleted."""
        actor = await self.sign_in(request, Scope.JOBS_WRITE)
        names = _names(request.query_params.get("qrns", ""), self.gateway.limits.list_page)
        found = []
        for number, name in enumerate(names):
            found.append(await self.find(actor, name))
            if number % _NAMES_AT_ONCE == 0:
                await asyncio.sleep(0)  # each takes a look-up, and there may be a thousand
        if any(job.account != actor.account for job in found):
            raise Forbidden("Only the account that submitted a job may delete it.")
        if running := [job for job in found if not job.state.is_final]:
            raise Conflict(f"{len(running)} of the jobs have not ended: none was deleted.")
        await self.gateway.bulk.delete(actor, [job.id for job in found], door=wire.DOOR)
        return _success({"message": f"{len(names)} jobs deleted"})

    async def _named(self, request: Request, scope: Scope) -> tuple[Actor, Job]:
        """Return who asks, and the job that the path names."""
        actor = await self.sign_in(request, scope)
        return actor, await self.find(actor, request.path_params["id"])

    # --- groups -----------------------------------------------------------------------------------

    async def open_group(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_WRITE)
        limits = self.gateway.limits
        asked = await read(request, lambda text: groups.opening(text, limits))
        group = await self.gateway.groups.open(
            actor, wire.DOOR, name=asked.name, life_s=asked.life_s, body=asked.body
        )
        return _success(groups.shown(group, {}, _now()), 201)

    async def read_group(self, request: Request) -> Response:
        actor, group = await self._group_named(request, Scope.JOBS_READ)
        return await self._group_shown(actor, group)

    async def list_groups(self, request: Request) -> Response:
        """Answer with a page of the last groups, as many of them as a list shows."""
        actor = await self.sign_in(request, Scope.JOBS_READ)
        word = request.query_params.get("status")
        if word is not None and word not in groups.STATUSES:
            detail = f"status must be one of {', '.join(groups.STATUSES)}."
            raise InvalidRequest(detail, field="status")
        page, limit = self._page(request)
        most = self.gateway.limits.list_page
        await answer_to(request).begin()  # a thousand groups are read, whatever they bear
        found = await self.gateway.groups.page(actor, wire.DOOR, limit=most)
        if word is not None:
            found = [each for each in found if await self._group_status(actor, each) == word]
        shown = [
            groups.shown(group, await self.gateway.groups.tally(actor, group), _now())
            for group in found[(page - 1) * limit :][:limit]
        ]
        return json(_page_of(shown, page, limit, len(found)))

    async def _group_status(self, actor: Actor, group: Group) -> str:
        return groups.status(group, await self.gateway.groups.tally(actor, group), _now())

    async def close_group(self, request: Request) -> Response:
        actor, group = await self._group_named(request, Scope.JOBS_WRITE)
        closed = await self.gateway.groups.close(actor, group.id, door=wire.DOOR)
        return await self._group_shown(actor, closed)

    async def cancel_group(self, request: Request) -> Response:
        """Close a group and cancel what of it has not ended."""
        actor, group = await self._group_named(request, Scope.JOBS_WRITE)
        await self.gateway.groups.close(actor, group.id, door=wire.DOOR)
        await self.gateway.groups.cancel_all(actor, group.id, door=wire.DOOR)
        group = await self.gateway.groups.annotate(actor, group, groups.cancelled(group))
        return await self._group_shown(actor, group)

    async def delete_group(self, request: Request) -> Response:
        actor, group = await self._group_named(request, Scope.JOBS_WRITE)
        await self.gateway.groups.delete(actor, group.id, door=wire.DOOR)
        return _success({"message": "Group deleted"})

    async def list_group_jobs(self, request: Request) -> Response:
        """Answer with the jobs of a group, newest first; without pages, as clients ask for none."""
        actor, group = await self._group_named(request, Scope.JOBS_READ)
        found, _ = await self.search(
            *(actor, answer_to(request)),
            states=tuple(JobState),
            page=1,
            limit=self.gateway.limits.list_page,
            group=group.id,
        )
        return await json_beside(
            lambda: _successful(raw_list(jobs.current(shown) for shown in found))
        )

    async def _group_named(self, request: Request, scope: Scope) -> tuple[Actor, Group]:
        actor = await self.sign_in(request, scope)
        id_text = words.id_of(request.path_params["group"])
        return actor, await self.gateway.groups.get(actor, id_text, door=wire.DOOR)

    async def _group_shown(self, actor: Actor, group: Group) -> Response:
        return _success(groups.shown(group, await self.gateway.groups.tally(actor, group), _now()))

    def _page(self, request: Request) -> tuple[int, int]:
        """Return number and length of the page that is asked for."""
        asked = request.query_params
        return (
            words.number(asked, "page", 1, _MOST_PAGES),
            words.number(asked, "limit", _PAGE, _LONGEST_PAGE),
        )


def _success(data: Any, status: int = 200) -> Response:
    return json(_successful(data), status)


def _successful(data: Any) -> dict[str, Any]:
    return {"success": True, "data": data}


def _page_of(data: Any, page: int, limit: int, total: int) -> dict[str, Any]:
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


def _names(text: str, most: int) -> tuple[str, ...]:
    """Return the ids of a bulk operation, from the JSON text of a list."""
    try:
        names = _names_decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise invalid("qrns must be a JSON list of ids", text, "qrns") from None
    if not 1 <= len(names) <= most:
        raise LimitExceeded(f"qrns names 1 to {most} jobs (limit list_page).", field="qrns")
    return names


def _now() -> int:
    return time.time_ns() // 1_000_000
