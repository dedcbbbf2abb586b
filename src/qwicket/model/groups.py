"""Groups of jobs. A group may limit how many jobs it accepts and for how long.

It does not reserve a device.

Times are Unix milliseconds in UTC.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from qwicket.model.errors import NotFound

_QUOTED_CHARS: Final = 100
GroupState = Literal["open", "closed"]


class Group(msgspec.Struct, frozen=True):
    """A group of jobs: a session or a group of a vendor's API, or a group of the native API.

    Attributes:
        device: The only device of its jobs, or None for any.
        jobs_limit: Limit on its jobs; None means no limit.
        expires_at: Time after which it accepts no more jobs; None means never.
        body: Opaque vendor fields.
    """

    id: str
    seq: int
    account: str
    project: str
    dialect: str
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
    """A new group."""

    id: str
    account: str
    project: str
    dialect: str
    now: int
    device: str | None = None
    name: str = ""
    jobs_limit: int | None = None
    expires_at: int | None = None
    body: bytes = b"{}"


class ForwardedGroup(NamedTuple):
    """A group whose jobs are sent to another cloud.

    Attributes:
        id: Its id here.
        dialect: Its dialect.
        body: Its vendor fields.
        expires_at: As for `Group`.
        vendor_job_id: Id there of its newest job that was sent there; None if there is none.
    """

    id: str
    dialect: str
    body: bytes
    expires_at: int | None
    vendor_job_id: str | None


class GroupUse(NamedTuple):
    """Totals of a group's jobs: their number, the number of unfinished ones, their run time in ms.

    `started_at` is the earliest start of a job, `last_started_at` the latest start and
    `last_ended_at` the latest end; None if there is none yet. `cost` is the sum of the costs of
    ended jobs, `estimated_cost` that of the others, in millionths of a credit.
    """

    jobs: int
    unfinished: int
    run_ms: int
    started_at: int | None = None
    last_started_at: int | None = None
    last_ended_at: int | None = None
    cost: int = 0
    estimated_cost: int = 0


UNUSED: Final = GroupUse(0, 0, 0)
"""Totals of a group without jobs."""


def absent_group(id_text: str) -> NotFound:
    """Return the error of a submission to a group that does not exist, or is not the account's."""
    return NotFound(f"There is no group {id_text[:_QUOTED_CHARS]!r}.", field="group")
