"""Driver of a device at another cloud: sends each job once, waits for its end, checks its result.

`submission` sends a job, `poller` waits for its end, `result_reader` reads its result.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final, cast

import msgspec

from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Completion, RunResult
from qwicket.clients.http import bounds
from qwicket.clients.http.errors import ServiceError
from qwicket.clients.native.errors import ClientError
from qwicket.devices.remotes import kinds
from qwicket.drivers import StoppedRemotely
from qwicket.drivers.remote.calls import CloudCalls
from qwicket.drivers.remote.clouds import (
    MARKER_PREFIX,
    BeyondBounds,
    Cloud,
    CloudError,
    InvalidResult,
    NoSuchJob,
    NotUnderstood,
    Refused,
    RemoteDeviceStatus,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.large_results import LargeResults
from qwicket.drivers.remote.poller import Poller
from qwicket.drivers.remote.result_reader import ResultReader
from qwicket.drivers.remote.submission import (
    MAX_PAUSE_S,
    MAX_SENDS,
    Submitter,
    account_hash,
    marker_of,
    unresolved_error,
)
from qwicket.model.errors import InvalidProgram
from qwicket.model.failures import Failure
from qwicket.model.pass_through import HTTP_REQUEST, pack_response
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.devices.remotes import Remote
    from qwicket.drivers import ForwardLog
    from qwicket.drivers.remote.clouds import GroupingCloud
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Assignment
    from qwicket.model.limits import Limits
    from qwicket.model.pass_through import VendorResponse
    from qwicket.store import FullProgram

__all__ = ["RemoteDriver", "connect"]

_MAX_RUN_S: Final = 1e9
"""Seconds. If a cloud reports a longer run time, the estimate counts."""
_MAX_WAITING: Final = 10**9
"""Larger numbers of waiting jobs are not believed."""
_MAX_MIRROR_FACTOR: Final = 4
"""Most times `mirror_s` between two reads of a device's state that fail."""
_MAX_RESULT_READS: Final = 3
"""Reads that find no result or an invalid one before a job fails, at the earliest after
`settle_s`."""
_RESULT_S: Final = 86_400.0
"""Seconds for which a result is requested while the requests fail."""
_CANCEL_NOTE_S: Final = 5.0
"""Seconds to wait until a cancellation that was passed on is recorded here."""

_log = logging.getLogger(__name__)
_options: Final = msgspec.msgpack.Decoder(RunOptions)
_inputs: Final = msgspec.json.Decoder(dict[str, float])


def connect(remote: Remote, key: str, formats: tuple[str, ...] = ()) -> Cloud:
    """Return the client of a device's cloud. No request is sent yet.

    Args:
        remote: Where the device is.
        key: Key of the account there.
        formats: Formats that the device takes there, where the kind of the cloud leaves them open.

    Raises:
        ValueError: The client does not accept the address or the key.
    """
    try:
        cloud: Cloud = resolve_name(kinds()[remote.kind].driver)(remote, key, formats)
        return cloud
    except (ServiceError, ClientError) as error:
        raise ValueError(f"remote: {error}".replace(key, "…")) from None


