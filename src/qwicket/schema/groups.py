"""Bodies of the API for groups of jobs."""

from __future__ import annotations

from typing import Annotated

import msgspec

from qwicket.schema.base import INT64_MAX, ResponseBody


class OpenGroupBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/groups`: jobs that belong together.

    Attributes:
        name: Name for users.
        device: The only device that its jobs may use; null for any.
        jobs_limit: Limit on the number of its jobs; null without one.
        life_s: Time in seconds after which it accepts no more jobs; null without an end.
    """

    name: str = ""
    device: str | None = None
    jobs_limit: Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)] | None = None
    life_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


class GroupBody(ResponseBody, frozen=True, kw_only=True):
    """A group of jobs.

    Attributes:
        id: Id of the group, for submissions.
        name: Name for users.
        state: `open` until it is closed, also after `expires_at`; then `closed`.
        device: The only device that its jobs may use; null for any.
        jobs_limit: Limit on the number of its jobs; null without one.
        created_at: Time of its creation.
        expires_at: Time after which it accepts no more jobs; null without one.
        closed_at: Time when it was closed; null until then.
        jobs: Number of its jobs; absent in lists.
        unfinished: Number of its jobs that have not ended; absent in lists.
        run_seconds: Total run time of its jobs in seconds; absent in lists.
    """

    id: str
    name: str
    state: str
    device: str | None
    jobs_limit: int | None
    created_at: str | None
    expires_at: str | None
    closed_at: str | None
    jobs: int | msgspec.UnsetType = msgspec.UNSET
    unfinished: int | msgspec.UnsetType = msgspec.UNSET
    run_seconds: float | msgspec.UnsetType = msgspec.UNSET


class GroupList(ResponseBody, frozen=True, kw_only=True):
    """A page of groups, the newest first.

    Attributes:
        groups: Groups of this page.
        next: Value of `before` that requests the next page; null on the last page.
    """

    groups: tuple[GroupBody, ...]
    next: int | None


class CancelledBody(ResponseBody, frozen=True, kw_only=True):
    """Cancelled jobs of a group.

    Attributes:
        cancelled: Ids of the cancelled jobs.
    """

    cancelled: tuple[str, ...]
