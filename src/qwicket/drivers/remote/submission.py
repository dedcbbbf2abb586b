"""Submits each job exactly once, whatever becomes of the requests, the responses and this server.

An adopted job is one that an earlier server may have sent (state not `running`); it cannot be
queued again. See `ForwardLog` for intent and slots. The states of a job here, and what follows
each of them:

    new ── the intent is stored ──> intended
    intended ─┬─ a request is sent ───────────────> in doubt
              ├─ the device is offline ───────────> new, and queued again
              └─ the user cancels it ─────────────> cancelled
    in doubt ─┬─ the response has an id ──────────> sent: it is never submitted again
              ├─ the response refuses the job ────> failed
              ├─ certainly not accepted ──────────> intended, or new if it is queued again, or lends
              │                                     its slot
              ├─ the id is invalid ───────────────> unresolved
              ├─ no valid response, ┬─ found ─────> sent
              │  another job's id,  ├─ absent ────> intended; after MAX_SENDS requests unresolved
              │  or a crash         └─ no proof ──> unresolved
    sent ── the id shows another job's marker ────> in doubt, or unresolved if a person named the id
                                                    or renamed the job
    in doubt, where lists may lag: not found ─────> the same request is sent again while the cloud
                                                    honours its token (`token_s`), then unresolved
    unresolved ─┬─ a person knows the id ─────────> sent
                └─ a person calls it absent ──────> in doubt again; if a search then proves nothing,
                                                    the person's word counts

A job is found by its marker, which is stored with the intent and travels with the request. It is
absent if the cloud's list does not have it `settle_s` after the doubt arose. The list must be
complete, and of the account to which the job was sent. It must be read within `keeps_jobs_s` of the
intent: later, the job may have ended there and been deleted. Where lists may lag, nothing proves
that a job is absent: only a response with an id ends the doubt, and no refusal does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from qwicket.circuits import qubit
from qwicket.devices.remotes import kinds
from qwicket.drivers import JobNotStarted, StoppedRemotely, Unresolved
from qwicket.drivers.remote.clouds import (
    MARKER_PREFIX,
    CloudError,
    Forbidden,
    NoProof,
    NotAccepted,
    Refused,
    TryLater,
)
from qwicket.model.errors import Conflict, InvalidProgram, StaleLease
from qwicket.model.ids import created_ms
from qwicket.model.pass_through import pack_response
from qwicket.model.states import JobState
from qwicket.programs.rewriting import rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.devices.remotes import Remote
    from qwicket.drivers import ForwardLog
    from qwicket.drivers.remote.calls import CloudCalls
    from qwicket.drivers.remote.clouds import Cloud, RemoteProgram, RequireLease
    from qwicket.model.jobs import Assignment, Forward
    from qwicket.model.pass_through import VendorResponse

__all__ = [
    "FRESH_S",
    "MAX_PAUSE_S",
    "MAX_SENDS",
    "Submitter",
    "account_hash",
    "marker_of",
    "unresolved_error",
]

MAX_SENDS: Final = 5
"""Submissions of one job with an unknown outcome before a person must decide. Before each further
one, a list has proved that the former one made no job."""
_MAX_UNPROVEN: Final = 3
"""Lists in a row that prove nothing before a person must decide; at least `settle_s` must pass."""
MAX_PAUSE_S: Final = 60.0
"""Maximum pause between two calls that are repeated."""
FRESH_S: Final = 2.0
"""A check of the lease counts for this many seconds, from its beginning: less than the lease time,
unless `--lease-s` is below 2."""
_TOO_SLOW: Final = "this server was too slow"
_LAST_CALL_S: Final = 5.0
"""Seconds for which a server that stops waits for the response to a submission."""

_log = logging.getLogger(__name__)


class Submitter:
    """Submits the jobs of one device.

    Args:
        remote: Where the device is.
        cloud: Its cloud.
        calls: Threads for the calls of the cloud.
        account: Hash of the address and key of today; see `account_hash`.
        is_online: Returns whether the cloud runs jobs of the device now.
        retry_for_s: Seconds for which a submission that the cloud does not accept is repeated;
            that of an adopted job is repeated without end. A failing search for a job is repeated
            `settle_s` longer, and on while the device is offline.
        responses: By marker: the device's server's response to a submission passed on unchanged.
    """

    def __init__(
        self,
        remote: Remote,
        cloud: Cloud,
        calls: CloudCalls,
        account: str,
        is_online: Callable[[], bool],
        retry_for_s: float,
        responses: Mapping[str, VendorResponse],
    ) -> None:
        self._remote = remote
        self._cloud = cloud
        self._calls = calls
        self._account_hash = account
        self._is_online = is_online
        self._retry_for_s = retry_for_s
        self._token_s = kinds()[remote.kind].token_s
        self._responses = responses

    async def send_once(
        self,
        assignment: Assignment,
        forward: Forward | None,
        program: RemoteProgram,
        log: ForwardLog,
    ) -> str:
        """Return the job's id at the cloud; send the job if it is certainly not there.

        A person's word that it is absent counts, unless a search finds it.

        Raises:
            Unresolved: A person must decide about the job.
            JobNotStarted, StoppedRemotely, Refused, InvalidProgram: As for
                `_submit_until_accepted`.
        """
        may_send = forward is None or forward.is_absent
        if forward is not None and forward.is_absent:
            id = await self._find_now(forward, assignment.lease.job)  # a person may be wrong
            self._check_id(id, forward)
            if id is not None:
                await self._record_found(id, forward, log)
                return id
        if may_send:
            await self._wait_turn(log, assignment.state)
            marker = marker_of(assignment.lease.job)
            forward = await log.record_intent(marker, self._account_hash)
        assert forward is not None
        for _ in range(MAX_SENDS):
            if may_send:
                if log.cancel_asked.is_set():
                    raise StoppedRemotely
                id = await self._submit_until_accepted(program, forward, log, assignment.state)
                self._check_id(id, forward)
                if id is not None and await self._record_sent(id, forward, log):
                    return id
            id = await self._find_or_prove_absent(forward, assignment.lease.job)
            self._check_id(id, forward)
            if id is None and self._token_s is not None:
                id = await self._repeat(program, forward, log, self._token_s)
                self._check_id(id, forward)
            if id is not None:
                await self._record_found(id, forward, log)
                return id
            may_send = self._token_s is None
            if may_send:
                await self._wait_turn(log, assignment.state)
        raise unresolved_error(
            f"{self._remote.url} took the job {MAX_SENDS} times without a valid response and does"
            " not list it",
            forward.marker,
        )

    async def _wait_turn(self, log: ForwardLog, state: JobState) -> None:
        """Wait until the job may be sent.

        An adopted job waits for a slot; a running one is withdrawn if the device is offline.

        Raises:
            JobNotStarted: The device is offline, and the intent was withdrawn.
            StoppedRemotely: The user cancelled the job.
        """
        if state is not JobState.RUNNING:  # it was adopted, so it cannot be queued again
            await log.wait_turn()
        elif not self._is_online():
            await log.withdraw()
            raise JobNotStarted(f"{self._remote.url} runs no jobs of the device now")
        if log.cancel_asked.is_set():
            raise StoppedRemotely

    def _check_id(self, id: str | None, forward: Forward) -> None:
        """Check that an id of the cloud can be stored.

        Raises:
            Unresolved: It cannot, so a person must decide about the job.
        """
        if id is not None and not self._calls.is_id(id):
            shown = self._calls.scrubbed(id)[:100]
            raise unresolved_error(
                f"{self._remote.url} gave the job an invalid id: {shown!r}", forward.marker
            )

    async def _submit_until_accepted(
        self, program: RemoteProgram, forward: Forward, log: ForwardLog, state: JobState
    ) -> str | None:
        """Submit until the cloud has, or may have, accepted the job.

        Returns:
            The job's id there; None if it is unknown whether the cloud has the job.

        Raises:
            JobNotStarted: Another server has the job, or the cloud did not accept it in time and
                the intent was withdrawn.
            StoppedRemotely: The user cancelled the job.
            Refused: The cloud refuses this job, perhaps with status 403 while the key works.
            InvalidProgram: The cloud's language cannot express the program.
        """
        pause_s, until = self._remote.poll_s, time.monotonic() + self._retry_for_s
        program = await self._rewrite(program)
        require_lease = _lease_check(log)
        while True:
            # The time is taken first: this process may be paused before it has the check's result.
            checked_at = time.monotonic()
            if not await log.is_held():
                raise JobNotStarted("another server has the job")
            sending = asyncio.ensure_future(
                self._calls.call(
                    self._submit_if_fresh, program, forward.marker, checked_at, require_lease
                )
            )
            # Else asyncio would log an exception that is never retrieved, as after a cancellation.
            sending.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                return await asyncio.shield(sending)
            except asyncio.CancelledError:
                # With the id, the next server need not search for the job.
                await asyncio.wait([sending], timeout=_LAST_CALL_S)
                if sending.done() and not sending.cancelled():
                    if (failure := sending.exception()) is None:
                        await self._record_sent(sending.result(), forward, log)
                    elif isinstance(failure, NotAccepted) and state is JobState.RUNNING:
                        with contextlib.suppress(StaleLease):
                            await log.withdraw()  # else the job would be in doubt
                raise
            except NotAccepted as error:
                reason = self._calls.scrubbed(str(error))
                is_forbidden = isinstance(error, Forbidden)
                lends_slot = isinstance(error, TryLater)
                pause_s = min(max(2 * pause_s, error.retry_after_s), MAX_PAUSE_S)
            except CloudError as error:
                _log.warning(
                    "no valid response to a submission: %s", self._calls.scrubbed(str(error))
                )
                return None
            # A job that was adopted cannot be queued again, so it stays until it is sent.
            can_withdraw = state is JobState.RUNNING
            if lends_slot:
                # The wait may be long. If this server dies meanwhile, the job is not in doubt.
                if can_withdraw:
                    await log.withdraw()
                began = time.monotonic()
                await log.pause_without_slot(pause_s)
                until += max(0.0, time.monotonic() - began - pause_s)  # it waited for a slot
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(log.cancel_asked.wait(), pause_s)
            if log.cancel_asked.is_set():
                raise StoppedRemotely
            may_retry = self._is_online() and time.monotonic() < until
            # If the key works otherwise, status 403 is about this job.
            if is_forbidden and not may_retry and await self._is_key_accepted():
                raise Refused(reason)
            if can_withdraw and not may_retry:
                await log.withdraw()
                raise JobNotStarted(f"{self._remote.url} did not take it: {reason}")
            if not can_withdraw:
                await self._wait_turn(log, state)
            elif lends_slot:
                await log.record_intent(forward.marker, self._account_hash)

    async def _repeat(
        self, program: RemoteProgram, forward: Forward, log: ForwardLog, token_s: float
    ) -> str | None:
        """Send the same request again; return the id of the job, or None if it stays unknown.

        A refusal leaves it unknown, too: it says nothing about the first request.

        Raises:
            Unresolved: The cloud may no longer honour the token, or the user cancelled the job.
            JobNotStarted: Another server has the job.
        """
        checked_at = time.monotonic()
        if not await log.is_held():
            raise JobNotStarted("another server has the job")
        age_s = time.time() - forward.intent_at / 1000
        why = ""
        if age_s >= token_s:
            why = f"it was sent {age_s:.0f} s ago, and its token is relied on for {token_s:.0f} s"
        elif log.cancel_asked.is_set():
            why = "it was cancelled"
        if why:
            raise unresolved_error(
                f"{self._remote.url} does not list the job, but its list may lag; it is not sent"
                f" again, because {why}",
                forward.marker,
            )
        try:
            program = await self._rewrite(program)
            return await self._calls.call(
                self._submit_if_fresh, program, forward.marker, checked_at, _lease_check(log)
            )
        except (CloudError, Refused, InvalidProgram) as error:
            _log.warning("a repeated submission: %s", self._calls.scrubbed(str(error)))
            return None

    async def _is_key_accepted(self) -> bool:
        """Return whether the key can read the device's state, and the device is online."""
        try:
            return (await self._calls.call(self._cloud.device_status)).is_online
        except (CloudError, Refused):
            return False

    def _submit_if_fresh(
        self, program: RemoteProgram, marker: str, checked_at: float, require_lease: RequireLease
    ) -> str:
        """Submit, unless this process was paused since it checked that it has the job's lease."""
        _require_fresh(checked_at)
        return self._cloud.submit(program, marker, require_lease)

    async def _record_sent(self, id: str, forward: Forward, log: ForwardLog) -> bool:
        """Store the id; return False if it is the id of another job, or invalid."""
        if not self._calls.is_id(id):
            return False
        response = self._responses.get(forward.marker)
        try:
            await log.record_sent(id, None if response is None else pack_response(response))
        except StaleLease:
            raise
        except Conflict:
            _log.error("the cloud gave a new job the id of another one: %s", id[:100])
            return False
        return True

    async def _record_found(self, id: str, forward: Forward, log: ForwardLog) -> None:
        """Store the id of a job that was found by its marker.

        The id may be stored for another job, by a mistake of the cloud. Wait until that job's state
        has been read. Reading its state shows this job's marker under the id, so the other job
        forgets the id (`forget_sent`).

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
                    raise unresolved_error(
                        f"{id} at {self._remote.url} has the marker {forward.marker} of this job,"
                        f" but {conflict.detail.rstrip('.')}",
                        f"{forward.marker} and for {id}",
                    ) from None
            await asyncio.sleep(self._remote.poll_s)

    async def _find_now(self, forward: Forward, job: str) -> str | None:
        """Return the id of a job if the list contains it now."""
        try:
            return await self._calls.call(self._cloud.find, forward.marker, created_ms(job))
        except (CloudError, NoProof):
            return None

    async def _find_or_prove_absent(self, forward: Forward, job: str) -> str | None:
        """Look for a job until it is found or, after `settle_s`, certainly absent (None).

        A search that fails is repeated while the device is offline, and for `settle_s` +
        `retry_for_s` in any case.

        Raises:
            Unresolved: No list could be read or proves the absence, the cloud may have deleted the
                job, or the job was sent to another account.
        """
        since_ms = created_ms(job)
        certain_at = time.monotonic() + self._remote.settle_s
        pause_s, n_unproven = self._remote.poll_s, 0
        while True:
            began = time.monotonic()
            id: str | None = None
            try:
                id = await self._calls.call(self._cloud.find, forward.marker, since_ms)
                n_unproven = 0
            except NoProof as reason:
                n_unproven += 1
                if began >= certain_at and n_unproven >= _MAX_UNPROVEN:
                    raise unresolved_error(
                        f"It is unknown whether {self._remote.url} has the job:"
                        f" {self._calls.scrubbed(str(reason))}",
                        f"{forward.marker}, or for a job with this program and of this time",
                    ) from None
            except CloudError as error:
                why = self._calls.scrubbed(str(error))
                _log.warning("a job could not be looked for: %s", why)
                if self._is_online() and began > certain_at + self._retry_for_s:
                    why = f"{self._remote.url} cannot be asked whether it has the job: {why}"
                    raise unresolved_error(why, forward.marker) from None
                pause_s = min(max(2 * pause_s, error.retry_after_s), MAX_PAUSE_S)
                await asyncio.sleep(pause_s)
                continue
            if id is not None:
                return id
            if began >= certain_at and not n_unproven:
                if self.was_sent_elsewhere(forward):
                    raise self.unresolved_elsewhere(forward.marker)
                self._require_kept(forward)
                return None
            left_s = certain_at - time.monotonic()
            await asyncio.sleep(min(pause_s, left_s) if left_s > 0 else self._remote.poll_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def _require_kept(self, forward: Forward) -> None:
        """Check that the cloud, if it ever had the job, would still list it now.

        Raises:
            Unresolved: It may have deleted the job after its end.
        """
        age_s = time.time() - forward.intent_at / 1000  # after the list was read
        if age_s >= self._remote.keeps_jobs_s:
            raise unresolved_error(
                f"{self._remote.url} does not list the job, but may have deleted it after its end:"
                f" it may have been sent {age_s / 3600:.1f} hours ago, and ended jobs are certainly"
                f" listed for only {self._remote.keeps_jobs_s / 3600:.1f} hours (keeps_jobs_s)",
                f"{forward.marker}, also in bills and archives",
            )

    def was_sent_elsewhere(self, forward: Forward | None) -> bool:
        """Return whether a job was sent with another address or key than those of today."""
        return forward is not None and forward.sent_to not in ("", self._account_hash)

    def unresolved_elsewhere(self, sought: str) -> Unresolved:
        return Unresolved(
            f"{self._remote.url} does not have the job, but it was sent before the device's file"
            f" got another address or key. Look at the former account for {sought}; then"
            " `qwicket job resolve`."
        )

    async def _rewrite(self, program: RemoteProgram) -> RemoteProgram:
        """Return a program in a format that the cloud takes, rewritten in its language if needed.

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


