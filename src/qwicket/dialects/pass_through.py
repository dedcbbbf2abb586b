"""Requests that are passed on to a device's own server, which speaks the same dialect.

A route declares which ids are in its path, query and response. All requests use one account of the
other server, so this module checks that clients reach only their own jobs: a list, for example,
asks for the ids of the caller's jobs alone.
"""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from starlette.responses import Response

from qwicket.dialects.bodies import decode, decode_field
from qwicket.dialects.validation import SMALL_BODY_BYTES, quoted
from qwicket.model.errors import InvalidRequest, NotFound, NotOffered, Unavailable
from qwicket.model.pass_through import VendorRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.dialects.requests import Request
    from qwicket.dialects.routing import Route
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.pass_through import VendorResponse

T = TypeVar("T")

_objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_lists: Final = msgspec.json.Decoder(list[msgspec.Raw])
_texts: Final = msgspec.json.Decoder(str)
_numbers: Final = msgspec.json.Decoder(int)
_KEY: Final = re.compile(rb'\s*"(?:[^"\\]|\\.)*"\s*:\s*')
_NEXT: Final = re.compile(rb"\s*[,}]\s*")
_NULL: Final = msgspec.Raw(b"null")
_THREADS: Final = 16
_MAX_WAITING: Final = 256
"""Requests to one device's server that may wait for a response or for a thread."""
_MAX_LIST_BYTES: Final = 64 << 20
"""Limit on a list, as on each response of a device's own server."""
_DOTS: Final = (".", "..")
"""Parameters that would lead to another path: the other server may resolve them."""
_MAX_DIGITS: Final = 18


# --- declarations ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Submits:
    """The request submits a job, which is its body.

    Attributes:
        device: Fields of the body that may name the device, by its name on the other server.
        shots: Field of the body with the number of shots.
        default_shots: Number of shots without that field.
        circuits: Path in the body to the list of circuits, each of which is run with these shots.
        foreign: Fields of the body that name something of the machine's one account, such as a
            session, which may be another user's. They must be absent or null.
        id: Field of the response with the job's id.
    """

    device: tuple[str, ...]
    shots: str
    default_shots: int
    circuits: tuple[str, ...]
    foreign: tuple[str, ...] = ()
    id: str = "id"


@dataclass(frozen=True)
class OfJob:
    """The path names a job, or a part of one, which has an id of its own.

    Attributes:
        document: Path at which a job is read.
        parent: Field of a part's document with the id of its job.
        cancels: Whether the request cancels the job.
    """

    document: str
    parent: str
    cancels: bool = False


@dataclass(frozen=True)
class ListsJobs:
    """The response is a list of jobs.

    Attributes:
        items: Field of the response with the jobs.
        ids: Query parameter that selects jobs by their ids, separated by commas.
        limit: Query parameter with the number of jobs.
        max_jobs: Largest number of jobs, and the default.
        next: Query parameter, and field of the response, with the position of the next page.
    """

    items: str
    ids: str
    limit: str
    max_jobs: int
    next: str


@dataclass(frozen=True)
class OfDevice:
    """The path names the device."""

    parameter: str


@dataclass(frozen=True)
class ListsDevices:
    """The response is a list of devices.

    Attributes:
        name: Field of each with its name.
    """

    name: str


@dataclass(frozen=True)
class HandledHere:
    """This server handles the request itself: it is about the account, for example."""


HANDLED_HERE: Final = HandledHere()
PassThroughRule = Submits | OfJob | ListsJobs | OfDevice | ListsDevices | HandledHere


