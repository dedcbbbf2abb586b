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
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from starlette.responses import Response

from qwicket.dialects.bodies import decode
from qwicket.dialects.validation import quoted
from qwicket.model.errors import InvalidRequest, NotFound, NotOffered, Unavailable
from qwicket.model.pass_through import VendorRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.datastructures import QueryParams

    from qwicket.dialects.requests import Request
    from qwicket.dialects.routing import Route
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.errors import QwicketError
    from qwicket.model.limits import Limits
    from qwicket.model.pass_through import VendorResponse

T = TypeVar("T")

objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
lists: Final = msgspec.json.Decoder(list[msgspec.Raw])
texts: Final = msgspec.json.Decoder(str)
_KEY: Final = re.compile(rb'\s*"(?:[^"\\]|\\.)*"\s*:\s*')
_NEXT: Final = re.compile(rb"\s*[,}]\s*")
_NULL: Final = msgspec.Raw(b"null")
_THREADS: Final = 16
_MAX_WAITING: Final = 256
"""Requests that may wait for a response or for a thread."""
_MAX_SEARCHED: Final = 20
"""Pages that a filter searches."""
_READS_AT_ONCE: Final = 8
"""Jobs that one list reads at the same time, of the `_THREADS` of its device."""
_MAX_LIST_BYTES: Final = 64 << 20
"""Limit on a list, as on each response."""
_DOTS: Final = (".", "..")
"""Parameters that would lead to another path."""
_MAX_DIGITS: Final = 18
_INLINE_BYTES: Final = 4 << 10
"""Largest body read on the event loop."""


# --- declarations ---------------------------------------------------------------------------------


class Submitted(NamedTuple):
    """What is read of a submission.

    Attributes:
        devices: Names of the device, by field; None if one is not a text. All are checked, because
            the other server may read any.
        shots: Shots of all circuits.
    """

    devices: Mapping[str, str | None]
    shots: int


@dataclass(frozen=True)
class Submits:
    """The request submits a job, which is its body.

    Attributes:
        read: Reads the fields of the body, not decoded, under the limits.
        foreign: Fields of the body that name something of the machine's one account, such as a
            session, which may be another user's. They must be absent or null.
        id: Field of the response with the job's id; dots lead to a field of a field.
        device: Parameter of the path with the name of the device, if it has one.
        tokens: Fields of the body with the client's token, which are not sent. The first one is
            sent with the machine's key.
    """

    read: Callable[[Mapping[str, msgspec.Raw], Limits], Submitted]
    foreign: tuple[str, ...] = ()
    id: str = "id"
    device: str = ""
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True)
class OfJob:
    """The path or the query names a job, or a part of one, which has an id of its own.

    Attributes:
        document: Path at which a job is read.
        parent: Field of a part's document with the id of its job; None if parts have no ids.
        cancels: Whether the request cancels the job.
        device: Parameter of the path with the name of the device, if it has one.
        query: Where the query has the job's id; None if the path has it.
    """

    document: str = ""
    parent: str | None = None
    cancels: bool = False
    device: str = ""
    query: JobInQuery | None = None


@dataclass(frozen=True)
class JobInQuery:
    """The query of a request about a job.

    Attributes:
        id: Parameter with the job's id.
        read: Reads the id, which may be in other parameters, too.
        others: These others. They are not sent, because the machine might prefer them.
        tokens: As for `Submits`.
        absent: Returns the error for the id of no job of the account.
    """

    id: str
    read: Callable[[QueryParams], str]
    others: tuple[str, ...]
    tokens: tuple[str, ...]
    absent: Callable[[str], QwicketError]

    def sent(self, query: str, id: str) -> str:
        """Return a query with one id and without a token."""
        dropped = (self.id, *self.others, *self.tokens)
        pairs = [
            pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in dropped
        ]
        return urlencode([*pairs, (self.id, id)])