def _lease_check(log: ForwardLog) -> RequireLease:
    """Return a function that checks, in a thread, that this server has the job's lease."""
    loop = asyncio.get_running_loop()

    def require_lease() -> None:
        checked_at = time.monotonic()
        reading = log.is_held()
        try:
            is_held = asyncio.run_coroutine_threadsafe(reading, loop).result(FRESH_S)
        except TimeoutError:
            raise NotAccepted(_TOO_SLOW) from None
        except RuntimeError:  # the loop is closed
            reading.close()
            raise NotAccepted("this server stops") from None
        if not is_held:
            raise NotAccepted("another server has the job")
        _require_fresh(checked_at)

    return require_lease


def _require_fresh(checked_at: float) -> None:
    """Check that a check of the lease that began at this monotonic time still counts."""
    if time.monotonic() - checked_at > FRESH_S:
        raise NotAccepted(_TOO_SLOW)


def unresolved_error(why: str, sought: str) -> Unresolved:
    """Return the error of a job about which a person must decide.

    Args:
        why: Reason, a sentence without its full stop.
        sought: What the person looks for at the cloud, such as the marker.
    """
    return Unresolved(f"{why}. Look there for {sought}; then `qwicket job resolve`.")


def marker_of(job: str) -> str:
    """Return the marker of a job."""
    return f"{MARKER_PREFIX}{job}"


def account_hash(remote: Remote, key: str) -> str:
    """Return a hash that distinguishes accounts, of only 16 bits, so that it reveals no key."""
    text = f"{remote.kind}\n{remote.url.rstrip('/')}\n{key}"
    # The jobs of another instance, or of another role's account, are not listed.
    if place := remote.instance or remote.role_arn:
        text += f"\n{place}"
    return blake2s(text.encode(), digest_size=2).hexdigest()
