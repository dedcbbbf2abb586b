"""Large results of shots, streamed: read, encoded and sent some circuits at a time.

So a response needs memory for some circuits only, however many the job has. Its length is not known
in advance, so HTTP's chunked encoding is used; it is compressed if the client accepts gzip.
"""

from __future__ import annotations

import asyncio
import secrets
import zlib
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec
import numpy as np

from qwicket.dialects.requests import RESPONSE_MEMORY
from qwicket.vendors.ibm import primitives
from qwicket.vendors.ibm.dialect.runtime import mocks, results
from qwicket.vendors.ibm.dialect.runtime.wire import EXECUTOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from starlette.types import Receive, Scope, Send

    from qwicket.circuits.outcomes import Outcome
    from qwicket.gateway import Gateway
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits
    from qwicket.vendors.ibm.dialect.runtime.wire import VendorFields
    from qwicket.vendors.ibm.primitives import Shape

STREAMED_BYTES: Final = 4 << 20
"""Stored size from which a result is streamed."""
_READ_BYTES: Final = 2 << 20
"""Stored size of the results that are in memory at a time, unless one circuit has more."""
_HELD_BYTES: Final = 4 * _READ_BYTES
"""Bytes that one response counts against the memory budget for large responses."""
_LEVEL: Final = 1
"""Compression level: zlib's fastest."""
_GZIP: Final = 31
"""`wbits` of zlib: the largest window, with the header of gzip."""
_MARK: Final = secrets.token_hex(16)
"""Placeholder for an array in the JSON around it. It is random, so no register is named so."""
_PLACEHOLDER: Final = msgspec.json.encode(_MARK)


class Plan(NamedTuple):
    """What is needed to stream a result.

    Attributes:
        job: The job, which has completed.
        shapes: Shapes of its pubs or items.
        layout: Form of the result.
        bytes_each: Average size of one circuit's result.
        is_mock: Whether the job is a dry run.
    """

    job: Job
    shapes: Sequence[Shape]
    layout: Layout
    bytes_each: float
    is_mock: bool


def plan(
    job: Job, source: bytes, limits: Limits, vendor_fields: VendorFields, size_bytes: int
) -> Plan:
    """Return the plan of a result, from the program and the size of all its circuits."""
    is_executor = vendor_fields.program == EXECUTOR
    return Plan(
        job,
        primitives.shapes(source, limits),
        _ExecutorLayout(source) if is_executor else _SamplerLayout(source, vendor_fields),
        size_bytes / job.n_circuits,
        bool(vendor_fields.mock),
    )


