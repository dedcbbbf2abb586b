"""Settings of the server, from flags, environment and `qwicket.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from qwicket.folders import AWS_MASTER_FILE, default_data_dir
from qwicket.gateway.first_polls import MAX_DELAY_MS
from qwicket.model.accounts import (
    ACCESS_TOKEN_S,
    SESSION_S,
    GroupRights,
    IdentityProvider,
    SignInSettings,
)
from qwicket.model.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator


def own_limits() -> tuple[type[msgspec.Struct], ...]:
    """Return the groups of limits that formats and dialects declare."""
    # Late: settings without limits need no formats.
    from qwicket import programs

    return programs.LIMITS


LogFormat = Literal["text", "json"]

_PAIRS: Final = (("--tls-cert", "--tls-key"), ("--oidc-issuer", "--oidc-client-id"))
"""Options that are set together or not at all."""


def passwords(database_url: str) -> list[str]:
    """Return the passwords in a database's address, percent-encoded and decoded."""
    try:
        parts = urlsplit(database_url)
        written = [parts.password, *re.findall(r"[?&](?:ssl)?password=([^&#]*)", database_url)]
    except ValueError:
        return []
    return [each for text in written if text for each in {text, unquote(text)}]


class OwnAddress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that one dialect has for itself, from its root.

    Attributes:
        port: Port to listen on; 0 takes any free one.
        dialect: Name of the dialect.
        host: Address to listen on; None means the server's own.
        tls_cert: Certificate chain in PEM; None means the server's own, if it has one.
        tls_key: Its private key, without a password.
        public_url: The dialect's address in responses; None means that of the connection's socket.
        device: Device of another cloud with this dialect, to which requests are passed on as they
            are; None means that this server answers them.
    """

    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    dialect: str
    host: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    public_url: str | None = None
    device: str | None = None

    def __str__(self) -> str:
        found = msgspec.structs.asdict(self)
        return ",".join(f"{name}={value}" for name, value in found.items() if value is not None)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of `qwicket serve`.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes any free one.
        listen: Further addresses, each of one dialect.
        data_dir: Folder of the embedded database.
        device_dir: Folder with device files: devices at other clouds, and further simulated ones.
        database_url: PostgreSQL server in place of the embedded database; may have a password.
        workers: Worker processes; None means one per core, or none with a cluster. 0 means that
            no engine runs here, not even in an express slot.
        no_dispatch: Whether this server runs no jobs; other servers, workers on other machines and
            agents do.
        compute: Where jobs run: `local`, or a Dask cluster (`features/dask/address.py`).
        compute_min: Fewest workers of a cluster that the server starts; None means 1.
        compute_max: Most workers of such a cluster; None means 4, or `compute_min` if that is more.
        compute_tls_ca: Authority that signed the certificates of a cluster that runs already, in
            PEM.
        compute_tls_cert: The certificate that the server shows to such a cluster.
        compute_tls_key: Private key of this certificate.
        express_slots: Processes beside the workers, for short jobs while all workers are busy.
        trusted_proxy: Addresses or networks whose X-Forwarded-… headers are believed.
        tls_cert: Certificate chain in PEM; with it the server speaks TLS.
        tls_key: Its private key, without a password.
        public_url: Address of this server in responses; by default that of the connection's
            socket.
        lease_s: Seconds without a heartbeat after which a runner loses its jobs. A server sends
            four heartbeats in this time.
        stop_grace_s: Seconds that running jobs may go on when the server is to stop.
        maintenance_interval_s: Seconds between two rounds of periodic work.
        dialects: Names of the vendors' dialects that are offered, beside the native one; None for
            all.
        access_token_s: Lifetime of an access token in seconds, for clients that renew it.
        first_poll_ms: Longest delay of a status read of a young job, in milliseconds; 0 is off.
        setup_link: Whether a server of an empty database prints a link to set it up; None means
            that it does if only this machine reaches it.
        no_passwords: Whether names and passwords are refused at every dialect and at the pages.
        session_s: Lifetime of a session at the pages, in seconds.
        aws_master_file: File of the master keys of AWS's key pairs; by default in `data_dir`; none
            by default with `database_url`.
        oidc_issuer: Address of the identity provider; None if there is none.
        oidc_client_id: Id of this server at the provider.
        oidc_client_secret_file: File with the secret of this id.
        oidc_device_client_id: Id of `qwicket login` at the provider; None means `oidc_client_id`.
        oidc_audiences: Further audiences of ID tokens that are accepted.
        oidc_scopes: Scopes to ask the provider for.
        oidc_name_claim: Claim with a person's name.
        oidc_groups_claim: Claim with a person's groups.
        oidc_groups: Projects and role that each group gives, by the group's name.
        oidc_create: Whether a first sign-in creates an account.
        oidc_link_email: Whether a first sign-in is to the account with the same verified address.
        allow_private_webhooks: Whether webhooks may have addresses that are not public, and no TLS.
        dist: To whom the server's package is offered: over TLS or to this machine, to all, or off.
        keep_days: Days after which ended jobs are deleted; None keeps them, unless their project
            has a time of its own.
        log_format: Format of the log's lines.
        access_log: Whether every HTTP request has a line in the log.
        limits: Bounds on requests, programs and jobs.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    listen: tuple[OwnAddress, ...] = ()
    data_dir: Path = msgspec.field(default_factory=default_data_dir)
    device_dir: Path | None = None
    database_url: str | None = None
    workers: int | None = None
    no_dispatch: bool = False
    compute: str = "local"
    compute_min: int | None = None
    compute_max: int | None = None
    compute_tls_ca: Path | None = None
    compute_tls_cert: Path | None = None
    compute_tls_key: Path | None = None
    express_slots: int = 1
    trusted_proxy: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    public_url: str | None = None
    lease_s: float = 45.0
    stop_grace_s: float = 20.0
    maintenance_interval_s: float = 60.0
    access_token_s: float = ACCESS_TOKEN_S
    dialects: frozenset[str] | None = None
    first_poll_ms: int = MAX_DELAY_MS
    setup_link: bool | None = None
    no_passwords: bool = False
    session_s: float = SESSION_S
    aws_master_file: Path | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret_file: Path | None = None
    oidc_device_client_id: str | None = None
    oidc_audiences: str = ""
    oidc_scopes: str = "openid profile email"
    oidc_name_claim: str = "preferred_username"
    oidc_groups_claim: str = "groups"
    oidc_groups: Mapping[str, GroupRights] = msgspec.field(default_factory=dict)
    oidc_create: bool = False
    oidc_link_email: bool = False
    allow_private_webhooks: bool = False
    dist: Literal["tls", "all", "off"] = "tls"
    keep_days: float | None = None
    log_format: LogFormat = "text"
    access_log: bool = False
    limits: Limits = Limits()

    @property
    def master_file(self) -> Path | None:
        """Return the file of the master keys; None where none is set for a shared database."""
        if self.aws_master_file is not None or self.database_url is not None:
            return self.aws_master_file
        return self.data_dir / AWS_MASTER_FILE

    @property
    def sign_in(self) -> SignInSettings:
        """Return how people sign in."""
        provider = None
        if self.oidc_issuer and self.oidc_client_id:
            provider = IdentityProvider(
                issuer=self.oidc_issuer,
                client_id=self.oidc_client_id,
                client_secret_file=self.oidc_client_secret_file,
                device_client_id=self.oidc_device_client_id or "",
                audiences=tuple(self.oidc_audiences.split()),
                scopes=tuple(self.oidc_scopes.split()),
                name_claim=self.oidc_name_claim,
                groups_claim=self.oidc_groups_claim,
                groups=self.oidc_groups,
                creates_accounts=self.oidc_create,
                links_emails=self.oidc_link_email,
            )
        return SignInSettings(
            are_passwords_on=not self.no_passwords, session_s=self.session_s, provider=provider
        )

    def unoffered(self) -> list[str]:
        """Return the dialects that have an address of their own although they are left out."""
        offered = self.dialects
        return (
            []
            if offered is None
            else [it.dialect for it in self.listen if it.dialect not in offered]
        )

    def half_pairs(self) -> Iterator[tuple[str, str]]:
        """Yield the pairs of options of which only one is set: the absent one, then the other."""
        for one, other in _PAIRS:
            for absent, present in ((one, other), (other, one)):
                if self._of(absent) is None and self._of(present) is not None:
                    yield absent, present

    def _of(self, option: str) -> object:
        """Return the value of an option such as --tls-cert."""
        return getattr(self, option.removeprefix("--").replace("-", "_"))

    def in_force(self) -> list[tuple[str, str]]:
        """Return the names and values of all settings but limits, without passwords."""
        found = []
        for name, value in msgspec.structs.asdict(self).items():
            if name == "limits":
                continue
            if isinstance(value, tuple):
                value = " ".join(map(str, value)) or None
            text = "none" if value is None else str(value)
            for secret in passwords(self.database_url or ""):
                text = text.replace(secret, "…")
            found.append((name, text))
        return found

    def __repr__(self) -> str:
        return f"Settings(host={self.host!r}, port={self.port!r}, data_dir={self.data_dir!r})"
