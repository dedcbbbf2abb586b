"""Which path of qlued's API does what, in versions 2 and 3: they differ in where the token is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from qwicket.dialects.door import (
    PUBLIC_URL,
    Door,
    address,
    answer_to,
    json,
    json_beside,
    on,
    quoted,
    read,
    read_unsigned,
    settled,
    signed_in,
)
from qwicket.dialects.qlued import catalogue, results, wire
from qwicket.gateway.recent import Recent
from qwicket.model.accounts import Scope
from qwicket.model.errors import Forbidden, NotFound, Unauthenticated
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from qwicket.gateway import DeviceView, Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job

_RESULT_WAIT_S: Final = 2.0
"""Published programs read a result once, right after they have sent the job."""
_SMALL_BYTES: Final = 16 << 10


def door(gateway: Gateway) -> Door:
    """Return the door."""
    return Door(
        [
            *_routes("/api/v2", Routes(gateway, has_header=False)),
            *_routes("/api/v3", Routes(gateway, has_header=True)),
        ],
        wire.problem,
        recast=wire.recast,
        collapse_slashes=True,
    )


def _routes(at: str, do: Routes) -> list[Route]:
    return [
        on(f"{at}/backends", GET=do.list_backends),
        on(f"{at}/{{backend_name}}/get_config", GET=do.read_config),
        on(f"{at}/{{backend_name}}/get_backend_status", GET=do.read_backend_status),
        on(f"{at}/{{backend_name}}/post_job", POST=do.submit_job),
        on(f"{at}/{{backend_name}}/get_job_status", GET=do.read_status),
        on(f"{at}/{{backend_name}}/get_job_result", GET=do.read_result),
    ]


class Routes:
    """The endpoints: HTTP in, gateway call, HTTP out.

    Args:
        gateway: Does the work.
        has_header: Whether a token is in the header `Authorization`, as in version 3.
    """

    def __init__(self, gateway: Gateway, *, has_header: bool) -> None:
        self._gateway = gateway
        self._has_header = has_header
        self._version = "v3" if has_header else "v2"
        self._listed = Recent(self._list_once)
        self._listing: dict[str, asyncio.Task[bytes]] = {}

    # --- devices; nobody has to sign in ---------------------------------------------------------

    async def list_backends(self, request: Request) -> Response:
        listed = await self._listed.get(self._base_url(request))
        return Response(listed, media_type="application/json")

    async def _list_once(self, base_url: str) -> bytes:
        """Return the list that is being made, for whoever asks meanwhile: nobody signs in here."""
        if base_url not in self._listing:
            task = self._listing[base_url] = asyncio.create_task(self._list(base_url))
            task.add_done_callback(lambda _: self._listing.pop(base_url))
        return await asyncio.shield(self._listing[base_url])

    async def _list(self, base_url: str) -> bytes:
        shown = []
        for view in await self._gateway.devices.of(wire.DOOR):
            if catalogue.is_listed(view.device):
                shown.append(msgspec.json.encode(catalogue.config(view, base_url)))
                await asyncio.sleep(0)  # a lab's device may have hundreds of gates
        return b"[" + b",".join(shown) + b"]"

    async def read_config(self, request: Request) -> Response:
        return json(catalogue.config(await self._device(request), self._base_url(request)))

    async def read_backend_status(self, request: Request) -> Response:
        view = await self._device(request)
        outlook = await self._gateway.outlook(view.device.name)
        return json(catalogue.status(view, len(outlook.places)))

    # --- jobs -----------------------------------------------------------------------------------

    async def submit_job(self, request: Request) -> Response:
        """Store a job; a program that is refused makes one that has failed."""
        limits = self._gateway.limits
        if self._has_header:
            actor = await self._sign_in(request, None, Scope.JOBS_WRITE)
            posted = await read(request, wire.posted_object)
        else:
            posted = await read_unsigned(request, lambda body: wire.posted(body, limits))
            actor = await self._sign_in(request, posted.token, Scope.JOBS_WRITE)
        device = (await self._device(request)).device
        if len(posted.job) <= _SMALL_BYTES:
            submission = wire.submission(device, posted.job, limits)
        else:
            submission = await asyncio.to_thread(wire.submission, device, posted.job, limits)
        job = await self._gateway.submit(actor, submission, keep_refused=True, is_once=True)
        return json(wire.received(job))

    async def read_status(self, request: Request) -> Response:
        asked = wire.asked(request.query_params, has_token=not self._has_header)
        _, job = await self._job(request, asked, wait_s=0.0)
        if job is not None:
            job = await settled(request, self._gateway, job)
        return _standing(asked, job)

    async def read_result(self, request: Request) -> Response:
        """Answer with the result, waiting a little for it; else as `read_status`.

        Clients that send a username get all that ends their polling in their own words.
        """
        is_old = "username" in request.query_params
        try:
            return await self._result(request, is_old)
        except (Forbidden, NotFound, Unauthenticated) as error:
            if not is_old:
                raise
            return _answer(wire.refusal(error), error.status, is_old)

    async def _result(self, request: Request, is_old: bool) -> Response:
        asked = wire.asked(request.query_params, has_token=not self._has_header)
        view, job = await self._job(request, asked, _RESULT_WAIT_S)
        if job is None or job.state is not JobState.COMPLETED:
            return _standing(asked, job, is_old)
        found = await self._gateway.results_of(job, answer_to(request))
        source = (await self._gateway.program(job, answer_to(request))).source

        def worded() -> dict[str, Any]:
            return _worded(results.result(found, source, view.device), is_old)

        return await json_beside(worded, is_small=found.is_small and len(source) <= _SMALL_BYTES)

    # --- what several need ------------------------------------------------------------------------

    async def _sign_in(self, request: Request, token: str | None, scope: Scope) -> Actor:
        if self._has_header:
            scheme, _, secret = request.headers.get("authorization", "").partition(" ")
            token = secret.strip() if scheme.lower() == "bearer" else None
        actor = await self._gateway.sign_in(token, address(request))
        actor.require(scope)
        return signed_in(request, actor)

    async def _device(self, request: Request) -> DeviceView:
        text = request.path_params["backend_name"]
        name = catalogue.name(text)
        for device in name.devices if name else ():
            with suppress(NotFound):
                view = await self._gateway.devices.get(device, wire.DOOR)
                if name and name.fits(view.device):
                    return view
        detail = (
            f"There is no device {quoted(text)}. A name has one or three parts separated by `_`."
        )
        raise NotFound(f"{wire.UNKNOWN_DEVICE} {detail}", field="device")

    async def _job(
        self, request: Request, asked: wire.Asked, wait_s: float
    ) -> tuple[DeviceView, Job | None]:
        """Return the device that the path names, and the job if it is one of that device."""
        actor = await self._sign_in(request, asked.token, Scope.JOBS_READ)
        view = await self._device(request)
        try:
            job, _ = await self._gateway.wait(actor, asked.job, wait_s, door=wire.DOOR)
        except NotFound:
            return view, None
        if wait_s:
            await self._sign_in(request, asked.token, Scope.JOBS_READ)  # it may be revoked by now
        return view, job if job.device == view.device.name else None

    def _base_url(self, request: Request) -> str:
        scope = request.scope
        return f"{scope[PUBLIC_URL]}{scope['root_path']}/api/{self._version}"


def _standing(asked: wire.Asked, job: Job | None, is_old: bool = False) -> Response:
    """Answer how a job stands: with an error if it ended in one, or is not there."""
    shown = wire.unknown_job(asked.job) if job is None else wire.job_status(job)
    return _answer(shown, 406 if shown["status"] == "ERROR" else 200, is_old)


def _answer(body: dict[str, Any], status: int, is_old: bool) -> Response:
    return json(_worded(body, is_old), status)


def _worded(body: dict[str, Any], is_old: bool) -> dict[str, Any]:
    return wire.in_old_words(body) if is_old else body
