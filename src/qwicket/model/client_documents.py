"""Documents that clients register. They never enter the queue."""

from __future__ import annotations

import msgspec


class ClientDocument(msgspec.Struct, frozen=True):
    """One document. `key` is its natural key within account and dialect; times are Unix ms."""

    id: str
    seq: int
    account: str
    dialect: str
    key: str
    body: bytes
    created_at: int
    updated_at: int
