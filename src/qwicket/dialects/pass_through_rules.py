"""Rules by which the requests of a route are passed on to a device's own server.

A route declares where ids of jobs and names of devices are in its path, query and response.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec

from qwicket.dialects.bodies import decode_or_none, lists, objects, refuse_lookalikes
from qwicket.dialects.responses import json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.datastructures import QueryParams
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.errors import QwicketError
    from qwicket.model.limits import Limits


class Submitted(NamedTuple):
    """What is checked before a submission is passed on to the device's own server.

    Attributes:
        devices: Names of the device, by field; None, which is refused, if one is missing or not a
            text. All are checked, because the device's own server may read any.
        shots: Shots of all circuits.
    """

    devices: Mapping[str, str | None]
    shots: int


@dataclass(frozen=True)
class Submits:
    """The request submits a job, which is its body.

    Attributes:
        read: Reads the fields `checked` of the body, not decoded, under the limits.
        checked: Fields of the body that `read` gets. These and the fields below must have no
            look-alikes, such as `Backend` for `backend`, because the device's own server might read
            those instead.
        must_be_absent: Fields of the body that must be absent or null, because they name something
            of the one account at the device's own server, such as a session, which may be another
            user's.
        id: Field of the response with the job's id; dots lead to a field of a field.
        device: Parameter of the path with the name of the device, if it has one.
        tokens: Fields of the body with the client's token, which is not sent. The first field is
            sent with the key of this server's account.
        check_query: Refuses parameters of the query, which is not sent; None if none matters.
    """

    read: Callable[[Mapping[str, msgspec.Raw], Limits], Submitted]
    checked: tuple[str, ...]
    must_be_absent: tuple[str, ...] = ()
    id: str = "id"
    device: str = ""
    tokens: tuple[str, ...] = ()
    check_query: Callable[[QueryParams], None] | None = None


@dataclass(frozen=True)
class OfJob:
    """The path or the query names a job, or a part of one, which has an id of its own.

    Attributes:
        document: Path at which a job or part is read by its id. Used only with `parent`.
        parent: Field of a part's document with the id of its job; None if parts have no ids.
        cancels: Whether the request cancels the job.
        device: Parameter of the path with the name of the device, if it has one.
        query: Where the query has the job's id; None if the path has it, as `id`.
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
        read: Reads the id, also where another parameter has it.
        others: Other parameters that can have the id. They are not sent, because the device's own
            server might prefer them.
        tokens: Parameters with the client's token, as for `Submits`.
        absent: Returns the error for an id of which the account has no job.
    """

    id: str
    read: Callable[[QueryParams], str]
    others: tuple[str, ...]
    tokens: tuple[str, ...]
    absent: Callable[[str], QwicketError]

    def with_id(self, query: str, id: str) -> str:
        """Return a query with this id alone, and without a token.

        Raises:
            InvalidRequest: A parameter resembles one that has the id or a token.
        """
        dropped = (self.id, *self.others, *self.tokens)
        pairs = parse_qsl(query, keep_blank_values=True)
        refuse_lookalikes([name for name, _ in pairs], dropped)
        kept = [pair for pair in pairs if pair[0] not in dropped]
        return urlencode([*kept, (self.id, id)])


@dataclass(frozen=True)
class ListsJobs:
    """The response is a list of jobs.

    Attributes:
        items: Field of the response with the jobs.
        ids: Query parameter that selects jobs by their ids.
        limit: Query parameter with the number of jobs.
        max_jobs: Largest number of jobs.
        default: Number of jobs without `limit`.
        next: Query parameter, and field of the response, with the position of the next page; None
            if a list has one page.
        no_null: Beginnings of user agents that fail if the field `next` is null.
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
            return json({self.items: jobs})
        return json({self.items: jobs, self.next: None if at is None else str(at)})


@dataclass(frozen=True)
class ReadsJobs:
    """The response is a list of jobs, each of which is read: a query cannot select them by ids.

    Attributes:
        document: Path at which a job is read.
        item: Field of that response with the job.
        id: Field of the job with its id.
        page: Returns the number and the length of the page that a query asks for.
        response: Returns the content of the response, from the jobs of a page, the page's number
            and length, and the number of all jobs.
    """

    document: str
    item: str
    id: str
    page: Callable[[Mapping[str, str]], tuple[int, int]]
    response: Callable[[list[msgspec.Raw], int, int, int], Mapping[str, Any]]


@dataclass(frozen=True)
class OfDevice:
    """The request is about the device, which the path names.

    Attributes:
        device: Parameter of the path with its name; empty if it is about its whole server.
        is_open: Whether no token is needed, because clients send none.
    """

    device: str
    is_open: bool = False


@dataclass(frozen=True)
class ListsDevices:
    """The response is a list of devices.

    Attributes:
        names: Fields that name a device. One of them has the name that the device's file gives.
        items: Field of the response with the devices; None if the response is the list.
        others: Other fields of the response.
        is_open: As for `OfDevice`.
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
