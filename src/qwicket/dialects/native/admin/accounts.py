"""Accounts and tokens for administrators.

An administrator cannot demote, disable, reset or delete their own account, nor make a link that
sets its password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import UNSET, structs
from starlette.responses import Response

from qwicket.dialects.native import account_wire
from qwicket.dialects.native.admin import wire
from qwicket.dialects.native.params import choice
from qwicket.dialects.native.wire import iso_time
from qwicket.dialects.responses import json, json_in_thread
from qwicket.model.accounts import Person
from qwicket.model.budgets import DefaultBudget
from qwicket.model.errors import Conflict
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Account, Actor, JobsOfDeleted

_JOBS: Final = ("keep", "remove")
_FEW_CHANGES: Final = 100
"""A longer list is rendered in a thread."""


async def list_accounts(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List all accounts; with `?deleted=true` the deleted ones that can be restored."""
    deleted = choice(request.query_params, "deleted", ("false", "true")) == "true"
    return json(wire.account_list(await access.admin.accounts(deleted=deleted)))


async def create_account(
    access: Access, actor: Actor, request: Request[schema.NewAccountBody]
) -> Response:
    """Create an account with a project of its own."""
    body = request.payload
    made = await access.admin.add_account(
        body.name, body.role, email=body.email, password=body.password
    )
    return json(wire.admin_account(made), 201)


async def create_accounts(
    access: Access, actor: Actor, request: Request[schema.PeopleBody]
) -> Response:
    """Create accounts with a token each: all or none."""
    body = request.payload
    made = await access.admin.add_accounts(
        [Person(each.name, each.email) for each in body.accounts],
        project=body.project,
        below=body.below,
        budget=DefaultBudget(*structs.astuple(body.budget)) if body.budget else None,
        scopes=body.scopes,
        life_s=body.life_s,
    )
    return json(wire.secret_list(made), 201)


async def import_people(
    access: Access, actor: Actor, request: Request[schema.ImportBody]
) -> ASGIApp:
    """Make people, memberships and budgets like a file, or only say what would change."""
    body = request.payload
    plan, made = await access.admin.import_people(
        body.csv,
        absent=body.absent,
        enables=body.enable,
        makes_tokens=body.tokens,
        is_dry_run=body.dry_run,
    )
    return await json_in_thread(
        lambda: wire.imported(plan, made), is_small=len(plan.changes) <= _FEW_CHANGES
    )


async def read_any_account(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Read an account, by its name or e-mail address."""
    return json(wire.admin_account(await _named(access, request)))


async def change_account(
    access: Access, actor: Actor, request: Request[schema.AccountChangeBody]
) -> Response:
    """Change the role or e-mail address of an account; disable or enable it."""
    body, admin = request.payload, access.admin
    if body.role is not UNSET or body.is_enabled is not UNSET:
        account = await _other(access, actor, request)
    else:
        account = await _named(access, request)
    if body.email is not UNSET:
        account = await admin.set_email(account.name, body.email)
    if body.role is not UNSET:
        account = await admin.set_role(account.name, body.role)
    if body.is_enabled is not UNSET:
        change = admin.enable_account if body.is_enabled else admin.disable_account
        account = await change(account.name)
    return json(wire.admin_account(account))


async def reset_account(
    access: Access, actor: Actor, request: Request[schema.ResetBody]
) -> Response:
    """Revoke all tokens of an account; set its password, or remove the password."""
    account = await _other(access, actor, request)
    after = await access.admin.reset_account(account.name, password=request.payload.password)
    return json(wire.admin_account(after))


async def make_password_link(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Make a one-time link with which a person sets the password of their account."""
    account = await _other(access, actor, request)
    link = await access.admin.make_password_link(account.name)
    body = schema.PasswordLinkBody(
        account=link.account,
        url=f"{request.server_url}{link.path}",
        expires_at=iso_time(link.expires_at),
    )
    return json(body, 201)


async def delete_account(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Delete an account and cancel its jobs; with `?jobs=remove` the jobs are deleted later."""
    account = await _other(access, actor, request)
    jobs = cast("JobsOfDeleted", choice(request.query_params, "jobs", _JOBS))
    await access.admin.delete_account(account.name, jobs=jobs)
    return Response(status_code=204)


async def restore_account(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Restore an account that was deleted less than 30 days ago."""
    name = request.path_params["account"]
    return json(wire.admin_account(await access.admin.restore_account(name)))


async def list_tokens_of(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List the tokens of an account."""
    account = await _named(access, request)
    tokens = await access.admin.tokens(account.name)
    return json(account_wire.token_list(tokens, await access.admin.projects()))


async def create_token_for(
    access: Access, actor: Actor, request: Request[account_wire.AnyTokenRequest]
) -> Response:
    """Create a token for an account, or a key pair for AWS's clients."""
    account, body = await _named(access, request), request.payload
    made = await access.admin.create_token(
        account.name,
        project=body.project,
        scopes=body.scopes,
        devices=body.devices,
        life_s=body.life_s,
        aws=body.aws,
        name=body.name,
        bounds=body.stored_bounds,
    )
    return json(account_wire.new_token(made, await access.admin.projects()), 201)


async def revoke_any_token(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Revoke a token of any account, and all tokens created with it."""
    revoked = await access.admin.revoke_token(request.path_params["token"])
    return json(schema.RevokedBody(tokens=tuple(each.id for each in revoked)))


async def _named(access: Access, request: Request[Any]) -> Account:
    return await access.admin.account(request.path_params["account"])


async def _other(access: Access, actor: Actor, request: Request[Any]) -> Account:
    """Return an account that is not the caller's own.

    Raises:
        Conflict: It is the caller's own.
    """
    account = await _named(access, request)
    if account.id == actor.account:
        raise Conflict("This is your own account: another administrator can do this.")
    return account
