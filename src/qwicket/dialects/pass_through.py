"""Requests that are passed on to a device's own server, which speaks the same dialect.

All requests use one account of the other server, so this module checks that clients reach only
their own jobs: a list, for example, asks for the ids of the caller's jobs alone. The rule of a
route (`pass_through_rules.py`) says where its requests and responses have ids.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from starlette.responses import Response

from qwicket.dialects.bodies import (
    decode_or_none,
    lists,
    objects,
    refuse_lookalikes,
    texts,
    unique_fields,
)
from qwicket.dialects.pass_through_rules import (
    HandledHere,
    ListsDevices,
    ListsJobs,
    OfDevice,
    OfJob,
    ReadsJobs,
    Submits,
    Submitted,
)
from qwicket.dialects.responses import json
from qwicket.dialects.validation import quoted
from qwicket.model.errors import InvalidRequest, NotFound, NotOffered, Unavailable
from qwicket.model.pass_through import VendorRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwicket.dialects.requests import Request
    from qwicket.dialects.routing import Route
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.limits import Limits
    from qwicket.model.pass_through import VendorResponse

T = TypeVar("T")

_NULL: Final = msgspec.Raw(b"null")
_THREADS: Final = 16
_MAX_WAITING: Final = 256
"""Requests that may wait for a response or for a thread."""
_MAX_SEARCHED: Final = 20
"""Pages that a list with a filter searches at most."""
_READS_AT_ONCE: Final = 8
"""Jobs that one list reads at the same time, of the `_THREADS` of its device."""
_MAX_LIST_BYTES: Final = 64 << 20
"""Limit on the responses of which one list is made, together; each has this limit as well."""
_DOTS: Final = (".", "..")
"""Parameters that would lead to another path."""
_MAX_DIGITS: Final = 18
_INLINE_BYTES: Final = 4 << 10
"""Largest body read on the event loop."""


class PassThrough:
    """Sends the requests of one address to the device's own server, and returns its responses.

    Args:
        gateway: Knows which account has which jobs.
        send: Sends a request and returns the response, in a thread; raises `Unavailable`.
        device: Name of the device on this server.
        remote_name: Its name on the other server.
    """

    def __init__(
        self,
        gateway: Gateway,
        send: Callable[[VendorRequest], VendorResponse],
        device: str,
        remote_name: str,
    ) -> None:
        self._gateway = gateway
        self._send_now = send
        self._device = device
        self._remote_name = remote_name
        # Threads of its own: a server that does not respond delays nothing else.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pass-through")
        self._n_waiting = 0
        self._shared_by_path: dict[str, asyncio.Future[VendorResponse]] = {}

    def close(self) -> None:
        """Stop: send no further requests."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def concerns(self, route: Route) -> bool:
        """Return whether requests of a route are passed on or refused, not handled here."""
        return not isinstance(route.pass_through, HandledHere)

    async def respond_openly(self, route: Route, request: Request[Any]) -> Response | None:
        """Return the response to a request that needs no token; None if it needs one."""
        match route.pass_through:
            case OfDevice(is_open=True) as rule:
                return await self._of_device(rule, route, request)
            case ListsDevices(is_open=True) as rule:
                return await self._list_devices(rule, route, request)
        return None

    async def respond(self, actor: Actor, route: Route, request: Request[Any]) -> Response:
        """Return the response to a request whose access has been checked.

        Raises:
            QwicketError: The request was refused, or the device's own server does not respond.
        """
        rule = route.pass_through
        match rule:
            case Submits():
                return await self._submit(actor, rule, route, request)
            case OfJob():
                return await self._job(actor, rule, route, request)
            case ListsJobs():
                return await self._list(actor, rule, route, request)
            case ReadsJobs():
                return await self._read_jobs(actor, rule, request)
            case OfDevice() if actor.sees(self._device):
                return await self._of_device(rule, route, request)
            case OfDevice():
                raise self._no_device(rule.device, request)
            case ListsDevices():
                return await self._list_devices(rule, route, request, actor.sees(self._device))
        raise NotOffered(f"{route.method} {route.path} is not passed on to {self._device}.")

    async def _job(
        self, actor: Actor, rule: OfJob, route: Route, request: Request[Any]
    ) -> Response:
        self._check_device(rule.device, request)
        in_query = rule.query
        id = in_query.read(request.query_params) if in_query else request.path_params["id"]
        job = None
        try:
            job = await self._gateway.pass_through.find(actor, self._device, id)
        except NotFound:
            if in_query:
                raise in_query.absent(id) from None
            if not await self._is_part(actor, rule, request, id):
                raise
        query = in_query.with_id(request.url.query, id) if in_query else None
        tokens = in_query.tokens if in_query else ()
        body = await _body(route, request)
        found = await self._send(self._request(route, request, body, query, tokens))
        if rule.cancels and found.status < 300 and job is not None:
            await self._gateway.pass_through.cancel(actor, job)
        return _response(found)

    async def _is_part(self, actor: Actor, rule: OfJob, request: Request[Any], id: str) -> bool:
        """Return whether an id is that of a part of one of the actor's own jobs."""
        if rule.parent is None:
            return False
        root: str = request.scope["root_path"]
        path = root + _filled(rule.document, {"id": id})
        found = await self._send(VendorRequest(method="GET", path=path))
        if found.status != 200:
            return False
        document = await self._in_thread(decode_or_none, objects, found.body) or {}
        parent = decode_or_none(texts, document.get(rule.parent))
        if parent is None:
            return False
        try:
            await self._gateway.pass_through.find(actor, self._device, parent)
        except NotFound:
            return False
        return True

    async def _submit(
        self, actor: Actor, rule: Submits, route: Route, request: Request[Any]
    ) -> Response:
        self._check_device(rule.device, request)
        if rule.check_query is not None:
            rule.check_query(request.query_params)
        body = await _body(route, request)
        read = partial(_read, rule, body, self._gateway.limits)
        fields, found = await self._in_thread(read) if len(body) > _INLINE_BYTES else read()
        for field, value in found.devices.items():
            if value != self._remote_name:
                raise InvalidRequest(
                    f"{field}: this address has only the device {self._remote_name!r}, not"
                    f" {quoted(value)}.",
                    field=field,
                )
        for field in rule.must_be_absent:
            if fields.get(field, _NULL) != _NULL:
                raise InvalidRequest(
                    f"{field}: is not passed on, because all users share the machine's account:"
                    " leave it out.",
                    field=field,
                )
        if rule.tokens:
            body = msgspec.json.encode(
                {name: value for name, value in fields.items() if name not in rule.tokens}
            )
        # A query or another type could lead the machine to other fields than those checked.
        sent = self._request(route, request, body, "", rule.tokens)
        sent = msgspec.structs.replace(sent, content_type="application/json")
        response = await self._gateway.pass_through.submit(
            actor,
            self._device,
            sent,
            rule.id,
            shots=found.shots,
            idempotency_key=request.idempotency_key,
        )
        return _response(response)

    async def _list(
        self, actor: Actor, rule: ListsJobs, route: Route, request: Request[Any]
    ) -> Response:
        """List the actor's own jobs by their ids. Positions of pages are those of this server."""
        pairs = parse_qsl(request.url.query, keep_blank_values=True)
        own_names = [rule.ids, rule.limit, *([rule.next] if rule.next else [])]
        refuse_lookalikes([name for name, _ in pairs], own_names)
        wanted = [id for name, text in pairs if name == rule.ids for id in rule.split(text) if id]
        query = {name: text for name, text in pairs if name != rule.ids}
        limit = _number(query.pop(rule.limit, str(rule.default)), rule.limit, rule.max_jobs)
        at = query.pop(rule.next, None) if rule.next else None
        before = None if at is None else _number(at, str(rule.next), None)
        if len(wanted) > rule.max_jobs:
            raise InvalidRequest(
                f"{rule.ids} has {len(wanted)} ids, more than {rule.max_jobs}.", field=rule.ids
            )
        if rule.ids in dict(pairs):
            page = [(0, id) for id in wanted if await self._is_own(actor, rule, id)]
            found = await self._listed_there(rule, route, request, query, page)
            return found if isinstance(found, Response) else rule.response(request, found, None)
        # Clients cannot ask for a second page without `next`, so a filter searches older jobs.
        is_searched = bool(query) and rule.next is None
        size = rule.max_jobs if is_searched else limit
        jobs: list[msgspec.Raw] = []
        for _ in range(_MAX_SEARCHED):
            page = await self._gateway.pass_through.page(actor, self._device, size, before)
            found = await self._listed_there(rule, route, request, query, page)
            if isinstance(found, Response):
                return found
            jobs += found
            following = None if len(page) < size else page[-1][0]
            if not is_searched or following is None or len(jobs) >= limit:
                break
            before = following
        return rule.response(request, jobs[:limit], following)

    async def _listed_there(
        self,
        rule: ListsJobs,
        route: Route,
        request: Request[Any],
        query: Mapping[str, str],
        page: Sequence[tuple[int, str]],
    ) -> list[msgspec.Raw] | Response:
        """Return those jobs of a page that the device's own server lists, or its refusal."""
        if not page:
            return []
        query = {**query, rule.limit: str(len(page))}
        ids = rule.query([id for _, id in page])
        missing = {id for _, id in page}
        own = frozenset(missing)
        listed: list[msgspec.Raw] = []
        n_bytes = 0
        for _ in range(len(page) + 1):  # the server may send short pages
            sent = urlencode([*query.items(), *ids], safe=",")
            found = await self._send(self._request(route, request, b"", sent))
            if found.status >= 300:
                return _response(found)
            n_bytes += len(found.body)
            if n_bytes > _MAX_LIST_BYTES:
                raise _too_long(rule.limit)
            document = await self._in_thread(decode_or_none, objects, found.body) or {}
            for each in decode_or_none(lists, document.get(rule.items)) or ():
                fields = decode_or_none(objects, each) or {}
                listed_id = decode_or_none(texts, fields.get("id"))
                if listed_id is not None and listed_id in own:
                    listed.append(each)
                    missing.discard(listed_id)
            following = decode_or_none(texts, document.get(rule.next)) if rule.next else None
            if not rule.next or not following or not missing:
                return listed
            query[rule.next] = following
        raise Unavailable(f"The list of the server of {self._device} does not end.")

    async def _read_jobs(self, actor: Actor, rule: ReadsJobs, request: Request[Any]) -> Response:
        """List a page of the actor's own newest jobs, of which at most `list_page` are listed."""
        number, limit = rule.page(request.query_params)
        maximum = self._gateway.limits.requests.list_page
        own = await self._gateway.pass_through.page(actor, self._device, maximum, None)
        ids = [id for _, id in own[(number - 1) * limit :][:limit]]
        root: str = request.scope["root_path"]
        jobs: list[msgspec.Raw] = []
        n_bytes = 0
        for at in range(0, len(ids), _READS_AT_ONCE):
            some = ids[at : at + _READS_AT_ONCE]
            paths = [root + _filled(rule.document, {"id": id}) for id in some]
            reads = [self._send(VendorRequest(method="GET", path=path)) for path in paths]
            for id, found in zip(some, await asyncio.gather(*reads), strict=True):
                if found.status == 404:  # the job was deleted there
                    continue
                if found.status >= 300:
                    return _response(found)
                n_bytes += len(found.body)
                if n_bytes > _MAX_LIST_BYTES:
                    raise _too_long("limit")
                document = await self._in_thread(decode_or_none, objects, found.body) or {}
                fields = decode_or_none(objects, document.get(rule.item)) or {}
                if decode_or_none(texts, fields.get(rule.id)) != id:
                    raise Unavailable(f"The server of {self._device} gave another job than {id}.")
                jobs.append(document[rule.item])
        return json(rule.response(jobs, number, limit, len(own)))

    async def _is_own(self, actor: Actor, rule: ListsJobs, id: str) -> bool:
        """Return whether a job is the actor's; refuse others if the rule is strict."""
        try:
            await self._gateway.pass_through.find(actor, self._device, id)
        except NotFound:
            if rule.is_strict:
                raise
            return False
        return True

    async def _of_device(self, rule: OfDevice, route: Route, request: Request[Any]) -> Response:
        self._check_device(rule.device, request)
        if rule.is_open:
            return _response(await self._send_shared(self._request(route, request, query="")))
        sent = self._request(route, request, await _body(route, request))
        return _response(await self._send(sent))

    async def _send_shared(self, request: VendorRequest) -> VendorResponse:
        """Return the response to a request without a token, shared by concurrent ones of its path.

        Otherwise anyone could take all threads.
        """
        request = msgspec.structs.replace(request, accept="", content_type="")
        sending = self._shared_by_path.get(request.path)
        if sending is None:
            sending = asyncio.ensure_future(self._send(request))
            self._shared_by_path[request.path] = sending

            def forget(done: asyncio.Future[VendorResponse]) -> None:
                del self._shared_by_path[request.path]
                if not done.cancelled():
                    done.exception()  # else asyncio logs it if no request waits any more

            sending.add_done_callback(forget)
        return await asyncio.shield(sending)

    def _check_device(self, parameter: str, request: Request[Any]) -> None:
        """Check the device that the path names, if it names one.

        Raises:
            NotFound: The path names another device.
        """
        if parameter and request.path_params[parameter] != self._remote_name:
            raise self._no_device(parameter, request)

    def _no_device(self, parameter: str, request: Request[Any]) -> NotFound:
        name = request.path_params.get(parameter, self._remote_name)[:100]
        return NotFound(f"There is no device {name!r} at this address.")

    async def _list_devices(
        self,
        rule: ListsDevices,
        route: Route,
        request: Request[Any],
        is_seen: bool = True,
    ) -> Response:
        if rule.is_open:
            found = await self._send_shared(self._request(route, request, query=""))
        else:
            found = await self._send(self._request(route, request))
        if found.status >= 300:
            return _response(found)
        listed = await self._in_thread(rule.devices, found.body)
        if listed is None:
            raise Unavailable(f"The server of {self._device} gave no list of devices.")
        own = []
        for each in listed if is_seen else ():
            fields = decode_or_none(objects, each) or {}
            if self._remote_name in [decode_or_none(texts, fields.get(n)) for n in rule.names]:
                own.append(each)
        return json(own if rule.items is None else {**(rule.others or {}), rule.items: own})

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, call, *arguments)

    async def _send(self, request: VendorRequest) -> VendorResponse:
        if self._n_waiting >= _MAX_WAITING:
            raise Unavailable(
                f"{_MAX_WAITING} requests wait for the server of {self._device}.", retry_after_s=1.0
            )
        self._n_waiting += 1
        try:
            return await self._in_thread(self._send_now, request)
        finally:
            self._n_waiting -= 1

    def _request(
        self,
        route: Route,
        request: Request[Any],
        body: bytes = b"",
        query: str | None = None,
        tokens: tuple[str, ...] = (),
    ) -> VendorRequest:
        """Return the request to send. Its path is that of the route, with the parameters quoted.

        Args:
            route: The route.
            request: The client's request.
            body: Body to send.
            query: Query to send; None for the client's.
            tokens: Fields or query parameters of the client's token; the first one gets the key.
        """
        path = _filled(route.path, request.path_params)
        query = request.url.query if query is None else query
        root: str = request.scope["root_path"]
        return VendorRequest(
            method=route.method,  # GET also for HEAD, because lists are read and filtered
            path=root + path + (f"?{query}" if query else ""),
            content_type=request.headers.get("content-type", ""),
            accept=request.headers.get("accept", ""),
            body=body,
            key_in=tokens[0] if tokens else "",
        )


