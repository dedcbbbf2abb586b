"""Runs one Bell pair on a device at another cloud, without a server, to check a device file."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket import programs
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import unpack
from qwicket.drivers.remote import connect
from qwicket.drivers.remote.calls import CloudCalls
from qwicket.drivers.remote.clouds import (
    MARKER_PREFIX,
    CloudError,
    InvalidResult,
    NoSuchJob,
    NotAccepted,
    Refused,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.model.failures import Failure
from qwicket.model.limits import Limits
from qwicket.programs.rewriting import rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import Cloud
    from qwicket.model.devices import Device

_BELL: Final = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1];'
    " c = measure q;"
)
_FORMAT: Final = "openqasm3"


class CheckFailed(Exception):
    """The Bell pair has no result; the text says why, and whether it may have run."""


class Checked(NamedTuple):
    """Result of a Bell pair.

    Attributes:
        counts: Shots by outcome, as bits.
        seconds: Run time that the cloud states; 0 if it states none.
        credits: Cost by the prices in the device's file; None if the file has none, or has one for
            seconds that the cloud does not state.
    """

    counts: Mapping[str, int]
    seconds: float
    credits: float | None


async def run_bell_pair(
    device: Device, remote: Remote, key: str, shots: int, on_sent: Callable[[str], None]
) -> Checked:
    """Send a Bell pair to a device, wait for its end and return its result. It is sent once.

    Args:
        device: The device, as its file describes it.
        remote: Where it is.
        key: Key of the account there.
        shots: Number of shots.
        on_sent: Called with the job's id there.

    Raises:
        CheckFailed: There is no result.
        ValueError: The client does not accept the address or the key.
    """
    cloud = connect(remote, key, device.spec.formats_as_written)
    calls = CloudCalls(key, 1)
    marker = f"{MARKER_PREFIX}check-{secrets.token_hex(8)}"
    try:
        program = await _bell_pair(device, cloud, calls, shots)
        id = await _submit(cloud, calls, program, marker)
        on_sent(id)
        await _wait_for_end(cloud, calls, id, remote)
        (part,), seconds = await calls.call(cloud.outcomes, id, program)
        if isinstance(part, Failure):
            raise CheckFailed(calls.scrubbed(part.message))
    except (CloudError, NoSuchJob, InvalidResult) as error:
        text = f"{calls.scrubbed(str(error))}; look there for {id}, which is {marker}"
        raise CheckFailed(text) from None
    finally:
        calls.close()
        cloud.close()
    cost = device.spec.cost
    counts = {f"{outcome:02b}": n for outcome, n in sorted(part.counts().items())}
    is_known = cost is not None and (seconds > 0 or not cost.per_second)
    return Checked(counts, seconds, cost.of(1, shots, seconds) if cost and is_known else None)


async def _bell_pair(device: Device, cloud: Cloud, calls: CloudCalls, shots: int) -> RemoteProgram:
    """Return the program as a server would send it.

    Raises:
        CheckFailed: The device runs no jobs, or its gates do not make a Bell pair.
    """
    try:
        status = await calls.call(cloud.device_status)
    except (CloudError, Refused) as error:
        raise CheckFailed(f"nothing was sent: {calls.scrubbed(str(error))}") from None
    if not status.is_online:
        raise CheckFailed(f"nothing was sent: it is off: {calls.scrubbed(status.reason)}")
    limits, spec = Limits(), device.spec
    format, source = _FORMAT, _BELL.encode()
    circuits = programs.read(format, source, limits).circuits
    if format not in spec.formats_as_written and (spec.gates or spec.rewritten_as):
        connectivity = status.calibration and status.calibration.connectivity
        found = programs.compile_to_basis_in_parser(
            circuits, spec.gates, device.name, spec.rewritten_as, limits, connectivity or ()
        )
        if isinstance(found, programs.Refusal):
            raise CheckFailed(f"nothing was sent: {found.detail}")
        circuits = found.circuits
        if cloud.language is not None:
            format, source = rewrite(unpack(circuits), cloud.language)
    options = RunOptions(shots=shots, seed=0, outputs=("counts",))
    shapes = frames(device.family, circuits)
    return RemoteProgram(format, source, {}, circuits, device.family, shapes, options)


async def _submit(cloud: Cloud, calls: CloudCalls, program: RemoteProgram, marker: str) -> str:
    """Submit the program once; return its id there.

    Raises:
        CheckFailed: It was not accepted, or this is unknown.
    """
    try:
        id = await calls.call(cloud.submit, program, marker, lambda: None)
    except (NotAccepted, Refused) as error:
        raise CheckFailed(f"nothing was sent: {calls.scrubbed(str(error))}") from None
    except CloudError as error:
        text = f"it may have been sent: {calls.scrubbed(str(error))}; look there for {marker}"
        raise CheckFailed(text) from None
    if not calls.is_id(id):
        raise CheckFailed(f"it was sent, and has an invalid id; look there for {marker}")
    return id


async def _wait_for_end(cloud: Cloud, calls: CloudCalls, id: str, remote: Remote) -> None:
    """Wait until a job has completed; reads that fail are repeated.

    Raises:
        CheckFailed: It has failed, or was cancelled.
        NoSuchJob: It is not there, also after the time in which it certainly would be.
    """
    settled_at = time.monotonic() + remote.settle_s
    while True:
        try:
            status = (await calls.call(cloud.statuses, [id])).get(id)
        except CloudError as error:
            status = error
        if isinstance(status, RemoteStatus) and status.is_final:
            if status.state != "completed":
                reason = calls.scrubbed(status.failure)
                raise CheckFailed(f"the job {status.state} there{reason and f': {reason}'}")
            return
        if isinstance(status, NoSuchJob) and time.monotonic() > settled_at:
            raise status
        await asyncio.sleep(remote.poll_s)
