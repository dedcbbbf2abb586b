"""Accounts, projects and tokens in the native API's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec

from qwicket import schema
from qwicket.dialects.bodies import check_document, decode
from qwicket.dialects.native.wire import iso_time
from qwicket.gateway.tokens import MAX_TOKEN_NAME_CHARS
from qwicket.model.accounts import LOGIN_TOKEN_S, Scope
from qwicket.model.bounds import bounds_of
from qwicket.model.budgets import MAX_STORED, MICRO
from qwicket.model.errors import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qwicket.gateway.single_sign_on import DeviceFlow
    from qwicket.gateway.tokens import NewToken
    from qwicket.model.accounts import Account, Project, Token
    from qwicket.model.bounds import Bounds
    from qwicket.model.budgets import BudgetState
    from qwicket.model.limits import Limits
    from qwicket.store.sessions import Session

R = TypeVar("R", bound="TokenRequest")
_Scopes = Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=len(Scope))]
_Shots = Annotated[int, msgspec.Meta(ge=0, le=MAX_STORED)]
_Credits = Annotated[float, msgspec.Meta(ge=0, le=MAX_STORED / MICRO)]
_MAX_LIFE_S: Final = 100 * 365 * 86_400
"""Longest life of a token: 100 years, in seconds."""


class BoundsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of a new token, such as an assistant's; null sets none.

    Attributes:
        daily_shots: Shots of all circuits that its jobs may use in a day in UTC.
        daily_cost: Credits that its jobs may cost in a day in UTC.
        ask_above_shots: Shots of one job above which a person must confirm it.
        ask_above_cost: Credits of one job above which a person must confirm it.
    """

    daily_shots: _Shots | None = None
    daily_cost: _Credits | None = None
    ask_above_shots: _Shots | None = None
    ask_above_cost: _Credits | None = None


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/tokens`. Absent fields are as in the calling token.

    Attributes:
        scopes: Rights of the token.
        devices: Names of the devices that it may use; if empty, those of the calling token.
        project: Name of the project to which its usage counts.
        life_s: Seconds until it expires.
        name: What its owner calls it; null for no name.
        bounds: Bounds of its jobs; null for none.
    """

    scopes: _Scopes
    devices: tuple[Annotated[str, msgspec.Meta(max_length=64)], ...] = ()
    project: str | None = None
    life_s: Annotated[int, msgspec.Meta(ge=1, le=_MAX_LIFE_S)] | None = None
    name: Annotated[str, msgspec.Meta(max_length=MAX_TOKEN_NAME_CHARS)] | None = None
    bounds: BoundsRequest | None = None

    @property
    def stored_bounds(self) -> Bounds | None:
        """The bounds as they are stored."""
        return None if self.bounds is None else bounds_of(**msgspec.structs.asdict(self.bounds))


class AnyTokenRequest(TokenRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/accounts/{account}/tokens`.

    Attributes:
        scopes: Rights of the token.
        devices: Names of the devices that it may use; if empty, all devices.
        project: Name of the project to which its usage counts; by default the account's own.
        life_s: Seconds until it expires; by default it does not expire.
        name: What its owner calls it; null for no name.
        bounds: Bounds of its jobs; null for none.
        aws: Whether to create a key pair, with which AWS's clients sign requests. Its key id
            and secret, joined by a dot, are a token.
    """

    aws: bool = False


class SignInRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/sign-in`: exchanges an ID token for a token.

    Attributes:
        id_token: ID token from the identity provider's device flow; it can be used once.
        access_token: Access token of the identity provider, needed to ask it for the person's
            groups if the ID token does not state them.
        scopes: Rights of the token; by default to read and to submit.
        project: Name of the project to which its usage counts; by default the account's own.
        life_s: Seconds until it expires; by default 30 days.
    """

    id_token: Annotated[str, msgspec.Meta(max_length=32_768)]
    access_token: Annotated[str, msgspec.Meta(max_length=32_768)] | None = None
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(max_length=len(Scope))] = ()
    project: str | None = None
    life_s: Annotated[int, msgspec.Meta(ge=1, le=_MAX_LIFE_S)] = LOGIN_TOKEN_S


_token_decoder: Final = msgspec.json.Decoder(TokenRequest)
_any_token_decoder: Final = msgspec.json.Decoder(AnyTokenRequest)


