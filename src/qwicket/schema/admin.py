"""Bodies of the API for administrators."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from qwicket.schema.base import RedactedRepr, ResponseBody, ResponsePart, Role, Scope

Name = Annotated[str, msgspec.Meta(max_length=254)]
Life = Annotated[int, msgspec.Meta(ge=1, le=100 * 365 * 86_400)]
Password = Annotated[str, msgspec.Meta(max_length=1_024)]


class NewAccountBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/accounts`.

    Attributes:
        name: Name of the account and of its own project.
        role: `admin` or `member`.
        email: E-mail address, with which it can sign in, too; null if it has none.
        password: Password for clients that sign in with one; null if it has none.
    """

    name: Name
    role: Literal["admin", "member"] = "member"
    email: Name | None = None
    password: Password | None = None


class AccountChangeBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PATCH /v1/admin/accounts/{account}`: what is absent stays as it is.

    Attributes:
        role: `admin` or `member`. A member loses its tokens with scopes of administrators.
        email: E-mail address; null removes it.
        is_enabled: Whether its tokens and its password sign in.
    """

    role: Literal["admin", "member"] | UnsetType = UNSET
    email: Name | UnsetType | None = UNSET
    is_enabled: bool | UnsetType = UNSET


class ResetBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/accounts/{account}/reset`: all its tokens are revoked.

    Attributes:
        password: New password; null removes the old one.
    """

    password: Password | None = None


class AdminAccountBody(ResponsePart, frozen=True, kw_only=True):
    """An account, as administrators see it.

    Attributes:
        id: Id of the account.
        name: Name of the account.
        role: `admin` or `member`.
        email: E-mail address; `NAME@localhost` if the account has none.
        created_at: Time of its creation.
        disabled_at: Time since which nobody can sign in; null if one can.
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
    """Who gets an account.

    Attributes:
        name: Name of the account.
        email: E-mail address; null if there is none.
    """

    name: Name
    email: Name | None = None


class PeopleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/bulk/accounts`: creates all of them with a token each, or none.

    Attributes:
        accounts: Who gets an account.
        project: Project that they join, and to which their tokens' jobs count; null for their own.
        scopes: Scopes of their tokens; by default the three that reading and submitting need.
        life_s: Seconds until the tokens expire; null if they never do.
    """

    accounts: Annotated[tuple[PersonBody, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    project: Name | None = None
    scopes: tuple[Scope, ...] = ()
    life_s: Life | None = None


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


class SecretList(ResponseBody, frozen=True, kw_only=True):
    """The tokens of new accounts.

    Attributes:
        accounts: In the order of the request.
    """

    accounts: tuple[SecretBody, ...]
