"""Content of fixture files: accounts, devices and jobs of the past."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from qwicket.circuits.calibrations import Pair
from qwicket.devices import DeviceFile
from qwicket.devices.vendor_files import device_of_vendor_file
from qwicket.devices.virtual import Noise, Topology, virtual_device
from qwicket.dialects import offered
from qwicket.model.devices import check_device_name
from qwicket.model.errors import InvalidRequest

MAX_JOBS: Final = 1_000_000
"""Limit on the jobs of one entry."""
MAX_QUEUE: Final = 10_000
"""Limit on the option `queue` of a device."""
_YEAR_H: Final = 24 * 366
_Hours = Annotated[float, msgspec.Meta(ge=0, le=_YEAR_H)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class WorldAccount(_Table, frozen=True, kw_only=True):
    """An account; `Cloud.account` returns its credentials."""

    name: str


class WorldDevice(_Table, frozen=True, kw_only=True):
    """A device: a virtual one with `qubits` or `calibration`, else one that exists.

    Attributes:
        name: Its name.
        qubits: Number of qubits of a virtual device.
        topology: Pairs of qubits, or the name of their arrangement.
        noise: Noise of a virtual device.
        calibration: Texts of a vendor's calibration files.
        queue: Number of jobs of another account that wait for ever; they do not delay other jobs.
        is_on: Whether it takes jobs.
        is_draining: Whether it runs the waiting jobs and takes no new ones.
        is_paused: Whether it takes jobs and starts none.
        reason: Why it is off, drains or is paused, for users.
        message: Message to its users.
    """

    name: str
    qubits: int | None = None
    topology: Topology | tuple[Pair, ...] = "all"
    noise: Noise | None = None
    calibration: tuple[str, ...] = ()
    queue: Annotated[int, msgspec.Meta(ge=0, le=MAX_QUEUE)] = 0
    is_on: bool = True
    is_draining: bool = False
    is_paused: bool = False
    reason: str = ""
    message: str = ""

    def file(self) -> DeviceFile | None:
        """Return the description of a virtual device; None for one that exists.

        Raises:
            InvalidRequest: The description is invalid.
        """
        if self.qubits is not None and self.calibration:
            raise InvalidRequest(
                "qubits: a device has either qubits or a calibration.", field="qubits"
            )
        try:
            if self.calibration:
                texts = [each.encode() for each in self.calibration]
                return device_of_vendor_file(check_device_name(self.name), *texts)
            if self.qubits is not None:
                name = check_device_name(self.name)
                return virtual_device(name, self.qubits, self.topology, self.noise)
        except ValueError as error:
            raise InvalidRequest(str(error), field="device") from None
        return None


class PastJobs(_Table, frozen=True, kw_only=True):
    """Equal jobs, evenly spread over a time.

    Attributes:
        device: Name of the device.
        account: Name of the account, which is created if it does not exist.
        state: State of the jobs; `queued` ones wait for ever.
        number: Number of jobs.
        hours_ago: Hours from the submission of the first job until now.
        over_hours: Hours from the first job to the last; by default the last one is submitted now.
        dialect: Dialect of the submissions, in whose lists the jobs appear.
        program: OpenQASM 3; by default a Bell pair.
        shots: Shots of each job.
        counts: Shots by outcome, the first bit on the right; by default the result of one run.
        name: Name of the jobs.
        tags: Tags of the jobs.
        code: Code of their failure.
        message: Text of their failure.
    """

    device: str
    account: str = "tester"
    state: Literal["completed", "failed", "cancelled", "queued"] = "completed"
    number: Annotated[int, msgspec.Meta(ge=1, le=MAX_JOBS)] = 1
    hours_ago: _Hours = 1.0
    over_hours: _Hours | None = None
    dialect: str = "native"
    program: str = ""
    shots: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 100
    counts: dict[str, int] = {}
    name: str = ""
    tags: tuple[str, ...] = ()
    code: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        known = ("native", *[each.name for each in offered() if each.shows_plain_jobs])
        if self.dialect not in known:
            raise ValueError(f"dialect: {self.dialect[:64]!r} is none of {', '.join(known)}")


class World(_Table, frozen=True, kw_only=True):
    """A fixture file.

    Attributes:
        description: Purpose of the file; it has no effect.
        clock: Time to which the test bed's clock is set; it runs on from there.
        accounts: Accounts.
        devices: Devices.
        jobs: Jobs of the past. Their times count back from `clock`, by default from now.
    """

    description: str = ""
    clock: datetime | None = None
    accounts: tuple[WorldAccount, ...] = ()
    devices: tuple[WorldDevice, ...] = ()
    jobs: tuple[PastJobs, ...] = ()
