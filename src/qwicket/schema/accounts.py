"""Accounts, projects and tokens."""

from __future__ import annotations

from qwicket.schema.base import Answer, Record, Role, Scope, Secretive


class TokenBody(Record, frozen=True, kw_only=True):
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
    project: str = ""
    scopes: tuple[Scope, ...] = ()
    devices: tuple[str, ...] = ()
    created_at: str | None = None
    expires_at: str | None = None
    parent: str | None = None


class NewTokenBody(TokenBody, Secretive, frozen=True, kw_only=True):
    """A token that was made just now.

    Attributes:
        parent: Id of the token that it was made with.
        secret: The token itself; no other answer contains it.
    """

    secret: str


class TokenList(Answer, frozen=True, kw_only=True):
    """The tokens of an account that still sign in.

    Attributes:
        tokens: All of them.
    """

    tokens: tuple[TokenBody, ...]


class ProjectBody(Record, frozen=True, kw_only=True):
    """A project that jobs may count against.

    Attributes:
        id: Of the project.
        name: Name that tokens and submissions use.
        shares: Its share of each device, beside those of others.
        created_at: When it was made.
        stored_bytes: Of its jobs' programs and results; limit `stored_bytes`.
    """

    id: str
    name: str
    shares: int
    created_at: str | None
    stored_bytes: int


class ProjectList(Answer, frozen=True, kw_only=True):
    """The projects of an account.

    Attributes:
        projects: All of them.
    """

    projects: tuple[ProjectBody, ...]


class AccountBody(Record, frozen=True, kw_only=True):
    """The account and the token of the request.

    Attributes:
        id: Of the account.
        name: Of the account.
        role: `admin` or `member`.
        email: Its address; `NAME@localhost` where it has none.
        created_at: When it was made.
        change: Number of the last change of its jobs: `Last-Event-ID` for what comes after.
        token: The token of the request.
    """

    id: str = ""
    name: str
    role: Role = ""
    email: str = ""
    created_at: str | None = None
    change: int = 0
    token: TokenBody
