"""Shares of jobs: who else may read a job."""

from __future__ import annotations

import msgspec


class JobShare(msgspec.Struct, frozen=True, kw_only=True):
    """A share of one job.

    Attributes:
        id: Id of the share.
        job: Id of the job.
        device: Device of the job.
        account_name: Name of the account that may read the job; None for a link.
        created_at: Unix milliseconds.
        expires_at: Unix milliseconds of the end of a link; None for an account.
    """

    id: str
    job: str
    device: str
    account_name: str | None
    created_at: int
    expires_at: int | None
