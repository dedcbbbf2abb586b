"""Which path of the two former generations does what: the registry, and the first to run jobs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.dialects.door import (
    Door,
    answer_to,
    check_document,
    decode,
    json,
    json_beside,
    on,
    read,
    read_unsigned,
    settled,
)
from qwicket.dialects.pieces import raw_list
from qwicket.dialects.qbraid import catalogue, jobs, orders, query, wire, words
from qwicket.dialects.qbraid.desk import Desk, SingleSlashes, only
from qwicket.dialects.qbraid.registry import Registry, form
from qwicket.gateway.views import is_quick
from qwicket.model.accounts import Scope
from qwicket.model.errors import Forbidden, InvalidRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from qwicket.dialects.qbraid.desk import Shown
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor

_SDK_VERSION: Final = "0.4.5"
"""Of the generation that asks: its clients compare it with their own."""
_PAGE: Final = 10
_MOST_PAGES: Final = 1_000_000_000
_KEPT_OUT: Final = ("lab", "environments", "chat", "billing", "storage", "user")
_OPENQASM: Final = ("qasm2", "qasm3")
_TEXT_BYTES: Final = 1 << 20
"""Of OpenQASM in a job's document."""
_object_decoder: Final = msgspec.json.Decoder(dict[str, Any])


def former(gateway: Gateway) -> SingleSlashes:
    """Return the door of the two former generations."""
    do = Routes(gateway)
    refused = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), do.refuse)
    return SingleSlashes(
        Door(
            [
                on("/identity", GET=do.identity),
                on("/init-job", POST=do.register_job),
                on("/update-job", PUT=do.update_record),
                on("/get-user-jobs", POST=do.search_records),
                on("/public/lab/get-devices", GET=do.list_devices, POST=do.search_devices),
                on("/public/lab/get-sdk-version", GET=do.sdk_version),
                on("/lab/update-device", PUT=do.update_device),
                on("/billing/credits/get-user-credits", GET=do.credits),
                on("/quantum-devices", GET=do.list_own_devices),
                on("/quantum-jobs", GET=do.list_jobs, POST=do.submit_job),
                on("/quantum-jobs/cost-estimate", GET=do.estimate_cost),
                on("/quantum-jobs/cancel/{id}", PUT=do.cancel_job),
                on("/quantum-jobs/result/{id}", GET=do.read_result),
                on("/quantum-jobs/{id}", DELETE=do.delete_job),
                *[on(f"/{name}{{rest:path}}", **refused) for name in _KEPT_OUT],
            ],
            wire.problem,
            recast=wire.recast,
            challenge="api-key",
        )
    )


def unknown_path() -> Door:
    """Return the door of what is below `/qbraid` and in no generation."""
    return Door([], wire.problem)


