"""Sessions: groups of jobs with limits on their number and their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from qwicket.dialects.bodies import decode
from qwicket.dialects.times import format_time

if TYPE_CHECKING:
    from qwicket.model.groups import Group, GroupUse
    from qwicket.model.limits import Limits

ORGANIZATION: Final = "qwicket"


class CostLimit(msgspec.Struct, frozen=True):
    """Limit on cost: stored and returned, but not enforced."""

    unit: Annotated[str, msgspec.Meta(max_length=16)]
    value: Annotated[float, msgspec.Meta(ge=0, le=1e15)]


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    job_count_limit: Annotated[int, msgspec.Meta(ge=1, le=1 << 53)] | None = None
    duration_limit_min: Annotated[float, msgspec.Meta(gt=0, le=1e15)] | None = None
    cost_limit: CostLimit | None = None


class OpenBody(msgspec.Struct, frozen=True):
    """`POST /sessions`."""

    backend: str
    settings: Settings | None = None


_open_decoder: Final = msgspec.json.Decoder(OpenBody, strict=False)  # numbers may be texts


def opening(text: bytes, _: Limits) -> OpenBody:
    """Return the body of a request that opens a session."""
    return decode(text, _open_decoder)


def encoded_settings(settings: Settings) -> bytes:
    """Return settings as they are stored with a session's group."""
    return msgspec.json.encode(settings)


def session(group: Group, use: GroupUse, now: int) -> dict[str, Any]:
    """Return a session. A session starts with its first job, and ends when closed or expired."""
    is_active = group.is_open(now)
    ended_at = group.closed_at if is_active else group.closed_at or group.expires_at
    status = "ended" if not is_active else "started" if use.started_at else "created"
    settings = msgspec.json.decode(group.body)
    if group.expires_at is not None:
        settings["expires_at"] = format_time(group.expires_at)
    return {
        "id": group.id,
        "created_at": format_time(group.created_at),
        "organization_id": ORGANIZATION,
        "backend": group.device,
        "project_id": group.project,
        "creator_id": group.account,
        "started_at": format_time(use.started_at),
        "ended_at": format_time(ended_at),
        "ender_id": group.account if group.closed_at is not None else None,
        "settings": settings,
        "active": is_active,
        "status": status,
        "state": status,  # qiskit-ionq reads this
        "usage_time": round(use.run_ms / 1000, 3),
    }
