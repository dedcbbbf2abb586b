"""`connect` and `aconnect`, the client for threads, and its devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from qwicket.clients.http import RetryPolicy
from qwicket.clients.native import operations
from qwicket.clients.native.config import DEFAULT_URL, settings
from qwicket.clients.native.jobs import Job
from qwicket.clients.native.transport import Transport
from qwicket.clients.native.views import DeviceView, Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from qwicket.clients.native.aio import AsyncClient
    from qwicket.clients.native.config import Settings
    from qwicket.clients.native.events import Change
    from qwicket.clients.native.programs import Observables, Program
    from qwicket.schema.jobs import EstimateBody

__all__ = [
    "DEFAULT_URL",
    "Client",
    "Device",
    "Filters",
    "JobAction",
    "Options",
    "aconnect",
    "connect",
]

JobAction = Literal["cancel", "hold", "release", "priority", "requeue", "delete"]


class Options(TypedDict, total=False):
    """Options of a submission besides program, device and shots; see `Client.submit`."""

    format: str | None
    seed: int | None
    noise: str | None
    engine: str
    inputs: Mapping[str, float] | None
    outputs: Sequence[str]
    name: str
    tags: Sequence[str]
    observables: Observables | None
    mitigation: Mapping[str, Any] | None
    weights: Mapping[str, float] | None
    key: str | None
    wait: float


class Filters(TypedDict, total=False):
    """Filters of a list of jobs. Times are ISO 8601 with an offset from UTC."""

    state: str | None
    device: str | None
    name: str | None
    tag: str | Sequence[str] | None
    group: str | None
    dialect: str | None
    created_from: str | None
    created_to: str | None
    account: str | None
    project: str | None


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    profile: str | None = None,
    config: str | Path | None = None,
    timeout: float | None = None,
    deadline: float | None = None,
) -> Client:
    """Return a client of a Qwicket server. No request is sent yet.

    Each setting comes from the argument, else the environment variable, else the profile in
    `~/.config/qwicket/config.toml`, else the default.

    Args:
        url: Address of the server; variable `QWICKET_URL`; default `http://127.0.0.1:8000`.
        token: API token; variable `QWICKET_TOKEN`. A token from a profile is only sent to the
            address in the same profile.
        profile: Name of a profile; variable `QWICKET_PROFILE`; default is the file's `default`.
            A profile that is passed here takes precedence over the environment.
        config: File with profiles; variable `QWICKET_CLIENT_CONFIG`.
        timeout: Seconds for one response, by default 30. Each 16 KiB received extend them by a
            second.
        deadline: Seconds during which a failed request is repeated, by default 90. Waiting for a
            job has a timeout of its own.

    Raises:
        ClientError: There is no token, or the address, a time, the file or the profile is invalid.

    Example:
        ```python
        import qwicket

        with qwicket.connect() as client:
            job = client.submit("bell.qasm", "simulator", shots=1000)
            print(job.result().counts)
        ```
    """
    return client_from(settings(url, token, profile, config, timeout, deadline))


def client_from(chosen: Settings) -> Client:
    """Return a client with these settings."""
    retry_policy = RetryPolicy(total_s=chosen.deadline_s)
    transport = Transport(
        chosen.url, chosen.token, chosen.timeout_s, retry_policy, url_source=chosen.url_source
    )
    return Client(transport)


def aconnect(
    url: str | None = None,
    token: str | None = None,
    *,
    profile: str | None = None,
    config: str | Path | None = None,
    timeout: float | None = None,
    deadline: float | None = None,
) -> AsyncClient:
    """Return a client for an event loop. No request is sent yet.

    The arguments are those of `connect`. Either `async with qwicket.aconnect() as client` closes
    the client, or `client = await qwicket.aconnect()` and later `await client.close()`.

    Raises:
        ClientError: There is no token, or the address, a time, the file or the profile is invalid.
    """
    # Imported here, because httpcore slows down the start of programs that do not need it.
    from qwicket.clients.native.aio import AsyncClient
    from qwicket.clients.native.async_transport import AsyncTransport

    chosen = settings(url, token, profile, config, timeout, deadline)
    retry_policy = RetryPolicy(total_s=chosen.deadline_s)
    transport = AsyncTransport(
        chosen.url, chosen.token, chosen.timeout_s, retry_policy, url_source=chosen.url_source
    )
    return AsyncClient(transport)


class Client:
    """Client of one server with one token. Create it with `connect`.

    It is thread-safe. As a context manager it closes its connections at the end of the block.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"<Client of {self._transport.url}>"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._transport.url

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def devices(self) -> Listing[Device]:
        """Return the server's devices.

        Raises:
            ClientError: The request failed.
        """
        found = self._transport.run(operations.devices(self._transport.api))
        return Listing(Device(self, body) for body in found)

    def device(self, name: str) -> Device:
        """Return one device, with the length of its queue.

        Raises:
            ApiError: This token has no access to a device of this name.
        """
        return Device(self, self._transport.run(operations.device(self._transport.api, name)))

    def submit(
        self,
        program: Program,
        device: str | Sequence[str],
        *,
        shots: int = 1000,
        **options: Unpack[Options],
    ) -> Job:
        """Submit a program. On return, the job is on the server's disk.

        A submission whose response is lost is repeated with the same idempotency key, so it never
        creates a second job.

        Args:
            program: Source text; path of a file, as `Path` or text; object of a JSON format;
                circuit of Qiskit or Cirq; or a list of these, each with a result of its own. Pass
                text from other people as `ProgramText`, or it could name a file of yours.
            device: Name of the device; `"best"`, or several names, lets the server choose one. Then
                `job.body.choice` has the figures of each candidate.
            shots: Shots per circuit.
            options: Further options:

                - `format`: Format of the program; by default detected from the text.
                - `seed`: Seed of random numbers, 0 ≤ seed < 2^63; by default the server draws one.
                - `noise`: Name of one of the device's noise models; by default no noise.
                - `engine`: Name of one of the device's engines; by default the server chooses one
                  for each circuit.
                - `inputs`: Values of the program's declared inputs, or of the parameters of a
                  Qiskit circuit; angles in radians.
                - `outputs`: Any of `counts` (the default), `memory`, `probabilities`; `samples` of
                  devices for atoms and photons.
                - `name`: Name of the job, for lists and filters.
                - `tags`: Tags of the job, for lists and filters.
                - `observables`: Sums of words of Paulis, such as `{"ZZ": 1.0, "XI": 0.5}`, the
                  rightmost letter on qubit 0; one or a list. The result is then `evs` and `stds`,
                  each group of words with this many shots; 0 shots are exact.
                - `mitigation`: Error mitigation of these values: `readout`, `randomizations`,
                  `noise_factors`, `folding`, `extrapolators`.
                - `weights`: How much `fidelity`, `start` and `cost` count if the server chooses the
                  device; 1 each by default.
                - `key`: Idempotency key; by default a new one. Two submissions with the same key
                  within 24 hours return the same job, also from different processes.
                - `wait`: Seconds to wait for the job to end, by default 0; more than 30 count as
                  30. A job that ends in time is returned with its result, up to 1 MB.

        Raises:
            ApiError: The server refused the submission; no job exists.
            ServerBusy, Unreachable: The job may exist; submit with the same `key` to get it.
        """
        operations.check_options("submit", options)
        operation = operations.submit(self._transport.api, program, device, shots=shots, **options)
        return Job(self._transport, self._transport.run(operation))

    def estimate(
        self,
        program: Program,
        device: str | Sequence[str],
        *,
        shots: int = 1000,
        **options: Unpack[Options],
    ) -> EstimateBody:
        """Return what a submission would take now; nothing is submitted.

        Args:
            program: As for `submit`.
            device: As for `submit`.
            shots: Shots per circuit.
            options: As for `submit`.

        Returns:
            Run time and start in seconds, cost in credits, and the budgets that would count it,
            with the reason of those that would refuse it.

        Raises:
            ApiError: The server would refuse the submission for another reason than a budget.
        """
        operations.check_options("estimate", options)
        api = self._transport.api
        return self._transport.run(
            operations.estimate(api, program, device, shots=shots, **options)
        )

    def job(self, id: str, *, everybody: bool = False) -> Job:
        """Return a job by its id, also one that another process submitted.

        Args:
            id: Id of the job.
            everybody: Read and change the job as an administrator, also one of another account.
                To wait for it or read its result, the account must be able to read it anyway.

        Raises:
            ApiError: This token has no access to a job with this id.
        """
        operation = operations.job(self._transport.api, id, everybody=everybody)
        return Job(self._transport, self._transport.run(operation), everybody=everybody)

    def jobs(
        self,
        limit: int = 20,
        *,
        everybody: bool = False,
        oldest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> Listing[Job]:
        """Return the account's newest jobs, the newest first.

        Args:
            limit: Maximum number of jobs.
            everybody: Return jobs of all accounts, which needs a token of the scope `admin`, or the
                filter `project` with a project that the account leads; then `account` and
                `project` (with those below it) are filters, too, and `info` has both.
            oldest_first: With `everybody`: return the oldest jobs, the oldest first.
            filters: `state` (one or several, separated by commas), `device`, `name`, `tag` (one or
                a list; a job must have all of them), `group`, `dialect`, `created_from` and
                `created_to` (times in ISO 8601, both included).

        Raises:
            ClientError: The request failed.
        """
        operation = operations.jobs(
            self._transport.api, limit, filters, everybody=everybody, oldest_first=oldest_first
        )
        found = self._transport.run(operation)
        return Listing(Job(self._transport, body, everybody=everybody) for body in found)

    def change_jobs(
        self,
        action: JobAction,
        *,
        priority: int | None = None,
        dry_run: bool = False,
        watch: Callable[[int], None] | None = None,
        **filters: Unpack[Filters],
    ) -> dict[str, Any]:
        """Apply one action to all jobs of all accounts that match, as an administrator.

        A lead of a project gives `project`, and does one of the first four actions.

        Args:
            action: `cancel` unfinished jobs, `hold` waiting ones, `release` held ones, change the
                `priority` of waiting ones, `requeue` running ones, or `delete` ended ones.
            priority: The new priority, with the action of this name.
            dry_run: Only count the jobs.
            watch: Is called with the number of jobs so far: at the end, and before that every few
                seconds.
            filters: As for `jobs` of everybody.

        Returns:
            The `number` of these jobs, and the first 1,000 `ids`.

        Raises:
            ApiError: The account may not do this, or an argument is invalid.
            Unreachable: No response arrived, so some jobs may have been changed.
        """
        operation = operations.change_jobs(
            *(self._transport.api, action, filters), priority=priority, dry_run=dry_run, watch=watch
        )
        return self._transport.run(operation)

    def account(self) -> dict[str, Any]:
        """Return the account, the token, and the number of the last change of the account's jobs.

        Raises:
            ClientError: The request failed.
        """
        return self._transport.run(operations.account(self._transport.api))

    def set_preferences(self, **changes: str | None) -> dict[str, Any]:
        """Set what you prefer at the server's pages; return all preferences.

        Args:
            changes: `theme`: `light`, `dark`, or None for the browser's; `time_zone`: a name such
                as `Europe/Vienna`, or None for UTC. What is left out stays.

        Raises:
            ApiError: A value is invalid.
        """
        return self._transport.run(operations.set_preferences(self._transport.api, **changes))

    def change_password(self, old: str, new: str) -> None:
        """Change your password at the server; all sessions at its pages end.

        Args:
            old: The present password.
            new: The new one, 8 to 1,024 characters.

        Raises:
            ApiError: The old password is wrong, or the new one is too short or too long.
        """
        self._transport.run(operations.change_password(self._transport.api, old, new))

    def sessions(self) -> list[dict[str, Any]]:
        """Return your sessions at the server's pages, the newest first.

        Raises:
            ClientError: The request failed.
        """
        return self._transport.run(operations.sessions(self._transport.api))

    def end_session(self, id: str) -> None:
        """End a session at the server's pages.

        Raises:
            ApiError: There is no such session, or the token has not the scope `tokens:write`.
        """
        self._transport.run(operations.end_session(self._transport.api, id))

    def shares(self) -> list[dict[str, Any]]:
        """Return the shares of the account's jobs, the oldest first; see `Job.share_with`.

        Raises:
            ClientError: The request failed.
        """
        return self._transport.run(operations.shares(self._transport.api))

    def unshare(self, id: str) -> None:
        """End a share of a job: its account or link can no longer read the job.

        Raises:
            ApiError: There is no such share.
        """
        self._transport.run(operations.unshare(self._transport.api, id))

    def confirmations(self) -> list[dict[str, Any]]:
        """Return the jobs of assistants that wait for your confirmation, the oldest first.

        Raises:
            ApiError: The token has bounds, or may not submit jobs.
        """
        return self._transport.run(operations.confirmations(self._transport.api))

    def answer_confirmation(self, id: str, *, is_confirmed: bool) -> dict[str, Any]:
        """Confirm or refuse a job of an assistant; see `confirmations`.

        Raises:
            ApiError: There is no such question, it has another answer, or it is too late.
        """
        operation = operations.answer_confirmation(self._transport.api, id, is_confirmed)
        return self._transport.run(operation)

    def webhooks(self) -> list[dict[str, Any]]:
        """Return the account's webhooks, the oldest first.

        Raises:
            ClientError: The request failed.
        """
        return self._transport.run(operations.webhooks(self._transport.api))

    def add_webhook(
        self, url: str, events: Sequence[str] | None = None, device: str | None = None
    ) -> dict[str, Any]:
        """Register an address that receives an event when jobs of the token's project change.

        Args:
            url: Address that receives the events.
            events: Names of events, such as `job.completed`; by default those of ended jobs.
            device: Only jobs of this device.

        Returns:
            The webhook; its `secret` is not shown again.

        Raises:
            ApiError: The server refused it.
            Unreachable: No response arrived; `webhooks()` shows whether it was registered.
        """
        return self._transport.run(operations.add_webhook(self._transport.api, url, events, device))

    def remove_webhook(self, id: str) -> None:
        """Remove a webhook.

        Raises:
            ApiError: There is no such webhook.
        """
        self._transport.run(self._transport.api.delete(operations.webhook_path(id)))

    def rotate_webhook(self, id: str) -> dict[str, Any]:
        """Replace the secret of a webhook. For 24 hours the old one signs requests, too.

        Returns:
            The webhook; its `secret` is not shown again.

        Raises:
            ApiError: There is no such webhook.
            Unreachable: No response arrived; the secret may have been replaced.
        """
        return self._transport.run(operations.rotate_webhook(self._transport.api, id))

    def test_webhook(self, id: str) -> dict[str, Any]:
        """Send an event now; return the receiver's response.

        Raises:
            ApiError: There is no such webhook.
            Unreachable: No response arrived; the event may have been sent.
        """
        return self._transport.run(operations.test_webhook(self._transport.api, id))

    def events(self, since: int | None = None) -> Iterator[Change]:
        """Yield changes of the account's jobs, without an end.

        After a lost connection the stream resumes without a gap. Changes of one job in quick
        succession may arrive as one. Deletions are not reported.

        Args:
            since: `number` of a change, or `client.account()["change"]`. The stream begins with
                the present state of every job that changed after it. By default it begins with
                the next change.

        Raises:
            ClientError: The server refused the stream, or was away for too long.
        """
        from qwicket.clients.native.events import account_stream

        return self._transport.follow(account_stream(self._transport.api, since))

    def calibration(self, device: str, at: str | None = None) -> dict[str, Any]:
        """Return the calibration of a device; see `Device.calibration`."""
        return self._transport.run(operations.calibration(self._transport.api, device, at))


class Device(DeviceView):
    """Device of a server. As a mapping it holds the server's description of the device."""

    def __init__(self, client: Client, body: dict[str, Any]) -> None:
        super().__init__(body)
        self._client = client

    def run(self, program: Program, shots: int = 1000, **options: Unpack[Options]) -> Job:
        """Submit a program to this device. On return, the job is on the server's disk.

        It waits up to 50 ms, so that a small job needs no further request for its result. To
        submit many long jobs one after another, pass `wait=0`.

        Args:
            program: As for `Client.submit`.
            shots: Shots per circuit.
            options: Options of `Client.submit`. `wait` is 0.05 by default. For atoms and photons,
                `format` and `outputs` default to those of the device.

        Raises:
            ApiError: The server refused the submission; no job exists.
            ServerBusy, Unreachable: The job may exist; submit with the same `key` to get it.
        """
        operations.check_options("run", options)
        defaults: Options = {"wait": operations.RUN_WAIT_S, **self.default_options(program)}
        chosen: Options = {**defaults, **options}
        return self._client.submit(program, self.name, shots=shots, **chosen)

    def refresh(self) -> Device:
        """Return the present state of the device, with the length of its queue.

        Raises:
            ClientError: The request failed.
        """
        return self._client.device(self.name)

    def calibration(self, at: str | None = None) -> dict[str, Any]:
        """Return the calibration of the device, in seconds and infidelities.

        Args:
            at: Time in ISO 8601 with an offset from UTC; by default now.

        Raises:
            ApiError: The device has no calibration.
        """
        return self._client.calibration(self.name, at)