class Routes(Desk):
    """The endpoints: HTTP in, gateway call, HTTP out."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._registry = Registry(gateway)

    async def identity(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_READ)
        return json(
            {
                "email": await self._email(actor),
                "userName": actor.account_name,
                "_id": words.object_id(actor.account),
                "organization": "qbraid",
                "role": "user",
                "active": True,
            }
        )

    async def _email(self, actor: Actor) -> str:
        return (await self.gateway.account(actor)).email

    async def credits(self, request: Request) -> Response:
        await self.sign_in(request, Scope.JOBS_READ)
        return json({"qbraidCredits": 0})

    async def sdk_version(self, request: Request) -> Response:
        return json(_SDK_VERSION)

    # --- registered jobs --------------------------------------------------------------------------

    async def register_job(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_WRITE)
        fields = await self._form(request)
        return json(await self._registry.register(actor, fields))

    async def update_record(self, request: Request) -> Response:
        """Answer with one document in a list; only both words of a status change it."""
        actor = await self.sign_in(request, Scope.JOBS_READ)
        fields = await self._form(request)
        return json([await self._registry.update(actor, await self._email(actor), fields)])

    async def search_records(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_READ)
        fields = await read(request, self._fields)
        most = fields.pop("numResults", _PAGE)
        limit = self.gateway.limits.list_page
        if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= limit:
            detail = f"numResults must be 1 to {limit} (limit list_page)."
            raise InvalidRequest(detail, field="numResults")
        # A list of a megabyte takes a tenth of a second to become a set.
        sought = await asyncio.to_thread(query.parse, fields)
        await answer_to(request).begin()
        found = await self._registry.search(actor, await self._email(actor), sought, most)
        return await json_beside(lambda: raw_list(found))

    async def _form(self, request: Request) -> dict[str, list[str]]:
        limits = self.gateway.limits
        return await read(request, lambda body: form(body, limits))

    def _fields(self, body: bytes) -> dict[str, Any]:
        check_document(body, "body", self.gateway.limits)
        return decode(body or b"{}", _object_decoder)

    # --- devices ----------------------------------------------------------------------------------

    async def list_devices(self, request: Request) -> Response:
        """Answer without a key: clients of the first generation ask before they have one."""
        return json(self._filtered(await self._devices(), request.query_params))

    async def search_devices(self, request: Request) -> Response:
        """Answer without a key, as above."""
        fields = await read_unsigned(request, self._fields)
        sought = await asyncio.to_thread(query.parse, fields)
        return json([device for device in await self._devices() if sought.finds(device)])

    async def list_own_devices(self, request: Request) -> Response:
        await self.sign_in(request, Scope.DEVICES_READ)
        return json(self._filtered(await self._devices(), request.query_params))

    async def update_device(self, request: Request) -> Response:
        await self.sign_in(request, Scope.DEVICES_READ)
        raise Forbidden("Only the administrator turns devices on and off.")

    async def _devices(self) -> list[dict[str, Any]]:
        now = time.time_ns() // 1_000_000
        views = await self.gateway.devices.of(wire.DOOR)
        return [catalogue.native(view, (await self.depth(view))[0], now) for view in views]

    def _filtered(
        self, devices: list[dict[str, Any]], filters: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """Return the devices whose fields are, as texts, what is asked for."""
        asked = [(name, text.lower()) for name, text in filters.items()]
        return [
            device
            for device in devices
            if all(str(device.get(name, "")).lower() == text for name, text in asked)
        ]

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_WRITE)  # before a body is taken in
        email = await self._email(actor)
        shown = await self.submit(actor, request, orders.native)
        return json(jobs.native(shown, actor.account_name, email), 201)

    async def list_jobs(self, request: Request) -> Response:
        """Answer with a list, which is empty where nothing is found."""
        actor = await self.sign_in(request, Scope.JOBS_READ)
        asked = request.query_params
        for name in ("qbraidJobId", "vendorJobId", "_id"):
            if name in asked:
                return json(await self._named(request, actor, asked[name]))
        if not only(asked, "provider", "qbraid") or not only(asked, "vendor", "qbraid"):
            return json([])
        states = words.states({"status": asked["status"]} if "status" in asked else {})
        if not states:
            return json([])
        found, _ = await self.search(
            *(actor, answer_to(request)),
            states=states,
            page=words.number(asked, "page", 1, _MOST_PAGES),
            limit=words.number(asked, "resultsPerPage", _PAGE, self.gateway.limits.list_page),
            tags=_tags(asked),
            device=_bare(asked.get("qbraidDeviceId")),
        )
        email = await self._email(actor)
        name = actor.account_name
        return await json_beside(
            lambda: raw_list(jobs.native(shown, name, email) for shown in found)
        )

    async def _named(self, request: Request, actor: Actor, name: str) -> list[dict[str, Any]]:
        """Return the one job of this name, with its counts if it has them: version 0.7 looks."""
        try:
            job = await settled(request, self.gateway, await self.find(actor, name))
            shown = await self.show(job)
        except NotFound:
            return []
        document = jobs.native(shown, actor.account_name, await self._email(actor))
        if await self._has_short_text(shown):
            program = await self.gateway.program(shown.job, answer_to(request))
            document |= jobs.native_text(program)
        is_one = words.status(shown.job) == "COMPLETED" and shown.job.n_circuits == 1
        if is_one and is_quick(shown.job):
            found = await self.gateway.results_of(shown.job, answer_to(request))
            if found.is_small:
                document["measurementCounts"] = jobs.native_result(found)["measurementCounts"]
        return [document]

    async def _has_short_text(self, shown: Shown) -> bool:
        """Return whether a job that has ended shows its OpenQASM, which clients find in results.

        Clients read the text themselves where its depth was not given, and fail if they cannot.
        """
        job, kept = shown.job, shown.kept
        if not job.state.is_final or kept.is_batch or kept.depth is None:
            return False
        is_text = kept.formats[0] in _OPENQASM
        return is_text and (await self.gateway.sizes(job)).program <= _TEXT_BYTES

    async def cancel_job(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_WRITE)
        job = await self.cancel(actor, await self.find(actor, request.path_params["id"]))
        return json(
            {
                "message": "Cancellation requested",
                "qbraidJobId": words.native_job(job, actor.account_name),
                "status": "CANCELLING",
            }
        )

    async def read_result(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_READ)
        job = await self.find(actor, request.path_params["id"])
        found = await self.gateway.results_of(job, answer_to(request))
        return await json_beside(
            lambda: {"data": jobs.native_result(found)}, is_small=found.is_small
        )

    async def delete_job(self, request: Request) -> Response:
        actor = await self.sign_in(request, Scope.JOBS_WRITE)
        await self.delete(actor, await self.find(actor, request.path_params["id"]))
        return json({"message": "Job deleted"})

    async def estimate_cost(self, request: Request) -> Response:
        await self.sign_in(request, Scope.JOBS_READ)
        await self.device(request.query_params.get("qbraidDeviceId", ""))
        return json({"estimatedCredits": 0})


def _tags(asked: Mapping[str, str]) -> tuple[str, ...]:
    """Return what `tags.<name>=<value>` of a query looks for; Python writes `True` into one."""
    found = [(name, text) for name, text in asked.items() if name.startswith("tags.")]
    return tuple(
        [
            orders.flat_tag(
                name.removeprefix("tags."), {"True": True, "False": False}.get(text, text)
            )
            for name, text in found
        ]
    )


def _bare(device: str | None) -> str | None:
    return None if device is None else device.removeprefix("qbraid_")
