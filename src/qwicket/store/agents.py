"""Operations for agents: announcements of their devices, and programs of the jobs that they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qwicket.model.devices import Device
from qwicket.model.errors import Conflict
from qwicket.store.devices import decoder, put_device
from qwicket.store.operations import Operations, scan, write
from qwicket.store.rows import existing

if TYPE_CHECKING:
    from qwicket.store.database import Tx

ORIGIN = "agent"
"""Origin of devices that agents announce; devices from files have other origins."""


class FullProgram(NamedTuple):
    """A job's program as submitted and as parsed, for runs outside the servers.

    Attributes:
        format: The program's language.
        source: The program as submitted.
        inputs: Values of its inputs, JSON text.
        options: `RunOptions`, packed.
        circuits: Its circuits, packed.
    """

    format: str
    source: bytes
    inputs: str
    options: bytes
    circuits: bytes


class Agents(Operations):
    @write
    def announce(tx: Tx, device: Device) -> None:
        """Store a device that an agent serves, replacing its previous specification.

        Raises:
            Conflict: The name belongs to a device of the server, of another provider, or of another
                family.
        """
        row = tx.one("device_origin", name=device.name)
        if row is not None:
            _check_same(row[0], decoder.decode(row[1]), device)
        put_device(tx, device, ORIGIN)

    @scan
    def full_program(tx: Tx, job: str) -> FullProgram:
        """Return a job's program as submitted and as parsed.

        Raises:
            NotFound: The job was deleted.
        """
        return FullProgram(*existing(tx.one("program_full", job=job), "There is no such job."))


def _check_same(origin: str, present: Device, device: Device) -> None:
    if origin != ORIGIN:
        raise Conflict(f"{device.name} is a device of the server itself.", field="name")
    if present.provider != device.provider:
        raise Conflict(f"{device.name} belongs to another account.", field="name")
    if present.family != device.family:
        raise Conflict(
            f"{device.name} has the family {present.family}, which cannot change: jobs may wait.",
            field="family",
        )
