"""For clients that cannot be told when to try again.

They give up where waiting helps, and repeat what must not be done twice.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.model.errors import Conflict, TooManyRequests, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_READERS_WAIT_S: Final = 20.0
"""Less than the 30 s after which the least patient of clients give up."""
_READERS_PAUSE_S: Final = 0.1


async def patiently(read: Callable[[], Awaitable[T]]) -> T:
    """Return what `read` returns once the readers of programs have room for one more.

    Raises:
        TooManyRequests: They have none for a long time, or something else is too much.
    """
    deadline = time.monotonic() + _READERS_WAIT_S
    while True:
        try:
            return await read()
        except TooManyRequests as crowd:
            if crowd.field != "program" or time.monotonic() > deadline:
                raise
        await asyncio.sleep(_READERS_PAUSE_S)


async def insist(write: Callable[[], Awaitable[T]], find: Callable[[], Awaitable[T | None]]) -> T:
    """Return what `write` stores. Should its answer be lost, look for it, and write again.

    Args:
        write: Stores something under an id that is chosen already.
        find: Returns it, or None when it is not there.

    Raises:
        Conflict: Nobody can tell whether it was stored. Of a 503 clients would repeat the request,
            and so store it under another id once more.
    """
    try:
        return await write()
    except Unavailable:
        pass
    try:
        found = await find()
        return await write() if found is None else found
    except Unavailable as silence:
        detail = f"Whether this was stored is not known: {silence.detail}"
        raise Conflict(f"{detail} Look before you send it again.") from None
