"""The interface to another cloud: its calls, their values and their failures.

The calls block and run in threads. They repeat a submission only if the cloud refused it with
status 401, after a new sign-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwicket.circuits.calibrations import Calibration
    from qwicket.circuits.frames import Frame
    from qwicket.circuits.options import RunOptions
    from qwicket.circuits.outcomes import Outcome
    from qwicket.model.devices import Family
    from qwicket.model.failures import Failure
    from qwicket.model.groups import ForwardedGroup
    from qwicket.model.pass_through import VendorResponse


MARKER_PREFIX: Final = "qwicket-"
"""Beginning of the markers of all Qwicket servers."""

RequireLease: TypeAlias = "Callable[[], None]"
"""Checks that this server has the job's lease; raises `NotAccepted` if not, or if unknown."""


class CloudError(Exception):
    """A call has failed; the same call may succeed later.

    Attributes:
        retry_after_s: Seconds to wait, if the cloud says so; else 0.
    """

    def __init__(self, text: str, retry_after_s: float = 0.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(text)


class NotUnderstood(CloudError):
    """Our code could not process a response."""


class BeyondBounds(NotUnderstood):
    """A response is beyond the bounds, and was not read to its end."""


class NotAccepted(CloudError):
    """A submission has certainly not been accepted, and may be repeated."""


class TryLater(NotAccepted):
    """The cloud does not take this submission now, but may take another job's (status 429)."""


class OutcomeUnknown(CloudError):
    """A submission may have been accepted, or may still be."""


class KeyRefused(NotAccepted):
    """The cloud does not accept the key of the account (status 401)."""


class Forbidden(KeyRefused):
    """The cloud does not allow this to the key, or does not accept the key at all (status 403)."""


class Refused(Exception):
    """The cloud refuses this job or has no such device, and would refuse again; the text says why.

    Attributes:
        response: The whole response, for the client of a request that was passed on; else None.
    """

    def __init__(self, text: str, response: VendorResponse | None = None) -> None:
        self.response = response
        super().__init__(text)


class NoSuchJob(Exception):
    """The cloud does not know a job that it had."""


class NoProof(Exception):
    """A job was not found, but may be at the cloud: no complete list of its jobs was read."""


class InvalidResult(Exception):
    """A result is malformed, or belongs to another job."""


class RemoteProgram(NamedTuple):
    """A job as another cloud gets it.

    Attributes:
        format: Format of the program.
        source: Its text.
        inputs: Values of its declared inputs.
        circuits: Its circuits, packed; empty for a request that is passed on.
        family: Family of the device.
        frames: Shape of each circuit's result; empty for a request that is passed on.
        options: Options of the run.
        group: Its group, at a cloud that has groups; else None.
    """

    format: str
    source: bytes
    inputs: Mapping[str, float]
    circuits: bytes
    family: str
    frames: Sequence[Frame]
    options: RunOptions
    group: ForwardedGroup | None = None


class RemoteStatus(NamedTuple):
    """State of a job at another cloud.

    Attributes:
        state: Its state; `waiting` and `running` are not final.
        failure: Reason of a failure, in the cloud's words.
        marker: Marker that the cloud shows with the job; None if it does not show any.
    """

    state: Literal["waiting", "running", "completed", "failed", "cancelled"]
    failure: str = ""
    marker: str | None = None

    @property
    def is_final(self) -> bool:
        return self.state not in ("waiting", "running")

    def may_be(self, marker: str) -> bool:
        """Return whether the job can be the one with this marker."""
        return self.marker in (None, marker)


Statuses: TypeAlias = "Mapping[str, RemoteStatus | NoSuchJob | CloudError]"
"""States of jobs, or why they are unknown, by the jobs' ids."""


class RemoteDeviceStatus(NamedTuple):
    """State of a device at another cloud.

    Attributes:
        is_online: Whether it runs jobs.
        reason: Reason why not; empty if it is online.
        n_waiting: Jobs that wait there; None if unknown.
        calibration: Its calibration; None if it has none that can be read here.
    """

    is_online: bool
    reason: str = ""
    n_waiting: int | None = None
    calibration: Calibration | None = None


class ListedDevice(NamedTuple):
    """A device that a cloud shows to an account.

    Attributes:
        name: Its name there.
        status: Its state in the cloud's words.
        family: Family of its programs.
        qubits: Number of qubits, modes or wires.
        spec: Fields of the table `[spec]` of a device file.
        short_name: A shorter name, for people; empty if there is none.
    """

    name: str
    status: str
    family: Family
    qubits: int
    spec: dict[str, Any]
    short_name: str = ""


class GroupingCloud(Protocol):
    """A cloud that has groups of jobs (`CloudKind.has_groups`)."""

    @property
    def open_groups(self) -> tuple[str, ...]:
        """Ids here of the groups that this object has opened or used there."""

    def close_group(self, group: str) -> None:
        """Close a group by its id here, if it is open there; its jobs continue.

        Raises:
            CloudError: The cloud did not accept it.
        """


class Cloud(Protocol):
    """One device of one account at another cloud."""

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats in which programs are sent as the user wrote them."""

    @property
    def language(self) -> str | None:
        """Language in which the driver rewrites programs of other formats; None if it does not."""

    @property
    def is_simulated(self) -> bool:
        """Whether results may have what only simulators give, such as exact probabilities."""

    def submit(self, program: RemoteProgram, marker: str, require_lease: RequireLease) -> str:
        """Submit a job under a marker; return its id there.

        Args:
            program: The job.
            marker: Its marker.
            require_lease: Checks the lease, as the caller has done just before. A submission of
                several requests, of which one may be a sign-in, calls it before each that changes
                something there.

        Raises:
            Refused: No job exists, and the cloud will not accept this program.
            NotAccepted: No job exists.
            OutcomeUnknown: A job may exist.
        """

    def find(self, marker: str, since_ms: int) -> str | None:
        """Return the id of the job with this marker; None if the cloud's list proves its absence.

        Args:
            marker: The marker.
            since_ms: Unix milliseconds by the clock of this server; the job was submitted later.

        Raises:
            NoProof: The list does not have it, but may be incomplete.
            CloudError: The list could not be read.
        """

    def statuses(self, ids: Sequence[str]) -> Statuses:
        """Return the state of each job, or why it is unknown. Some may be left for the next call.

        Raises:
            CloudError: None of them could be read.
        """

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        """Return the result of a completed job, one per circuit, and its run time in seconds.

        Raises:
            InvalidResult: It is not a result of this job.
            NoSuchJob: The job is gone.
            CloudError: It could not be read.
        """

    def cancel(self, id: str) -> None:
        """Ask for a job to be cancelled. A job that has ended stays as it is.

        Raises:
            CloudError: The cloud did not accept it.
        """

    def device_status(self) -> RemoteDeviceStatus:
        """Return the present state of the device.

        Raises:
            CloudError: It could not be read.
            Refused: The cloud has no such device.
        """

    def list_devices(self) -> list[ListedDevice]:
        """Return the devices that the cloud shows to the account, except those of an unknown form.

        Raises:
            CloudError: They could not be read.
        """

    def close(self) -> None:
        """Close the connections."""
