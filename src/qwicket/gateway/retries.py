"""Retries on behalf of clients that ignore `Retry-After`.

Such clients fail on 429, where waiting would help, and repeat writes that may have succeeded.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar

from qwicket.model.errors import Conflict, TooManyRequests, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_PARSER_WAIT_S: Final = 20.0
"""Less than 30 s, the shortest timeout of such clients."""
_PARSER_PAUSE_S: Final = 0.1


async def wait_for_capacity(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call until a parser is free for it, and return its result.

    Raises:
        TooManyRequests: No parser became free in time, or another limit is exceeded.
    """
    deadline = time.monotonic() + _PARSER_WAIT_S
    while True:
        try:
            return await call()
        except TooManyRequests as error:
            # Only a full parser queue names this field.
            if error.field != "program" or time.monotonic() > deadline:
                raise
        await asyncio.sleep(_PARSER_PAUSE_S)


async def retry_until_known(
    write: Callable[[], Awaitable[T]], find: Callable[[], Awaitable[T | None]]
) -> T:
    """Write; if the outcome is unknown, look for the row, and write again if it is missing.

    The first write may still run during this search, and be committed before the second one. The
    second one then fails, because its id is taken or a limit is reached, so the row is looked for
    again.

    Args:
        write: Stores a row under an id chosen beforehand.
        find: Returns the row, or None if it is missing.

    Raises:
        Conflict: The outcome stays unknown. Clients would repeat a 503, and so store the same
            content under another id.
    """
    try:
        return await write()
    except Unavailable:
        pass
    try:
        found = await find()
        if found is not None:
            return found
        try:
            return await write()
        except Exception:
            found = await find()
            if found is None:
                raise
            return found
    except Unavailable as error:
        detail = f"It is unknown whether this was stored: {error.detail}"
        raise Conflict(f"{detail} Check before you send it again.") from None