def _read(
    rule: Submits, body: bytes, limits: Limits
) -> tuple[Mapping[str, msgspec.Raw], Submitted]:
    fields = unique_fields(body)
    refuse_lookalikes(fields, (*rule.checked, *rule.must_be_absent, *rule.tokens))
    checked = {name: fields[name] for name in rule.checked if name in fields}
    return fields, rule.read(checked, limits)


def _filled(template: str, parameters: Mapping[str, str]) -> str:
    """Return the path of a route with its parameters quoted."""
    for name, value in parameters.items():
        if value in _DOTS:
            raise NotFound("There is nothing at this path.")
        template = template.replace(f"{{{name}}}", quote(value, safe=""))
    return template


async def _body(route: Route, request: Request[Any]) -> bytes:
    return b"" if route.body is None else await request.content.read(route.body.limit)


def _number(text: str, name: str, maximum: int | None) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    if not is_number or int(text) < 1 or (maximum is not None and int(text) > maximum):
        bound = f" from 1 to {maximum}" if maximum else ""
        raise InvalidRequest(f"{name} must be a number{bound}, not {text[:40]!r}.", field=name)
    return int(text)


def _too_long(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"{field}: the jobs have over {_MAX_LIST_BYTES} bytes: ask for fewer.", field=field
    )


def _response(vendor_response: VendorResponse) -> Response:
    headers = {"Retry-After": vendor_response.retry_after} if vendor_response.retry_after else {}
    if vendor_response.content_type:
        headers["Content-Type"] = vendor_response.content_type
    return Response(vendor_response.body, vendor_response.status, headers)