class RemoteDriver:
    """Runs the jobs of one device at another cloud.

    Args:
        device: The device.
        remote: Where it is.
        key: Key of the account there.
        limits: Bounds on results.
        retry_for_s: As for `Submitter`.
    """

    jobs_per_task = 1
    forwards = True

    def __init__(
        self,
        device: Device,
        remote: Remote,
        key: str,
        limits: Limits,
        *,
        retry_for_s: float = 600.0,
    ) -> None:
        self._device = device
        self._remote = remote
        self._cloud = connect(remote, key, device.spec.formats_as_written)
        self._responses: dict[str, VendorResponse] = {}
        if remote.pass_through:
            from qwicket.drivers.remote.pass_through import PassThroughCloud, Sender

            sender = Sender(remote, key)
            self._cloud = PassThroughCloud(self._cloud, sender, remote.device, self._responses)
        self._calls = CloudCalls(key, min(remote.jobs_at_once, 16) + 2)
        # Larger results are read in a process of their own.
        small_bytes = min(limits.jobs.result_bytes, bounds.SMALL.max_bytes)
        self._small_results = bounds.of_results(small_bytes)
        self._result_reader = ResultReader(self._cloud, self._calls.scrubbed, limits)
        self._large_results = LargeResults(remote, key, device.spec.formats_as_written, limits)
        self._is_online = True
        self._status_failures = 0
        self._status_retry_s = 0.0
        self._has_groups = kinds()[remote.kind].has_groups
        self._account = account_hash(remote, key)
        self._submitter = Submitter(
            remote,
            self._cloud,
            self._calls,
            self._account,
            lambda: self._is_online,
            retry_for_s,
            self._responses,
        )
        self._poller = Poller(
            lambda ids: self._calls.call(self._cloud.statuses, ids),
            remote.poll_s,
            self._calls.scrubbed,
            remote.settle_s,
        )

    @property
    def slots(self) -> int:
        """Jobs at a time; 0 while the device is offline, so that jobs wait here."""
        return self._remote.jobs_at_once if self._is_online else 0

    @property
    def status_pause_s(self) -> float:
        """Seconds until the next read of the device's state.

        From the second read that fails they double, up to `_MAX_MIRROR_FACTOR` times `mirror_s`,
        because each is a time without jobs for a device that is back. They are at least as long as
        the cloud asks for, up to `MAX_PAUSE_S`.
        """
        factor = min(1 << min(max(self._status_failures - 1, 0), 10), _MAX_MIRROR_FACTOR)
        return max(self._remote.mirror_s * factor, self._status_retry_s)

    async def device_status(self) -> RemoteDeviceStatus:
        """Read the state of the device, which is offline if this fails. Then it gets no jobs."""
        try:
            found = await self._calls.call(self._cloud.device_status)
        except (CloudError, Refused) as error:
            found = RemoteDeviceStatus(is_online=False, reason=str(error))
            self._status_failures += 1
            retry_after_s = error.retry_after_s if isinstance(error, CloudError) else 0.0
            self._status_retry_s = min(retry_after_s, MAX_PAUSE_S)
        else:
            self._status_failures, self._status_retry_s = 0, 0.0
        self._is_online = found.is_online
        n_waiting = found.n_waiting
        if n_waiting is not None and not 0 <= n_waiting <= _MAX_WAITING:
            n_waiting = None  # such a number is an error there
        calibration = found.calibration
        try:
            if calibration is not None:
                calibration.check(self._device.spec.qubits)
        except ValueError:  # for example, the device's file has fewer qubits
            calibration = None
        reason = self._calls.scrubbed(found.reason)
        return found._replace(reason=reason, n_waiting=n_waiting, calibration=calibration)

    @property
    def open_groups(self) -> tuple[str, ...]:
        """Groups that this server has opened or used at the cloud."""
        return cast("GroupingCloud", self._cloud).open_groups if self._has_groups else ()

    async def close_group(self, group: str) -> None:
        """Close a group at the cloud that is closed here; its jobs continue."""
        try:
            await self._calls.call(cast("GroupingCloud", self._cloud).close_group, group)
        except CloudError as error:
            _log.warning("a group was not closed there: %s", self._calls.scrubbed(str(error)))

    async def close(self) -> None:
        """Close the connections."""
        self._poller.close()
        self._calls.close()
        self._large_results.close()
        await asyncio.to_thread(self._cloud.close)

    async def run(
        self, assignments: Sequence[Assignment], forward_log: ForwardLog
    ) -> list[RunResult]:
        (assignment,) = assignments
        if assignment.state is JobState.CANCELLING:
            forward_log.cancel_asked.set()
        try:
            program = self._program(assignment, await forward_log.full_program())
            if self._has_groups:
                program = program._replace(group=await forward_log.group(self._account))
            result, seconds = await self._run_at_cloud(assignment, program, forward_log)
        except Refused as refusal:
            if refusal.response is not None:
                await forward_log.record_response(pack_response(refusal.response))
            failure = Failure(
                "remote_refused", self._calls.scrubbed(f"{self._device.name}: {refusal}")
            )
            return [RunResult(failure, 0.0)]
        except InvalidProgram as error:  # the device's gates changed since the submission
            return [RunResult(Failure("invalid_program", error.detail), 0.0)]
        finally:
            self._responses.pop(marker_of(assignment.lease.job), None)
        # If the cloud reports no credible run time, the estimate counts.
        is_time = 0 < seconds < _MAX_RUN_S
        return [RunResult(result, seconds if is_time else assignment.est_seconds)]

    def _program(self, assignment: Assignment, full_program: FullProgram) -> RemoteProgram:
        family, circuits = self._device.family, assignment.circuits
        format, source = full_program.format, bytes(full_program.source)
        options = _options.decode(assignment.options)
        if format == HTTP_REQUEST:
            return RemoteProgram(format, source, {}, b"", family, (), options)
        inputs, shapes = _inputs.decode(full_program.inputs), frames(family, circuits)
        return RemoteProgram(format, source, inputs, circuits, family, shapes, options)

    async def _run_at_cloud(
        self, assignment: Assignment, program: RemoteProgram, log: ForwardLog
    ) -> tuple[Completion | Failure, float]:
        """Send the job if necessary and wait for its end; return its result and run time."""
        marker, forward = marker_of(assignment.lease.job), assignment.forward
        id = forward.vendor_job_id if forward is not None else None
        is_from_person = id is not None and assignment.state is JobState.UNCERTAIN
        is_elsewhere = id is not None and self._submitter.was_sent_elsewhere(forward)
        if id is not None and is_from_person:
            await log.record_sent(id)
        for _ in range(MAX_SENDS):
            if id is None:
                id = await self._submitter.send_once(assignment, forward, program, log)
                is_elsewhere = False
            status = await self._wait_for_end(id, marker, log)
            if isinstance(status, NoSuchJob) and is_elsewhere:
                raise self._submitter.unresolved_elsewhere(f"{marker}, which is {id}")
            if isinstance(status, NoSuchJob) or status.may_be(marker):
                return await self._conclude(id, status, program, log)
            forward = await log.forget_sent()
            shown = self._calls.scrubbed(str(status.marker))[:100]
            reason = (
                f"{id} at {self._remote.url} has the marker {shown!r}, not {marker}: it is another"
                " job, or was renamed"
            )
            # If the marker is not a Qwicket server's, a person renamed the job there. A search for
            # its own marker would not find it, and the job would be sent again.
            is_of_gateway = str(status.marker).startswith(MARKER_PREFIX)
            if is_from_person or not is_of_gateway:
                break
            _log.error("the cloud gave a job the id of another one: %s", id)
            id = None
        raise unresolved_error(reason, marker)

    async def _wait_for_end(
        self, id: str, marker: str, log: ForwardLog
    ) -> RemoteStatus | NoSuchJob:
        """Wait for the end of a job, and pass on a cancellation; return its last state.

        If the id has another job's marker there, return that job's state at once.
        """
        cancelling = asyncio.create_task(self._cancel_when_asked(id, marker, log))
        try:
            return await self._poller.end_of(id, marker)
        except NoSuchJob as absent:
            return absent
        finally:
            cancelling.cancel()

    async def _conclude(
        self, id: str, status: RemoteStatus | NoSuchJob, program: RemoteProgram, log: ForwardLog
    ) -> tuple[Completion | Failure, float]:
        """Return the result and run time of a job that has ended."""
        if isinstance(status, NoSuchJob):
            text = f"{self._device.name} does not know the job any more; it was {id} there."
            return Failure("remote_job_lost", self._calls.scrubbed(text)), 0.0
        if status.state == "cancelled":
            if program.format == HTTP_REQUEST:  # its client cancels there first, and then here
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(log.cancel_asked.wait(), _CANCEL_NOTE_S)
            if not log.cancel_asked.is_set():
                text = f"It was cancelled at {self._device.name}."
                return Failure("remote_cancelled", text), 0.0
            raise StoppedRemotely
        if status.state == "failed":
            text = self._calls.scrubbed(status.failure) or "It failed there without a reason."
            return Failure("remote_failed", f"{self._device.name}: {text}"), 0.0
        return await self._read_result(id, program)

    async def _cancel_when_asked(self, id: str, marker: str, log: ForwardLog) -> None:
        await log.cancel_asked.wait()
        pause_s = self._remote.poll_s
        while True:
            try:
                status = (await self._calls.call(self._cloud.statuses, [id])).get(id)
                if isinstance(status, CloudError):
                    raise status
                if isinstance(status, NoSuchJob):
                    raise CloudError(f"{id} is not there, or not yet")
                if isinstance(status, RemoteStatus) and not status.may_be(marker):
                    return  # it is another job, which must not be cancelled
                await self._calls.call(self._cloud.cancel, id)
            except CloudError as error:
                _log.warning(
                    "a job could not be cancelled there: %s", self._calls.scrubbed(str(error))
                )
                await asyncio.sleep(max(pause_s, min(error.retry_after_s, MAX_PAUSE_S)))
                pause_s = min(2 * pause_s, MAX_PAUSE_S)
            else:
                self._poller.poll_soon()
                return

    async def _read_result(
        self, id: str, program: RemoteProgram
    ) -> tuple[Completion | Failure, float]:
        reads, pause_s, reason = 0, self._remote.poll_s, ""
        settled_at = time.monotonic() + self._remote.settle_s  # before, the result may be missing
        began, until = time.monotonic(), time.monotonic() + _RESULT_S
        while (reads < _MAX_RESULT_READS or began < settled_at) and time.monotonic() < until:
            began = time.monotonic()
            try:
                return await self._read_result_once(id, program)
            except NoSuchJob:
                reads, reason = reads + 1, "it is not there any more"
            except (InvalidResult, NotUnderstood) as error:
                reads, reason = reads + 1, self._calls.scrubbed(str(error))
            except CloudError as error:
                reason = self._calls.scrubbed(str(error))
                pause_s = max(pause_s, min(error.retry_after_s, MAX_PAUSE_S))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)
        text = self._calls.scrubbed(
            f"The result of {id} at {self._device.name} cannot be used: {reason}"
        )
        return Failure("remote_result_invalid", text), 0.0

    async def _read_result_once(self, id: str, program: RemoteProgram) -> tuple[Completion, float]:
        try:
            read = self._result_reader.read
            return await self._calls.call(read, id, program, within=self._small_results)
        except BeyondBounds:
            return await self._calls.call_in_turn(partial(self._large_results.read, id, program))
