"""The state of an installation, for those who operate it: what waits, what failed, what is away."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.gateway.job_admin import MAX_COUNTED
from qwicket.model.limits import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.compute import Cluster
    from qwicket.model.jobs import Runner
    from qwicket.store import Store
    from qwicket.store.maintenance import DatabaseSize

HOUR_MS: Final = 3_600_000
BACKUP_NOTED: Final = "note_backup"
"""Action of the audit's entries for backups."""


class DeviceQueue(NamedTuple):
    """Jobs of a device.

    Attributes:
        device: Its name.
        waiting: Number of waiting jobs that are not held.
        running: Number of claimed jobs that have not ended.
        oldest_at: Since when the oldest of them waits, in Unix milliseconds; None if none waits, or
            if it is not among the oldest 10,000 unfinished jobs of all devices.
        is_on: Whether the device starts jobs.
    """

    device: str
    waiting: int
    running: int
    oldest_at: int | None
    is_on: bool


class Elsewhere(NamedTuple):
    """A device that an agent or another cloud serves.

    Attributes:
        device: Its name.
        is_there: Whether it is served now.
        seen_at: Unix milliseconds of the last sign of life; None if there was none.
    """

    device: str
    is_there: bool
    seen_at: int | None


class Disk(NamedTuple):
    """Disk of the folder with the embedded database, in bytes."""

    free_bytes: int
    total_bytes: int


class ClusterState(NamedTuple):
    """Cluster of the server that answers.

    Attributes:
        is_connected: Whether its scheduler responds.
        slots: Jobs that can run there at the same time.
    """

    is_connected: bool
    slots: int


class OverviewState(NamedTuple):
    """State of an installation at one time.

    Attributes:
        at: The time in Unix milliseconds.
        queues: Devices with waiting or running jobs, those with the most waiting ones first.
        failed: Numbers of jobs that failed in the last hour, by device and code, most first.
        refused: Number of refused sign-ins of the last hour.
        elsewhere: Devices that agents or other clouds serve, those that are away first.
        runners: Servers, agents, workers and scalers.
        cluster: The cluster of the server that answers; None without one.
        database: Kind and size of the database.
        disk: Disk of an embedded database.
        backed_up_at: When the last backup was made that is known.
    """

    at: int
    queues: Sequence[DeviceQueue]
    failed: Sequence[tuple[str, str, int]]
    refused: int
    elsewhere: Sequence[Elsewhere]
    runners: Sequence[Runner]
    cluster: ClusterState | None
    database: DatabaseSize
    disk: Disk | None
    backed_up_at: int | None

    @property
    def oldest_at(self) -> int | None:
        """Since when the oldest waiting job of all devices waits."""
        return min((each.oldest_at for each in self.queues if each.oldest_at), default=None)

    @property
    def slots(self) -> int:
        """Number of jobs of simulated devices that can run at the same time."""
        return sum(each.slots for each in self.runners if each.device is None)


async def read(store: Store, now_ms: Callable[[], int], cluster: Cluster | None) -> OverviewState:
    """Return the state of an installation."""
    now = now_ms()
    devices = await store.devices.all()
    conditions = await store.devices.conditions(devices, now)
    names = [each.name for each in devices if each.name in conditions]
    depths = await store.queues.depths(names)
    oldest = await store.jobs.oldest_waiting(MAX_COUNTED)
    queues = [
        DeviceQueue(name, *depths[name], oldest.get(name), conditions[name].status.is_on)
        for name in names
        if any(depths[name])
    ]
    elsewhere = [
        Elsewhere(name, bool(presence.agents), presence.seen_at)
        for name in names
        if (presence := conditions[name].presence) is not None
    ]
    refusals = await store.maintenance.refusals(INT64_MAX, MAX_COUNTED)
    found, _ = await store.audit.search(INT64_MAX, "", BACKUP_NOTED, 1)
    usage = None if store.folder is None else shutil.disk_usage(store.folder)
    return OverviewState(
        at=now,
        queues=sorted(queues, key=lambda each: -each.waiting),
        failed=await store.jobs.tally_failed(now - HOUR_MS, MAX_COUNTED),
        refused=sum(number for minute, _, number in refusals if minute >= now - HOUR_MS),
        elsewhere=sorted(elsewhere, key=lambda each: each.is_there),
        runners=await store.leases.runners(),
        cluster=None if cluster is None else ClusterState(cluster.is_connected, cluster.slots),
        database=await store.maintenance.size(),
        disk=None if usage is None else Disk(usage.free, usage.total),
        backed_up_at=found[0].at if found else None,
    )
