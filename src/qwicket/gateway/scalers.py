"""Operations for scalers: processes that start workers on other machines when jobs wait."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.gateway.projects_of_workers import ProjectsOfWorkers
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest
from qwicket.model.jobs import Runner, scaler_duty, worker_group
from qwicket.model.limits import INT64_MAX
from qwicket.scheduling.cluster_size import tasks_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.model.accounts import Actor
    from qwicket.store import Store

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_MAX_JOBS: Final = 5_000
"""Jobs of a device that are added up; more would not change the number of workers."""


class Demand(NamedTuple):
    """Waiting work, and who does it.

    Attributes:
        is_active: Whether this scaler is the one of its group that starts workers.
        jobs: Number of waiting jobs that fit into a worker's memory.
        slots: Number of further slots that this work needs.
        workers: Number of workers of the group that are connected.
        connections: Number that rises when a worker of the group connects, or another scaler
            becomes active.
    """

    is_active: bool
    jobs: int
    slots: int
    workers: int
    connections: int


class Scalers:
    """Reports the waiting work to scalers, and makes one of each group the active one.

    Args:
        store: The database.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._projects = ProjectsOfWorkers(store)

    async def demand(
        self,
        actor: Actor,
        name: str,
        group: str,
        memory_bytes: int | None,
        *,
        above_bytes: int = 0,
        projects: tuple[str, ...] = (),
        except_projects: tuple[str, ...] = (),
    ) -> Demand:
        """Return the work that waits for simulated devices.

        The scaler counts as alive for the lease time. The first scaler of a group is active;
        another becomes active when that one leaves or dies.

        Args:
            actor: Its token has the scope `compute:serve`.
            name: Name of the scaler, unique within the account.
            group: Name of its group, with which the names of its workers begin.
            memory_bytes: Memory in its workers for one job, in bytes; None counts all waiting jobs.
            above_bytes: Memory up to which waiting jobs are not counted.
            projects: Names of the projects whose jobs its workers take; empty means all.
            except_projects: Names of those whose jobs they do not take.

        Raises:
            InvalidRequest: A name is invalid, or there is no such project.
        """
        scaler = _runner_id(actor, name)
        _check_name(group, "group")
        taken = await self._projects.named(projects, except_projects)
        leases, now = self._store.leases, self._now_ms()
        runner = Runner(id=scaler, kind="scaler", beat=0, slots=0)
        await asyncio.wrap_future(leases.record_heartbeat(runner, now))
        own = f"{actor.account}/{group}"
        duty = scaler_duty(own)
        is_active = await self._store.maintenance.take_duty(duty, scaler)
        # Before the workers are read: a worker that connects meanwhile is counted by the next call.
        connections = await self._store.maintenance.duty_fence(duty)
        devices = [
            each.name
            for each in await self._store.devices.all()
            if each.is_simulated and actor.sees(each.name)
        ]
        with_work = (await leases.claimable(now)).devices
        waiting = await self._store.queues.waiting_work(
            [each for each in devices if each in with_work],
            maximum=_MAX_JOBS,
            memory_bytes=memory_bytes or INT64_MAX,
            above_bytes=above_bytes or -1,
            projects=taken,
        )
        workers = sum(
            each.kind == "pilot" and worker_group(each.id) == own for each in await leases.runners()
        )
        slots = tasks_for(waiting.jobs, waiting.seconds)
        return Demand(is_active, waiting.jobs, slots, workers, connections)

    async def leave(self, actor: Actor, name: str) -> None:
        """Delete a scaler that ends, so that another one of its group becomes active.

        Raises:
            InvalidRequest: Its name is invalid.
        """
        await self._store.leases.void_runner(_runner_id(actor, name), self._now_ms())


def _runner_id(actor: Actor, name: str) -> str:
    """Return the id of a scaler's runner. No pilot has it, because a pilot's name has no colon.

    Raises:
        Forbidden: The token lacks the scope `compute:serve`.
        InvalidRequest: The name is invalid.
    """
    actor.require(Scope.COMPUTE_SERVE)
    _check_name(name, "name")
    return f"{actor.account}/scaler:{name}"


def _check_name(name: str, field: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{field}: must be 1 to 40 of A-Z, a-z, 0-9, '.', '_' and '-', and begin with a letter"
            f" or digit; not {name[:100]!r}.",
            field=field,
        )
