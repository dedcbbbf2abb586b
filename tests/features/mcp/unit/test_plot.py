"""Bar charts as PNG."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from qwicket.features.mcp.plot import bars


def chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each chunk; check its sum (PNG specification, 5.3)."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    at = 8
    while at < len(picture):
        (size,) = struct.unpack_from(">I", picture, at)
        whole = picture[at + 4 : at + 8 + size]
        assert struct.unpack_from(">I", picture, at + 8 + size) == (zlib.crc32(whole),)
        yield whole[:4], whole[4:]
        at += 12 + size


def test_the_height_of_each_bar_is_its_share_of_the_largest() -> None:
    for values, heights in {
        (3.0, 1.5, 0.0): (240, 120, 0),
        (): (),
        (0.0,): (0,),
        tuple([1.0] * 1000): (240,) * 320,
    }.items():
        found = dict(chunks(bars(values)))
        width, height = struct.unpack_from(">II", found[b"IHDR"])
        pixels = zlib.decompress(found[b"IDAT"])
        rows = [pixels[at + 1 : at + 1 + width] for at in range(0, len(pixels), width + 1)]
        assert len(rows) == height
        step = width // max(1, len(heights))
        shown = tuple(sum(row[number * step] for row in rows) for number in range(len(heights)))
        assert shown == heights