# --- pass-through ---------------------------------------------------------------------------------


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

    def close(self) -> None:
        """Stop: send no further requests."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def concerns(self, route: Route) -> bool:
        """Return whether this server does not handle the requests of a route itself."""
        return not isinstance(route.pass_through, HandledHere)

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
            case OfDevice():
                name = request.path_params[rule.parameter]
                if name != self._remote_name or not actor.sees(self._device):
                    raise NotFound(f"There is no device {name[:100]!r} at this address.")
                return _response(await self._forward(route, request, await _body(route, request)))
            case ListsDevices():
                return await self._list_devices(actor, rule, route, request)
        raise NotOffered(f"{route.method} {route.path} is not passed on to {self._device}.")

    async def _job(
        self, actor: Actor, rule: OfJob, route: Route, request: Request[Any]
    ) -> Response:
        id = request.path_params["id"]
        job = None
        try:
            job = await self._gateway.pass_through.find(actor, self._device, id)
        except NotFound:
            if not await self._is_part(actor, rule, request, id):
                raise
        found = await self._forward(route, request, await _body(route, request))
        if rule.cancels and found.status < 300 and job is not None:
            await self._gateway.pass_through.cancel(actor, job)
        return _response(found)

    async def _is_part(self, actor: Actor, rule: OfJob, request: Request[Any], id: str) -> bool:
        """Return whether an id is that of a part of one of the actor's own jobs."""
        root: str = request.scope["root_path"]
        path = root + _filled(rule.document, {"id": id})
        found = await self._send(VendorRequest(method="GET", path=path))
        if found.status != 200:
            return False
        document = await self._in_thread(_decode_or_none, _objects, found.body) or {}
        parent = _decode_or_none(_texts, document.get(rule.parent))
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
        body = await _body(route, request)
        fields = await self._parsed(body)
        # All of them are checked: it is not certain which of them the other server reads.
        named = {
            each: _decode_or_none(_texts, fields[each]) for each in rule.device if each in fields
        }
        for field, value in (named or {rule.device[0]: None}).items():
            if value != self._remote_name:
                raise InvalidRequest(
                    f"{field}: this address has only the device {self._remote_name!r}, not"
                    f" {quoted(value)}.",
                    field=field,
                )
        for field in rule.foreign:
            if fields.get(field, _NULL) != _NULL:
                raise InvalidRequest(
                    f"{field}: is not passed on, because all users share the machine's account:"
                    " leave it out.",
                    field=field,
                )
        shots = rule.default_shots
        if rule.shots in fields:
            shots = decode_field(fields[rule.shots], _numbers, rule.shots)
        shots *= _n_circuits(fields, rule.circuits)
        sent = self._request(route, request, body)
        found = await self._gateway.pass_through.submit(
            actor,
            self._device,
            sent,
            rule.id,
            shots=shots,
            idempotency_key=request.idempotency_key,
        )
        return _response(found)

    async def _list(
        self, actor: Actor, rule: ListsJobs, route: Route, request: Request[Any]
    ) -> Response:
        """List the actor's own jobs by their ids. Positions of pages are those of this server."""
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        limit = _number(query.pop(rule.limit, str(rule.max_jobs)), rule.limit, rule.max_jobs)
        at = query.pop(rule.next, None)
        before = None if at is None else _number(at, rule.next, None)
        wanted = [each for each in query.pop(rule.ids, "").split(",") if each]
        if len(wanted) > rule.max_jobs:
            raise InvalidRequest(
                f"{rule.ids} has {len(wanted)} ids, more than {rule.max_jobs}.", field=rule.ids
            )
        if wanted:
            for id in wanted:
                await self._gateway.pass_through.find(actor, self._device, id)
            page = [(0, id) for id in wanted]
        else:
            page = await self._gateway.pass_through.page(actor, self._device, limit, before)
        if not page:
            return _json({rule.items: [], rule.next: None})
        ids = ",".join(id for _, id in page)
        query |= {rule.ids: ids, rule.limit: str(len(page))}
        missing = {id for _, id in page}
        own = frozenset(missing)
        listed: list[msgspec.Raw] = []
        n_bytes = 0
        for _ in range(len(page) + 1):  # the machine may end its pages early
            found = await self._forward(route, request, b"", urlencode(query, safe=","))
            if found.status >= 300:
                return _response(found)
            n_bytes += len(found.body)
            if n_bytes > _MAX_LIST_BYTES:
                field = rule.ids if wanted else rule.limit
                raise InvalidRequest(
                    f"{field}: the jobs have over {_MAX_LIST_BYTES} bytes: ask for fewer.",
                    field=field,
                )
            document = await self._in_thread(_decode_or_none, _objects, found.body) or {}
            for each in _decode_or_none(_lists, document.get(rule.items)) or ():
                fields = _decode_or_none(_objects, each) or {}
                listed_id = _decode_or_none(_texts, fields.get("id"))
                if listed_id is not None and listed_id in own:
                    listed.append(each)
                    missing.discard(listed_id)
            following = _decode_or_none(_texts, document.get(rule.next))
            if not following or not missing:
                break
            query[rule.next] = following
        else:
            raise Unavailable(f"The list of the server of {self._device} does not end.")
        is_last = bool(wanted) or len(page) < limit
        return _json({rule.items: listed, rule.next: None if is_last else str(page[-1][0])})

    async def _list_devices(
        self, actor: Actor, rule: ListsDevices, route: Route, request: Request[Any]
    ) -> Response:
        found = await self._forward(route, request, b"")
        if found.status >= 300:
            return _response(found)
        if not actor.sees(self._device):
            return _json([])
        listed = await self._in_thread(_decode_or_none, _lists, found.body)
        if listed is None:
            raise Unavailable(f"The server of {self._device} gave no list of devices.")
        names = [
            _decode_or_none(_texts, (_decode_or_none(_objects, each) or {}).get(rule.name))
            for each in listed
        ]
        own = [
            each
            for each, name in zip(listed, names, strict=True)
            if name is not None and name == self._remote_name
        ]
        return _json(own)

    async def _parsed(self, body: bytes) -> Mapping[str, msgspec.Raw]:
        if len(body) <= SMALL_BODY_BYTES:
            return _fields(body)
        return await self._in_thread(_fields, body)

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, call, *arguments)

    async def _forward(
        self, route: Route, request: Request[Any], body: bytes, query: str | None = None
    ) -> VendorResponse:
        return await self._send(self._request(route, request, body, query))

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
        self, route: Route, request: Request[Any], body: bytes, query: str | None = None
    ) -> VendorRequest:
        """Return the request to send. Its path is that of the route, with the parameters quoted."""
        path = _filled(route.path, request.path_params)
        query = request.url.query if query is None else query
        root: str = request.scope["root_path"]
        return VendorRequest(
            method=request.method,
            path=root + path + (f"?{query}" if query else ""),
            content_type=request.headers.get("content-type", ""),
            body=body,
        )


