"""Groups: jobs sent together. A group may limit number and time; it gives no exclusive device.

Times are Unix milliseconds in UTC.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

GroupState = Literal["open", "closed"]


class Group(msgspec.Struct, frozen=True):
    """An IonQ session, a qBraid group, a Runtime session.

    Attributes:
        device: The only device of its jobs, or None for any.
        jobs_limit: Most jobs that it takes, None for any number.
        expires_at: When it takes no more jobs, None for never.
        body: What only its door's vendor needs, opaque.
    """

    id: str
    seq: int
    account: str
    project: str
    door: str
    device: str | None
    name: str
    state: GroupState
    jobs_limit: int | None
    created_at: int
    expires_at: int | None
    closed_at: int | None
    body: bytes

    def is_open(self, now: int) -> bool:
        return self.state == "open" and (self.expires_at is None or now < self.expires_at)


class NewGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group about to be opened."""

    id: str
    account: str
    project: str
    door: str
    now: int
    device: str | None = None
    name: str = ""
    jobs_limit: int | None = None
    expires_at: int | None = None
    body: bytes = b"{}"


class GroupUse(NamedTuple):
    """What the jobs of a group came to: their number, those not ended, their run time.

    `started_at` is when the first of them began, None as long as none has.
    """

    jobs: int
    unfinished: int
    run_ms: int
    started_at: int | None = None
