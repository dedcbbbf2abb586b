"""Archives of one job or of a page of jobs as responses, streamed if they are large.

`qwicket.schema.archives` describes the members of an archive.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import structs
from starlette.responses import Response

from qwicket import schema
from qwicket.circuits.outcomes import Encoded, decode
from qwicket.dialects.native import wire
from qwicket.dialects.native.admin.wire import job_with_names
from qwicket.dialects.native.arrays import write_npz
from qwicket.dialects.requests import RESPONSE_MEMORY
from qwicket.features.archives.service import begin_with_retries
from qwicket.model.errors import NotFound
from qwicket.model.failures import Failure
from qwicket.schema import archives as shapes
from qwicket.schema.admin import AdminJobList

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from qwicket.circuits.outcomes import Outcome, PartResult
    from qwicket.features.archives.service import Archives
    from qwicket.gateway.job_admin import JobWithNames
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.gateway.submitted import Contents


_MAX_UNSTREAMED_BYTES: Final = 1 << 20
"""Archives up to this size are made before the response begins, so their length is known."""
_STEP_BYTES: Final = 1 << 20
"""Bytes of arrays that end a step of writing; also the least size of a page's earlier chunks."""
_CHUNK_BYTES: Final = 256 << 10
"""The connection copies what it cannot send at once, so it gets no more than this together."""
_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Time of all members: the earliest that ZIP can store."""
_UNIX: Final = 3
_READABLE: Final = 0o100644 << 16
"""System and mode of a member in ZIP: a file of Unix that all may read."""

_encoder: Final = msgspec.json.Encoder()


async def response(
    archives: Archives, contents: Contents, memory: ResponseMemory, *, is_head: bool
) -> ASGIApp:
    """Return the archive of a job: as a stream unless it is small.

    Args:
        archives: Reads the results.
        contents: Everything in the archive but the results.
        memory: Memory for the response.
        is_head: Whether the request asks for headers alone.
    """
    headers = {"Content-Disposition": f'attachment; filename="{contents.job.id}.zip"'}
    return await _response(_archive(archives, contents, memory), headers, is_head=is_head)


async def page(
    archives: Archives,
    jobs: Sequence[JobWithNames],
    limit: int,
    memory: ResponseMemory,
    *,
    name: str,
    is_head: bool,
) -> ASGIApp:
    """Return a ZIP file with the archives of several jobs, and the jobs as JSON.

    Args:
        archives: Reads the results.
        jobs: Ended jobs.
        limit: Number of jobs of a full page.
        memory: Memory for the response.
        name: Name of the file.
        is_head: Whether the request asks for headers alone.
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return await _response(_page(archives, jobs, limit, memory), headers, is_head=is_head)


async def _response(
    stream: AsyncGenerator[bytes, None], headers: dict[str, str], *, is_head: bool
) -> ASGIApp:
    chunks: list[bytes] = []
    async for chunk in stream:
        chunks.append(chunk)
        if sum(map(len, chunks)) > _MAX_UNSTREAMED_BYTES:
            return _Stream(chunks, stream, headers, is_head=is_head)
    return Response(b"".join(chunks), headers=headers, media_type=shapes.ZIP_TYPE)


async def _archive(
    archives: Archives, contents: Contents, memory: ResponseMemory
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of an archive, one chunk for each step of writing."""
    sink = _Sink()
    async for _ in _write_in_steps(sink, archives, contents, memory):
        yield await _taken(sink)


async def _page(
    archives: Archives, jobs: Sequence[JobWithNames], limit: int, memory: ResponseMemory
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a ZIP file of archives. Jobs deleted before their turn are left out."""
    sink = _Sink()
    outer = zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED)
    bodies = []
    for row in jobs:
        try:
            contents = await archives.contents(row.job, memory)
        except NotFound:
            continue
        with _Member(outer, f"{row.job.id}.zip", []) as member:
            async for _ in _write_in_steps(member, archives, contents, memory):
                if sink.size >= _STEP_BYTES:
                    yield await _taken(sink)
        bodies.append(job_with_names(row, server_url=""))
    last = jobs[-1].job.seq if len(jobs) == limit else None
    with _Member(outer, shapes.PAGE, []) as member:
        member.write(_encoder.encode(AdminJobList(jobs=tuple(bodies), next=last)))
    outer.close()
    yield sink.take()


async def _taken(sink: _Sink) -> bytes:
    """Return what was written to a sink; a large program is copied in a thread."""
    return sink.take() if sink.size < _STEP_BYTES else await asyncio.to_thread(sink.take)


async def _write_in_steps(
    sink: Any, archives: Archives, contents: Contents, memory: ResponseMemory
) -> AsyncGenerator[None, None]:
    """Write an archive, and yield after each step, so that what was written can be sent."""
    writer = _Writer(sink)
    await asyncio.to_thread(writer.begin, contents)
    yield
    async for results in archives.parts(contents.job, memory):
        rest = deque(results)
        while rest:
            await asyncio.to_thread(writer.add, rest)
            yield
    await asyncio.to_thread(writer.end, contents)
    yield


