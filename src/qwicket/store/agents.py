"""Operations on devices that agents serve: announcing them, who is there, what is handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qwicket.model.devices import Device, Presence
from qwicket.model.errors import Conflict
from qwicket.store.devices import decoder, put_device
from qwicket.store.operations import Operations, read, scan, write
from qwicket.store.rows import existing

if TYPE_CHECKING:
    from qwicket.store.database import Tx

ORIGIN = "agent"


class Handout(NamedTuple):
    """What an agent gets to do a job: the program as it was submitted, and as it was read.

    Attributes:
        format: The program's language.
        source: Its text.
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
        """Write a device that an agent serves; a former spec of it is replaced.

        Raises:
            Conflict: The name is that of a device of another kind, provider or family.
        """
        row = tx.one("device_origin", name=device.name)
        if row is not None:
            _check_same(row[0], decoder.decode(row[1]), device)
        put_device(tx, device, ORIGIN)

    @read
    def presence(tx: Tx, device: str) -> Presence:
        """Return who serves a device."""
        row = tx.one("device_presence", name=device)
        return Presence(*row) if row else Presence(0, None)

    @scan
    def handout(tx: Tx, job: str) -> Handout:
        """Return what an agent gets of a job.

        Raises:
            NotFound: The job is gone.
        """
        return Handout(*existing(tx.one("program_handout", job=job), "There is no such job."))


def _check_same(origin: str, present: Device, device: Device) -> None:
    if origin != ORIGIN:
        raise Conflict(f"{device.name} is a device of the server itself.", field="name")
    if present.provider != device.provider:
        raise Conflict(f"{device.name} belongs to another account.", field="name")
    if present.family != device.family:
        raise Conflict(
            f"{device.name} is of the family {present.family}: jobs of it may wait.", field="family"
        )
