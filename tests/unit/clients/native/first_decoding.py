"""Decodes each of many types for the first time in several threads at once; see `test_wire`."""

from __future__ import annotations

import sys
from threading import Barrier, Thread

import msgspec

from qwicket.clients.native import wire

N_THREADS = 4
CONTENT = b'{"parts": [{"number": 1}]}'


def made(number: int) -> type[msgspec.Struct]:
    """Return a type that nothing has decoded yet."""
    part = msgspec.defstruct(f"Part{number}", [("number", int)])
    others = [(f"other_{k}", dict[str, part] | None, None) for k in range(20)]  # type: ignore[valid-type]  # a type made here
    return msgspec.defstruct(f"Body{number}", [("parts", list[part]), *others])  # type: ignore[valid-type]  # a type made here


TYPES = [made(number) for number in range(300)]
BARRIER = Barrier(N_THREADS)


def decode_all() -> None:
    for each in TYPES:
        BARRIER.wait(30)
        wire.decode(CONTENT, each)
        wire.convert({"parts": [{"number": 2}]}, each)


if __name__ == "__main__":
    sys.setswitchinterval(1e-6)  # so that threads interrupt each other within a type
    threads = [Thread(target=decode_all) for _ in range(N_THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
