"""Bodies of the API for scalers: processes that start workers on other machines."""

from __future__ import annotations

from typing import Annotated

import msgspec

from qwicket.schema.base import INT64_MAX, ResponseBody, ShortText


class ScalerBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/scalers/{name}/demand`.

    Attributes:
        group: Name of the scalers of which one is active, and with which the names of their
            workers begin.
        memory_bytes: Memory of one job in its workers; null counts all waiting jobs.
    """

    group: ShortText
    memory_bytes: Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)] | None = None


class DemandBody(ResponseBody, frozen=True, kw_only=True):
    """Work that waits for workers on other machines.

    Attributes:
        is_active: Whether this scaler is the one of its group that starts workers.
        jobs: Number of waiting jobs that fit into a worker's memory.
        slots: Number of further slots that this work is worth.
        workers: Number of workers of the group that are connected.
    """

    is_active: bool
    jobs: int
    slots: int
    workers: int
