"""Sign-in of all three generations; and how v0 and v1 find, submit, search, cancel and delete jobs.

The registry and v0 (native) are below `/qbraid/api`, v1 (current) is below `/qbraid/api/v1`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.dialects.routing import Dialect, Route
from qwicket.dialects.validation import quoted
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES
from qwicket.model.accounts import Scope
from qwicket.model.devices import MAX_NAME_CHARS
from qwicket.model.errors import Conflict, InvalidRequest, LimitExceeded, NotFound, NotOffered
from qwicket.model.jobs import JobQuery
from qwicket.model.suggestions import did_you_mean
from qwicket.vendors.qbraid.dialect import ids, statuses, wire
from qwicket.vendors.qbraid.dialect.wire import DIALECT, VendorFields, vendor_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from qwicket.dialects.registration import DialectSettings
    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView, Gateway
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits
    from qwicket.model.states import JobState
    from qwicket.vendors.qbraid.dialect.submissions import ParsedJob

_CREDENTIALS: Final = ("api-key", "x-api-key", "x-access-token", "refresh-token", "id-token")
"""Headers that may hold a token, in the order of precedence: some clients send two."""
_MAX_ID_CHARS: Final = 2 * MAX_NAME_CHARS
"""Above the longest id of a device. A text of 16 MB is cut first, because parts are copied."""
_PAGE_BYTES: Final = 16 << 20
"""A page is refused if the tags and options of its jobs exceed this. With the default
`options_bytes`, a hundred jobs never do."""
_ROWS_PER_TURN: Final = 20
"""Jobs of a page that are read before other requests may run."""


class JobRow(NamedTuple):
    """A job with its vendor fields, and the number of jobs ahead of it.

    The number is None if the job does not wait, is held or was just submitted.
    """

    job: Job
    vendor_fields: VendorFields
    ahead: int | None


class CommonHandlers:
    """What all generations share, and methods that the handlers of v0 and v1 call."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        """Return the actor of a request's token. An e-mail address in the headers is ignored."""
        found = (request.headers.get(name) for name in _CREDENTIALS)
        token = next((text for text in found if text), None)
        return await self._gateway.auth.by_token(token, request.client_address)

    async def refuse(self, actor: Actor, request: Request[None]) -> Response:
        """Refuse a request to a service of qBraid that this server does not have."""
        raise NotOffered(f"{request.url.path[:100]} is not offered by this server.")

    # --- devices ----------------------------------------------------------------------------------

    async def _device(self, name: str) -> DeviceView:
        """Return a device by its v0 name (`qbraid_NAME`) or its QRN.

        The QRN is its v1 name (`qbraid:qbraid:sim:NAME`). v1 also accepts aliases.

        Raises:
            NotFound: The device does not exist.
        """
        name = name[:_MAX_ID_CHARS]
        bare = name.rpartition(":")[2] if ":" in name else name.removeprefix("qbraid_")
        with contextlib.suppress(NotFound):
            view = await self._gateway.devices.get(bare, DIALECT)
            if name in (ids.qrn(view.device), ids.v0_device_id(bare)):
                return view
        devices = await self._gateway.devices.offered(DIALECT)
        shown = [ids.qrn(each) if ":" in name else ids.v0_device_id(each.name) for each in devices]
        near = did_you_mean(name, shown)
        raise NotFound(f"There is no device {name[:100]}.{near}", field="device")

    async def _queue(self, view: DeviceView) -> tuple[int, float]:
        """Return a device's number of waiting jobs, and a new job's expected wait in seconds."""
        forecast = await self._gateway.queue.forecast(view.device.name)
        return forecast.n_waiting, forecast.start_in_s or 0.0

    # --- jobs -------------------------------------------------------------------------------------

    async def _submit(self, actor: Actor, request: Request[ParsedJob]) -> JobRow:
        """Submit a job. After the job is stored, nothing is done that can fail.

        Raises:
            QwicketError: The job was refused, and nothing is stored.
            Conflict: It is unknown whether the job was stored. Clients do not repeat a 409.
        """
        view = await self._device(request.payload.device)
        name = request.payload.device
        parsed = request.payload.for_device(view.device, ids.shown_qrn(name, view.device))
        group = await self._group(actor, parsed.group)
        key = request.idempotency_key
        if parsed.vendor_fields.is_batch:  # encoding a long batch would block the event loop
            submission = await asyncio.to_thread(parsed.to_submission, group, key)
        else:
            submission = parsed.to_submission(group, key)
        job = await self._gateway.jobs.submit(actor, submission, clients_repeat=True)
        return JobRow(job, parsed.vendor_fields, None)

    async def _group(self, actor: Actor, name: str | None) -> str | None:
        if name is None:
            return None
        try:
            group = await self._gateway.job_groups.get(actor, ids.id_of(name), dialect=DIALECT)
        except NotFound:
            detail = f"There is no group {quoted(name)}."
            raise NotFound(detail, field="groupJobQrn") from None
        return group.id

    async def _find(self, actor: Actor, name: str) -> Job:
        """Return a job by its id on this server or by any of qBraid's spellings (see `ids`).

        An `_id` is a prefix of the id: it finds only the actor's own job, and only if no other job
        of the actor has this prefix.

        Raises:
            NotFound: The job does not exist, or is not visible to the actor.
        """
        if ids.is_object_id(name):
            return await self._gateway.jobs.by_prefix(actor, name, dialect=DIALECT)
        return await self._gateway.jobs.get(actor, ids.id_of(name) or name, dialect=DIALECT)

    async def _show(self, job: Job) -> JobRow:
        position = await self._gateway.queue.position(job)
        found = vendor_fields(await self._gateway.jobs.vendor_fields(job))
        return JobRow(job, found, position.ahead if position else None)

    async def _search(
        self,
        actor: Actor,
        memory: ResponseMemory,
        *,
        states: tuple[JobState, ...],
        page: int,
        limit: int,
        tags: tuple[str, ...] = (),
        text: str = "",
        device: str | None = None,
        group: str | None = None,
    ) -> tuple[list[JobRow], int]:
        """Return one page of the actor's jobs, newest first, and how many jobs match in all.

        Raises:
            InvalidRequest: A filter contains a NUL character.
            LimitExceeded: There are too many tags, or the page is too large.
            TooManyRequests, Unavailable, Unauthenticated: As for `ResponseMemory.begin`.
        """
        maximum = self.limits.requests.tags
        if len(tags) > maximum:
            detail = f"A search is for at most {maximum} tags (limit tags), not {len(tags)}."
            raise LimitExceeded(detail, field="tags")
        if any("\0" in each for each in (*tags, text, device or "")):
            raise InvalidRequest("A search contains a NUL character.")
        query = JobQuery(
            dialect=DIALECT,
            device=device,
            group=group,
            states=states,
            tags=tags,
            text=text,
            limit=limit,
            offset=(page - 1) * limit,
        )
        found = await self._gateway.jobs.page(actor, query)
        tally = await self._gateway.jobs.tally(actor, query)
        rows, size = [], 0
        for number, job in enumerate(found):
            try:
                rows.append(row := await self._show(job))
            except NotFound:  # it was deleted meanwhile
                continue
            size += row.vendor_fields.size_bytes
            if size > _PAGE_BYTES:  # a job left out here would be on no page
                raise LimitExceeded(
                    f"The tags and options of these jobs exceed {_PAGE_BYTES >> 20} MiB: list fewer"
                    " jobs in a page.",
                    field="limit",
                )
            if size > SMALL_RESPONSE_BYTES:
                await memory.begin()  # large: waits for a slot once; further calls do nothing
            if number % _ROWS_PER_TURN == 0:
                await asyncio.sleep(0)  # lets other requests run; reading these jobs can take long
        return rows, sum(tally.values())

    async def _cancel(self, actor: Actor, job: Job) -> Job:
        """Cancel a job.

        Raises:
            Conflict: The job has ended.
        """
        if job.state.is_final:
            raise Conflict(f"The job is {statuses.status(job)}: it cannot be cancelled.")
        return await self._gateway.jobs.cancel(actor, job.id, dialect=DIALECT)

    async def _delete(self, actor: Actor, job: Job) -> None:
        await self._gateway.jobs.delete(actor, job.id, dialect=DIALECT)


def filter_accepts(query: Mapping[str, str], name: str, *accepted: str) -> bool:
    """Return whether a filter, such as `vendor`, is absent or equals one of `accepted`.

    The filter's case is ignored; `accepted` is in lower case.
    """
    return query.get(name, accepted[0]).lower() in accepted


def refusal_routes(*names: str) -> tuple[Route, ...]:
    """Return routes that refuse five methods on every path that begins with one of these names."""
    return tuple(
        [
            Route(
                method,
                f"/{name}{{rest:path}}",
                CommonHandlers.refuse,
                Scope.DEVICES_READ,
                is_listed=False,
            )
            for name in names
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        ]
    )


def unknown_path(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the dialect of paths below `/qbraid` but outside `/qbraid/api`."""
    return Dialect(CommonHandlers(gateway), (), wire.problem)


def with_one_leading_slash(path: str) -> str:
    """Return a path with one leading slash: clients whose base URL ends in a slash send two."""
    return f"/{path.lstrip('/')}" if path.startswith("//") else path
