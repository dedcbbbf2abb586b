"""Records: documents that a client merely registers. They never enter the queue."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True):
    """One document. `key` is its natural key within account and door; times are Unix ms."""

    id: str
    seq: int
    account: str
    door: str
    key: str
    body: bytes
    created_at: int
    updated_at: int
