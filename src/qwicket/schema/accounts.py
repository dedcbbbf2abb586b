"""Bodies of the API for accounts, projects and tokens."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from qwicket.schema.base import RedactedRepr, ResponseBody, ResponsePart, Role, Scope, Theme

_AccountName = Annotated[str, msgspec.Meta(max_length=254)]


class BoundsBody(ResponsePart, frozen=True, kw_only=True):
    """Bounds of a token, such as an assistant's; null sets none.

    Attributes:
        daily_shots: Shots of all circuits that its jobs may use in a day in UTC.
        daily_cost: Credits that its jobs may cost in a day in UTC.
        ask_above_shots: Shots of one job above which a person must confirm it.
        ask_above_cost: Credits of one job above which a person must confirm it.
    """

    daily_shots: int | None = None
    daily_cost: float | None = None
    ask_above_shots: int | None = None
    ask_above_cost: float | None = None


class TokenBody(ResponsePart, frozen=True, kw_only=True):
    """A token without its secret.

    Attributes:
        id: Id of the token, which is not secret.
        project: Name of the project to which its jobs count.
        scopes: Rights of the token.
        devices: The only devices that it may use; empty allows all.
        created_at: Time of its creation.
        expires_at: Time of its expiry; null if it never expires.
        parent: Id of the token that created it at `POST /v1/tokens`, and with which it is revoked;
            null for one from an administrator, an invitation, the pages or `POST /v1/sign-in`.
        revoked_at: Time of its revocation; null if it was not revoked.
        name: What its owner calls it; null without a name.
        used_at: Time of its last use, or up to an hour earlier; null if it was not used yet.
        bounds: Bounds of its jobs; null if it has none.
    """

    id: str
    project: str = ""
    scopes: tuple[Scope, ...] = ()
    devices: tuple[str, ...] = ()
    created_at: str | None = None
    expires_at: str | None = None
    parent: str | None = None
    revoked_at: str | None = None
    name: str | None = None
    used_at: str | None = None
    bounds: BoundsBody | None = None


class NewTokenBody(TokenBody, RedactedRepr, frozen=True, kw_only=True):
    """A new token with its secret.

    Attributes:
        secret: The token itself, or the secret of a key pair; no other response contains it.
        aws_key_id: The key id of a key pair for AWS's clients; null for a token.
    """

    secret: str
    aws_key_id: str | None = None


class TokenList(ResponseBody, frozen=True, kw_only=True):
    """The valid tokens of an account.

    Attributes:
        tokens: The oldest ones, at most as many as the limit `tokens`.
    """

    tokens: tuple[TokenBody, ...]


class ProjectBody(ResponsePart, frozen=True, kw_only=True):
    """A project of the account. Each job is charged to one project.

    Attributes:
        id: Id of the project.
        name: Name that tokens and submissions use.
        shares: Its weight in the queue of each device.
        created_at: Time of its creation.
        stored_bytes: Bytes of what its jobs and groups store; the limit `stored_bytes` bounds them.
        own_stored_bytes: Those of the account's own jobs and groups, which the limit
            `member_stored_bytes` bounds if the project has other members; null for administrators.
        retention_days: Days after which its ended jobs are deleted; null if they are kept.
    """

    id: str
    name: str
    shares: int
    created_at: str | None
    stored_bytes: int
    own_stored_bytes: int | None = None
    retention_days: int | None = None


class ProjectList(ResponseBody, frozen=True, kw_only=True):
    """The projects of an account.

    Attributes:
        projects: All of them.
    """

    projects: tuple[ProjectBody, ...]


class BudgetBody(ResponsePart, frozen=True, kw_only=True):
    """A budget: what the jobs of a project may use in a period.

    Attributes:
        id: Id of the budget.
        project: Name of the project.
        device: The only device whose jobs count; null for all.
        member: The only account whose jobs count, or `each` for each member by itself; null for the
            whole project. To administrators, `used` is then that of the member with the most use.
        unit: What is counted: `jobs`, `shots`, `seconds` of run time, or `cost` in credits.
        period: `total`, `day`, `week` or `month`.
        maximum: What may be used in a period.
        used: What was used in the present period, or is reserved for jobs that have not ended.
        left: What further jobs may use.
        ends_at: End of the present period in UTC; null for the period `total`.
    """

    id: str
    project: str
    device: str | None = None
    member: str | None = None
    unit: str
    period: str
    maximum: int | float
    used: int | float
    left: int | float
    ends_at: str | None = None


class AccountBody(ResponsePart, frozen=True, kw_only=True):
    """The account and the token of the request.

    Attributes:
        id: Id of the account.
        name: Name of the account.
        role: `admin` or `member`.
        email: E-mail address; `NAME@localhost` if the account has none.
        created_at: Time of its creation.
        change: Number of the last change of its jobs. A stream of events with this number as its
            `Last-Event-ID` begins after that change.
        token: The token of the request.
        budgets: What the jobs of its projects may use; empty if nothing limits them.
        theme: Theme of the pages: `light` or `dark`; null for the browser's.
        time_zone: Time zone of the pages, such as `Europe/Vienna`; null for UTC.
    """

    id: str = ""
    name: str
    role: Role = ""
    email: str = ""
    created_at: str | None = None
    change: int = 0
    token: TokenBody
    budgets: tuple[BudgetBody, ...] = ()
    theme: str | None = None
    time_zone: str | None = None


class OwnAccountChangeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PATCH /v1/account`: absent fields change nothing.

    Attributes:
        theme: Theme of the pages: `light` or `dark`; null for the browser's.
        time_zone: Time zone of the pages, such as `Europe/Vienna`; null for UTC.
    """

    theme: Theme | UnsetType | None = UNSET
    time_zone: Annotated[str, msgspec.Meta(max_length=64)] | UnsetType | None = UNSET


