"""`connect` and `aconnect`, the client for threads, and its devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from qwicket.clients.http import RetryPolicy
from qwicket.clients.native import operations
from qwicket.clients.native.config import DEFAULT_URL, settings
from qwicket.clients.native.jobs import Job
from qwicket.clients.native.transport import Transport
from qwicket.clients.native.views import DeviceView, Listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from qwicket.clients.native.aio import AsyncClient
    from qwicket.clients.native.config import Settings
    from qwicket.clients.native.events import Change
    from qwicket.clients.native.programs import Program

__all__ = ["DEFAULT_URL", "Client", "Device", "Filters", "Options", "aconnect", "connect"]


class Options(TypedDict, total=False):
    """What a submission may say beside program, device and shots; `Client.submit` has the words."""

    format: str | None
    seed: int | None
    noise: str | None
    engine: str
    inputs: Mapping[str, float] | None
    outputs: Sequence[str]
    name: str
    tags: Sequence[str]
    key: str | None


class Filters(TypedDict, total=False):
    """Which jobs are listed; times are ISO 8601 with an offset from UTC."""

    state: str | None
    device: str | None
    name: str | None
    tag: str | Sequence[str] | None
    group: str | None
    door: str | None
    created_from: str | None
    created_to: str | None


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    profile: str | None = None,
    config: str | Path | None = None,
    timeout: float | None = None,
    deadline: float | None = None,
) -> Client:
    """Return a client of a Qwicket server. Nothing is sent yet.

    Each setting is what is given here; else what the environment says; else what the profile in
    `~/.config/qwicket/config.toml` says; else its default.

    Args:
        url: Address of the server; `QWICKET_URL`; by default this machine's port 8000.
        token: A token; `QWICKET_TOKEN`. That of a profile goes to the profile's address alone.
        profile: Name of a profile; `QWICKET_PROFILE`; by default the one that the file names. One
            that is named here stands before the environment.
        config: The file with profiles; `QWICKET_CLIENT_CONFIG`.
        timeout: Seconds for one answer of the server, by default 30; one with much to say may take
            longer.
        deadline: Seconds for which a request is tried again, by default 90. Waits have no end but
            their own.

    Raises:
        ClientError: There is no token, the address is none, or the file makes no sense.
    """
    return client_from(settings(url, token, profile, config, timeout, deadline))


def client_from(settings: Settings) -> Client:
    """Return a client with these settings."""
    retry_policy = RetryPolicy(total_s=settings.deadline_s)
    transport = Transport(
        settings.url,
        settings.token,
        settings.timeout_s,
        retry_policy,
        url_source=settings.url_source,
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
    """Return a client for an event loop; its settings are those of `connect`. Nothing is sent yet.

    `async with qwicket.aconnect() as client` closes it; `client = await qwicket.aconnect()` leaves
    that to `await client.close()`.

    Raises:
        ClientError: There is no token, the address is none, or the file makes no sense.
    """
    # Here, because an event loop's HTTP takes a moment to import, and few need it.
    from qwicket.clients.native.aio import AsyncClient
    from qwicket.clients.native.async_transport import AsyncTransport

    found = settings(url, token, profile, config, timeout, deadline)
    retry_policy = RetryPolicy(total_s=found.deadline_s)
    transport = AsyncTransport(
        found.url, found.token, found.timeout_s, retry_policy, url_source=found.url_source
    )
    return AsyncClient(transport)


class Client:
    """A connection to one server with one token; made by `connect`. Any threads may share it."""

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
        self._transport.close()

    def devices(self) -> Listing[Device]:
        """Return the devices.

        Raises:
            ClientError: The server could not be asked.
        """
        found = self._transport.run(operations.devices(self._transport.api))
        return Listing(Device(self, body) for body in found)

    def device(self, name: str) -> Device:
        """Return one device, with the length of its queue.

        Raises:
            ApiError: There is no such device for this token.
        """
        return Device(self, self._transport.run(operations.device(self._transport.api, name)))

    def submit(
        self,
        program: Program,
        device: str,
        *,
        shots: int = 1000,
        **options: Unpack[Options],
    ) -> Job:
        """Submit a program. When this returns, the job is on the server's disk.

        Every try bears the same idempotency key, so that a lost answer makes no second job.

        Args:
            program: Text; the path of a file, as `Path` or text; the object of a JSON format; a
                circuit of Qiskit or Cirq; or a list of these, each with a result of its own.
            device: Name of the device.
            shots: Shots per circuit.
            options: Further words.

                - `format`: The program's format; by default it is told from the text.
                - `seed`: 0 ≤ seed < 2^63; by default the server draws one.
                - `noise`: Name of one of the device's noise models; by default none.
                - `engine`: Name of one of the device's engines; by default the one that suits each
                  circuit.
                - `inputs`: Values of the program's declared inputs, or of the parameters of a
                  circuit of Qiskit; angles in radians.
                - `outputs`: Of `counts` (the default), `memory`, `probabilities`.
                - `name`: A name for people.
                - `tags`: Words to find it by.
                - `key`: The idempotency key, by default a fresh one. With one of your own,
                  submitting the same again within 24 hours returns the same job, also from another
                  process.

        Raises:
            ApiError: It was refused; nothing is stored.
            Unreachable: No answer came: it may be stored. Only the same `key` finds it again.
        """
        operations.check_options("submit", options)
        plan = operations.submit(self._transport.api, program, device, shots=shots, **options)
        return Job(self._transport, self._transport.run(plan))

    def job(self, id: str) -> Job:
        """Return a job by its id, from any process at any time.

        Raises:
            ApiError: There is no such job for this token.
        """
        return Job(self._transport, self._transport.run(operations.job(self._transport.api, id)))

    def jobs(self, limit: int = 20, **filters: Unpack[Filters]) -> Listing[Job]:
        """Return the account's newest jobs, the newest first.

        Args:
            limit: Jobs at most.
            filters: Which: `state` (several with commas), `device`, `name`, `tag` (one or a list: a
                job must bear all), `group`, `door`, `created_from`, `created_to`.

        Raises:
            ClientError: It was refused, or the server could not be asked.
        """
        plan = operations.jobs(self._transport.api, limit, filters)
        return Listing(Job(self._transport, body) for body in self._transport.run(plan))

    def account(self) -> dict[str, Any]:
        """Return who asks, with which token, and the number of the last change of the jobs.

        Raises:
            ClientError: The server could not be asked.
        """
        return self._transport.run(operations.account(self._transport.api))

    def events(self, since: int | None = None) -> Iterator[Change]:
        """Yield each change of the account's jobs, without an end.

        A lost connection is taken up again where it broke. Changes that follow one another closely
        are told as one; that a job was deleted is not told.

        Args:
            since: The `number` of a change, or `client.account()["change"]`: every job that changed
                after it is told first, as it is now. By default what changes from now on is told.

        Raises:
            ClientError: The server could not be asked.
        """
        from qwicket.clients.native.events import of_account

        return self._transport.follow(of_account(self._transport.api, since))

    def calibration(self, device: str, at: str | None = None) -> dict[str, Any]:
        """Return what was measured of a device; see `Device.calibration`."""
        return self._transport.run(operations.calibration(self._transport.api, device, at))


class Device(DeviceView):
    """A device of a server: a mapping of what the server says, that runs programs."""

    def __init__(self, client: Client, body: dict[str, Any]) -> None:
        super().__init__(body)
        self._client = client

    def run(self, program: Program, shots: int = 1000, **options: Unpack[Options]) -> Job:
        """Submit a program to this device. When this returns, the job is on the server's disk.

        Args:
            program: OpenQASM text, a path, a circuit of Qiskit or Cirq, IonQ's JSON as a dict, ...;
                or a list of these, each with a result of its own.
            shots: Shots per circuit.
            options: `seed`, `noise`, `outputs`, `name`, `key` and more: those of `Client.submit`.
                For atoms and photons `format` and `outputs` are the device's own by default.

        Raises:
            ApiError: It was refused; nothing is stored.
            Unreachable: No answer came: it may be stored. Only the same `key` finds it again.
        """
        operations.check_options("run", options)
        asked: Options = {**self.suited(program), **options}
        return self._client.submit(program, self.name, shots=shots, **asked)

    def refresh(self) -> Device:
        """Read the device anew, with the length of its queue.

        Raises:
            ClientError: The server could not be asked.
        """
        return self._client.device(self.name)

    def calibration(self, at: str | None = None) -> dict[str, Any]:
        """Return what was measured of the device, in seconds and infidelities.

        Args:
            at: A time in ISO 8601 with an offset from UTC; by default now.

        Raises:
            ApiError: Nothing was.
        """
        return self._client.calibration(self.name, at)