def _filled(template: str, parameters: Mapping[str, str]) -> str:
    """Return the path of a route with its parameters quoted."""
    for name, value in parameters.items():
        if value in _DOTS:
            raise NotFound("There is nothing at this path.")
        template = template.replace(f"{{{name}}}", quote(value, safe=""))
    return template


async def _body(route: Route, request: Request[Any]) -> bytes:
    return b"" if route.body is None else await request.bounded_body(route.body.limit)


def _fields(body: bytes) -> Mapping[str, msgspec.Raw]:
    """Return the fields of a JSON object, not decoded: objects would take far more memory.

    Raises:
        InvalidRequest: It is not an object, or has a field twice: this server might check one of
            the two and the other server read the other.
    """
    found = decode(body, _objects)
    at = body.index(b"{") + 1
    for value in found.values():
        key = _KEY.match(body, at)
        if key is None or not body.startswith(value, key.end()):
            raise InvalidRequest("The body has a field twice.")
        at = key.end() + len(value)
        if end := _NEXT.match(body, at):
            at = end.end()
    if found and at != len(body):
        raise InvalidRequest("The body has a field twice.")
    return found


def _n_circuits(fields: Mapping[str, msgspec.Raw], path: tuple[str, ...]) -> int:
    """Return the length of the list of circuits; 1 where there is none."""
    *outer, name = path
    try:
        for each in outer:
            fields = _objects.decode(fields[each])
        return max(1, len(_lists.decode(fields[name])))
    except (KeyError, msgspec.MsgspecError):
        return 1


def _decode_or_none(
    decoder: msgspec.json.Decoder[T], value: bytes | msgspec.Raw | None
) -> T | None:
    """Return a decoded value; None if it is absent or of another type."""
    if value is None:
        return None
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _number(text: str, name: str, maximum: int | None) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    if not is_number or int(text) < 1 or (maximum is not None and int(text) > maximum):
        bound = f" from 1 to {maximum}" if maximum else ""
        raise InvalidRequest(f"{name} must be a number{bound}, not {text[:40]!r}.", field=name)
    return int(text)


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _response(vendor_response: VendorResponse) -> Response:
    headers = {"Retry-After": vendor_response.retry_after} if vendor_response.retry_after else {}
    if vendor_response.content_type:
        headers["Content-Type"] = vendor_response.content_type
    return Response(vendor_response.body, vendor_response.status, headers)