@dataclass(frozen=True)
class ListsJobs:
    """The response is a list of jobs.

    Attributes:
        items: Field of the response with the jobs.
        ids: Query parameter that selects jobs by their ids.
        limit: Query parameter with the number of jobs.
        max_jobs: Largest number of jobs.
        default: Number of jobs without that parameter.
        next: Query parameter, and field of the response, with the position of the next page; None
            if a list has one page.
        no_null: Beginnings of user agents that fail if that field is null.
        separator: Between ids in one parameter; empty if each id has a parameter of its own.
        is_strict: Whether unknown ids are refused; else they are left out.
    """

    items: str
    ids: str
    limit: str
    max_jobs: int
    default: int
    next: str | None = None
    no_null: tuple[str, ...] = ()
    separator: str = ""
    is_strict: bool = False

    def split(self, text: str) -> list[str]:
        return text.split(self.separator) if self.separator else [text]

    def query(self, ids: Sequence[str]) -> list[tuple[str, str]]:
        if self.separator:
            return [(self.ids, self.separator.join(ids))]
        return [(self.ids, id) for id in ids]

    def response(self, request: Request[Any], jobs: list[msgspec.Raw], at: int | None) -> Response:
        agent = request.headers.get("user-agent", "")
        if self.next is None or (at is None and agent.startswith(self.no_null)):
            return _json({self.items: jobs})
        return _json({self.items: jobs, self.next: None if at is None else str(at)})


@dataclass(frozen=True)
class ReadsJobs:
    """The response is a list of jobs, each of which is read: a query cannot select them by ids.

    Attributes:
        document: Path at which a job is read.
        item: Field of that response with the job.
        id: Field of the job with its id.
        page: Returns the number and the length of the page that a query asks for.
        response: Returns the content of the response: of the jobs of a page, its number, its
            length, and the number of all jobs.
    """

    document: str
    item: str
    id: str
    page: Callable[[Mapping[str, str]], tuple[int, int]]
    response: Callable[[list[msgspec.Raw], int, int, int], Mapping[str, Any]]


@dataclass(frozen=True)
class OfDevice:
    """The path names the device.

    Attributes:
        device: Parameter of the path with its name.
        is_open: Whether clients send no token.
    """

    device: str
    is_open: bool = False


@dataclass(frozen=True)
class ListsDevices:
    """The response is a list of devices.

    Attributes:
        names: Fields of each with its name, one of which is that in the device's file.
        items: Field of the response with the devices; None if the response is the list.
        others: Other fields of the response.
        is_open: Whether clients send no token.
    """

    names: tuple[str, ...]
    items: str | None = None
    others: Mapping[str, Any] | None = None
    is_open: bool = False

    def devices(self, body: bytes) -> list[msgspec.Raw] | None:
        """Return the devices in a response, not decoded; None if it has no list."""
        if self.items is None:
            return decode_or_none(lists, body)
        return decode_or_none(lists, (decode_or_none(objects, body) or {}).get(self.items))


@dataclass(frozen=True)
class HandledHere:
    """This server handles the request itself: it is about the account, for example."""


