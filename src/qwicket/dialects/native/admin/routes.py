"""The routes of `/v1/admin`, all of which need the scope `admin`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from qwicket.dialects.native import account_wire
from qwicket.dialects.native.admin.accounts import AccountHandlers
from qwicket.dialects.native.wire import PROBLEM_TYPE, problem
from qwicket.dialects.routing import Body, Dialect, Route, json_body
from qwicket.model.accounts import Scope
from qwicket.schema import accounts
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_A: Final = Scope.ADMIN
_TOKEN: Final = Body(account_wire.token_request, account_wire.TokenRequest)
_ACCOUNT: Final = json_body(schema.NewAccountBody)
_PEOPLE: Final = json_body(schema.PeopleBody)
_CHANGE: Final = json_body(schema.AccountChangeBody)
_RESET: Final = json_body(schema.ResetBody)
_DO: Final = AccountHandlers

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        *("GET", "/accounts", _DO.list_accounts, _A),
        query=("deleted",),
        responses=(schema.AdminAccountList,),
    ),
    Route(
        *("POST", "/accounts", _DO.create_account, _A, _ACCOUNT),
        responses=(schema.AdminAccountBody,),
        status=201,
    ),
    Route(
        *("POST", "/bulk/accounts", _DO.create_accounts, _A, _PEOPLE),
        responses=(schema.SecretList,),
        status=201,
    ),
    Route(
        *("GET", "/accounts/{account}", _DO.read_any_account, _A),
        responses=(schema.AdminAccountBody,),
    ),
    Route(
        *("PATCH", "/accounts/{account}", _DO.change_account, _A, _CHANGE),
        responses=(schema.AdminAccountBody,),
    ),
    Route(
        *("DELETE", "/accounts/{account}", _DO.delete_account, _A),
        query=("jobs",),
        status=204,
    ),
    Route(
        *("POST", "/accounts/{account}/reset", _DO.reset_account, _A, _RESET),
        responses=(schema.AdminAccountBody,),
    ),
    Route(
        *("POST", "/accounts/{account}/restore", _DO.restore_account, _A),
        responses=(schema.AdminAccountBody,),
    ),
    Route(
        *("GET", "/accounts/{account}/tokens", _DO.list_tokens_of, _A),
        responses=(accounts.TokenList,),
    ),
    Route(
        *("POST", "/accounts/{account}/tokens", _DO.create_token_for, _A, _TOKEN),
        responses=(accounts.NewTokenBody,),
        status=201,
    ),
    Route("DELETE", "/tokens/{token}", _DO.revoke_any_token, _A, status=204),
)


def dialect(gateway: Gateway, settings: DialectSettings) -> Dialect:
    """Return the application at `/v1/admin`."""
    error_body = functools.partial(problem, public_url=settings.public_url)
    return Dialect(AccountHandlers(gateway), ROUTES, error_body, error_type=PROBLEM_TYPE)