class PreferencesBody(ResponseBody, frozen=True, kw_only=True):
    """What a person prefers at the pages.

    Attributes:
        theme: `light` or `dark`; null for the browser's.
        time_zone: Time zone, such as `Europe/Vienna`; null for UTC.
    """

    theme: str | None = None
    time_zone: str | None = None


class PasswordChangeBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PUT /v1/account/password`: changes the password.

    Attributes:
        old: The present password.
        new: The new one, 8 to 1,024 characters.
    """

    old: Annotated[str, msgspec.Meta(max_length=1_024)]
    new: Annotated[str, msgspec.Meta(max_length=1_024)]


class SessionBody(ResponsePart, frozen=True, kw_only=True):
    """A session at the pages.

    Attributes:
        id: Its id, which does not sign in.
        browser: What the browser called itself at sign-in; null if it is not known.
        address: Network address of the browser at sign-in; null if it is not known.
        created_at: Time of the sign-in.
        used_at: Time of its last use, or up to five minutes earlier; null if it is not known.
        expires_at: Time of its end.
    """

    id: str
    browser: str | None = None
    address: str | None = None
    created_at: str | None = None
    used_at: str | None = None
    expires_at: str | None = None


class SessionList(ResponseBody, frozen=True, kw_only=True):
    """The sessions of an account.

    Attributes:
        sessions: All of them, the newest first.
    """

    sessions: tuple[SessionBody, ...]


class AcceptInvitationBody(RedactedRepr, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/accounts`: creates an account with an invitation.

    Attributes:
        invitation: Code of the invitation.
        name: Name of the account and of its own project.
        email: E-mail address, which also serves as a name at sign-in; null if it has none.
        password: Password, 8 to 1,024 characters; null for an account that signs in with tokens.
    """

    invitation: Annotated[str, msgspec.Meta(max_length=64)]
    name: _AccountName
    email: _AccountName | None = None
    password: Annotated[str, msgspec.Meta(max_length=1_024)] | None = None


class AcceptedInvitationBody(RedactedRepr, ResponseBody, frozen=True, kw_only=True):
    """A new account with its first token.

    Attributes:
        name: Name of the account.
        project: Name of the project to which the token's jobs count.
        secret: The token; no other response contains it.
    """

    name: str
    project: str
    secret: str


class DeviceFlowPart(ResponsePart, frozen=True, kw_only=True):
    """The identity provider's device flow (RFC 8628).

    Attributes:
        issuer: Address of the provider.
        client_id: Client id that commands have at the provider.
        scopes: The scopes to request.
        device_endpoint: Address at which the flow begins.
        token_endpoint: Address that returns the ID token.
    """

    issuer: str
    client_id: str
    scopes: tuple[str, ...] = ()
    device_endpoint: str
    token_endpoint: str


class SignInBody(ResponseBody, frozen=True, kw_only=True):
    """How people sign in.

    Attributes:
        are_passwords_on: Whether the server accepts passwords.
        device_flow: How commands sign in; null if they cannot.
    """

    are_passwords_on: bool
    device_flow: DeviceFlowPart | None = None
