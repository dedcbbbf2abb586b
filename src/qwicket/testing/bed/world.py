"""What a fixture file describes: accounts, devices and jobs of the past."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from qwicket.circuits.calibrations import Pair
from qwicket.devices import DeviceFile
from qwicket.devices.vendor_files import device_of_vendor_file
from qwicket.devices.virtual import Noise, Topology, virtual_device
from qwicket.model.devices import check_device_name
from qwicket.model.errors import InvalidRequest

MAX_JOBS: Final = 1_000_000
MAX_QUEUE: Final = 10_000
_YEAR_H: Final = 24 * 366
_Hours = Annotated[float, msgspec.Meta(ge=0, le=_YEAR_H)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class WorldAccount(_Part, frozen=True, kw_only=True):
    """An account; its token is that of `Cloud.account`."""

    name: str


class WorldDevice(_Part, frozen=True, kw_only=True):
    """A device: a new one with `qubits` or `calibration`, else one that every server has.

    Attributes:
        name: Its name.
        qubits: Number of qubits of a virtual device.
        topology: Its pairs, or the name of their arrangement.
        noise: Its noise.
        calibration: Texts of a vendor's calibration files.
        queue: Number of jobs of others that wait there for ever.
        is_on: Whether it takes jobs.
        is_draining: Whether it only runs those that wait.
        reason: Why it is off or drains, for users.
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
    reason: str = ""
    message: str = ""

    def file(self) -> DeviceFile | None:
        """Return the new device; None if it is one that every server has.

        Raises:
            InvalidRequest: It cannot be made as described.
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


class PastJobs(_Part, frozen=True, kw_only=True):
    """Equal jobs, evenly in a time.

    Attributes:
        device: Name of their device.
        account: Name of their account, which is made if it is missing.
        state: How they ended; `queued` ones wait for ever.
        number: Number of jobs.
        hours_ago: Time of the first before now.
        over_hours: Time from the first to the last; by default until now.
        dialect: The dialect that they came through, as its jobs are listed by it.
        program: OpenQASM 3; by default a Bell pair.
        shots: Their shots.
        counts: Their counts, the first bit on the right; by default what the device drew once.
        name: Their name.
        tags: Their tags.
        code: Code of their failure.
        message: Its text.
    """

    device: str
    account: str = "tester"
    state: Literal["completed", "failed", "cancelled", "queued"] = "completed"
    number: Annotated[int, msgspec.Meta(ge=1, le=MAX_JOBS)] = 1
    hours_ago: _Hours = 1.0
    over_hours: _Hours | None = None
    dialect: Literal["native", "ionq", "qbraid"] = "native"
    program: str = ""
    shots: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 100
    counts: dict[str, int] = {}
    name: str = ""
    tags: tuple[str, ...] = ()
    code: str = ""
    message: str = ""


class World(_Part, frozen=True, kw_only=True):
    """A fixture file.

    Attributes:
        description: What it is for, for people.
        clock: Time at which the test bed's clock begins; it runs on from there.
        accounts: Accounts.
        devices: Devices.
        jobs: Jobs, whose times are before `clock`, or now.
    """

    description: str = ""
    clock: datetime | None = None
    accounts: tuple[WorldAccount, ...] = ()
    devices: tuple[WorldDevice, ...] = ()
    jobs: tuple[PastJobs, ...] = ()
