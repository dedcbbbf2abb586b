"""The handlers of `/v1/admin` for accounts and tokens, as `qwicket user` and `qwicket token`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import UNSET
from starlette.responses import Response

from qwicket.dialects.native import account_wire
from qwicket.dialects.native.admin import wire
from qwicket.dialects.native.params import choice
from qwicket.dialects.responses import json
from qwicket.model.accounts import Person
from qwicket.model.errors import Conflict

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Account, Actor, JobsOfDeleted
    from qwicket.model.limits import Limits
    from qwicket.schema import admin as schema

_JOBS: Final = ("keep", "remove")


class AccountHandlers:
    """Handlers for administrators. Nobody can lock themselves out with them.

    Args:
        gateway: Does the work.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._gateway.auth.by_token(request.token("bearer"), request.address)

    async def list_accounts(self, actor: Actor, request: Request[None]) -> Response:
        """List all accounts; with `?deleted=true` those that can be restored."""
        deleted = choice(request.query_params, "deleted", ("false", "true")) == "true"
        return json(wire.account_list(await self._gateway.admin.accounts(deleted=deleted)))

    async def create_account(
        self, actor: Actor, request: Request[schema.NewAccountBody]
    ) -> Response:
        """Create an account with a project of its own."""
        body = request.payload
        made = await self._gateway.admin.add_account(
            body.name, body.role, email=body.email, password=body.password
        )
        return json(wire.admin_account(made), 201)

    async def create_accounts(self, actor: Actor, request: Request[schema.PeopleBody]) -> Response:
        """Create accounts with a token each: all or none."""
        body = request.payload
        made = await self._gateway.admin.add_accounts(
            [Person(each.name, each.email) for each in body.accounts],
            project=body.project,
            scopes=body.scopes,
            life_s=body.life_s,
        )
        return json(wire.secret_list(made), 201)

    async def read_any_account(self, actor: Actor, request: Request[None]) -> Response:
        """Read an account, by its name or e-mail address."""
        return json(wire.admin_account(await self._named(request)))

    async def change_account(
        self, actor: Actor, request: Request[schema.AccountChangeBody]
    ) -> Response:
        """Change the role or address of an account; disable or enable it."""
        body, admin = request.payload, self._gateway.admin
        if body.role is not UNSET or body.is_enabled is not UNSET:
            account = await self._other(actor, request)
        else:
            account = await self._named(request)
        if body.email is not UNSET:
            account = await admin.set_email(account.name, body.email)
        if body.role is not UNSET:
            account = await admin.set_role(account.name, body.role)
        if body.is_enabled is not UNSET:
            change = admin.enable_account if body.is_enabled else admin.disable_account
            account = await change(account.name)
        return json(wire.admin_account(account))

    async def reset_account(self, actor: Actor, request: Request[schema.ResetBody]) -> Response:
        """Revoke all tokens of an account; set its password, or remove it."""
        account = await self._other(actor, request)
        after = await self._gateway.admin.reset_account(
            account.name, password=request.payload.password
        )
        return json(wire.admin_account(after))

    async def delete_account(self, actor: Actor, request: Request[None]) -> Response:
        """Delete an account and cancel its jobs; with `?jobs=remove` they are removed later."""
        account = await self._other(actor, request)
        jobs = cast("JobsOfDeleted", choice(request.query_params, "jobs", _JOBS))
        await self._gateway.admin.delete_account(account.name, jobs=jobs)
        return Response(status_code=204)

    async def restore_account(self, actor: Actor, request: Request[None]) -> Response:
        """Restore an account that was deleted less than 30 days ago."""
        name = request.path_params["account"]
        return json(wire.admin_account(await self._gateway.admin.restore_account(name)))

    async def list_tokens_of(self, actor: Actor, request: Request[None]) -> Response:
        """List the tokens of an account."""
        account = await self._named(request)
        tokens = await self._gateway.admin.tokens(account.name)
        return json(account_wire.token_list(tokens, await self._gateway.admin.projects()))

    async def create_token_for(
        self, actor: Actor, request: Request[account_wire.TokenRequest]
    ) -> Response:
        """Create a token of an account."""
        account, body = await self._named(request), request.payload
        made = await self._gateway.admin.create_token(
            account.name,
            project=body.project,
            scopes=body.scopes,
            devices=body.devices,
            life_s=body.life_s,
        )
        return json(account_wire.new_token(made, await self._gateway.admin.projects()), 201)

    async def revoke_any_token(self, actor: Actor, request: Request[None]) -> Response:
        """Revoke a token of any account, and all tokens created with it."""
        await self._gateway.admin.revoke_token(request.path_params["token"])
        return Response(status_code=204)

    async def _named(self, request: Request[Any]) -> Account:
        return await self._gateway.admin.account(request.path_params["account"])

    async def _other(self, actor: Actor, request: Request[Any]) -> Account:
        """Return an account that is not the caller's own."""
        account = await self._named(request)
        if account.id == actor.account:
            raise Conflict("This is your own account: another administrator can do this.")
        return account
