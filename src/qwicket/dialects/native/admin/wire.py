"""What administrators see, in the native API's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.dialects.native.wire import time
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwicket.gateway.tokens import NewToken
    from qwicket.model.accounts import Account
    from qwicket.model.devices import Device, DeviceStatus, Presence


def admin_account(of: Account) -> schema.AdminAccountBody:
    return schema.AdminAccountBody(
        id=of.id,
        name=of.name,
        role=of.role,
        email=of.email,
        created_at=time(of.created_at),
        disabled_at=time(of.disabled_at),
        deleted_at=time(of.deleted_at),
    )


def account_list(found: Iterable[Account]) -> schema.AdminAccountList:
    return schema.AdminAccountList(accounts=tuple(map(admin_account, found)))


def secret_list(made: Iterable[tuple[str, NewToken]]) -> schema.SecretList:
    return schema.SecretList(
        accounts=tuple(
            schema.SecretBody(name=name, id=new.token.id, secret=new.secret) for name, new in made
        )
    )


def device_list(
    found: Iterable[tuple[Device, DeviceStatus, Presence | None]],
) -> schema.AdminDeviceList:
    return schema.AdminDeviceList(
        devices=tuple(
            schema.AdminDeviceBody(
                name=device.name,
                family=device.family,
                qubits=device.spec.qubits,
                dialects=tuple(device.dialects),
                provider=device.provider,
                is_on=status.is_on,
                reason=status.reason,
                until=time(status.until_at),
                agents=None if presence is None else presence.agents,
                last_seen_at=None if presence is None else time(presence.seen_at),
            )
            for device, status, presence in found
        )
    )
