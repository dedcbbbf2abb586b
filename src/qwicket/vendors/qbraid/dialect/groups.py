"""Groups of jobs in qBraid's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from qwicket.dialects.bodies import decode
from qwicket.dialects.times import format_time
from qwicket.model.budgets import MICRO
from qwicket.model.states import JobState
from qwicket.vendors.qbraid.dialect import ids
from qwicket.vendors.qbraid.dialect.submissions import document
from qwicket.vendors.qbraid.dialect.wire import EMPTY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.groups import Group, GroupUse
    from qwicket.model.limits import Limits

STATUSES: Final = ("OPEN", "CLOSED", "COMPLETED", "FAILED", "CANCELLED")
_DEFAULT_LIFE_S: Final = 3_600
_LifeS = Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class OpenBody(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /jobs/group`."""

    name: str | None = None
    tags: msgspec.Raw = EMPTY
    metadata: msgspec.Raw = EMPTY
    life_s: _LifeS | None = msgspec.field(default=None, name="maxTTL")


class GroupFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields of a group for qBraid's clients alone; stored with the group."""

    tags: msgspec.Raw = EMPTY
    metadata: msgspec.Raw = EMPTY
    life_s: int = _DEFAULT_LIFE_S
    is_cancelled: bool = False


class Opening(msgspec.Struct, frozen=True):
    """A group that is to be opened, with its vendor fields as JSON."""

    name: str
    life_s: int
    body: bytes


_decoder: Final = msgspec.json.Decoder(OpenBody)
_group_fields_decoder: Final = msgspec.json.Decoder(GroupFields)


def opening(text: bytes, limits: Limits) -> Opening:
    """Return the group that a body requests.

    Raises:
        InvalidRequest: A field is wrong.
        LimitExceeded: The tags or the metadata are too large or nested too deeply.
    """
    body = decode(text or b"{}", _decoder)
    fields = GroupFields(
        tags=document(body.tags, "tags", limits),
        metadata=document(body.metadata, "metadata", limits),
        life_s=body.life_s or _DEFAULT_LIFE_S,
    )
    return Opening(body.name or "", fields.life_s, msgspec.json.encode(fields))


def mark_cancelled(group: Group) -> bytes:
    """Return the vendor fields of a group, changed to say that its user has cancelled it."""
    return msgspec.json.encode(msgspec.structs.replace(_group_fields(group), is_cancelled=True))


def status(group: Group, tally: Mapping[JobState, int], now: int) -> str:
    """Return the status of a group. A CLOSED group takes no more jobs and has unfinished ones."""
    if _group_fields(group).is_cancelled:
        return "CANCELLED"
    if group.is_open(now):
        return "OPEN"
    if any(not state.is_final for state in tally):
        return "CLOSED"
    if JobState.FAILED in tally:
        return "FAILED"
    return "CANCELLED" if JobState.CANCELLED in tally else "COMPLETED"


def body(group: Group, tally: Mapping[JobState, int], use: GroupUse, now: int) -> dict[str, Any]:
    """Return a group's document.

    Args:
        group: The group.
        tally: Number of its jobs in each state.
        use: Totals of its jobs.
        now: Unix milliseconds.
    """
    fields = _group_fields(group)
    return {
        "groupJobQrn": ids.group_qrn(group.id),
        "name": group.name or None,
        "status": status(group, tally, now),
        "jobCount": sum(tally.values()),
        "completedCount": tally.get(JobState.COMPLETED, 0),
        "failedCount": tally.get(JobState.FAILED, 0),
        "cancelledCount": tally.get(JobState.CANCELLED, 0),
        "totalEstimatedCost": (use.cost + use.estimated_cost) / MICRO,
        "totalCost": use.cost / MICRO,
        "timeStamps": {
            "createdAt": format_time(group.created_at),
            "endedAt": format_time(_closed_at(group, now)),
            "executionDuration": None,
        },
        "maxTTL": fields.life_s,
        "tags": fields.tags,
        "metadata": fields.metadata,
    }


def _closed_at(group: Group, now: int) -> int | None:
    """Return when a group was closed or expired; None if it takes jobs."""
    if group.closed_at is not None:
        return group.closed_at
    return None if group.is_open(now) else group.expires_at


def _group_fields(group: Group) -> GroupFields:
    return _group_fields_decoder.decode(group.body)
