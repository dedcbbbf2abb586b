"""Bodies of the API for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from qwicket.schema.base import RedactedRepr, ResponseBody, ResponsePart, Role, Scope, State
from qwicket.schema.jobs import JobBody, Priority

Name = Annotated[str, msgspec.Meta(max_length=254)]
Life = Annotated[int, msgspec.Meta(ge=1, le=100 * 365 * 86_400)]
Days = Annotated[int, msgspec.Meta(ge=1, le=36_500)]
Shares = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Password = Annotated[str, msgspec.Meta(max_length=1_024)]


class NewAccountBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/accounts`.

    Attributes:
        name: Name of the account and of its own project.
        role: `admin` or `member`.
        email: E-mail address, which also serves as a name at sign-in; null if it has none.
        password: Password for the pages, and for clients that sign in with one; null for none.
    """

    name: Name
    role: Literal["admin", "member"] = "member"
    email: Name | None = None
    password: Password | None = None


class AccountChangeBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PATCH /v1/admin/accounts/{account}`: absent fields change nothing.

    Attributes:
        role: `admin` or `member`. An account that becomes a member loses its tokens with scopes of
            administrators.
        email: E-mail address; null removes it.
        is_enabled: Whether its tokens and its password sign in.
    """

    role: Literal["admin", "member"] | UnsetType = UNSET
    email: Name | UnsetType | None = UNSET
    is_enabled: bool | UnsetType = UNSET


class ResetBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/accounts/{account}/reset`: revokes all tokens, and sets the password.

    Attributes:
        password: New password; null removes the old one.
    """

    password: Password | None = None


class PasswordLinkBody(RedactedRepr, ResponseBody, frozen=True, kw_only=True):
    """A one-time link with which a person sets the password of their account.

    Attributes:
        account: Name of the account.
        url: Address of the link's page; no other response contains it.
        expires_at: Time of its end.
    """

    account: str
    url: str
    expires_at: str | None


class AdminAccountBody(ResponsePart, frozen=True, kw_only=True):
    """An account, as administrators see it.

    Attributes:
        id: Id of the account.
        name: Name of the account.
        role: `admin` or `member`.
        email: E-mail address; `NAME@localhost` if the account has none.
        created_at: Time of its creation.
        disabled_at: Time since which it cannot sign in; null if it can.
        deleted_at: Time of its deletion; null if it exists.
    """

    id: str
    name: str
    role: Role
    email: str
    created_at: str | None = None
    disabled_at: str | None = None
    deleted_at: str | None = None


class AdminAccountList(ResponseBody, frozen=True, kw_only=True):
    """All accounts, or those that were deleted and can be restored.

    Attributes:
        accounts: All of them.
    """

    accounts: tuple[AdminAccountBody, ...]


class PersonBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person for whom an account is created.

    Attributes:
        name: Name of the account.
        email: E-mail address; null without one.
    """

    name: Name
    email: Name | None = None


class DefaultBudgetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the jobs of each new project may use, as in `PUT /v1/admin/budgets`.

    Attributes:
        unit: What is counted.
        period: When the use starts again from zero.
        maximum: What may be used in a period.
    """

    unit: Literal["jobs", "shots", "seconds", "cost"]
    period: Literal["total", "day", "week", "month"] = "total"
    maximum: Annotated[float, msgspec.Meta(ge=0, le=1e15)]


class PeopleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/bulk/accounts`: creates all of them with a token each, or none.

    Attributes:
        accounts: The people for whom accounts are created.
        project: Project that they join, and to which their tokens' jobs count; null for their own.
        below: In place of `project`, the project below which each gets one, to which their tokens'
            jobs count.
        budget: What the jobs of each of these projects may use.
        scopes: Scopes of their tokens; by default the three that reading and submitting need.
        life_s: Seconds until the tokens expire; null if they never do.
    """

    accounts: Annotated[tuple[PersonBody, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    project: Name | None = None
    below: Name | None = None
    budget: DefaultBudgetBody | None = None
    scopes: tuple[Scope, ...] = ()
    life_s: Life | None = None


class ImportBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/bulk/people`: makes people, memberships and budgets like a file, or nothing.

    Attributes:
        csv: The file. Its first line names the columns: `name`, and any of `email`, `project`,
            `role`, `budget` and `expires`; an empty cell changes nothing.
        absent: What happens to members of its projects whom it does not name: `keep` them, or
            `disable` those who are in no other project than their own, and remove the others from
            its projects. Leads and administrators stay.
        enable: Whether disabled accounts of the file are enabled.
        tokens: Whether new accounts get a token each.
        dry_run: Whether nothing is changed.
    """

    csv: Annotated[str, msgspec.Meta(min_length=1, max_length=4 << 20)]
    absent: Literal["keep", "disable"] = "keep"
    enable: bool = False
    tokens: bool = False
    dry_run: bool = False


class PersonChangeBody(ResponsePart, frozen=True, kw_only=True):
    """What an import changes, or would change.

    Attributes:
        line: Number of the line that asks for it; null for people whom the file does not name.
        name: Name of the account.
        kind: What is done: `add` or `enable` an account; change its `email`, or when its token
            `expires`; `join` a project, or `leave` it; set its `role` or `budget` there; `disable`.
        project: Name of the project that it concerns; empty for the account itself.
        before: What it replaces; empty for nothing.
        after: What it sets.
    """

    line: int | None
    name: str
    kind: str
    project: str
    before: str
    after: str


class SecretBody(ResponsePart, RedactedRepr, frozen=True, kw_only=True):
    """The token of a new account.

    Attributes:
        name: Name of the account.
        id: Id of the token.
        secret: The token itself; no other response contains it.
    """

    name: str
    id: str
    secret: str


class ImportedBody(ResponseBody, frozen=True, kw_only=True):
    """What an import changed, or would change.

    Attributes:
        number: Number of changes.
        changes: These changes, in the order of the file.
        disabled: Accounts of the file that are disabled and stay so.
        accounts: Tokens of the new accounts.
    """

    number: int
    changes: tuple[PersonChangeBody, ...]
    disabled: tuple[str, ...] = ()
    accounts: tuple[SecretBody, ...] = ()


class SecretList(ResponseBody, frozen=True, kw_only=True):
    """The tokens of new accounts.

    Attributes:
        accounts: In the order of the request.
    """

    accounts: tuple[SecretBody, ...]


class RevokedBody(ResponseBody, frozen=True, kw_only=True):
    """Tokens that no longer sign in.

    Attributes:
        tokens: Ids of the token and of all that were created with it.
    """

    tokens: tuple[str, ...]


class NewProjectBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/projects`.

    Attributes:
        name: Name of the project.
        shares: Its weight in the queue of each device.
    """

    name: Name
    shares: Shares = 1


class ProjectChangeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PATCH /v1/admin/projects/{project}`: absent fields change nothing.

    Attributes:
        shares: Its weight in the queue of each device.
        retention_days: Days after which its ended jobs are deleted; null keeps them.
    """

    shares: Shares | UnsetType = UNSET
    retention_days: Days | UnsetType | None = UNSET


class MemberBody(ResponsePart, frozen=True, kw_only=True):
    """A member of a project.

    Attributes:
        name: Name of the account.
        shares: Its weight among the members of the project in the queue of each device.
        role: What it may do in the project.
        stored_bytes: Bytes of what its jobs and groups store for the project; the limit
            `member_stored_bytes` bounds them.
    """

    name: str
    shares: int
    role: str
    stored_bytes: int = 0


MemberRole = Literal["lead", "member", "reader"]


class MemberChangeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PATCH /v1/admin/projects/{project}/members/{account}`: absent fields change nothing.

    Attributes:
        shares: Its weight among the members of the project in the queue of each device.
        role: What it may do in the project.
    """

    shares: Shares | None = None
    role: MemberRole | None = None


class MemberList(ResponseBody, frozen=True, kw_only=True):
    """The accounts in a project.

    Attributes:
        members: These accounts.
        accounts: Their names.
    """

    members: tuple[MemberBody, ...]
    accounts: tuple[str, ...]


class AdminDeviceBody(ResponsePart, frozen=True, kw_only=True):
    """A device, as administrators see it.

    Attributes:
        name: Name of the device.
        family: Family of its programs.
        qubits: Number of its qubits, modes or wires.
        dialects: Dialects that show it.
        provider: Name of its provider.
        is_on: Whether it is on.
        is_draining: Whether it takes no new jobs although it is on.
        is_paused: Whether it takes new jobs, which wait, although it is off.
        reason: Why it is off or drains, as users see it.
        until: Time at which it turns on again; null if it is on, or if no time is known.
        message: Message to all its users.
        agents: Number of agents that serve it; for a device at another cloud 1 while that cloud
            runs its jobs, else 0. Null if the server itself runs its jobs.
        last_seen_at: Time of its agents' last request, or of the last read of its state at the
            other cloud; null if there was none.
    """

    name: str
    family: str
    qubits: int
    dialects: tuple[str, ...]
    provider: str
    is_on: bool
    reason: str
    until: str | None
    agents: int | None
    last_seen_at: str | None
    is_draining: bool = False
    is_paused: bool = False
    message: str = ""


class AdminDeviceList(ResponseBody, frozen=True, kw_only=True):
    """All devices in listing order.

    Attributes:
        devices: All of them.
    """

    devices: tuple[AdminDeviceBody, ...]


class SlotsBody(ResponsePart, frozen=True, kw_only=True):
    """Slots of a device.

    Attributes:
        device: Name of the device.
        slots: Number of jobs that it can run at the same time; 0 while it is off or away. Simulated
            devices share theirs.
        taken: Number of jobs that wait or run in these slots and whose clients named no job of
            Slurm. It may be higher than `slots`.
    """

    device: str
    slots: int
    taken: int


class SlotsList(ResponseBody, frozen=True, kw_only=True):
    """Slots of all devices.

    Attributes:
        devices: All of them.
    """

    devices: tuple[SlotsBody, ...]


class DeviceChangeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PATCH /v1/admin/devices/{name}`.

    Attributes:
        is_on: Whether the device runs the jobs that wait, and takes new ones unless it drains;
            absent leaves its state as it is.
        is_draining: Whether it takes no new jobs; only if `is_on` is true.
        is_paused: Whether it still takes new jobs, which wait; only if `is_on` is false.
        reason: Why it is off or drains: one line for users. Only with `is_on` false or
            `is_draining` true.
        until: Time at which it turns on again, with its zone; only if `is_on` is false. Null
            leaves it off until an administrator turns it on.
        message: Message to all its users, whatever its state; empty removes it. Absent removes it
            if the device is turned on, and else leaves it as it is.
    """

    is_on: bool | UnsetType = UNSET
    is_draining: bool = False
    is_paused: bool = False
    reason: Annotated[str, msgspec.Meta(max_length=200)] = ""
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    message: Annotated[str, msgspec.Meta(max_length=200)] | UnsetType = UNSET


class ProviderBody(ResponsePart, frozen=True, kw_only=True):
    """An owner of devices.

    Attributes:
        name: Name of the provider.
        is_active: Whether its devices are shown and take jobs.
    """

    name: str
    is_active: bool


class ProviderList(ResponseBody, frozen=True, kw_only=True):
    """All providers.

    Attributes:
        providers: All of them.
    """

    providers: tuple[ProviderBody, ...]


class NewProviderBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/providers`.

    Attributes:
        name: Name of the provider.
    """

    name: Name


class ProviderChangeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PATCH /v1/admin/providers/{provider}`.

    Attributes:
        is_active: Whether its devices are shown and take jobs.
    """

    is_active: bool


class ActBody(ResponsePart, frozen=True, kw_only=True):
    """An entry of the audit: an act of an administrator, or a further change by that act.

    What a sign-in at the identity provider changes is an act of the account.

    Attributes:
        number: Number of the entry, from 1 without gaps.
        at: Time of the act.
        actor: Name of the administrator's account, of that which signed in, or of the user who ran
            a command on the database.
        address: Network address of the actor; empty for a command on the database.
        action: Name of the operation, such as `delete_account`.
        subject: What it changed: kind and name, such as `account/anna`.
        details: Values of the request, without secrets; of a sign-in, issuer and subject of the
            person at the provider.
        before: Recorded fields of the subject before the act; null if it did not exist, or if none
            are recorded.
        after: The same fields after the act; null if the subject was deleted, or as for `before`.
        hash: SHA-256 of this entry and of the hash of the entry before it.
    """

    number: int
    at: str
    actor: str
    address: str
    action: str
    subject: str
    details: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: str


class ActList(ResponseBody, frozen=True, kw_only=True):
    """Acts of administrators, the newest first.

    Attributes:
        acts: One page.
        next: Value of `before` for the next page; null at the end.
    """

    acts: tuple[ActBody, ...]
    next: int | None


class VerificationBody(ResponseBody, frozen=True, kw_only=True):
    """Result of a check of the audit.

    Attributes:
        acts: Number of unchanged entries, from the first one on.
        hash: Hash of the last of these; empty without one.
        broken_at: Number of the first entry that was changed or is missing; null if all fit.
        has_known: Whether one of the unchanged entries has the hash that the request names.
    """

    acts: int
    hash: str
    broken_at: int | None
    has_known: bool


class AdminJobBody(JobBody, frozen=True, kw_only=True):
    """A job, as administrators see it.

    Attributes:
        account: Name of its account; empty after the account can no longer be restored.
        project: Name of its project.
    """

    account: str = ""
    project: str = ""


class AdminJobList(ResponseBody, frozen=True, kw_only=True):
    """A page of jobs of all accounts, the newest first.

    Attributes:
        jobs: Jobs of this page.
        next: Value of `before` that requests the next page; null on the last page.
    """

    jobs: tuple[AdminJobBody, ...]
    next: int | None = None


class ResolveJobBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/jobs/{id}/resolve`: a person's statement whether another cloud has a job.

    Attributes:
        sent_as: The job's id at the other cloud; null if that cloud does not have the job, which is
            then sent again.
    """

    sent_as: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None


class ChangeJobsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/bulk/jobs`: one action on all jobs that match all given fields.

    With the header `Prefer: respond-async, wait=2` the response comes after some 2 s: 202 if jobs
    are left, which a request with `before` changes. A lead of the project does the first four
    actions, and cannot release what an administrator holds.

    Attributes:
        action: What is done: `cancel` unfinished jobs; `hold` waiting ones, `release` held ones, or
            change the `priority` of waiting ones; `requeue` running ones; `delete` ended ones.
        priority: The new priority, with the action of this name.
        account: Name or e-mail address of the account.
        project: Name of the project; also means those below it. Leads give it.
        device: Name of the device.
        dialect: Dialect of the submission.
        name: Name of the job.
        group: Id of its group.
        created_from: Earliest time of its submission, with its zone.
        created_to: Latest time of its submission, with its zone.
        states: States of the jobs; by default all that allow the action.
        tags: Tags; a job must have all of them.
        ids: Ids of the only jobs; with these, no other filter is allowed.
        before: `next` of a response with the status 202, to which this request is the next one.
        dry_run: Whether the jobs are only counted and listed, not changed.
    """

    action: Literal["cancel", "hold", "release", "priority", "requeue", "delete"]
    priority: Priority | None = None
    account: Name | None = None
    project: Name | None = None
    device: Name | None = None
    dialect: Name | None = None
    name: Name | None = None
    group: Name | None = None
    created_from: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    created_to: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    states: Annotated[tuple[State, ...], msgspec.Meta(max_length=8)] = ()
    tags: Annotated[tuple[Name, ...], msgspec.Meta(max_length=16)] = ()
    ids: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    before: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] | None = None
    dry_run: bool = False


class ChangedJobsBody(ResponseBody, frozen=True, kw_only=True):
    """Jobs that were changed, or would be.

    Attributes:
        number: Number of the jobs.
        ids: Ids of the first 1,000 of them, newest first.
        next: Value of `before` for the rest, if the status is 202; else null.
    """

    number: int
    ids: tuple[str, ...]
    next: int | None = None


class RefusalBody(ResponsePart, frozen=True, kw_only=True):
    """Refused sign-ins from one address in one minute.

    Attributes:
        minute: Beginning of the minute.
        address: Network address of the client; `others` for all that have no count of their own.
        number: Number of refusals.
    """

    minute: str
    address: str
    number: int


class RefusalList(ResponseBody, frozen=True, kw_only=True):
    """Refused sign-ins, the newest first.

    Attributes:
        refusals: By minute and address.
        next: Value of `before` for the next page; null at the end.
    """

    refusals: tuple[RefusalBody, ...]
    next: int | None = None


class DeviceQueueBody(ResponsePart, frozen=True, kw_only=True):
    """Jobs of a device that has some.

    Attributes:
        device: Name of the device.
        waiting: Number of waiting jobs that are not held.
        running: Number of jobs that run.
        oldest_at: Since when the oldest of the waiting jobs waits; null if none waits, or if it is
            not among the oldest 10,000 unfinished jobs of all devices.
        is_on: Whether the device is on.
    """

    device: str
    waiting: int
    running: int
    oldest_at: str | None
    is_on: bool


class FailedJobsBody(ResponsePart, frozen=True, kw_only=True):
    """Jobs of a device that failed in the last hour with one code.

    Attributes:
        device: Name of the device.
        code: Code of their error.
        number: Number of these jobs.
    """

    device: str
    code: str
    number: int


class ElsewhereBody(ResponsePart, frozen=True, kw_only=True):
    """A device that an agent or another cloud serves.

    Attributes:
        device: Name of the device.
        is_there: Whether it is served now.
        last_seen_at: Time of the last sign of life; null if there was none.
    """

    device: str
    is_there: bool
    last_seen_at: str | None


class RunnerBody(ResponsePart, frozen=True, kw_only=True):
    """A process that runs jobs, or starts such processes.

    Attributes:
        name: Name of the runner.
        kind: `server`, `agent`, `pilot` (a worker on another machine) or `scaler`.
        device: Name of its only device; null if it runs the jobs of all simulated devices.
        slots: Number of jobs that it can run at the same time.
    """

    name: str
    kind: str
    device: str | None
    slots: int


class ClusterBody(ResponsePart, frozen=True, kw_only=True):
    """The cluster of `--compute` of the server that answers.

    Attributes:
        is_connected: Whether its scheduler responds.
        slots: Number of jobs that can run there at the same time.
    """

    is_connected: bool
    slots: int


class OverviewBody(ResponseBody, frozen=True, kw_only=True):
    """`GET /v1/admin/overview`: the state of an installation.

    Attributes:
        version: Version of the server that answers, or of the command.
        at: Time of the state.
        oldest_at: Since when the oldest waiting job waits; null if none is known.
        queues: Devices with waiting or running jobs, those with the most waiting ones first.
        failed: Jobs that failed in the last hour, by device and code, most first.
        refused_sign_ins: Number of refused sign-ins of the last hour.
        elsewhere: Devices that agents or other clouds serve, those that are away first.
        runners: Servers, agents, workers and scalers that are alive.
        slots: Number of jobs of simulated devices that can run at the same time.
        cluster: The cluster of the server; null without one, or for a command on the database.
        database: Kind and version of the database.
        database_bytes: Size of the database.
        database_free_bytes: What of an embedded database is free for new rows.
        disk_free_bytes: Free space on the disk of an embedded database; null for another.
        disk_bytes: Size of this disk.
        backed_up_at: Time of the last backup that `qwicket backup` made or noted; null if none is
            among the last 10,000 acts of administrators.
    """

    version: str
    at: str
    oldest_at: str | None
    queues: tuple[DeviceQueueBody, ...]
    failed: tuple[FailedJobsBody, ...]
    refused_sign_ins: int
    elsewhere: tuple[ElsewhereBody, ...]
    runners: tuple[RunnerBody, ...]
    slots: int
    cluster: ClusterBody | None
    database: str
    database_bytes: int
    database_free_bytes: int
    disk_free_bytes: int | None
    disk_bytes: int | None
    backed_up_at: str | None


class BackupBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/backups`: notes that a backup was made.

    Attributes:
        size_bytes: Size of the backup; null if it is not known.
    """

    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] | None = None
