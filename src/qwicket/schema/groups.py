"""Groups of jobs."""

from __future__ import annotations

from typing import Annotated

import msgspec

from qwicket.schema.base import INT64_MAX, Answer


class GroupBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/groups`: jobs that belong together.

    Attributes:
        name: For people.
        device: If given, the only device of its jobs.
        jobs_limit: How many jobs it may have.
        life_s: After how many seconds it takes no more jobs.
    """

    name: str = ""
    device: str | None = None
    jobs_limit: Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)] | None = None
    life_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


class GroupAnswer(Answer, frozen=True, kw_only=True):
    """A group of jobs.

    Attributes:
        id: What submissions name it by.
        name: As it was opened.
        state: Whether it takes jobs.
        device: The only device of its jobs, if it was opened for one.
        jobs_limit: How many jobs it may have.
        created_at: When it was opened.
        expires_at: When it takes no more jobs by itself.
        closed_at: When it was closed.
        jobs: How many it has, where one group was asked for.
        unfinished: How many of them have not ended.
        run_seconds: How long they ran.
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


class GroupList(Answer, frozen=True, kw_only=True):
    """A page of groups, the newest first.

    Attributes:
        groups: Those of this page.
        next: What `before` the following page is asked for with; null on the last.
    """

    groups: tuple[GroupAnswer, ...]
    next: int | None


class CancelledBody(Answer, frozen=True, kw_only=True):
    """What was cancelled of a group.

    Attributes:
        cancelled: Ids of its jobs.
    """

    cancelled: tuple[str, ...]
