"""All services of a server, with shared caches and counters."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from qwicket.gateway.access_tokens import AccessTokens
from qwicket.gateway.accounts import Accounts
from qwicket.gateway.admission import Admission
from qwicket.gateway.client_documents import ClientDocuments
from qwicket.gateway.device_limits import DeviceLimits
from qwicket.gateway.devices import Devices
from qwicket.gateway.first_polls import MAX_DELAY_MS, FirstPolls
from qwicket.gateway.job_groups import JobGroups
from qwicket.gateway.jobs import Jobs
from qwicket.gateway.lab_devices import LabDevices
from qwicket.gateway.pilots import Pilots
from qwicket.gateway.queue import Queue
from qwicket.gateway.results import Results
from qwicket.gateway.signin import SignIn
from qwicket.gateway.tokens import Tokens
from qwicket.model.accounts import SignInSettings
from qwicket.model.errors import Forbidden
from qwicket.scheduling import Forecaster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qwicket.compute import Cluster, ParserPool
    from qwicket.gateway.admin import Admin
    from qwicket.gateway.bulk import Bulk
    from qwicket.gateway.choices import Choices
    from qwicket.gateway.compilation import Compilation
    from qwicket.gateway.estimates import Estimates
    from qwicket.gateway.key_pairs import KeyPairs
    from qwicket.gateway.links import Links
    from qwicket.gateway.pass_through import PassThroughJobs
    from qwicket.gateway.repeats import Repeats
    from qwicket.gateway.scalers import Scalers
    from qwicket.gateway.sessions import Sessions
    from qwicket.gateway.single_sign_on import SingleSignOn
    from qwicket.gateway.submitted import SubmittedJobs
    from qwicket.gateway.uploads import Uploads
    from qwicket.gateway.usage import Usage
    from qwicket.model.limits import Limits
    from qwicket.store import Store


class Service(Protocol):
    """A service of a feature."""

    @classmethod
    def from_gateway(cls, gateway: Gateway) -> Any:
        """Return the service of a gateway."""


S = TypeVar("S", bound=Service)


class Gateway:
    """All services of a server, with shared caches and counters.

    Args:
        store: The database.
        parsers: Parse larger programs in separate processes.
        limits: Bounds on all requests; `memory_bytes` must be set.
        now_ms: Clock; returns Unix milliseconds.
        lease_s: Lease time of runners, in seconds.
        first_poll_ms: Longest delay of a status read of a young job, in milliseconds; 0 is off.
        memory_grows: Whether pilots with more memory raise the limit `memory_bytes`.
        runner: Id of the server's runner.
        allow_private_webhooks: Whether webhooks may have addresses that are not public.
        dist: To whom the server's package is offered: tls, all or off.
        sign_in: Settings of the sign-in.
        aws_master_file: File of the master keys of AWS's key pairs.

    Attributes:
        limits: Bounds on all requests.
        sign_in: Settings of the sign-in.
        auth: Signs in with tokens and passwords.
        access_tokens: Signs short-lived tokens and URLs, and verifies them.
        accounts: Accounts and their projects.
        tokens: An account's tokens.
        devices: Devices and their calibrations.
        jobs: Submits, reads, waits for, cancels and deletes jobs.
        results: Programs and results of jobs.
        queue: Positions and forecasts.
        first_polls: Delays status reads of young jobs that end soon.
        job_groups: Groups of jobs, such as batches and sessions.
        client_documents: Documents that clients register.
        lab_devices: Devices that labs announce.
        pilots: Workers on other machines, and labs' agents.
        cluster: Where the jobs of simulated devices run, if it is a cluster.
    """

    def __init__(
        self,
        store: Store,
        parsers: ParserPool,
        limits: Limits,
        now_ms: Callable[[], int],
        *,
        lease_s: float = 45.0,
        first_poll_ms: int = MAX_DELAY_MS,
        memory_grows: bool = False,
        runner: str = "",
        allow_private_webhooks: bool = False,
        dist: str = "tls",
        sign_in: SignInSettings | None = None,
        aws_master_file: Path | None = None,
    ) -> None:
        device_limits = DeviceLimits(store, limits, memory_grows=memory_grows)
        admission = Admission(store, parsers, limits, device_limits, now_ms)
        self.store = store
        self._parsers = parsers
        self._admission = admission
        self.now_ms = now_ms
        self.limits = limits
        self.open_streams: Counter[str] = Counter()
        """Number of open streams by account, in all dialects and pages."""
        self.sign_in = sign_in or SignInSettings()
        self.auth = SignIn(
            store,
            limits.sign_in,
            now_ms,
            are_passwords_on=self.sign_in.are_passwords_on,
            key_pairs=lambda: self.key_pairs,
        )
        self.access_tokens = AccessTokens(store, self.auth, now_ms)
        self.accounts = Accounts(store)
        self.tokens = Tokens(store, self.auth, limits, now_ms)
        self.devices = Devices(store, device_limits, now_ms)
        self.job_groups = JobGroups(store, limits, now_ms)
        self.client_documents = ClientDocuments(store, limits, now_ms)
        self.jobs = Jobs(
            store, admission, self.job_groups, limits, now_ms, choices=lambda: self.choices
        )
        self.results = Results(store)
        forecaster = Forecaster(store, now_ms)
        self.queue = Queue(store, admission, forecaster, now_ms)
        self.first_polls = FirstPolls(
            self.jobs.waiter, forecaster, self.auth.confirm, now_ms, first_poll_ms
        )
        self.lab_devices = LabDevices(store, parsers, limits, now_ms)
        self.pilots = Pilots(store, self.lab_devices, limits, now_ms, lease_s=lease_s)
        self.runner = runner
        self.allow_private_webhooks = allow_private_webhooks
        self.dist = dist
        self.cluster: Cluster | None = None
        self._of_features: dict[type[Any], Any] = {}
        self._aws_master_file = aws_master_file

    def feature(self, kind: type[S]) -> S:
        """Return the service of a feature, made at its first use."""
        found = self._of_features.get(kind)
        if found is None:
            found = self._of_features[kind] = kind.from_gateway(self)
        return cast(S, found)

    # Few servers need these services, and a server starts faster without importing them.

    @cached_property
    def bulk(self) -> Bulk:
        """Return the service that cancels and deletes many jobs at once."""
        from qwicket.gateway.bulk import Bulk

        return Bulk(self.store, self.limits, self.now_ms, self.jobs.waiter)

    @cached_property
    def submitted(self) -> SubmittedJobs:
        """Return the service that reads what jobs were submitted with."""
        from qwicket.gateway.submitted import SubmittedJobs

        return SubmittedJobs(self.store)

    @cached_property
    def repeats(self) -> Repeats:
        """Return the service that submits stored jobs once more."""
        from qwicket.gateway.repeats import Repeats

        return Repeats(self.jobs, self.submitted)

    @cached_property
    def compilation(self) -> Compilation:
        """Return the service that compiles and draws circuits of jobs."""
        from qwicket.gateway.compilation import Compilation

        return Compilation(self.store, self._parsers)

    @cached_property
    def estimates(self) -> Estimates:
        """Return the service that estimates jobs before they are submitted."""
        from qwicket.gateway.estimates import Estimates

        return Estimates(
            self.usage,
            self._admission,
            self.job_groups,
            self.queue,
            self.now_ms,
            choices=lambda: self.choices,
        )

    @cached_property
    def choices(self) -> Choices:
        """Return the service that chooses devices for jobs."""
        from qwicket.gateway.choices import Choices

        return Choices(
            self.devices,
            self._admission,
            self.estimates,
            self.job_groups,
            self._parsers,
            self.limits,
        )

    @cached_property
    def uploads(self) -> Uploads:
        """Return the service for jobs whose programs are uploaded."""
        from qwicket.gateway.uploads import Uploads

        return Uploads(self.store, self._admission, self.limits, self.now_ms)

    @cached_property
    def scalers(self) -> Scalers:
        """Return the service for the processes that start pilots."""
        from qwicket.gateway.scalers import Scalers

        return Scalers(self.store, self.now_ms)

    @cached_property
    def pass_through(self) -> PassThroughJobs:
        """Return the service that passes requests on to devices' own servers."""
        from qwicket.gateway.pass_through import PassThroughJobs

        return PassThroughJobs(self.store, self.jobs, self.limits.requests.wait_s)

    @cached_property
    def sessions(self) -> Sessions:
        """Return the service for people who are signed in at the pages."""
        from qwicket.gateway.sessions import Sessions

        return Sessions(
            self.store,
            self.auth,
            self.limits,
            self.sign_in,
            self.now_ms,
            key_pairs=lambda: self.key_pairs,
        )

    @cached_property
    def links(self) -> Links:
        """Return the service for one-time links."""
        from qwicket.gateway.links import Links

        return Links(self.store, self.auth, self.sign_in, self.now_ms)

    @cached_property
    def single_sign_on(self) -> SingleSignOn:
        """Return the service for people who sign in at an identity provider.

        Raises:
            Forbidden: The server has no identity provider.
        """
        if self.sign_in.provider is None:
            raise Forbidden("This server has no identity provider.")
        from qwicket.gateway.single_sign_on import SingleSignOn

        return SingleSignOn(
            self.store, self.auth, self.sign_in.provider, self.limits.sign_in, self.now_ms
        )

    async def load_single_sign_on(self) -> SingleSignOn:
        """Return `single_sign_on`, whose libraries are imported in a thread the first time.

        Raises:
            Forbidden: The server has no identity provider.
        """
        if "single_sign_on" not in vars(self) and self.sign_in.provider is not None:
            await asyncio.to_thread(import_module, "qwicket.gateway.single_sign_on")
        return self.single_sign_on

    @cached_property
    def usage(self) -> Usage:
        """Return the service for what jobs have used and may use."""
        from qwicket.gateway.usage import Usage

        return Usage(self.store, self.now_ms)

    @cached_property
    def admin(self) -> Admin:
        """Return the administration over HTTP, which few servers use."""
        from qwicket.gateway.admin import Admin

        return Admin(
            self.store,
            self.now_ms,
            self._aws_master_file,
            passwords=lambda: self.auth.passwords,
            are_passwords_on=self.sign_in.are_passwords_on,
        )

    @cached_property
    def key_pairs(self) -> KeyPairs:
        """Return the service for key pairs, with which AWS's clients sign requests."""
        from qwicket.gateway.key_pairs import KeyPairs

        return KeyPairs(self.store, self._aws_master_file, self.now_ms)
