"""S3, as far as Braket's clients need it: a read-only view of the results of tasks.

There are no files. Every valid bucket name is accepted, and a bucket contains the results of the
tasks that were created with its name. The key of an object contains the id of its task, and a
result is found only in the bucket and under the key that its task states.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import Response

from qwicket.circuits.outcomes import Outcome
from qwicket.dialects.times import format_time
from qwicket.model.errors import NoResult, NotFound, NotOffered
from qwicket.model.ids import parse_id
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.vendors.braket.dialect import listings, results, wire
from qwicket.vendors.braket.dialect.errors import RangeRefused, no_bucket, no_key
from qwicket.vendors.braket.dialect.listings import ListedObject
from qwicket.vendors.braket.dialect.names import DIALECT, account_number
from qwicket.vendors.braket.dialect.signin import SignatureSignIn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits
    from qwicket.vendors.braket.dialect.listings import Listing, ListQuery

_FILE: Final = "results.json"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RANGE: Final = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TASKS_AT_ONCE: Final = 100
"""Tasks that are read at once for a list. The vendor fields of each may have 50 kB."""


class _Object(NamedTuple):
    """Result of a task as an object of S3."""

    job: Job
    fields: wire.VendorFields

    @property
    def key(self) -> str:
        return f"{self.fields.directory(self.job.id)}/{_FILE}"

    @property
    def is_listed(self) -> bool:
        return self.job.state is JobState.COMPLETED


class Handlers:
    """Handlers of the S3 service."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._sign_in = SignatureSignIn(gateway, "s3")

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._sign_in(request)

    async def create_bucket(self, actor: Actor, request: Request[None]) -> Response:
        """Create a bucket: does nothing, because every account has buckets of all names."""
        bucket = _bucket(request)
        if request.query_params.keys() - {"x-id"}:
            raise NotOffered("Nothing can be set for a bucket here, such as a policy.")
        return Response(headers={"Location": f"/{bucket}"}, media_type="application/xml")

    async def list_objects(self, actor: Actor, request: Request[None]) -> Response:
        """List the results in a bucket, in the order of their keys, in pages."""
        maximum = self.limits.requests.list_page
        query = listings.parse(_bucket(request), request.query_params, maximum)
        listing = listings.Listing(query)
        named = await self._named(actor, query)
        if named is not None:
            listing.add(_listed(named))
        elif query.max_keys:
            await self._add_all(actor, query.bucket, listing, request)
        content = await asyncio.to_thread(lambda: listing.xml().encode())
        return Response(content, media_type="application/xml")

    async def _named(self, actor: Actor, query: ListQuery) -> _Object | None:
        """Return the result of the task whose id the prefix contains, to find it without a scan.

        None if the prefix contains no id, or if the task has no result with this prefix.
        """
        for job in _ID.findall(query.prefix)[-1:]:
            with suppress(NotFound):
                found = _Object(*await self._task(actor, job))
                is_here = found.fields.bucket == query.bucket
                if is_here and found.key.startswith(query.prefix) and found.is_listed:
                    return found
        return None

    async def _add_all(
        self, actor: Actor, bucket: str, listing: Listing, request: Request[None]
    ) -> None:
        """Add the bucket's results. Keys have no index, so all tasks of the account are read."""
        before: int | None = None
        while True:
            query = JobQuery(
                dialect=DIALECT, states=(JobState.COMPLETED,), before=before, limit=_TASKS_AT_ONCE
            )
            page = await self._gateway.jobs.page_with_vendor_fields(actor, query)
            await asyncio.to_thread(_add_page, listing, bucket, page)
            if len(page) < _TASKS_AT_ONCE:
                return
            before = page[-1][0].seq
            await request.response_memory.begin()  # one long list of an account at a time

    async def _task(self, actor: Actor, job: str) -> tuple[Job, wire.VendorFields]:
        found, document = await self._gateway.jobs.get_with_vendor_fields(
            actor, job, dialect=DIALECT
        )
        return found, wire.vendor_fields(document)

    async def read_object(self, actor: Actor, request: Request[None]) -> Response:
        """Read the result of a task."""
        bucket, key = _bucket(request), request.path_params["key"]
        if not key:
            return await self.list_objects(actor, request)
        found = await self._object(actor, bucket, key)
        program = await self._gateway.results.program(found.job, request.response_memory)
        try:
            outcomes = await self._gateway.results.of(found.job, request.response_memory)
        except NoResult:
            raise no_key() from None
        # A failed program set can be read too, for the results of its runs that did not fail.
        if not (found.fields.is_set or isinstance(outcomes.parts[0], Outcome)):
            raise no_key()

        def respond() -> Response:
            body = results.document(found.job, found.fields, program.source, outcomes.parts)
            return _object_response(body, request.headers.get("range"), found.job)

        return respond() if outcomes.is_small else await asyncio.to_thread(respond)

    async def _object(self, actor: Actor, bucket: str, key: str) -> _Object:
        parts = key.split("/")
        ref = parse_id(parts[-2]) if len(parts) > 2 and parts[-1] == _FILE else None
        if ref is None or ref.part is not None:
            raise no_key()
        try:
            found = _Object(*await self._task(actor, ref.job))
        except NotFound:
            raise no_key() from None
        if found.fields.bucket != bucket or found.key != key or not found.job.state.is_final:
            raise no_key()
        return found

    async def refuse(self, actor: Actor, request: Request[None]) -> Response:
        """Refuse to store or delete an object."""
        raise NotOffered("Results can only be read here: nothing is stored through S3.")


def _add_page(listing: Listing, bucket: str, page: Sequence[tuple[Job, bytes]]) -> None:
    for job, document in page:
        found = _Object(job, wire.vendor_fields(document))
        if found.fields.bucket == bucket:
            listing.add(_listed(found))


def _listed(stored: _Object) -> ListedObject:
    owner = account_number(stored.job.project)
    return ListedObject(stored.key, format_time(stored.job.ended_at) or "", owner)


def _bucket(request: Request[Any]) -> str:
    bucket: str = request.path_params["bucket"]
    if not _BUCKET.fullmatch(bucket):
        raise no_bucket()
    return bucket


def _object_response(body: bytes, range_text: str | None, job: Job) -> Response:
    at = datetime.fromtimestamp((job.ended_at or job.created_at) / 1000, UTC)
    headers = {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Last-Modified": format_datetime(at, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    span = _span(range_text, len(body))
    if span is None:
        return Response(body, headers=headers, media_type="application/json")
    first, last = span
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Response(body[first : last + 1], 206, headers=headers, media_type="application/json")


def _span(text: str | None, size: int) -> tuple[int, int] | None:
    """Return the first and last byte of a range; None if all bytes are to be returned.

    A malformed range is ignored (RFC 9110, 14.2).

    Raises:
        RangeRefused: The range begins after the end of the object, or is empty.
    """
    match = _RANGE.fullmatch(text) if text else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
    if first >= size or not (match[1] or int(match[2])):
        raise RangeRefused(f"The range is not within the {size} bytes of the object.")
    return (first, last) if first <= last else None
