"""The loop of an agent: claim a job, run it with the lab's function, deliver the result.

An agent runs one job at a time; several agents run several. The function runs in a process of its
own, while the agent's thread renews the lease and learns from the responses whether to go on or to
stop. While the result is sent, a second thread renews the lease.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwicket.agents import function_process
from qwicket.agents.api import HeldLease, deliver, is_stale, is_transient, pause_s, renewing
from qwicket.agents.program import Failed
from qwicket.agents.supervisor import ProcessDied, Supervisor
from qwicket.clients.native import ApiError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.agents.api import AgentAPI, Lease
    from qwicket.agents.outcomes import Part
    from qwicket.agents.program import Program

T = TypeVar("T")

_WAIT_S: Final = 30.0
"""Time for which the server may hold a claim until there is a job."""
_TICK_S: Final = 0.1
"""Longest pause between two checks of the time limits of a job."""
_LOST: Final = "lost"
_STOP: Final = "stop"
_LEAVING_REASON: Final = "the device's agent stops"

_log = logging.getLogger(__name__)


class LeaveRequested(BaseException):
    """Ends the present wait of an agent that has no job, or else its next one.

    Not an `Exception`, so that no handler of errors around the wait catches it.
    """


class Agent:
    """Serves one device with one function.

    Args:
        api: The server.
        run: The lab's function, "module:function".
        grace_s: After a cancellation or a lost lease, the seconds that the function has to stop
            before it is killed. When the agent must end, the seconds for the running job in all:
            after three quarters its function is asked to stop.
    """

    def __init__(self, api: AgentAPI, run: str, *, grace_s: float = 20.0) -> None:
        self._api = api
        self._supervisor = Supervisor(run)
        self._grace_s = grace_s
        self._is_waiting = False
        self._leave_by: float | None = None

    def leave(self) -> None:
        """Stop claiming, finish or release the running job, and return from `serve`.

        Safe in a signal handler. A second call does not wait for the running job.
        """
        now = time.monotonic()
        self._leave_by = now if self._leave_by is not None else now + self._grace_s
        if self._is_waiting:
            self._is_waiting = False
            raise LeaveRequested

    def serve(self) -> None:
        """Claim and run jobs until `leave`.

        Raises:
            CannotStart: The lab's function cannot be loaded.
            ApiError: The server refuses this agent: its token, or the device's name.
        """
        try:
            while self._leave_by is None:
                self._interruptible(self._supervisor.start)
                claimed = self._claim()
                if claimed is not None:
                    self._run_job(*claimed)
        except LeaveRequested:
            pass
        finally:
            self._supervisor.end()
            self._leave_device()

    def _claim(self) -> tuple[Lease, Program] | None:
        """Wait up to `_WAIT_S` for a job, and retry while the server is unavailable."""
        attempts = 0
        while self._leave_by is None:
            try:
                return self._interruptible(lambda: self._api.claim(_WAIT_S))
            except ClientError as error:
                if not is_transient(error):
                    raise
                attempts += 1
                _log.warning("no job could be claimed: %s", error)
                wait_s = pause_s(attempts, error)
            self._interruptible(partial(time.sleep, wait_s))
        return None

    def _interruptible(self, wait: Callable[[], T]) -> T:
        """Call a function that waits; `leave` may interrupt it, because the agent has no job."""
        self._is_waiting = True
        try:
            if self._leave_by is not None:  # the signal arrived just before
                raise LeaveRequested
            return wait()
        finally:
            self._is_waiting = False

    def _run_job(self, lease: Lease, program: Program) -> None:
        _log.info("job %s begins", lease.job)
        work = _Work(self._api, self._supervisor, lease, self._grace_s, lambda: self._leave_by)
        try:
            work.run_to_end(program)
        except ApiError as error:
            if is_transient(error) or error.status in {401, 403}:  # not about this job
                raise
            _log.error("the server refused a request about job %s: %s", lease.job, error)
            work.refused(error)

    def _leave_device(self) -> None:
        try:
            self._api.leave()
        except ClientError as error:
            _log.warning("the agent could not sign off: %s", error)
        self._api.close()


class _Work:
    """One job, from its claim to its end."""

    def __init__(
        self,
        api: AgentAPI,
        supervisor: Supervisor,
        lease: Lease,
        grace_s: float,
        leave_by: Callable[[], float | None],
    ) -> None:
        self._api = api
        self._supervisor = supervisor
        self._lease = lease
        self._held = HeldLease(lease)
        self._grace_s = grace_s
        self._leave_by = leave_by
        self._renew_at = 0.0
        self._stop_by: float | None = None
        self._is_lost = False

    def run_to_end(self, program: Program) -> None:
        """Run the job and deliver its result.

        Raises:
            ApiError: The server refuses the result, a renewal of the lease, or its release.
            CannotStart: The lab's function cannot be loaded again.
        """
        if not self._begin(program):
            return
        try:
            message = self._listen()
        except ProcessDied as death:
            _log.error(
                "the process of the lab's function died while running job %s: %s",
                self._lease.job,
                death,
            )
            self._release(
                f"the process of the lab's function died: {death}", counts_as_attempt=True
            )
            return
        except ApiError:
            self._supervisor.kill()  # else its outcome would be taken for that of the next job
            raise
        if message is None:
            self._supervisor.kill()
        if self._is_lost:
            _log.warning("the lease of job %s was lost; its result is dropped", self._lease.job)
        elif message is None or message[0] == function_process.STOPPED:
            self._release(self._why_stopped())
        elif message[0] == function_process.DONE:
            self._finish(message[1], message[2])
        else:
            self._fail(message[1], message[2])

    def _begin(self, program: Program) -> bool:
        """Send the program to the process, which is restarted if it died while idle."""
        for _ in range(2):
            try:
                self._supervisor.start()
                self._supervisor.begin(program)
            except ProcessDied:
                continue
            return True
        self._release("the process of the lab's function cannot be started")
        return False

    def refused(self, error: ApiError) -> None:
        """Fail the job after the server refused its result, a renewal or its release."""
        self._fail(Failed(f"The server refused the outcome: {error.detail}", "outcome_refused"), 0)

    def _listen(self) -> tuple[Any, ...] | None:
        """Renew the lease until the function ends; return its message, or None at `_stop_by`."""
        while True:
            message = self._supervisor.receive(min(_TICK_S, self._renew_at - time.monotonic()))
            if message is not None and message[0] == function_process.PROGRESS:
                self._held.done, self._held.text = message[1], message[2]
            elif message is not None:
                return message
            if time.monotonic() >= self._renew_at:
                self._renew()
            leave_by = self._leave_by()
            # The last quarter of the grace is for the function to stop and clean up.
            if leave_by is not None and time.monotonic() >= leave_by - self._grace_s / 4:
                self._ask_to_stop(leave_by)
            if self._stop_by is not None and time.monotonic() >= self._stop_by:
                return None

    def _renew(self) -> None:
        try:
            directive = self._api.renew(self._held)
        except ClientError as error:
            if not is_stale(error):
                if not is_transient(error):
                    raise
                _log.warning("a lease was not renewed: %s", error)
                # Later than usual, for a server that may be overloaded: a lease lasts at least
                # 4 × `renew_s`.
                self._renew_at = time.monotonic() + pause_s(1, error) + self._api.renew_s
                return
            directive = _LOST
        self._renew_at = time.monotonic() + self._api.renew_s
        if directive in (_STOP, _LOST):
            self._is_lost = directive == _LOST
            self._ask_to_stop(time.monotonic() + self._grace_s)

    def _ask_to_stop(self, by: float) -> None:
        if self._stop_by is None:
            self._stop_by = by
            self._supervisor.ask_to_stop()
        self._stop_by = min(self._stop_by, by)

    def _why_stopped(self) -> str:
        return _LEAVING_REASON if self._leave_by() is not None else "stopped"

    def _finish(self, parts: Sequence[Part | Failed], seconds: float) -> None:
        request_name = f"the outcome of job {self._lease.job}"
        send = partial(self._api.finish, self._lease, parts, seconds)
        # Sending a large result may take longer than the lease time.
        with renewing(self._api, self._held):
            is_accepted = deliver(send, self._pause, request_name)
        if is_accepted:
            _log.info("job %s is done", self._lease.job)

    def _fail(self, failed: Failed, seconds: float) -> None:
        request_name = f"the failure of job {self._lease.job}"
        deliver(lambda: self._api.fail(self._lease, failed, seconds), self._pause, request_name)

    def _release(self, reason: str, *, counts_as_attempt: bool = False) -> None:
        request_name = f"the release of job {self._lease.job}"
        send = self._api.release
        deliver(
            lambda: send(self._lease, reason, counts_as_attempt=counts_as_attempt),
            self._pause,
            request_name,
        )

    def _pause(self, seconds: float) -> bool:
        """Wait before a retry, then renew the lease; return False if the agent must end now."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            leave_by = self._leave_by()
            if leave_by is not None and time.monotonic() >= leave_by:
                return False
            time.sleep(min(_TICK_S, max(0.0, until - time.monotonic())))
        with suppress(ClientError):  # the next try reports the error
            self._api.renew(self._held)
        return True