def token_request(text: bytes, limits: Limits) -> TokenRequest:
    """Return the properties of a new token.

    Raises:
        InvalidRequest: The body is malformed; `field` names the field.
        LimitExceeded: The body is too large, or names too many devices.
    """
    return _decode_token_request(text, _token_decoder, limits)


def any_token_request(text: bytes, limits: Limits) -> AnyTokenRequest:
    """Return the properties of a new token or key pair, as `token_request` does."""
    return _decode_token_request(text, _any_token_decoder, limits)


def _decode_token_request(text: bytes, decoder: msgspec.json.Decoder[R], limits: Limits) -> R:
    check_document(text, "body", limits)
    body = decode(text, decoder)
    maximum = limits.quotas.token_devices
    if len(body.devices) > maximum:
        raise LimitExceeded(f"devices: at most {maximum} (limit token_devices).", field="devices")
    return body


def account(
    account: Account,
    by: Token,
    projects: Iterable[Project],
    change: int,
    budgets: Iterable[BudgetState],
) -> schema.accounts.AccountBody:
    return schema.accounts.AccountBody(
        id=account.id,
        name=account.name,
        role=account.role,
        email=account.email,
        created_at=iso_time(account.created_at),
        change=change,
        token=_token(by, _names(projects)),
        budgets=tuple(map(budget, budgets)),
        theme=account.theme,
        time_zone=account.time_zone,
    )


def session_list(sessions: Iterable[Session]) -> schema.accounts.SessionList:
    return schema.accounts.SessionList(
        sessions=tuple(
            schema.accounts.SessionBody(
                id=each.id,
                browser=each.agent,
                address=each.address,
                created_at=iso_time(each.created_at),
                used_at=iso_time(each.used_at),
                expires_at=iso_time(each.expires_at),
            )
            for each in sessions
        )
    )


def budget(state: BudgetState) -> schema.accounts.BudgetBody:
    budget = state.budget
    return schema.accounts.BudgetBody(
        id=budget.id,
        project=state.project,
        device=budget.device or None,
        member=budget.member or None,
        unit=budget.unit,
        period=budget.period,
        maximum=state.maximum,
        used=state.used,
        left=state.left,
        ends_at=iso_time(state.ends_at),
    )


def project(project: Project, own_bytes: int | None = None) -> schema.accounts.ProjectBody:
    return schema.accounts.ProjectBody(
        id=project.id,
        name=project.name,
        shares=project.shares,
        created_at=iso_time(project.created_at),
        stored_bytes=project.stored_bytes,
        own_stored_bytes=own_bytes,
        retention_days=project.retention_days,
    )


def project_list(
    projects: Iterable[Project], own_bytes: Mapping[str, int] | None = None
) -> schema.accounts.ProjectList:
    """Return projects; for an account also with what it stores for each, by id."""
    return schema.accounts.ProjectList(
        projects=tuple(
            project(each, None if own_bytes is None else own_bytes.get(each.id, 0))
            for each in projects
        )
    )


def token_list(tokens: Iterable[Token], projects: Iterable[Project]) -> schema.accounts.TokenList:
    names = _names(projects)
    return schema.accounts.TokenList(tokens=tuple(_token(each, names) for each in tokens))


def new_token(made: NewToken, projects: Iterable[Project]) -> schema.accounts.NewTokenBody:
    body = _token(made.token, _names(projects))
    return schema.accounts.NewTokenBody(
        **msgspec.structs.asdict(body), secret=made.secret, aws_key_id=made.aws_key_id
    )


def device_flow(flow: DeviceFlow) -> schema.accounts.DeviceFlowPart:
    return schema.accounts.DeviceFlowPart(**flow._asdict())


def _names(projects: Iterable[Project]) -> dict[str, str]:
    return {each.id: each.name for each in projects}


def _token(token: Token, projects: Mapping[str, str]) -> schema.accounts.TokenBody:
    return schema.accounts.TokenBody(
        id=token.id,
        project=projects.get(token.project, ""),
        scopes=token.scopes,
        devices=token.devices,
        created_at=iso_time(token.created_at),
        expires_at=iso_time(token.expires_at),
        parent=token.parent,
        revoked_at=iso_time(token.revoked_at),
        name=token.name,
        used_at=iso_time(token.used_at),
        bounds=None if token.bounds is None else bounds(token.bounds),
    )


def bounds(bounds: Bounds) -> schema.accounts.BoundsBody:
    return schema.accounts.BoundsBody(**bounds.in_credits())
