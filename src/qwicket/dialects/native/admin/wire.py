"""Accounts, devices, jobs, refused sign-ins and the audit log in the JSON of `/v1/admin`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from qwicket.dialects.native import wire
from qwicket.dialects.native.wire import iso_time
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qwicket.gateway.job_admin import JobWithNames
    from qwicket.gateway.tokens import NewToken
    from qwicket.model.accounts import Account
    from qwicket.model.devices import Device, DeviceStatus, Presence
    from qwicket.model.people import ImportPlan
    from qwicket.scheduling import QueuePosition
    from qwicket.store.audit import AuditEntry, Verification


def admin_account(account: Account) -> schema.AdminAccountBody:
    return schema.AdminAccountBody(
        id=account.id,
        name=account.name,
        role=account.role,
        email=account.email,
        created_at=iso_time(account.created_at),
        disabled_at=iso_time(account.disabled_at),
        deleted_at=iso_time(account.deleted_at),
    )


def account_list(accounts: Iterable[Account]) -> schema.AdminAccountList:
    return schema.AdminAccountList(accounts=tuple(map(admin_account, accounts)))


def secret_list(made: Iterable[tuple[str, NewToken]]) -> schema.SecretList:
    """Return the tokens of new accounts, with the accounts' names."""
    return schema.SecretList(
        accounts=tuple(
            schema.SecretBody(name=name, id=new.token.id, secret=new.secret) for name, new in made
        )
    )


def imported(plan: ImportPlan, made: Iterable[tuple[str, NewToken]]) -> schema.ImportedBody:
    """Return what an import changed, or would change, with the tokens of new accounts."""
    return schema.ImportedBody(
        number=len(plan.changes),
        changes=tuple(schema.PersonChangeBody(**each._asdict()) for each in plan.changes),
        disabled=plan.disabled,
        accounts=secret_list(made).accounts,
    )


def device_list(
    devices: Iterable[tuple[Device, DeviceStatus, Presence | None]],
) -> schema.AdminDeviceList:
    """Return devices. Only those that agents or another cloud serve have a presence."""
    return schema.AdminDeviceList(
        devices=tuple(
            schema.AdminDeviceBody(
                name=device.name,
                family=device.family,
                qubits=device.spec.qubits,
                dialects=tuple(device.dialects),
                provider=device.provider,
                is_on=status.is_on,
                is_draining=status.is_draining,
                is_paused=status.is_paused,
                reason=status.reason,
                message=status.message,
                until=iso_time(status.until_at),
                agents=None if presence is None else presence.agents,
                last_seen_at=None if presence is None else iso_time(presence.seen_at),
            )
            for device, status, presence in devices
        )
    )


def act_list(entries: Sequence[AuditEntry], limit: int) -> schema.ActList:
    """Return a page of the audit log."""
    return schema.ActList(
        acts=tuple(
            schema.ActBody(
                number=each.seq,
                at=iso_time(each.at) or "",
                actor=each.actor_name,
                address=each.address,
                action=each.action,
                subject=each.subject,
                details=msgspec.json.decode(each.details),
                before=msgspec.json.decode(each.before),
                after=msgspec.json.decode(each.after),
                hash=each.hash.hex(),
            )
            for each in entries
        ),
        next=entries[-1].seq if len(entries) == limit else None,
    )


def verification(verification: Verification) -> schema.VerificationBody:
    """Return the result of a check of the audit log's chain of hashes."""
    return schema.VerificationBody(
        acts=verification.entries,
        hash=verification.hash.hex(),
        broken_at=verification.broken_at,
        has_known=verification.has_known_hash,
    )


def job_with_names(
    named: JobWithNames, server_url: str, position: QueuePosition | None = None
) -> schema.AdminJobBody:
    """Return a job with the names of its account and project."""
    fields = structs.asdict(wire.job(named.job, server_url, position))
    return schema.AdminJobBody(**fields, account=named.account, project=named.project)


def job_list(jobs: Sequence[JobWithNames], limit: int, server_url: str) -> schema.AdminJobList:
    return schema.AdminJobList(
        jobs=tuple(
            job_with_names(each._replace(job=wire.without_choice(each.job)), server_url)
            for each in jobs
        ),
        next=jobs[-1].job.seq if len(jobs) == limit else None,
    )


def refusal_list(refusals: Sequence[tuple[int, str, int]], limit: int) -> schema.RefusalList:
    """Return refused sign-ins: minute (Unix milliseconds), network address and number of each.

    The store completes the last minute, so there may be more than `limit` rows.
    """
    return schema.RefusalList(
        refusals=tuple(
            schema.RefusalBody(minute=iso_time(minute) or "", address=address, number=number)
            for minute, address, number in refusals
        ),
        next=refusals[-1][0] if len(refusals) >= limit else None,
    )