class _Writer:
    """Writes an archive step by step."""

    def __init__(self, sink: Any) -> None:
        self._zip = zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED)
        self._members: list[shapes.MemberBody] = []
        self._parts: list[schema.results.OutcomeBody] = []

    def begin(self, contents: Contents) -> None:
        self._put(shapes.JOB, _encoder.encode(wire.job(contents.job, server_url="")))
        if contents.source is not None:
            self._put(shapes.PROGRAM, contents.source)
            options = shapes.OptionsBody(
                format=contents.format,
                inputs=contents.inputs,
                options=_plain(contents),
            )
            self._put(shapes.OPTIONS, _encoder.encode(options))
        if contents.calibration is not None:
            body = wire.calibration(contents.calibration)
            self._put(shapes.CALIBRATION, _encoder.encode(body))

    def add(self, results: deque[PartResult]) -> None:
        """Write the first of these results, and as many more as make one step."""
        size = 0
        while results and size < _STEP_BYTES:
            part = _decoded(results.popleft())
            self._part(part)
            size += _size(part)

    def end(self, contents: Contents) -> None:
        job = contents.job
        if self._parts:
            body = schema.results.ResultBody(
                id=job.id, state=job.state, shots=job.shots, parts=tuple(self._parts)
            )
            self._put(shapes.RESULT, _encoder.encode(body))
        manifest = shapes.ManifestBody(
            format=shapes.FORMAT,
            version=shapes.VERSION,
            job=job.id,
            members=tuple(self._members),
        )
        self._put(shapes.MANIFEST, _encoder.encode(manifest))
        self._zip.close()

    def _part(self, part: Outcome | Failure) -> None:
        number = len(self._parts)
        if isinstance(part, Failure):
            error = schema.jobs.ErrorBody(part.code, part.message)
            self._parts.append(schema.results.OutcomeBody(part=number, error=error))
            return
        without_arrays = structs.replace(part, arrays={})
        self._parts.append(wire.outcome(number, without_arrays))
        with _Member(self._zip, shapes.arrays_of(number), self._members) as member:
            write_npz(member, part)

    def _put(self, name: str, data: bytes) -> None:
        with _Member(self._zip, name, self._members) as member:
            member.write(data)


def _decoded(part: PartResult) -> Outcome | Failure:
    return decode(part) if isinstance(part, Encoded) else part


def _size(part: Outcome | Failure) -> int:
    return 0 if isinstance(part, Failure) else sum(len(each.data) for each in part.arrays.values())


def _plain(contents: Contents) -> dict[str, Any]:
    options = msgspec.to_builtins(contents.options) if contents.options else {}
    if contents.seed is None:
        options.pop("seed", None)
    return options


class _Sink(io.RawIOBase):
    """A file that cannot seek, so that ZIP never changes what was written."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        copy = bytes(data)
        self._written.append(copy)
        self.size += len(copy)
        return len(copy)

    def take(self) -> bytes:
        taken = b"".join(self._written)
        self._written, self.size = [], 0
        return taken


class _Member:
    """A member that is being written; when closed, it adds its size and digest to a list."""

    def __init__(
        self, archive: zipfile.ZipFile, name: str, members: list[shapes.MemberBody]
    ) -> None:
        entry = zipfile.ZipInfo(name, _TIME)
        entry.create_system, entry.external_attr = _UNIX, _READABLE
        self._name, self._members = name, members
        self._handle = archive.open(entry, "w")
        self._digest = hashlib.sha256()
        self._size = 0

    def __enter__(self) -> _Member:
        return self

    def __exit__(self, *exc: object) -> None:
        self._handle.close()
        body = shapes.MemberBody(name=self._name, bytes=self._size, sha256=self._digest.hexdigest())
        self._members.append(body)

    def read(self, size: int = -1) -> bytes:
        """Return nothing. NumPy treats an object without this method as the name of a file."""
        return b""

    def write(self, data: Any, /) -> int:
        self._digest.update(data)
        self._size += len(data)
        return self._handle.write(data)

    def flush(self) -> None:
        """Do nothing: the sink below has no buffer."""


class _Stream:
    """Response with an archive that is made while it is sent."""

    def __init__(
        self,
        first: Iterable[bytes],
        rest: AsyncGenerator[bytes, None],
        headers: dict[str, str],
        *,
        is_head: bool,
    ) -> None:
        self._first = deque(first)
        self._rest = rest
        self._head = Response(headers=headers, media_type=shapes.ZIP_TYPE).raw_headers
        self._is_head = is_head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        memory: ResponseMemory = scope[RESPONSE_MEMORY]
        headers = [each for each in self._head if each[0] != b"content-length"]
        async with aclosing(self._rest):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if not self._is_head:
                async for chunk in self._all():
                    await begin_with_retries(memory)
                    await memory.hold(len(chunk))
                    for start in range(0, len(chunk), _CHUNK_BYTES):
                        part = chunk[start : start + _CHUNK_BYTES]
                        await send({"type": "http.response.body", "body": part, "more_body": True})
                    memory.release(len(chunk))
            await send({"type": "http.response.body", "body": b""})

    async def _all(self) -> AsyncGenerator[bytes, None]:
        while self._first:
            yield self._first.popleft()
        async for chunk in self._rest:
            yield chunk
