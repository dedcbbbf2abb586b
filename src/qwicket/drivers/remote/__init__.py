"""Driver of a device at another cloud: sends each job once, waits for its end, checks its result.

A job is sent with a marker, which is stored before. If the response is lost, the driver looks for
the marker in the cloud's list of jobs. It sends the job again only if the list does not have it
once the first request must have been processed. If no list can prove that, a person decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2s
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from qwicket.circuits import qubit
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Completion, RunResult, encode
from qwicket.clients.http.errors import ServiceError
from qwicket.clients.http.text import MIN_SECRET_CHARS
from qwicket.clients.native.errors import ClientError
from qwicket.drivers import JobNotStarted, StoppedRemotely, Unresolved
from qwicket.drivers.remote.clouds import (
    MARKER_PREFIX,
    Cloud,
    CloudError,
    Forbidden,
    InvalidResult,
    Mirror,
    NoProof,
    NoSuchJob,
    NothingSent,
    Refused,
    RemoteProgram,
    RemoteStatus,
)
from qwicket.drivers.remote.failures import not_understood
from qwicket.drivers.remote.poller import Poller
from qwicket.model.errors import (
    Conflict,
    InvalidProgram,
    InvalidRequest,
    LimitExceeded,
    StaleLease,
)
from qwicket.model.failures import Failure
from qwicket.model.ids import created_ms
from qwicket.model.passing import HTTP_REQUEST, pack_response
from qwicket.model.states import JobState
from qwicket.programs.rewriting import rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.circuits.outcomes import Outcome
    from qwicket.devices.remotes import Remote
    from qwicket.drivers import ForwardLog
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Assignment, Forward
    from qwicket.model.limits import Limits
    from qwicket.model.passing import VendorResponse
    from qwicket.store import FullProgram

__all__ = ["RemoteDriver", "connect"]

T = TypeVar("T")

_MAX_SENDS: Final = 5
"""Limit on submissions of a job, each after the list has proved that the former one is absent."""
_MAX_ID_CHARS: Final = 200
_DOTS: Final = (".", "..")
"""Ids that would change the path of a request."""
_MAX_UNPROVEN: Final = 3
"""Lists in a row that prove nothing, after `settle_s`, before a person must decide."""
_MAX_RUN_S: Final = 1e9
"""Run times from this on are not believed."""
_MAX_WAITING: Final = 10**9
"""Numbers of waiting jobs above this are not believed."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MAX_RESULT_READS: Final = 3
"""Invalid results after which the job fails, once `settle_s` has passed."""
_RESULT_S: Final = 86_400.0
"""Seconds for which a result is requested again while the cloud does not return it."""
_MAX_PAUSE_S: Final = 60.0
_FRESH_S: Final = 2.0
"""Seconds after a check that this server has the job's lease in which it certainly still has it:
less than any lease time."""
_CANCEL_NOTE_S: Final = 5.0
"""Seconds to wait until a cancellation that was passed on is also recorded here."""
_LAST_CALL_S: Final = 5.0
"""Seconds for which a stopping server waits for the response to a submission."""

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
        ValueError: The address or the key is not one that the client takes.
    """
    try:
        if remote.kind == "ionq":
            from qwicket.drivers.remote.ionq import IonQCloud

            return IonQCloud(remote, key)
        if remote.kind == "ibm_qx":
            from qwicket.drivers.remote.ibm_qx import IBMQXCloud

            return IBMQXCloud(remote, key)
        if remote.kind == "qbraid":
            from qwicket.drivers.remote.qbraid import QbraidCloud

            return QbraidCloud(remote, key)
        if remote.kind == "qlued":
            from qwicket.drivers.remote.qlued import QluedCloud

            return QluedCloud(remote, key, formats)
        if remote.kind == "xanadu":
            from qwicket.drivers.remote.xanadu import XanaduCloud

            return XanaduCloud(remote, key)
        from qwicket.drivers.remote.qwicket import QwicketCloud

        return QwicketCloud(remote, key, formats)
    except (ServiceError, ClientError) as error:
        raise ValueError(f"remote: {error}".replace(key, "…")) from None


class RemoteDriver:
    """Runs the jobs of one device at another cloud.

    Args:
        device: The device.
        remote: Where it is.
        key: Key of the account there.
        limits: Bounds on results.
        retry_for_s: Seconds for which a call that the cloud does not accept is repeated, while the
            job keeps its slot.
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
        self._retry_for_s = retry_for_s
        self._device = device
        self._remote = remote
        self._key = key
        self._limits = limits
        self._account_hash = _account_hash(remote, key)
        self._cloud = connect(remote, key, device.spec.formats_as_written)
        self._responses: dict[str, VendorResponse] = {}
        if remote.pass_through:
            from qwicket.drivers.remote.passing import PassingCloud, Sender

            sender = Sender(remote, key)
            self._cloud = PassingCloud(self._cloud, sender, remote.device, self._responses)
        n_threads = min(remote.jobs_at_once, 16) + 2
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="remote")
        self._poller = Poller(
            lambda ids: self._call(self._cloud.statuses, ids),
            remote.poll_s,
            self._scrubbed,
            remote.settle_s,
        )
        self._is_online = True

    @property
    def slots(self) -> int:
        """Jobs at a time; 0 while the other cloud runs none, so that jobs wait here."""
        return self._remote.jobs_at_once if self._is_online else 0

    async def mirror(self) -> Mirror:
        """Read the state of the device; jobs are sent only while it is online."""
        try:
            found = await self._call(self._cloud.mirror)
        except (CloudError, Refused) as error:
            found = Mirror(is_online=False, reason=str(error))
        self._is_online = found.is_online
        n_waiting = found.n_waiting
        if n_waiting is not None and not 0 <= n_waiting <= _MAX_WAITING:
            n_waiting = None  # such a number is an error there
        return found._replace(reason=self._scrubbed(found.reason), n_waiting=n_waiting)

    async def close(self) -> None:
        """Close the connections."""
        self._poller.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._cloud.close)

    async def run(
        self, assignments: Sequence[Assignment], forward_log: ForwardLog
    ) -> list[RunResult]:
        (assignment,) = assignments
        if assignment.state is JobState.CANCELLING:
            forward_log.cancel_asked.set()
        try:
            program = self._program(assignment, await forward_log.full_program())
            result, seconds = await self._run_at_cloud(assignment, program, forward_log)
        except Refused as refusal:
            if refusal.response is not None:
                await forward_log.record_response(pack_response(refusal.response))
            failure = Failure("remote_refused", self._scrubbed(f"{self._device.name}: {refusal}"))
            return [RunResult(failure, 0.0)]
        except InvalidProgram as error:  # the device's gates changed since the submission
            return [RunResult(Failure("invalid_program", error.detail), 0.0)]
        finally:
            self._responses.pop(_marker(assignment.lease.job), None)
        # If the cloud does not say how long the job ran, the estimate counts.
        is_time = 0 < seconds < _MAX_RUN_S
        return [RunResult(result, seconds if is_time else assignment.est_seconds)]

    def _program(self, assignment: Assignment, full_program: FullProgram) -> RemoteProgram:
        family = self._device.family
        options = _options.decode(assignment.options)
        if full_program.format == HTTP_REQUEST:
            source = bytes(full_program.source)
            return RemoteProgram(HTTP_REQUEST, source, {}, b"", family, (), options)
        inputs: Mapping[str, float] = _inputs.decode(full_program.inputs)
        return RemoteProgram(
            full_program.format,
            bytes(full_program.source),
            inputs,
            assignment.circuits,
            family,
            frames(family, assignment.circuits),
            options,
        )

    async def _rewrite(self, program: RemoteProgram) -> RemoteProgram:
        """Return a program in a format or the language of the cloud.

        Raises:
            InvalidProgram: The language cannot express it; the device's file may have changed.
        """
        language = self._cloud.language
        if program.format in self._cloud.formats or language is None:
            return program
        format, source = await asyncio.to_thread(
            lambda: rewrite(qubit.unpack(program.circuits), language)
        )
        return program._replace(format=format, source=source, inputs={})

    async def _run_at_cloud(
        self, assignment: Assignment, program: RemoteProgram, log: ForwardLog
    ) -> tuple[Completion | Failure, float]:
        """Send the job if necessary and wait for its end; return its result and run time."""
        marker, forward = _marker(assignment.lease.job), assignment.forward
        id = forward.vendor_job_id if forward is not None else None
        is_from_person = id is not None and assignment.state is JobState.UNCERTAIN
        is_elsewhere = id is not None and self._was_sent_elsewhere(forward)
        if id is not None and is_from_person:
            await log.record_sent(id)
        for _ in range(_MAX_SENDS):
            if id is None:
                id, is_elsewhere = await self._send_once(assignment, forward, program, log), False
                if response := self._responses.pop(marker, None):
                    await log.record_response(pack_response(response))
            status = await self._wait_for_end(id, marker, log)
            if isinstance(status, NoSuchJob) and is_elsewhere:
                raise self._unresolved_elsewhere(f"{marker}, which is {id}")
            if isinstance(status, NoSuchJob) or status.may_be(marker):
                return await self._conclude(id, status, program, log)
            forward = await log.forget_sent()
            shown = self._scrubbed(str(status.marker))[:100]
            reason = (
                f"{id} at {self._remote.url} has the marker {shown!r}, not {marker}: it is another"
                " job, or was renamed"
            )
            # A job that a person renamed there is not found, but may not be sent again.
            is_of_gateway = str(status.marker).startswith(MARKER_PREFIX)
            if is_from_person or not is_of_gateway:
                break
            _log.error("the cloud gave a job the id of another one: %s", id)
            id = None
        raise _unresolved(reason, marker)

    # --- exactly one submission ------------------------------------------------------------------

    async def _send_once(
        self,
        assignment: Assignment,
        forward: Forward | None,
        program: RemoteProgram,
        log: ForwardLog,
    ) -> str:
        """Return the job's id at the cloud. Send the job if it is certain that it is not there."""
        may_send = forward is None or forward.is_absent
        if forward is not None and forward.is_absent:
            id = await self._find_now(forward, assignment.lease.job)  # a person may be wrong
            if id is not None and self._is_id(id):
                await self._record_found(id, forward, log)
                return id
        if may_send:
            marker = _marker(assignment.lease.job)
            forward = await log.record_intent(marker, self._account_hash)
        assert forward is not None
        for _ in range(_MAX_SENDS):
            if may_send:
                if log.cancel_asked.is_set():
                    raise StoppedRemotely
                id = await self._submit_until_accepted(program, forward, log, assignment.state)
                self._check_id(id, forward)
                if id is not None and await self._record_sent(id, log):
                    return id
            id = await self._find_or_prove_absent(forward, assignment.lease.job)
            self._check_id(id, forward)
            if id is not None:
                await self._record_found(id, forward, log)
                return id
            may_send = True
        raise _unresolved(
            f"{self._remote.url} took the job {_MAX_SENDS} times without a valid response and does"
            " not list it",
            forward.marker,
        )

    def _check_id(self, id: str | None, forward: Forward) -> None:
        """Check that an id of the cloud can be stored.

        Raises:
            Unresolved: It cannot, so a person must decide about the job.
        """
        if id is not None and not self._is_id(id):
            raise _unresolved(
                f"{self._remote.url} gave the job an invalid id: {self._scrubbed(id)[:100]!r}",
                forward.marker,
            )

    async def _submit_until_accepted(
        self, program: RemoteProgram, forward: Forward, log: ForwardLog, state: JobState
    ) -> str | None:
        """Submit until the cloud has, or may have, accepted the job.

        Returns:
            The job's id there; None if it is unknown whether the cloud has the job.
        """
        pause_s, until = self._remote.poll_s, time.monotonic() + self._retry_for_s
        program = await self._rewrite(program)
        while True:
            if not await log.is_held():
                raise JobNotStarted("another server has the job")
            sending = asyncio.ensure_future(
                self._call(self._submit_if_fresh, program, forward.marker, time.monotonic())
            )
            sending.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                return await asyncio.shield(sending)
            except asyncio.CancelledError:
                # With the id, the next server need not search for the job.
                await asyncio.wait([sending], timeout=_LAST_CALL_S)
                if sending.done() and not sending.cancelled() and sending.exception() is None:
                    await self._record_sent(sending.result(), log)
                raise
            except NothingSent as error:
                reason = self._scrubbed(str(error))
                is_forbidden = isinstance(error, Forbidden)
                pause_s = min(max(2 * pause_s, error.retry_after_s), _MAX_PAUSE_S)
            except CloudError as error:
                _log.warning("no valid response to a submission: %s", self._scrubbed(str(error)))
                return None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(log.cancel_asked.wait(), pause_s)
                raise StoppedRemotely
            may_retry = self._is_online and time.monotonic() < until
            if is_forbidden and not may_retry and await self._is_key_accepted():
                raise Refused(reason)
            # A job that was adopted cannot be given back, so it stays until it is sent.
            if state is JobState.RUNNING and not may_retry:
                await log.withdraw()
                raise JobNotStarted(f"{self._remote.url} did not take it: {reason}")

    async def _is_key_accepted(self) -> bool:
        """Return whether the key can read the device's state, and the device is online."""
        try:
            return (await self._call(self._cloud.mirror)).is_online
        except (CloudError, Refused):
            return False

    def _submit_if_fresh(self, program: RemoteProgram, marker: str, checked_at: float) -> str:
        """Submit, unless this process was paused since it checked that it has the job's lease."""
        if time.monotonic() - checked_at > _FRESH_S:
            raise NothingSent("this server was too slow")
        return self._cloud.submit(program, marker)

    async def _record_sent(self, id: str, log: ForwardLog) -> bool:
        """Store the id; return False if it is the id of another job, or invalid."""
        if not self._is_id(id):
            return False
        try:
            await log.record_sent(id)
        except StaleLease:
            raise
        except Conflict:
            _log.error("the cloud gave a new job the id of another one: %s", id[:100])
            return False
        return True

    async def _record_found(self, id: str, forward: Forward, log: ForwardLog) -> None:
        """Store the id of a job that was found by its marker.

        If another job has this id by mistake of the cloud, the call waits until that job's state
        has been read, because the job then forgets the id.

        Raises:
            Unresolved: The other job keeps the id.
        """
        until = time.monotonic() + self._retry_for_s
        while True:
            try:
                return await log.record_sent(id)
            except StaleLease:
                raise
            except Conflict as conflict:
                if time.monotonic() > until:
                    raise _unresolved(
                        f"{id} at {self._remote.url} has the marker {forward.marker} of this job,"
                        f" but {conflict.detail.rstrip('.')}",
                        "both",
                    ) from None
            await asyncio.sleep(self._remote.poll_s)

    async def _find_now(self, forward: Forward, job: str) -> str | None:
        """Return the id of a job if the list contains it now."""
        try:
            return await self._call(self._cloud.find, forward.marker, created_ms(job))
        except (CloudError, NoProof):
            return None

    async def _find_or_prove_absent(self, forward: Forward, job: str) -> str | None:
        """Look for a job until it is found or, after `settle_s`, certainly absent (None).

        Raises:
            Unresolved: No list proves the absence, or the job was sent to another account.
        """
        since_ms = created_ms(job)
        certain_at = time.monotonic() + self._remote.settle_s
        pause_s, n_unproven = self._remote.poll_s, 0
        while True:
            began = time.monotonic()
            id: str | None = None
            try:
                id = await self._call(self._cloud.find, forward.marker, since_ms)
                n_unproven = 0
            except NoProof as reason:
                n_unproven += 1
                if began >= certain_at and n_unproven >= _MAX_UNPROVEN:
                    raise _unresolved(
                        f"It is unknown whether {self._remote.url} has the job:"
                        f" {self._scrubbed(str(reason))}",
                        f"{forward.marker}, or for a job with this program and of this time",
                    ) from None
            except CloudError as error:
                why = self._scrubbed(str(error))
                _log.warning("a job could not be looked for: %s", why)
                if self._is_online and began > certain_at + self._retry_for_s:
                    why = f"{self._remote.url} cannot be asked whether it has the job: {why}"
                    raise _unresolved(why, forward.marker) from None
                pause_s = min(max(2 * pause_s, error.retry_after_s), _MAX_PAUSE_S)
                await asyncio.sleep(pause_s)
                continue
            if id is not None:
                return id
            if began >= certain_at and not n_unproven:
                if self._was_sent_elsewhere(forward):
                    raise self._unresolved_elsewhere(forward.marker)
                return None
            left_s = certain_at - time.monotonic()
            await asyncio.sleep(min(pause_s, left_s) if left_s > 0 else self._remote.poll_s)
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)

    def _was_sent_elsewhere(self, forward: Forward | None) -> bool:
        """Return whether a job was sent with another address or key than those of today."""
        return forward is not None and forward.sent_to not in ("", self._account_hash)

    def _unresolved_elsewhere(self, what: str) -> Unresolved:
        return Unresolved(
            f"{self._remote.url} does not have the job, but it was sent before the device's file"
            f" got another address or key. Look at the former account for {what}; then"
            " `qwicket job resolve`."
        )

    # --- end of a job -----------------------------------------------------------------------------

    async def _wait_for_end(
        self, id: str, marker: str, log: ForwardLog
    ) -> RemoteStatus | NoSuchJob:
        """Wait for the end of a job, and pass on a cancellation; return its last state.

        If the id turns out to be that of another job, by its marker, return its state at once.
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
            return Failure("remote_job_lost", self._scrubbed(text)), 0.0
        if status.state == "cancelled":
            if program.format == HTTP_REQUEST:  # its client cancels there first, and then here
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(log.cancel_asked.wait(), _CANCEL_NOTE_S)
            if not log.cancel_asked.is_set():
                text = f"It was cancelled at {self._device.name}."
                return Failure("remote_cancelled", text), 0.0
            raise StoppedRemotely
        if status.state == "failed":
            text = self._scrubbed(status.failure) or "It failed there without a reason."
            return Failure("remote_failed", f"{self._device.name}: {text}"), 0.0
        return await self._read_result(id, program)

    async def _cancel_when_asked(self, id: str, marker: str, log: ForwardLog) -> None:
        await log.cancel_asked.wait()
        pause_s = self._remote.poll_s
        while True:
            try:
                status = (await self._call(self._cloud.statuses, [id])).get(id)
                if isinstance(status, CloudError):
                    raise status
                if isinstance(status, NoSuchJob):
                    raise CloudError(f"{id} is not there, or not yet")
                if isinstance(status, RemoteStatus) and not status.may_be(marker):
                    return  # its end is that of another job
                await self._call(self._cloud.cancel, id)
            except CloudError as error:
                _log.warning("a job could not be cancelled there: %s", self._scrubbed(str(error)))
                await asyncio.sleep(max(pause_s, min(error.retry_after_s, _MAX_PAUSE_S)))
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
            else:
                self._poller.poll_soon()
                return

    async def _read_result(
        self, id: str, program: RemoteProgram
    ) -> tuple[Completion | Failure, float]:
        reads, pause_s, reason = 0, self._remote.poll_s, ""
        settled_at = time.monotonic() + self._remote.settle_s  # until then it may not be there yet
        began, until = time.monotonic(), time.monotonic() + _RESULT_S
        while (reads < _MAX_RESULT_READS or began < settled_at) and time.monotonic() < until:
            began = time.monotonic()
            try:
                outcomes, seconds = await self._call(self._cloud.outcomes, id, program)
                return await asyncio.to_thread(self._encode_and_check, outcomes, program), seconds
            except NoSuchJob:
                reads, reason = reads + 1, "it is not there any more"
            except (InvalidResult, InvalidRequest, LimitExceeded) as error:
                reads, reason = reads + 1, self._scrubbed(str(error))
            except CloudError as error:
                reason = self._scrubbed(str(error))
                pause_s = max(pause_s, min(error.retry_after_s, _MAX_PAUSE_S))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)
        text = self._scrubbed(f"The result of {id} at {self._device.name} cannot be used: {reason}")
        return Failure("remote_result_invalid", text), 0.0

    def _encode_and_check(
        self, outcomes: Sequence[Outcome | Failure], program: RemoteProgram
    ) -> Completion:
        """Encode outcomes, and check them like those of a lab's machine."""
        from qwicket.circuits import outcome_checks  # late: it imports NumPy

        parts = tuple(
            self._scrubbed_failure(each)
            if isinstance(each, Failure)
            else encode(self._scrubbed_outcome(each))
            for each in outcomes
        )
        if program.format == HTTP_REQUEST:
            return parts
        outcome_checks.check(
            [(k, each) for k, each in enumerate(parts) if not isinstance(each, Failure)],
            program.frames,
            program.options,
            self._limits,
            is_simulated=self._cloud.is_simulated,
        )
        return parts

    def _scrubbed_failure(self, failure: Failure) -> Failure:
        code = self._scrubbed(failure.code)
        code = code if _CODE.fullmatch(code) else "remote_failed"
        return Failure(code, self._scrubbed(failure.message))

    def _scrubbed_outcome(self, outcome: Outcome) -> Outcome:
        return msgspec.structs.replace(
            outcome,
            engine=self._scrubbed(outcome.engine),
            engine_version=self._scrubbed(outcome.engine_version),
        )

    async def _call(self, call: Callable[..., T], *args: Any) -> T:
        """Call the cloud in a thread.

        Raises:
            CloudError: The call failed, or its response was not understood.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, partial(call, *args))
        except (CloudError, Refused, NoSuchJob, NoProof, InvalidResult):
            raise
        except Exception as error:
            raise not_understood(error) from None

    def _is_id(self, text: str) -> bool:
        """Return whether a text can be an id: it is stored, shown, and a part of paths."""
        is_short = 1 <= len(text) <= _MAX_ID_CHARS
        has_key = len(self._key) >= MIN_SECRET_CHARS and self._key in text
        return is_short and text.isprintable() and text not in _DOTS and not has_key

    def _scrubbed(self, text: str) -> str:
        """Return a text of the cloud without the key, printable, and cut to 500 characters."""
        without = text.replace(self._key, "…")[:500]
        return "".join(each if each.isprintable() else " " for each in without)


def _unresolved(why: str, what: str) -> Unresolved:
    return Unresolved(f"{why}. Look there for {what}; then `qwicket job resolve`.")


def _marker(job: str) -> str:
    return f"{MARKER_PREFIX}{job}"


def _account_hash(remote: Remote, key: str) -> str:
    """Return a hash that distinguishes accounts, of only 16 bits, so that it reveals no key."""
    text = f"{remote.kind}\n{remote.url.rstrip('/')}\n{key}"
    return blake2s(text.encode(), digest_size=2).hexdigest()
