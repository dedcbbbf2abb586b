"""Accounts, projects, tokens, and the actor that a sign-in returns."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from qwicket.model.bounds import Bounds
from qwicket.model.errors import Forbidden, InvalidRequest

Role = Literal["admin", "member"]
Theme = Literal["light", "dark"]

_TO_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

MAX_NAME_CHARS: Final = 39
NAME_PATTERN: Final = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_NAME_CHARS - 1}}}")
MAX_DEPTH: Final = 4
"""Limit on the depth of a tree of projects, because each submission reads the budgets above."""
RESERVED_NAMES: Final = frozenset({"v", "devices", "bookings"})
"""Words that follow names in the paths of dialects, such as `/devices/…/bookings/v/1`."""
_TRUSTED_NAMES: Final = frozenset(
    {
        *("abuse", "admin", "administrator", "administrators", "admins", "hostmaster", "operator"),
        *("owner", "postmaster", "qwicket", "root", "security", "staff", "superuser", "support"),
        *("sysadmin", "system", "webmaster"),
    }
)
ACCESS_TOKEN_S: Final = 300.0
"""Life in seconds of an access token for clients that renew it."""


def master_key_name(version: int = 1) -> str:
    """Return the name of a master key's fingerprint, which a database has once the key was used."""
    return f"aws_master_{version}"


class Scope(StrEnum):
    """What a token may do."""

    JOBS_READ = "jobs:read"
    """Read jobs, results, groups and events of the account and of its projects, and webhooks."""
    JOBS_WRITE = "jobs:write"
    """Submit, hold, reorder, cancel and delete jobs; as a lead of a project, hold, reorder and
    cancel those of others; open and close groups; add, test and remove webhooks."""
    DEVICES_READ = "devices:read"
    """Read devices, their queues and calibrations."""
    DEVICES_SERVE = "devices:serve"
    """Serve a device as a lab's agent: announce it, claim its jobs, report results."""
    COMPUTE_SERVE = "compute:serve"
    """Run the jobs of simulated devices on another machine (`qwicket worker`): read the programs of
    all users, report results. Only accounts of the role `admin` may have it."""
    TOKENS_WRITE = "tokens:write"
    """Create tokens with at most the rights of this one, and revoke tokens of the account; as a
    lead of a project, see its use, and change its members, their budgets and its invitations."""
    ADMIN = "admin"
    """Administer accounts, tokens, projects and devices of everybody; read `/metrics` from other
    machines; with `tokens:write`, create and revoke tokens of any project of the account. Only
    accounts of the role `admin` may have it."""


ADMIN_SCOPES: Final = frozenset({Scope.ADMIN, Scope.COMPUTE_SERVE})
"""Scopes for accounts of the role `admin` alone."""
DEFAULT_SCOPES: Final = (Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.DEVICES_READ)
"""Scopes of a token for which none are named: those that reading and submitting need."""
SELF_SERVICE_SCOPES: Final = (*DEFAULT_SCOPES, Scope.TOKENS_WRITE)
"""Scopes of the tokens that members make for themselves once they are signed in."""
LOGIN_TOKEN_S: Final = 30 * 86_400
"""Life in seconds of a token by `qwicket login`, unless another life is requested."""
SESSION_S: Final = 12 * 3_600.0
"""Life in seconds of a session at the pages."""
JobsOfDeleted = Literal["keep", "remove"]
"""What happens to the jobs of an account when its deletion becomes final: they stay without its
name, or are deleted."""
RESTORABLE_S: Final = 30 * 86_400
"""Time in seconds for which a deleted account can be restored."""


class Preferences(msgspec.Struct, frozen=True):
    """What a person prefers at the pages.

    Attributes:
        theme: `light` or `dark`; None is the browser's.
        time_zone: Name in the IANA database; None is UTC.
    """

    theme: Theme | None = None
    time_zone: str | None = None


