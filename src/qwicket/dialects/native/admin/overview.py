"""The state of an installation for administrators, and notes of backups."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.responses import Response

from qwicket.dialects.native.wire import iso_time
from qwicket.dialects.responses import json
from qwicket.gateway import overview
from qwicket.model.jobs import runner_name
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor


async def read_overview(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Read what waits, what failed, what is away, and how large the database is."""
    admin = access.admin
    found = await overview.read(admin.store, admin.now_ms, access.cluster)
    disk, cluster = found.disk, found.cluster
    return json(
        schema.OverviewBody(
            version=version("qwicket"),
            at=iso_time(found.at) or "",
            oldest_at=iso_time(found.oldest_at),
            queues=tuple(
                schema.DeviceQueueBody(
                    device=each.device,
                    waiting=each.waiting,
                    running=each.running,
                    oldest_at=iso_time(each.oldest_at),
                    is_on=each.is_on,
                )
                for each in found.queues
            ),
            failed=tuple(
                schema.FailedJobsBody(device=device, code=code, number=number)
                for device, code, number in found.failed
            ),
            refused_sign_ins=found.refused,
            elsewhere=tuple(
                schema.ElsewhereBody(
                    device=each.device,
                    is_there=each.is_there,
                    last_seen_at=iso_time(each.seen_at),
                )
                for each in found.elsewhere
            ),
            runners=tuple(
                schema.RunnerBody(
                    name=runner_name(each.id),
                    kind=each.kind,
                    device=each.device,
                    slots=each.slots,
                )
                for each in found.runners
            ),
            slots=found.slots,
            cluster=None if cluster is None else schema.ClusterBody(**cluster._asdict()),
            database=found.database.version,
            database_bytes=found.database.size_bytes,
            database_free_bytes=found.database.free_bytes,
            disk_free_bytes=None if disk is None else disk.free_bytes,
            disk_bytes=None if disk is None else disk.total_bytes,
            backed_up_at=iso_time(found.backed_up_at),
        )
    )


async def note_backup(
    access: Access, actor: Actor, request: Request[schema.BackupBody]
) -> Response:
    """Note in the audit that a backup was made; the overview shows its age."""
    await access.admin.store.audit.note()
    return Response(status_code=204)
