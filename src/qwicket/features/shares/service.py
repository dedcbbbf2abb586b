"""Shares of jobs: with another account, or with anyone who has a link."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from qwicket.features.shares.store import ShareStore
from qwicket.gateway.retries import retry_until_known
from qwicket.gateway.signin import digest, is_secret, new_secret
from qwicket.model.accounts import Actor, Scope
from qwicket.model.errors import InvalidRequest, NotFound
from qwicket.model.ids import new_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.features.shares.model import JobShare
    from qwicket.gateway import Gateway
    from qwicket.gateway.jobs import Jobs
    from qwicket.gateway.signin import SignIn
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits
    from qwicket.store import Store


class NewLink(NamedTuple):
    """A link and its secret, which is shown once and never stored."""

    share: JobShare
    secret: str

    def __repr__(self) -> str:
        return f"NewLink(share={self.share!r}, secret='qw_…')"


class JobShares:
    """Shares of jobs of an actor's account.

    Args:
        store: The database.
        jobs: Finds the jobs that an actor may share.
        sign_in: Counts guessed secrets.
        limits: Bounds on shares.
        now_ms: Clock; returns Unix milliseconds.
    """

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> JobShares:
        """Return the service of a gateway."""
        return cls(gateway.store, gateway.jobs, gateway.auth, gateway.limits, gateway.now_ms)

    def __init__(
        self,
        store: Store,
        jobs: Jobs,
        sign_in: SignIn,
        limits: Limits,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._shares = store.feature(ShareStore)
        self._jobs = jobs
        self._sign_in = sign_in
        self._limits = limits
        self._now_ms = now_ms

    async def share_with(self, actor: Actor, id_text: str, name: str) -> JobShare:
        """Let an account read a job: its program, result and events. A repetition changes nothing.

        Args:
            actor: Owner of the job.
            id_text: Id of the job.
            name: Name or e-mail address of the account.

        Raises:
            NotFound: There is no such job or account.
            Forbidden: The job is readable, but belongs to another account.
            InvalidRequest: The account is the owner's own.
            LimitExceeded: The owner has too many shares.
            Conflict: It is unknown whether the share was stored.
        """
        job = await self._own(actor, id_text)
        found = await self._account(name)
        if found is None:
            raise NotFound(f"There is no account {name[:100]!r}.", field="account")
        if found == actor.account:
            raise InvalidRequest("The job is your own: name another account.", field="account")
        return await self._add(job, account=found)

    async def share_by_link(self, actor: Actor, id_text: str, life_s: int) -> NewLink:
        """Make a link with which anyone may read a job and its result until it expires.

        Args:
            actor: Owner of the job.
            id_text: Id of the job.
            life_s: Seconds until the link expires.

        Raises:
            NotFound: There is no such job.
            Forbidden: The job is readable, but belongs to another account.
            LimitExceeded: The owner has too many shares.
            Conflict: It is unknown whether the share was stored.
        """
        job = await self._own(actor, id_text)
        secret = new_secret()
        share = await self._add(
            job, digest=digest(secret), expires_at=self._now_ms() + 1000 * life_s
        )
        return NewLink(share, secret)

    async def of(self, actor: Actor, id_text: str | None = None) -> list[JobShare]:
        """Return the shares of the actor's jobs, or of one of them, oldest first.

        Raises:
            NotFound: There is no such job.
            Forbidden: The job is readable, but belongs to another account.
        """
        actor.require(Scope.JOBS_READ)
        job = None
        if id_text is not None:
            job = await self._jobs.own(actor, id_text, None, "list the shares of")
        found = await self._shares.of_owner(actor.account, job.id if job else None)
        return [each for each in found if actor.sees(each.device)]

    async def remove(self, actor: Actor, share: str) -> None:
        """End a share.

        Raises:
            NotFound: The account has no such share.
        """
        actor.require(Scope.JOBS_WRITE)
        if parse_id(share) is None:
            raise NotFound("There is no such share.")
        found = await self._shares.get(share, actor.account)
        if not actor.sees(found.device):
            raise NotFound("There is no such share.")
        await self._shares.remove(share, actor.account)

    async def by_secret(self, secret: str, address: str) -> tuple[Job, Actor]:
        """Return the job of a link, and an actor without rights that stands for the job's owner.

        The response counts against the owner's memory budget. The look-up is by the secret's hash,
        so the time that it takes reveals nothing about the secret.

        Raises:
            NotFound: There is no such link, it has expired, or the owner's account is disabled;
                without distinction.
            TooManyRequests: There is no such link, and many other secrets from this address were
                wrong, too.
        """
        job = None
        if is_secret(secret):
            job = await self._shares.job_of_link(digest(secret), self._now_ms())
            if job is None:
                self._sign_in.count_wrong(address)
        if job is None:
            raise NotFound("There is no such link, or it has expired.")
        owner = Actor(
            account=job.account,
            account_name="",
            role="member",
            project=job.project,
            token="",
            scopes=frozenset(),
            devices=frozenset(),
        )
        return job, owner

    async def _own(self, actor: Actor, id_text: str) -> Job:
        actor.require(Scope.JOBS_WRITE)
        return await self._jobs.own(actor, id_text, None, "share")

    async def _account(self, name: str) -> str | None:
        try:
            account = await self._store.accounts.by_name(name)
        except NotFound:
            return None
        return None if account.deleted_at else account.id

    async def _add(
        self,
        job: Job,
        *,
        account: str | None = None,
        digest: bytes | None = None,
        expires_at: int | None = None,
    ) -> JobShare:
        now = self._now_ms()
        share = new_id(now)
        add = partial(
            self._shares.add,
            share,
            job=job.id,
            owner=job.account,
            now=now,
            account=account,
            digest=digest,
            expires_at=expires_at,
            maximum=self._limits.quotas.job_shares,
        )
        return await retry_until_known(add, partial(self._found, share, job.account))

    async def _found(self, share: str, owner: str) -> JobShare | None:
        try:
            return await self._shares.get(share, owner)
        except NotFound:
            return None
