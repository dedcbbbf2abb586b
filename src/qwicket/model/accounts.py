"""Accounts, projects, tokens, and the actor that a sign-in yields."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, Literal

import msgspec

from qwicket.model.errors import Forbidden, InvalidRequest

Role = Literal["admin", "member"]

NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")
RESERVED_NAMES: Final = frozenset({"v", "devices", "bookings"})
PASS_S: Final = 300.0
"""Life of a pass for clients that fetch a new one when it is refused."""
LONG_PASS_S: Final = 14 * 86_400.0
"""Life of a pass for clients that sign in once and never again."""


class Scope(StrEnum):
    """What a token may do."""

    JOBS_READ = "jobs:read"
    """Read one's own and one's projects' jobs, results, groups and events."""
    JOBS_WRITE = "jobs:write"
    """Submit, cancel and delete jobs; open and close groups."""
    DEVICES_READ = "devices:read"
    """Read devices, their queues and calibrations."""
    DEVICES_SERVE = "devices:serve"
    """Serve a device as a lab's agent: announce it, take its jobs, bring results."""
    TOKENS_WRITE = "tokens:write"
    """Make tokens that may do no more than this one, and revoke tokens of the account."""
    ADMIN = "admin"
    """Read `/metrics` from other machines; with `tokens:write`, make and revoke tokens of any
    project of the account. Only accounts of the role `admin` may have it."""


DEFAULT_SCOPES: Final = (Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    role: Role
    email: str
    created_at: int
    disabled_at: int | None = None


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """What use is counted against. `stored_bytes` are those of its jobs' programs and results."""

    id: str
    name: str
    shares: int
    created_at: int
    stored_bytes: int = 0


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret: only the sha256 of the secret is kept. Times are Unix ms.

    `parent` is the token that it was made with; it is revoked together with that one.
    """

    id: str
    account: str
    project: str
    scopes: tuple[Scope, ...]
    devices: tuple[str, ...]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    parent: str | None = None


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking, with what rights: the answer of every sign-in."""

    account: str
    account_name: str
    role: Role
    project: str
    token: str
    scopes: frozenset[Scope]
    devices: frozenset[str]

    def require(self, scope: Scope) -> None:
        """Refuse unless the token holds `scope`.

        Raises:
            Forbidden: It does not.
        """
        if scope not in self.scopes:
            raise Forbidden(f"This token lacks the scope {scope}.")

    def sees(self, device: str) -> bool:
        """Return whether jobs and groups of a device exist for this token."""
        return not self.devices or device in self.devices

    def require_device(self, name: str) -> None:
        """Refuse unless the token is for all devices or for this one.

        Raises:
            Forbidden: It is not.
        """
        if not self.sees(name):
            raise Forbidden(f"This token is not for the device {name}.", field="device")


def check_name(name: str, what: str = "name") -> str:
    """Return `name` if an account, project or provider may bear it.

    Raises:
        InvalidRequest: It may not.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise InvalidRequest(
            f"{what} must be 1 to 39 of a-z, 0-9 and '-', and begin with a letter or digit.",
            field=what,
        )
    if name in RESERVED_NAMES:
        raise InvalidRequest(f"{what} '{name}' is reserved.", field=what)
    return name