def mock_bytes(job: Job) -> int:
    """Return about how many bytes the result of a dry run takes."""
    return job.n_circuits * job.shots * ((job.n_qubits + 7) // 8)


class Layout(Protocol):
    """Form of the result of a program, in which `_MARK` stands for an array."""

    whole: dict[str, Any]
    """The result without its pubs or items."""
    opening: bytes
    """Where they begin in the JSON of `whole`."""

    def item(self, number: int, shape: Shape, fields: dict[str, Any]) -> Any:
        """Return one of them from its registers."""

    def field(self, shape: Shape, size: int) -> Any:
        """Return a register of some bits."""

    def packer(self, shape: Shape, size: int, level: int) -> _Packer:
        """Return what packs the shots of a register."""


class _SamplerLayout:
    opening = b'"pub_results":['

    def __init__(self, source: bytes, vendor_fields: VendorFields) -> None:
        metadata = results.metadata_of(source, vendor_fields)
        self.whole = results.encode_typed(
            "PrimitiveResult", {"pub_results": [], "metadata": metadata}
        )

    def item(self, number: int, shape: Shape, fields: dict[str, Any]) -> Any:
        return results.sampler_result(fields, shape)

    def field(self, shape: Shape, size: int) -> Any:
        array = results.encode_typed("ndarray", _MARK)
        return results.encode_typed("BitArray", {"array": array, "num_bits": size})

    def packer(self, shape: Shape, size: int, level: int) -> _Packer:
        return _NumpyPacker(level, (*shape.values, shape.shots, (size + 7) // 8))


class _ExecutorLayout:
    opening = b'"data":['

    def __init__(self, source: bytes) -> None:
        self.whole, self._drawn = results.executor_result(source)

    def item(self, number: int, shape: Shape, fields: dict[str, Any]) -> Any:
        return results.executor_item(self._drawn[number], fields)

    def field(self, shape: Shape, size: int) -> Any:
        return results.bit_tensor(_MARK, shape, size)

    def packer(self, shape: Shape, size: int, level: int) -> _Packer:
        return _BitPacker(level, size)


class LargeResult:
    """Response with the result of a sampler or of the executor.

    Args:
        gateway: Reads the results.
        plan: What the result consists of.
        accepts_gzip: Whether the client decompresses gzip.
    """

    def __init__(self, gateway: Gateway, plan: Plan, *, accepts_gzip: bool) -> None:
        self._results = gateway.results
        self._plan = plan
        self._accepts_gzip = accepts_gzip
        self._step = max(1, int(_READ_BYTES / max(plan.bytes_each, 1)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        texts = self._texts()
        first = await anext(texts)  # an error before the headers can still become a response
        memory: ResponseMemory | None = scope.get(RESPONSE_MEMORY)
        if memory is not None:
            await memory.hold(_HELD_BYTES)
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"vary", b"Accept-Encoding"),
        ]
        if self._accepts_gzip:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            if scope["method"] != "HEAD":
                async for body in self._packed(first, texts):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                    if gone.done():
                        return
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            await texts.aclose()

    async def _packed(self, first: bytes, texts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the chunks to send: the texts, compressed if the client accepts gzip."""
        if not self._accepts_gzip:
            yield first
            async for text in texts:
                yield text
            return
        packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
        yield packer.compress(first)
        async for text in texts:
            yield await asyncio.to_thread(packer.compress, text)
        yield packer.flush()

    async def _texts(self) -> AsyncGenerator[bytes]:
        """Yield the JSON of the result."""
        layout = self._plan.layout
        opening, closing = _around(layout.whole, layout.opening)
        yield opening
        first = 0
        for number, shape in enumerate(self._plan.shapes):
            if number:
                yield b","
            async for text in self._item(number, shape, first):
                yield text
            first += shape.n_parts
        yield closing

    async def _item(self, number: int, shape: Shape, first: int) -> AsyncIterator[bytes]:
        layout = self._plan.layout
        (sample,) = await self._results.some(self._plan.job, first, 1)
        registers = list(results.registers(sample))
        fields = {name: layout.field(shape, size) for name, _, size in registers}
        item = layout.item(number, shape, fields)
        texts = msgspec.json.encode(item).split(_PLACEHOLDER)
        yield texts[0]
        for (_, start, size), after in zip(registers, texts[1:], strict=True):
            yield b'"'
            async for text in self._array(shape, first, start, size):
                yield text
            yield b'"' + after

    async def _array(self, shape: Shape, first: int, start: int, size: int) -> AsyncIterator[bytes]:
        """Yield the base64 of a register's shots, compressed."""
        # With gzip the whole response is compressed anyway, so zlib only has to keep its format.
        level = 0 if self._accepts_gzip else _LEVEL
        packer = self._plan.layout.packer(shape, size, level)
        last = first + shape.n_sets
        for begin in range(first, last, self._step):
            parts = await self._results.some(self._plan.job, begin, min(self._step, last - begin))
            yield await asyncio.to_thread(
                self._packed_shots, packer, parts, begin, shape, start, size
            )
        yield packer.end()

    def _packed_shots(
        self,
        packer: _Packer,
        parts: Sequence[Outcome],
        begin: int,
        shape: Shape,
        start: int,
        size: int,
    ) -> bytes:
        texts = []
        for number, part in enumerate(parts, begin):
            whole = mocks.with_bits(part, number, shape.shots) if self._plan.is_mock else part
            texts.append(packer.add_shots(results.shots(whole, start, size)))
        return b"".join(texts)


class _Packer(ABC):
    """Compresses shots with zlib and encodes them in base64, part by part."""

    def __init__(self, level: int) -> None:
        self._zlib = zlib.compressobj(level)
        self._rest = b""

    @abstractmethod
    def add_shots(self, shots: NDArray[np.uint8]) -> bytes:
        """Add shots, as `results.shots` returns them; return the text that is ready."""

    def end(self) -> bytes:
        """Return the rest of the text."""
        return b64encode(self._rest + self._zlib.flush())

    def _add(self, data: bytes) -> bytes:
        packed = self._rest + self._zlib.compress(data)
        whole = len(packed) - len(packed) % 3
        self._rest = packed[whole:]
        return b64encode(packed[:whole])


class _NumpyPacker(_Packer):
    """Packs a file of NumPy."""

    def __init__(self, level: int, shape: tuple[int, ...]) -> None:
        super().__init__(level)
        self._rest = self._zlib.compress(_header(shape))

    def add_shots(self, shots: NDArray[np.uint8]) -> bytes:
        return self._add(shots.tobytes())


class _BitPacker(_Packer):
    """Packs a tensor of bits."""

    def __init__(self, level: int, size: int) -> None:
        super().__init__(level)
        self._bits = results.PackedBits(size)

    def add_shots(self, shots: NDArray[np.uint8]) -> bytes:
        return self._add(self._bits.add(shots))

    def end(self) -> bytes:
        return self._add(self._bits.end()) + super().end()


def _header(shape: tuple[int, ...]) -> bytes:
    """Return the header of a NumPy file with unsigned bytes of this shape."""
    file = BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue()


def _around(value: Any, opening: bytes) -> tuple[bytes, bytes]:
    before, _, after = msgspec.json.encode(value).partition(opening)
    return before + opening, after


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
