"""Accounts, projects and tokens in the native API's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from qwicket.dialects.bodies import check_document, decode
from qwicket.dialects.native.wire import time
from qwicket.model.accounts import Role, Scope
from qwicket.model.errors import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qwicket.gateway.admin import NewToken
    from qwicket.model.accounts import Account, Project, Token
    from qwicket.model.limits import Limits

_Scopes = Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=len(Scope))]
_LIFE_S: Final = 100 * 365 * 86_400


class TokenWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/tokens`. What is absent is as that of the token that asks.

    Attributes:
        scopes: What it may do.
        devices: For which devices alone; none are all of them.
        project: Name of the project that its jobs count against.
        life_s: Seconds until it expires.
    """

    scopes: _Scopes
    devices: tuple[Annotated[str, msgspec.Meta(max_length=64)], ...] = ()
    project: str | None = None
    life_s: Annotated[int, msgspec.Meta(ge=1, le=_LIFE_S)] | None = None


_token_decoder: Final = msgspec.json.Decoder(TokenWish)


class TokenBody(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret.

    Attributes:
        id: Of the token; no secret.
        project: Name of the project that its jobs count against.
        scopes: What it may do.
        devices: For which devices alone; none are all of them.
        created_at: When it was made.
        expires_at: When it expires; null is never.
        parent: Id of the token that it was made with; null where an administrator made it.
    """

    id: str
    project: str
    scopes: tuple[Scope, ...]
    devices: tuple[str, ...]
    created_at: str | None
    expires_at: str | None
    parent: str | None


class NewTokenBody(TokenBody, frozen=True, kw_only=True):
    """A token that was made just now.

    Attributes:
        id: Of the token; no secret.
        project: Name of the project that its jobs count against.
        scopes: What it may do.
        devices: For which devices alone; none are all of them.
        created_at: When it was made.
        expires_at: When it expires; null is never.
        parent: Id of the token that it was made with.
        secret: What signs in; it is told this once.
    """

    secret: str


class ProjectBody(msgspec.Struct, frozen=True, kw_only=True):
    """A project that jobs may count against.

    Attributes:
        id: Of the project.
        name: What tokens name it by.
        shares: Its share of each device, beside those of others.
        created_at: When it was made.
        stored_bytes: Of its jobs' programs and results; limit `stored_bytes`.
    """

    id: str
    name: str
    shares: int
    created_at: str | None
    stored_bytes: int


class AccountBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and with which token.

    Attributes:
        id: Of the account.
        name: Of the account.
        role: `admin` or `member`.
        email: Its address; `NAME@localhost` where it has none.
        created_at: When it was made.
        change: Number of the last change of its jobs: `Last-Event-ID` for what comes after.
        token: The token that asks.
    """

    id: str
    name: str
    role: Role
    email: str
    created_at: str | None
    change: int
    token: TokenBody


def token_wish(text: bytes, limits: Limits) -> TokenWish:
    """Return what a token shall be.

    Raises:
        InvalidRequest: It is malformed; `field` says where.
        LimitExceeded: It is too large.
    """
    check_document(text, "body", limits)
    body = decode(text, _token_decoder)
    most = limits.token_devices
    if len(body.devices) > most:
        raise LimitExceeded(f"devices: at most {most} (limit token_devices).", field="devices")
    return body


def account(of: Account, by: Token, projects: Iterable[Project], change: int) -> AccountBody:
    return AccountBody(
        id=of.id,
        name=of.name,
        role=of.role,
        email=of.email,
        created_at=time(of.created_at),
        change=change,
        token=TokenBody(**_token(by, _names(projects))),
    )


def project_list(projects: Iterable[Project]) -> dict[str, Any]:
    return {
        "projects": [
            ProjectBody(
                id=each.id,
                name=each.name,
                shares=each.shares,
                created_at=time(each.created_at),
                stored_bytes=each.stored_bytes,
            )
            for each in projects
        ]
    }


def token_list(tokens: Iterable[Token], projects: Iterable[Project]) -> dict[str, Any]:
    names = _names(projects)
    return {"tokens": [TokenBody(**_token(each, names)) for each in tokens]}


def new_token(made: NewToken, projects: Iterable[Project]) -> NewTokenBody:
    return NewTokenBody(**_token(made.token, _names(projects)), secret=made.secret)


def _names(projects: Iterable[Project]) -> dict[str, str]:
    return {each.id: each.name for each in projects}


def _token(of: Token, projects: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": of.id,
        "project": projects.get(of.project, ""),
        "scopes": of.scopes,
        "devices": of.devices,
        "created_at": time(of.created_at),
        "expires_at": time(of.expires_at),
        "parent": of.parent,
    }
