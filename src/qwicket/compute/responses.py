"""Transport form of results between an engine's process and the server, and its validation."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.compute.failures import InvalidResponse
from qwicket.model.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

_HASHED_AT_ONCE_BYTES: Final = 64 << 10
"""Larger results are hashed in a thread, so the event loop is not blocked."""


class Part(NamedTuple):
    """Transport form of `Encoded`, because a msgspec union may contain only one untagged struct."""

    body: bytes
    sha256: bytes


JobResponse = tuple[tuple[Part | Failure, ...], float]
"""For each circuit of one job its part or failure, and the seconds that the job ran."""


async def validate_results(response: Sequence[JobResponse], n_jobs: int) -> list[RunResult]:
    """Validate and return the result of each job.

    Large bodies are stored under their digest, which equal bodies share, so a wrong digest would
    replace another job's result.

    Raises:
        InvalidResponse: There is not one result per job, or a digest is not that of its body.
    """
    if sum(map(_size, response)) <= _HASHED_AT_ONCE_BYTES:
        return validated(response, n_jobs)
    return await asyncio.to_thread(validated, response, n_jobs)


def _size(response: JobResponse) -> int:
    return sum(len(part.body) for part in response[0] if isinstance(part, Part))


def validated(response: Sequence[JobResponse], n_jobs: int) -> list[RunResult]:
    """Validate and return the result of each job, as `validate_results` does, on this thread."""
    if len(response) != n_jobs:
        raise InvalidResponse(0)
    return [RunResult(tuple(map(_encoded, parts)), seconds) for parts, seconds in response]


def _encoded(part: Part | Failure) -> Encoded | Failure:
    if isinstance(part, Failure):
        return part
    if hashlib.sha256(part.body).digest() != part.sha256:
        raise InvalidResponse(0)
    return Encoded(*part)
