"""Administration: accounts, projects, tokens, providers, status of devices."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from qwicket.gateway import access_tokens
from qwicket.gateway.account_admin import AccountAdmin
from qwicket.gateway.job_admin import JobAdmin
from qwicket.gateway.refusals import existing_device
from qwicket.gateway.signin import digest, new_secret
from qwicket.gateway.tokens import NewToken, token_name
from qwicket.model.accounts import (
    ADMIN_SCOPES,
    DEFAULT_SCOPES,
    Account,
    Project,
    Scope,
    Token,
    check_name,
    check_project_name,
)
from qwicket.model.budgets import DAY_MS
from qwicket.model.devices import Device, DeviceStatus, Presence, Provider, check_device_name
from qwicket.model.errors import Forbidden, InvalidRequest, NotFound
from qwicket.model.ids import new_id
from qwicket.model.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.gateway.job_admin import JobWithNames
    from qwicket.gateway.key_pairs import KeyPairs
    from qwicket.gateway.usage import Usage
    from qwicket.model.accounts import Actor, Member, MemberRole
    from qwicket.model.bounds import Bounds
    from qwicket.model.jobs import JobQuery, Runner
    from qwicket.store.accounts import ListedProject, ListedProjects
    from qwicket.store.audit import AuditEntry, Verification

_MAX_LINE_CHARS: Final = 200
_MAX_SHARES: Final = 1_000_000
_TOO_LATE_MS: Final = 253_370_764_800_000
"""Start of the year 9999, in Unix ms. Lists of devices cannot write times after that year."""


class DeviceSlots(NamedTuple):
    """Slots of a device.

    Attributes:
        device: Name of the device.
        slots: Number of jobs that it can run at the same time; 0 while it is off or away.
        taken: Number of jobs that wait or run there, or on devices that share the slots, and whose
            clients named no job of Slurm. It may be higher than `slots`.
    """

    device: str
    slots: int
    taken: int


class Admin(AccountAdmin, JobAdmin):
    """Administration with access to the data folder or the database, or with an admin token."""

    async def add_project(self, name: str, *, shares: int = 1) -> Project:
        """Create a project without members, below another one if its name has slashes.

        Raises:
            InvalidRequest: The name or the number of shares is invalid.
            Conflict: The name is in use, or the project above is an account's own.
            NotFound: There is no project above it.
        """
        check_project_name(name)
        return await self.store.accounts.add_project(name, _shares(shares), self.now_ms())

    async def projects(self) -> list[Project]:
        return await self.store.accounts.projects()

    async def find_projects(
        self, *, after: str, part: str, which: ListedProjects, limit: int
    ) -> list[ListedProject]:
        """Return projects in the order of their names, after a name."""
        return await self.store.accounts.project_page(after, part, which, limit)

    async def jobs_run(self, projects: Sequence[str], n_days: int) -> dict[str, int]:
        """Return how many jobs of projects, given by ids, have ended in the last days, by id."""
        since = self.now_ms() // DAY_MS * DAY_MS - (n_days - 1) * DAY_MS
        return await self.store.uses.jobs_of(projects, since)

    async def project(self, name: str) -> Project:
        """Return a project.

        Raises:
            NotFound: There is no such project.
        """
        if "\0" in name:  # PostgreSQL cannot store it
            raise NotFound(f"There is no project {name[:100]!r}.", field="project")
        return await self.store.accounts.project(name)

    async def projects_below(self, project: Project) -> list[Project]:
        """Return the projects below one, by name."""
        return await self.store.accounts.projects_below(project.id)

    async def set_shares(self, project: str, shares: int) -> Project:
        """Set the number of shares of a project.

        Raises:
            InvalidRequest: The number is out of range.
            NotFound: There is no such project.
        """
        return await self.store.accounts.set_shares(project, _shares(shares))

    async def set_retention(self, project: str, days: int | None) -> Project:
        """Set after how many days a project's ended jobs are deleted; None keeps them.

        Raises:
            NotFound: There is no such project.
        """
        return await self.store.accounts.set_retention(project, days)

    async def export_page(self, actor: Actor, query: JobQuery, project: str) -> list[JobWithNames]:
        """Return a page of a project's jobs for an export, and record this in the audit log.

        Jobs on devices that the actor does not see are left out, as are those of projects below.

        Raises:
            NotFound: There is no such project.
        """
        only = replace(query, project=(await self.project(project)).id)
        found = await self.jobs(actor, only)
        await self.store.audit.note()
        return found

    async def led_project(self, actor: Actor, name: str | None) -> Project | None:
        """Return the project that a request is about, as an administrator or a lead of it.

        Args:
            actor: The administrator or lead.
            name: Name of the project; None, for administrators alone, is all projects.

        Raises:
            Forbidden: The actor is neither; with one text, whether or not there is such a project.
            NotFound: There is no such project.
        """
        if Scope.ADMIN in actor.scopes:
            return None if name is None else await self.project(name)
        if name is not None:
            with suppress(NotFound):
                found = await self.project(name)
                if await self.store.accounts.leads(actor.account, found.id):
                    return found
        raise Forbidden(
            "Only administrators and leads of the project may do this."
            + (" Name the project that you lead." if name is None else ""),
            field="project",
        )

    async def members(self, project: str) -> list[Member]:
        """Return a project's members, by name.

        Raises:
            NotFound: There is no such project.
        """
        return await self.store.accounts.memberships(project)

    async def change_member(
        self,
        project: str,
        account: str,
        *,
        shares: int | None = None,
        role: MemberRole | None = None,
    ) -> None:
        """Change the shares or the role of a member of a project; None leaves either unchanged.

        Raises:
            InvalidRequest: The number of shares is out of range.
            NotFound: No such account, project or member.
        """
        if shares is not None:
            shares = _shares(shares)
        await self.store.accounts.change_member(project, account, shares=shares, role=role)

    async def add_member(self, project: str, account: str) -> None:
        """Add an account to a project, to submit for it and read its jobs.

        Raises:
            NotFound: No such account or project.
        """
        await self.store.accounts.add_member(project, account)

    async def remove_member(self, project: str, account: str) -> None:
        """Remove an account from a project, and revoke its tokens for that project.

        Raises:
            NotFound: No such account, project or member.
            Conflict: The project is the account's own.
        """
        await self.store.accounts.remove_member(project, account, self.now_ms())

    async def devices(self) -> list[tuple[Device, DeviceStatus, Presence | None]]:
        """Return all devices in listing order, with their status and presence."""
        devices = await self.store.devices.all()
        found = await self.store.devices.conditions(devices, self.now_ms())
        return [
            (device, found[device.name].status, found[device.name].presence)
            for device in devices
            if device.name in found
        ]

    async def slots(self) -> list[DeviceSlots]:
        """Return what each device can run at the same time, for a scheduler of Slurm.

        Simulated devices share their slots. A device that is off or away has none.
        """
        found, runners = await self.devices(), await self.runners()
        slots = {
            device.name: sum(
                runner.slots
                for runner in runners
                if runner.device == (None if device.is_simulated else device.name)
            )
            for device, status, _ in found
            if status.is_on
        }
        taken = await self.store.queues.without_slurm(slots)
        simulated = {device.name for device, _, _ in found if device.is_simulated}
        n_shared = sum(taken.get(name, 0) for name in simulated)
        return [
            DeviceSlots(
                device.name,
                slots.get(device.name, 0),
                n_shared if device.name in simulated else taken.get(device.name, 0),
            )
            for device, _, _ in found
        ]

    async def runners(self) -> list[Runner]:
        """Return the servers, agents, pilots and scalers, except those known to be dead."""
        return await self.store.leases.runners()

    async def turn_on(self, device: str) -> None:
        """Turn a device on: it accepts new jobs, and its waiting jobs can start.

        Its message is removed, because it was about the time before.

        Raises:
            NotFound: There is no such device.
        """
        now = self.now_ms()
        await self.store.devices.set_status(device, DeviceStatus(), now, keeps_message=False)

    async def turn_off(
        self, device: str, reason: str, *, until_at: int | None = None, takes_jobs: bool = False
    ) -> None:
        """Turn a device off: it starts no jobs. Waiting ones stay queued, running ones continue.

        Args:
            device: Name of the device.
            reason: A short reason for users.
            until_at: Unix milliseconds when it turns on again; None leaves it off until `turn_on`.
            takes_jobs: Whether it is only paused: it accepts new jobs, which wait.

        Raises:
            NotFound: There is no such device.
            InvalidRequest: The reason is not one short line, or the time has passed or is too late.
        """
        check_line("reason", reason)
        now = self.now_ms()
        if until_at is not None and until_at <= now:
            raise InvalidRequest("until has passed.", field="until")
        if until_at is not None and until_at >= _TOO_LATE_MS:
            raise InvalidRequest("until must be before the year 9999.", field="until")
        status = DeviceStatus(is_on=False, reason=reason, until_at=until_at, is_paused=takes_jobs)
        await self.store.devices.set_status(device, status, now)

    async def drain(self, device: str, reason: str) -> None:
        """Let a device refuse new jobs, and run those that it has.

        Raises:
            NotFound: There is no such device.
            InvalidRequest: The reason is not one short line.
        """
        check_line("reason", reason)
        status = DeviceStatus(is_draining=True, reason=reason)
        await self.store.devices.set_status(device, status, self.now_ms())

    async def set_message(self, device: str, message: str) -> None:
        """Set the message of a device to its users; an empty one removes it.

        Raises:
            NotFound: There is no such device.
            InvalidRequest: The message is not one short line.
        """
        check_line("message", message)
        await self.store.devices.set_message(device, message, self.now_ms())

    async def add_provider(self, name: str) -> Provider:
        """Create an active provider of devices.

        Raises:
            InvalidRequest: The name is invalid.
            Conflict: The name is in use.
        """
        return await self.store.devices.add_provider(check_name(name))

    async def providers(self) -> list[Provider]:
        return await self.store.devices.providers()

    async def set_active(self, provider: str, is_active: bool) -> None:
        """Show the devices of a provider, or hide them and refuse new jobs.

        Jobs that were accepted before still run.

        Raises:
            NotFound: There is no such provider.
        """
        await self.store.devices.set_active(provider, is_active)

    @cached_property
    def usage(self) -> Usage:
        """Return the service for what jobs have used."""
        from qwicket.gateway.usage import Usage

        return Usage(self.store, self.now_ms)

    @cached_property
    def _key_pairs(self) -> KeyPairs:
        from qwicket.gateway.key_pairs import KeyPairs

        return KeyPairs(self.store, self._aws_master_file, self.now_ms)

    async def create_token(
        self,
        account: str,
        *,
        project: str | None = None,
        scopes: Sequence[str] = (),
        devices: Sequence[str] = (),
        life_s: int | None = None,
        aws: bool = False,
        name: str | None = None,
        bounds: Bounds | None = None,
    ) -> NewToken:
        """Create a token.

        Args:
            account: Name of the account.
            project: Name of the project to which its usage counts; by default the account's own.
            scopes: By default the three that reading and submitting need.
            devices: Only these; by default all. A lab's token must name some, which need not exist.
            life_s: Seconds until it expires; by default never.
            aws: Whether it is a key pair, with which AWS's clients sign requests.
            name: What its owner calls it.
            bounds: Bounds of its jobs, such as for an assistant.

        Raises:
            InvalidRequest: A scope does not exist, or the account may not have it; a lab's token
                has other scopes or no devices; the name is too long; or no usable file for master
                keys is set.
            NotFound: No such account, project of this account, or device.
            Conflict: The account is disabled.
            Unavailable: The file of the master keys cannot be read, or is another database's.
        """
        now = self.now_ms()
        owner = await self.store.accounts.by_name(account)
        if Scope.DEVICES_SERVE in scopes:
            check_serving_token(scopes, devices)
        else:
            for device in devices:
                await existing_device(self.store, device)
        pair = await self._key_pairs.create() if aws else None
        # A key pair is found by its key id, as a token by its secret.
        secret = pair.secret if pair else new_secret()
        shown = pair.key_id if pair else secret
        token = Token(
            id=new_id(now),
            account=owner.id,
            project="",
            scopes=_scopes(owner, scopes),
            devices=tuple(devices),
            created_at=now,
            expires_at=None if life_s is None else now + 1000 * life_s,
            name=token_name(name),
            bounds=bounds,
        )
        stored = await self.store.accounts.add_token(
            token, account=account, project=project, digest=digest(shown)
        )
        return NewToken(stored, secret, pair.key_id if pair else None)

    async def tokens(self, account: str) -> list[Token]:
        owner = await self.store.accounts.by_name(account)
        return await self.store.accounts.tokens(owner.id)

    async def revoke_token(self, token: str) -> list[Token]:
        """Revoke a token by its id, with all that were made from it; return all of them.

        Raises:
            NotFound: There is no such token.
        """
        return await self.store.accounts.revoke(token, self.now_ms())

    async def acts(self, before: int, limit: int) -> list[AuditEntry]:
        """Return up to `limit` acts of administrators with numbers below `before`, newest first."""
        return await self.store.audit.page(before, limit)

    async def find_acts(
        self, before: int, *, about: str = "", action: str = "", limit: int
    ) -> tuple[list[AuditEntry], int | None]:
        """Return acts by or about a name, newest first, and where to go on (`store.audit`)."""
        return await self.store.audit.search(before, about, action, limit)

    async def refusals(self, before: int, limit: int) -> list[tuple[int, str, int]]:
        """Return rows of refused sign-ins before a time, newest first.

        Each row has a minute (Unix ms), an address and the number of refusals. There are at most
        `limit` rows, and the rest of the last row's minute.
        """
        return await self.store.maintenance.refusals(before, limit)

    async def verify_audit(self, known: bytes) -> Verification:
        """Check the chain of all acts, and look for an act with the hash `known`, if one is given.

        A person who can write to the database can remove the newest acts unnoticed. A hash that is
        noted elsewhere and given as `known` protects its act and all before it.
        """
        return await self.store.audit.verify(known)

    async def rotate_keys(self) -> None:
        """Invalidate all access tokens and signed URLs; their holders must sign in again."""
        await access_tokens.rotate(self.store, self.now_ms())


def check_serving_token(scopes: Sequence[str], devices: Sequence[str]) -> None:
    """Validate a lab's token, which may only serve named devices. They need not exist yet."""
    if set(scopes) != {Scope.DEVICES_SERVE}:
        raise InvalidRequest(
            f"The scope {Scope.DEVICES_SERVE} cannot be combined with others.", field="scope"
        )
    if not devices:
        raise InvalidRequest(
            f"A token with the scope {Scope.DEVICES_SERVE} must name its devices.", field="device"
        )
    for device in devices:
        check_device_name(device)


def check_line(field: str, text: str) -> None:
    """Raise InvalidRequest unless a text is one short line."""
    if len(text) > _MAX_LINE_CHARS or not text.isprintable():
        raise InvalidRequest(
            f"{field} must be one line of at most {_MAX_LINE_CHARS} characters.", field=field
        )


def _shares(shares: int) -> int:
    if not 1 <= shares <= _MAX_SHARES:
        raise InvalidRequest(f"shares must be 1 to {_MAX_SHARES}.", field="shares")
    return shares


def _scopes(owner: Account, wanted: Sequence[str]) -> tuple[Scope, ...]:
    known = ", ".join(Scope)
    for scope in wanted:
        if scope not in tuple(Scope):
            near = did_you_mean(scope, Scope)
            wrong = f"There is no scope {scope!r}. The scopes are {known}.{near}"
            raise InvalidRequest(wrong, field="scope")
    for scope in ADMIN_SCOPES & set(wanted):
        if owner.role != "admin":
            raise InvalidRequest(
                f"{owner.name} is not an admin, so its tokens cannot have the scope {scope}.",
                field="scope",
            )
    return tuple(Scope(scope) for scope in dict.fromkeys(wanted)) or DEFAULT_SCOPES