class FirstSteps(NamedTuple):
    """First steps of a person.

    Attributes:
        are_hidden: Whether the person wants to see them no more.
        has_token: Whether the person made a token, valid or not.
        has_used_token: Whether a program signed in with one.
    """

    are_hidden: bool
    has_token: bool
    has_used_token: bool


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account. A deleted one is disabled, and can be restored for `RESTORABLE_S`.

    Times are Unix ms. `password_at` is the last change of its password, None if it never changed;
    `theme` and `time_zone` are as in `Preferences`.
    """

    id: str
    name: str
    role: Role
    email: str
    created_at: int
    disabled_at: int | None = None
    deleted_at: int | None = None
    password_at: int | None = None
    theme: Theme | None = None
    time_zone: str | None = None

    @property
    def preferences(self) -> Preferences:
        return Preferences(self.theme, self.time_zone)


class Person(NamedTuple):
    """The person for whom an account is created."""

    name: str
    email: str | None = None


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project, to which usage counts. The name of one in a tree begins with that of its parent.

    `stored_bytes` is the size of what its jobs and groups store. Its ended jobs are deleted after
    `retention_days`, unless this is None.
    """

    id: str
    name: str
    shares: int
    created_at: int
    stored_bytes: int = 0
    retention_days: int | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """Its name after those of the projects above it, the topmost first."""
        return project_path(self.name)

    @property
    def address(self) -> str:
        """Its name where a slash would begin another part, as in paths."""
        return project_address(self.name)


def project_path(name: str) -> tuple[str, ...]:
    """Return the names of the projects above one and its own: `a`, `a/b`, `a/b/c`."""
    parts = name.split("/")
    return tuple("/".join(parts[:n]) for n in range(1, len(parts) + 1))


def project_address(name: str) -> str:
    """Return the name of a project as paths have it, with colons: `physics:lab-1`."""
    return name.replace("/", ":")


def project_name(address: str) -> str:
    """Return the name of a project from a path, which has colons or, percent-encoded, slashes."""
    return address.replace(":", "/")


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret, of which only the sha256 is stored. Times are Unix ms.

    `devices` names the only devices that it may use; empty allows all. `parent` is the token that
    created it; revoking the parent revokes it, too. `used_at` is its last use or up to an hour
    earlier, because uses are stored at most once an hour. `name` is what its owner calls it. A
    token with `bounds`, such as an assistant's, has none but the `DEFAULT_SCOPES`.
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
    used_at: int | None = None
    name: str | None = None
    bounds: Bounds | None = None


def check_bounded(token: Token) -> None:
    """Require that a token with bounds cannot widen them.

    Raises:
        InvalidRequest: It has a scope with which it could, or that no assistant needs; or its
            bounds are empty.
    """
    if token.bounds is None:
        return
    if token.bounds == Bounds():
        raise InvalidRequest("bounds: set at least one, or leave them out.", field="bounds")
    others = set(token.scopes) - set(DEFAULT_SCOPES)
    if others:
        raise InvalidRequest(
            f"bounds: a token with bounds may have only the scopes {', '.join(DEFAULT_SCOPES)}, not"
            f" {', '.join(sorted(others))}.",
            field="bounds",
        )


class GroupRights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What membership in a group of an identity provider gives.

    Attributes:
        role: Role of the account; None gives none.
        projects: Names of the projects that it is a member of.
    """

    role: Role | None = None
    projects: tuple[str, ...] = ()


class IdentityProvider(msgspec.Struct, frozen=True, kw_only=True):
    """An identity provider, which signs people in by OpenID Connect.

    Attributes:
        issuer: Its address, exactly as it calls itself.
        client_id: The client id that this server has at the provider.
        client_secret_file: File with the secret of this server; None if it has none.
        device_client_id: The client id that commands have at the provider; "" if they have the
            server's.
        audiences: Further audiences of ID tokens that are accepted.
        scopes: The scopes to request.
        name_claim: The claim with a person's name.
        groups_claim: The claim with a person's groups.
        groups: Rights that membership in a group gives, by the group's name.
        creates_accounts: Whether a first sign-in creates an account.
        links_emails: Whether a first sign-in is to the existing account with the same e-mail
            address, if the provider has verified the address.
    """

    issuer: str
    client_id: str
    client_secret_file: Path | None = None
    device_client_id: str = ""
    audiences: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    groups: Mapping[str, GroupRights] = msgspec.field(default_factory=dict)
    creates_accounts: bool = False
    links_emails: bool = False


class SignInSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How people sign in.

    Attributes:
        are_passwords_on: Whether names and passwords are accepted.
        session_s: Life of a session at the pages, in seconds.
        provider: The identity provider, if there is one.
    """

    are_passwords_on: bool = True
    session_s: float = SESSION_S
    provider: IdentityProvider | None = None

    @property
    def links_emails(self) -> bool:
        """Whether a person's first sign-in may be to the account with their e-mail address."""
        return self.provider is not None and self.provider.links_emails


