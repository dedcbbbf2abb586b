"""What administrators see, in the native API's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.dialects.native.wire import time
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qwicket.gateway.tokens import NewToken
    from qwicket.model.accounts import Account


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
