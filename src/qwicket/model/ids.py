"""Ids of jobs and other objects: UUIDv7 whose low 16 bits are zero.

Part *k* of a job, from 0, has the id ``id + k + 1``, so parts need no rows: arithmetic on an id
gives the job and the part.
"""

from __future__ import annotations

import uuid
from typing import Final, NamedTuple

from qwicket.model.random_bits import random_bits

PART_BITS: Final = 16
MAX_PARTS: Final = (1 << PART_BITS) - 1
"""Number of parts that can have ids; as a mask, it selects the bits of a part's number."""

_LOW_BITS: Final = 62 - PART_BITS
_TEXT_LENGTH: Final = 36


class JobRef(NamedTuple):
    """Target of an id: a job, or one of its parts (counted from 0)."""

    job: str
    part: int | None


def new_id(now_ms: int) -> str:
    """Return a fresh id that sorts by time.

    Args:
        now_ms: Unix time in milliseconds, 0 ≤ now_ms < 2^48.

    Source: RFC 9562, section 5.7.
    """
    random_high, random_low = divmod(random_bits(12 + _LOW_BITS), 1 << _LOW_BITS)
    random_low <<= PART_BITS
    value = (now_ms & (1 << 48) - 1) << 80 | 0x7 << 76 | random_high << 64 | 0b10 << 62 | random_low
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def created_ms(id: str) -> int:
    """Return the time in an id, in Unix milliseconds."""
    return int(id.replace("-", "")[:12], 16)


def part_id(job: str, part: int) -> str:
    """Return the id of part `part` (from 0) of `job`."""
    return str(uuid.UUID(int=uuid.UUID(job).int + part + 1))


def parse_id(text: str) -> JobRef | None:
    """Return the target of an id, or None if `text` is not a valid id."""
    if len(text) != _TEXT_LENGTH:
        return None
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    if value.version != 7 or str(value) != text.lower():
        return None
    part = value.int & MAX_PARTS
    job = str(uuid.UUID(int=value.int - part))
    return JobRef(job, part - 1 if part else None)