HANDLED_HERE: Final = HandledHere()
PassThroughRule = Submits | OfJob | ListsJobs | ReadsJobs | OfDevice | ListsDevices | HandledHere


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
        self._shared_by_path: dict[str, asyncio.Future[VendorResponse]] = {}

    def close(self) -> None:
        """Stop: send no further requests."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def concerns(self, route: Route) -> bool:
        """Return whether this server does not handle the requests of a route itself."""
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
        wanted, query = rule.query, None
        id = wanted.read(request.query_params) if wanted else request.path_params["id"]
        job = None
        try:
            job = await self._gateway.pass_through.find(actor, self._device, id)
        except NotFound:
            if wanted:
                raise wanted.absent(id) from None
            if not await self._is_part(actor, rule, request, id):
                raise
        if wanted:
            query = wanted.sent(request.url.query, id)
        tokens = wanted.tokens if wanted else ()
        found = await self._forward(route, request, await _body(route, request), query, tokens)
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
        for field in rule.foreign:
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
        sent = self._request(route, request, body, "" if rule.tokens else None, rule.tokens)
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
            found = await self._of_machine(rule, route, request, query, page)
            return found if isinstance(found, Response) else rule.response(request, found, None)
        # Without further pages, a filter must find older jobs.
        is_searched = bool(query) and rule.next is None
        size = rule.max_jobs if is_searched else limit
        jobs: list[msgspec.Raw] = []
        for _ in range(_MAX_SEARCHED):
            page = await self._gateway.pass_through.page(actor, self._device, size, before)
            found = await self._of_machine(rule, route, request, query, page)
            if isinstance(found, Response):
                return found
            jobs += found
            following = None if len(page) < size else page[-1][0]
            if not is_searched or following is None or len(jobs) >= limit:
                break
            before = following
        return rule.response(request, jobs[:limit], following)

    async def _of_machine(
        self,
        rule: ListsJobs,
        route: Route,
        request: Request[Any],
        query: Mapping[str, str],
        page: Sequence[tuple[int, str]],
    ) -> list[msgspec.Raw] | Response:
        """Return those jobs of a page that the machine lists, or its refusal."""
        if not page:
            return []
        query = {**query, rule.limit: str(len(page))}
        ids = rule.query([id for _, id in page])
        missing = {id for _, id in page}
        own = frozenset(missing)
        listed: list[msgspec.Raw] = []
        n_bytes = 0
        for _ in range(len(page) + 1):  # it may end its pages early
            sent = urlencode([*query.items(), *ids], safe=",")
            found = await self._forward(route, request, b"", sent)
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
                if found.status == 404:  # it was deleted there
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
        return _json(rule.response(jobs, number, limit, len(own)))

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
            return _response(await self._shared(self._request(route, request, b"", "")))
        return _response(await self._forward(route, request, await _body(route, request)))

    async def _shared(self, request: VendorRequest) -> VendorResponse:
        """Return the response to a request without a token, which equal ones meanwhile share.

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
                    done.exception()  # no one may be waiting for it any more

            sending.add_done_callback(forget)
        return await asyncio.shield(sending)

    def _check_device(self, parameter: str, request: Request[Any]) -> None:
        """Check the device that the path names, if it names one.

        Raises:
            NotFound: It is another one.
        """
        if parameter and request.path_params[parameter] != self._remote_name:
            raise self._no_device(parameter, request)

    def _no_device(self, parameter: str, request: Request[Any]) -> NotFound:
        name = request.path_params[parameter][:100]
        return NotFound(f"There is no device {name!r} at this address.")

    async def _list_devices(
        self,
        rule: ListsDevices,
        route: Route,
        request: Request[Any],
        is_seen: bool = True,
    ) -> Response:
        if rule.is_open:
            found = await self._shared(self._request(route, request, b"", ""))
        else:
            found = await self._forward(route, request, b"")
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
        return _json(own if rule.items is None else {**(rule.others or {}), rule.items: own})

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, call, *arguments)

    async def _forward(
        self,
        route: Route,
        request: Request[Any],
        body: bytes,
        query: str | None = None,
        tokens: tuple[str, ...] = (),
    ) -> VendorResponse:
        return await self._send(self._request(route, request, body, query, tokens))

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
        body: bytes,
        query: str | None = None,
        tokens: tuple[str, ...] = (),
    ) -> VendorRequest:
        """Return the request to send. Its path is that of the route, with the parameters quoted."""
        path = _filled(route.path, request.path_params)
        query = request.url.query if query is None else query
        root: str = request.scope["root_path"]
        return VendorRequest(
            method=route.method,  # GET for HEAD: a list is read
            path=root + path + (f"?{query}" if query else ""),
            content_type=request.headers.get("content-type", ""),
            accept=request.headers.get("accept", ""),
            body=body,
            key_in=tokens[0] if tokens else "",
        )


def _read(
    rule: Submits, body: bytes, limits: Limits
) -> tuple[Mapping[str, msgspec.Raw], Submitted]:
    fields = _fields(body)
    return fields, rule.read(fields, limits)


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
    found = decode(body, objects)
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


def decode_or_none(decoder: msgspec.json.Decoder[T], value: bytes | msgspec.Raw | None) -> T | None:
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


def _too_long(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"{field}: the jobs have over {_MAX_LIST_BYTES} bytes: ask for fewer.", field=field
    )


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _response(vendor_response: VendorResponse) -> Response:
    headers = {"Retry-After": vendor_response.retry_after} if vendor_response.retry_after else {}
    if vendor_response.content_type:
        headers["Content-Type"] = vendor_response.content_type
    return Response(vendor_response.body, vendor_response.status, headers)