MemberRole = Literal["lead", "member", "reader"]
"""What an account may do in a project: a lead also changes members, their budgets and jobs, and
gives priorities above 0; a reader submits no jobs. Each account leads its own project."""


InvitedRole = Literal["member", "reader"]
"""What an invitation lets people be: a code, which anyone may find, must make no lead."""


class Member(NamedTuple):
    """An account in a project.

    Attributes:
        name: Name of the account.
        shares: Its weight among the members of the project in the queue of each device.
        role: What it may do in the project.
        stored_bytes: Bytes of what its jobs and groups store for the project.
    """

    name: str
    shares: int = 1
    role: MemberRole = "member"
    stored_bytes: int = 0


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """The caller and its rights, as returned by every sign-in.

    Attributes:
        account: Id of the account.
        account_name: Name of the account.
        role: Role of the account.
        project: Id of the project to which its jobs count.
        token: Id of its token; empty for a sign-in without one.
        scopes: Scopes of its token.
        devices: Names of the only devices that it may use; empty allows all.
        password_at: Time of the last change of the account's password, for a sign-in without a
            token; such sign-ins end with a change. 0 if it never changed.
        preferences: Those of the account, for a session at the pages.
        bounds: Bounds of its token, if it has some.
    """

    account: str
    account_name: str
    role: Role
    project: str
    token: str
    scopes: frozenset[Scope]
    devices: frozenset[str]
    password_at: int = 0
    preferences: Preferences = Preferences()
    bounds: Bounds | None = None

    def require(self, *scopes: Scope) -> None:
        """Require a scope of the token or of the sign-in without one, or one of several.

        Raises:
            Forbidden: It lacks all of them.
        """
        if self.scopes.isdisjoint(scopes):
            if not self.token and scopes == (Scope.ADMIN,):
                raise Forbidden("Only administrators may do this.")
            raise Forbidden(f"This token lacks the scope {' or '.join(scopes)}.")

    def sees(self, device: str) -> bool:
        """Return whether the token may access the jobs and groups of a device."""
        return not self.devices or device in self.devices

    def require_device(self, name: str) -> None:
        """Require that the token is for all devices or for this one.

        Raises:
            Forbidden: The token is for other devices.
        """
        if not self.sees(name):
            raise Forbidden(f"This token is not for the device {name}.", field="device")

    def require_all_devices(self) -> None:
        """Require that the token is not limited to some devices.

        Raises:
            Forbidden: It is.
        """
        if self.devices:
            devices = "device" if len(self.devices) == 1 else "devices"
            raise Forbidden(
                f"This token is only for the {devices} {', '.join(sorted(self.devices))}, and this"
                " concerns other devices, too: use a token for all devices."
            )


def lower_ascii(text: str) -> str:
    """Return a name or an e-mail address with A to Z in lower case, as accounts have them.

    Other letters stay: `str.lower` also makes the Kelvin sign a `k`, so that one person could have
    the address of another.
    """
    return text.translate(_TO_LOWER)


def is_trusted_name(name: str) -> bool:
    """Return whether others would trust a name, which administrators alone give to an account."""
    return name.rstrip("._-") in _TRUSTED_NAMES


def check_name(name: str, field: str = "name") -> str:
    """Validate the name of an account, project or provider, and return it.

    Args:
        name: The name.
        field: Field of the request that has it.

    Raises:
        InvalidRequest: The name is invalid.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise InvalidRequest(
            f"{field} must be 1 to {MAX_NAME_CHARS} of a-z, 0-9, '.', '_' and '-', and begin with a"
            f" letter or digit; not {name[:100]!r}.",
            field=field,
        )
    if name in RESERVED_NAMES:
        raise InvalidRequest(f"{field} '{name}' is reserved.", field=field)
    return name


def check_project_name(name: str, field: str = "name") -> str:
    """Validate the name of a project, which may have those of the projects above it; return it.

    Raises:
        InvalidRequest: A part is invalid, or there are too many.
    """
    parts = name.split("/")
    if len(parts) > MAX_DEPTH:
        raise InvalidRequest(
            f"{field} must have at most {MAX_DEPTH} parts with slashes, not {len(parts)}.",
            field=field,
        )
    for part in parts:
        check_name(part, field)
    return name
