"""Groups of jobs, on behalf of an actor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qwicket.gateway.refusals import no_device
from qwicket.gateway.retries import retry_until_known
from qwicket.model.accounts import Scope
from qwicket.model.errors import Forbidden, InvalidRequest, LimitExceeded, NotFound
from qwicket.model.groups import Group, GroupUse, NewGroup, absent_group
from qwicket.model.ids import new_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.model.accounts import Actor
    from qwicket.model.limits import Limits
    from qwicket.model.states import JobState
    from qwicket.store import Store


class JobGroups:
    """Open, read, close and cancel groups.

    An actor may read the groups of its account and of its account's projects; only the account that
    opened a group changes it. All other groups count as unknown, and so do groups whose device is
    outside the actor's token. A group without a device is open to all tokens of the account, but
    each token sees and cancels only the jobs on its own devices.
    """

    def __init__(self, store: Store, limits: Limits, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._limits = limits
        self._now_ms = now_ms

    async def open(
        self,
        actor: Actor,
        dialect: str,
        *,
        device: str | None = None,
        name: str = "",
        jobs_limit: int | None = None,
        life_s: float | None = None,
        body: bytes = b"{}",
    ) -> Group:
        """Open a group. At the limit on groups, the oldest closed one of the dialect is deleted.

        Args:
            actor: Owner of the group.
            dialect: The only dialect in which the group is visible.
            device: The only device of its jobs; by default any.
            name: A name for people.
            jobs_limit: Limit on its jobs; None sets none.
            life_s: Seconds after which it accepts no more jobs; None sets no end.
            body: Opaque vendor fields.

        Raises:
            NotFound: The device does not exist in this dialect.
            LimitExceeded: The name is too long, the life is too long or not positive, or the
                account has too many open groups of this dialect.
            InvalidRequest: `jobs_limit` is below 1, or the name is invalid.
            Forbidden: The actor may not submit, or not on this device.
            Conflict: It is unknown whether the group was opened.
        """
        actor.require(Scope.JOBS_WRITE)
        if device is not None:
            found = await self._store.devices.get(device)
            if found is None or dialect not in found.dialects:
                raise no_device(device, dialect, await self._store.devices.offered())
            actor.require_device(device)
        self._check(name, jobs_limit, life_s)
        now = self._now_ms()
        new = NewGroup(
            id=new_id(now),
            account=actor.account,
            project=actor.project,
            dialect=dialect,
            now=now,
            device=device,
            name=name,
            jobs_limit=jobs_limit,
            expires_at=None if life_s is None else now + int(1000 * life_s),
            body=body,
        )
        job_groups = self._store.job_groups
        return await retry_until_known(
            partial(
                job_groups.open,
                new,
                maximum=self._limits.quotas.groups,
                stored_limit=self._limits.quotas.stored,
            ),
            partial(job_groups.get, new.id),
        )

    def _check(self, name: str, jobs_limit: int | None, life_s: float | None) -> None:
        if len(name) > self._limits.requests.name_chars:
            raise LimitExceeded(
                f"name has {len(name)} characters, {self._limits.requests.name_chars} are allowed"
                " (limit name_chars).",
                field="name",
            )
        if "\0" in name:
            raise InvalidRequest("name must not contain the character NUL.", field="name")
        if jobs_limit is not None and jobs_limit < 1:
            raise InvalidRequest("jobs_limit must be at least 1.", field="jobs_limit")
        max_s = self._limits.quotas.group_life_s
        if life_s is not None and not 0 < life_s <= max_s:
            raise LimitExceeded(
                f"A group lives at most {max_s:g} s (limit group_life_s).",
                field="life_s",
            )

    async def get(self, actor: Actor, id_text: str, *, dialect: str | None = None) -> Group:
        """Return a group that this actor may read.

        Raises:
            NotFound: The group does not exist, the actor may not read it, or it is another
                dialect's; without distinction.
        """
        actor.require(Scope.JOBS_READ)
        return await self._find(actor, id_text, dialect)

    async def page(
        self, actor: Actor, dialect: str, *, before: int | None = None, limit: int = 50
    ) -> list[Group]:
        """Return the actor's own groups of a dialect, newest first, with a `seq` below `before`."""
        actor.require(Scope.JOBS_READ)
        return await self._store.job_groups.page(
            actor.account, dialect, before=before, limit=limit, devices=actor.devices
        )

    async def use(self, actor: Actor, group: Group) -> GroupUse:
        """Return the totals of the group's jobs that the actor sees."""
        return await self._store.job_groups.use(group.id, actor.devices)

    async def tally(self, actor: Actor, group: Group) -> dict[JobState, int]:
        """Return the number of the group's jobs that the actor sees, by displayed state."""
        return await self._store.job_groups.tally(group.id, actor.devices)

    async def check_joins(self, actor: Actor, group: str) -> None:
        """Refuse a submission to a group whose device is outside the actor's token.

        Raises:
            NotFound: As for `get`.
        """
        if actor.devices:
            await self.of_submission(actor, group)  # the operation that stores the job checks more

    async def of_submission(self, actor: Actor, group: str) -> Group:
        """Return the group of a submission.

        Raises:
            NotFound: As for `get`, with the field `group`.
        """
        try:
            return await self._find(actor, group, None)
        except NotFound:
            raise absent_group(group) from None

    async def close(self, actor: Actor, id_text: str, *, dialect: str | None = None) -> Group:
        """Close a group, which then accepts no more jobs. Its jobs continue.

        Raises:
            NotFound: As for `get`.
            Forbidden: The actor may read the group, but it belongs to another account.
        """
        group = await self._own(actor, id_text, dialect)
        return await self._store.job_groups.close(group.id, self._now_ms())

    async def annotate(self, actor: Actor, group: Group, body: bytes) -> Group:
        """Replace the vendor fields of a group that this actor has just read.

        Raises:
            NotFound: The group was deleted.
            Forbidden: The group belongs to another account.
        """
        await self._own(actor, group.id, group.dialect)
        return await self._store.job_groups.annotate(
            group.id, body, stored_limit=self._limits.quotas.stored
        )

    async def delete(self, actor: Actor, id_text: str, *, dialect: str | None = None) -> None:
        """Delete a group but not its jobs.

        Raises:
            NotFound: As for `get`.
            Forbidden: The actor may read the group, but it belongs to another account.
        """
        group = await self._own(actor, id_text, dialect)
        await self._store.job_groups.delete(group.id)

    async def cancel_all(
        self, actor: Actor, id_text: str, *, dialect: str | None = None
    ) -> list[str]:
        """Cancel a group's unfinished jobs that the actor sees; return their ids.

        Raises:
            NotFound: As for `get`.
            Forbidden: The actor may read the group, but it belongs to another account.
        """
        group = await self._own(actor, id_text, dialect)
        return await self._store.jobs.cancel_group(
            group.id, actor=actor.account, now=self._now_ms(), devices=actor.devices
        )

    async def _own(self, actor: Actor, id_text: str, dialect: str | None) -> Group:
        actor.require(Scope.JOBS_WRITE)
        group = await self._find(actor, id_text, dialect)
        if group.account != actor.account:
            raise Forbidden("Only the account that opened a group may do that.")
        return group

    async def _find(self, actor: Actor, id_text: str, dialect: str | None) -> Group:
        ref = parse_id(id_text)  # ids of groups look like those of jobs, but have no part
        group = await self._store.job_groups.visible(ref.job, actor.account) if ref else None
        if (
            group is None
            or ref is None
            or ref.part is not None
            or dialect not in (None, group.dialect)
        ):
            raise NotFound("There is no such group.")
        if group.device is not None and not actor.sees(group.device):
            raise NotFound("There is no such group.")
        return group
