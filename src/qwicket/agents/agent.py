"""The loop of an agent: pull a job, have the lab's function run it, deliver what it gave.

One job at a time; who wants more starts more agents. Everything happens in one thread: while the
function runs in a process of its own, the agent renews its lease and listens for orders.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qwicket.agents import hand
from qwicket.agents.api import Held, deliver, is_passing, is_stale, kept, pause_s
from qwicket.agents.crew import Died, Hand
from qwicket.agents.program import Failed
from qwicket.clients.native import ApiError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.agents.api import AgentAPI, Lease
    from qwicket.agents.outcomes import Part
    from qwicket.agents.program import Program

T = TypeVar("T")

_WAIT_S: Final = 30.0
_TICK_S: Final = 0.1
_LOST: Final = "lost"
_STOP: Final = "stop"
_STOPS: Final = "its agent stops"

_log = logging.getLogger(__name__)


class Leave(BaseException):
    """The agent is to end; raised where it waits with nothing in hand, and nowhere else."""


class Agent:
    """Serves one device with one function.

    Args:
        gate: The server.
        run: The lab's function, "module:function".
        grace_s: Seconds that the function has to end when it is to stop.
    """

    def __init__(self, gate: AgentAPI, run: str, *, grace_s: float = 20.0) -> None:
        self._gate = gate
        self._hand = Hand(run)
        self._grace_s = grace_s
        self._is_waiting = False
        self._leave_by: float | None = None

    def leave(self) -> None:
        """Claim no more, finish or give back what runs, and return from `serve`.

        Safe in a signal handler. Called again, it does not wait for what runs.
        """
        now = time.monotonic()
        self._leave_by = now if self._leave_by is not None else now + self._grace_s
        if self._is_waiting:
            self._is_waiting = False
            raise Leave

    def serve(self) -> None:
        """Pull and run jobs until `leave`.

        Raises:
            CannotStart: The lab's function cannot be loaded.
            ApiError: The server refuses this agent: its token, or the device's name.
        """
        try:
            while self._leave_by is None:
                self._waiting(self._hand.start)
                claimed = self._claim()
                if claimed is not None:
                    self._do(*claimed)
        except Leave:
            pass
        finally:
            self._hand.end()
            self._say_goodbye()

    def _claim(self) -> tuple[Lease, Program] | None:
        """Wait for a job; while the server is away, ask again and again."""
        tried = 0
        while self._leave_by is None:
            try:
                return self._waiting(lambda: self._gate.claim((), _WAIT_S))
            except ClientError as error:
                if not is_passing(error):
                    raise
                tried += 1
                _log.warning("no job can be had: %s", error)
                wait_s = pause_s(tried, error)
            self._waiting(partial(time.sleep, wait_s))
        return None

    def _waiting(self, wait: Callable[[], T]) -> T:
        """Wait where a signal may end the wait: nothing is in hand."""
        self._is_waiting = True
        try:
            if self._leave_by is not None:  # the signal came just before
                raise Leave
            return wait()
        finally:
            self._is_waiting = False

    def _do(self, lease: Lease, program: Program) -> None:
        _log.info("job %s begins", lease.job)
        work = _Work(self._gate, self._hand, lease, self._grace_s, lambda: self._leave_by)
        try:
            work.see_through(program)
        except ApiError as error:
            if is_passing(error) or error.status in {401, 403}:
                raise
            _log.error("the server refuses what came of job %s: %s", lease.job, error)
            work.refused(error)

    def _say_goodbye(self) -> None:
        try:
            self._gate.leave()
        except ClientError as error:
            _log.warning("no goodbye: %s", error)
        self._gate.close()


class _Work:
    """One job, from its claim to its end."""

    def __init__(
        self,
        gate: AgentAPI,
        crew: Hand,
        lease: Lease,
        grace_s: float,
        leave_by: Callable[[], float | None],
    ) -> None:
        self._gate = gate
        self._hand = crew
        self._lease = lease
        self._held = Held(lease)
        self._grace_s = grace_s
        self._leave_by = leave_by
        self._renew_at = 0.0
        self._stop_by: float | None = None
        self._is_lost = False

    def see_through(self, program: Program) -> None:
        """Have it run, and deliver what comes of it.

        Raises:
            ApiError: The server refuses it.
        """
        if not self._begin(program):
            return
        try:
            found = self._listen()
        except Died as death:
            _log.error("the lab's program died of job %s: %s", self._lease.job, death)
            self._release(f"the lab's program died: {death}", blamed=True)
            return
        if found is None:
            self._hand.kill()
        if self._is_lost:
            _log.warning("job %s was lost; what came of it is dropped", self._lease.job)
        elif found is None or found[0] == hand.STOPPED:
            self._release(self._why_stopped())
        elif found[0] == hand.DONE:
            self._finish(found[1], found[2])
        else:
            self._fail(found[1], found[2])

    def _begin(self, program: Program) -> bool:
        """Hand the program over; a process that died while it was idle is no job's fault."""
        for _ in range(2):
            try:
                self._hand.start()
                self._hand.begin(program)
            except Died:
                continue
            return True
        self._release("the lab's program cannot be started")
        return False

    def refused(self, error: ApiError) -> None:
        """Fail a job whose outcome the server does not take."""
        self._fail(Failed(f"The server refused the outcome: {error.detail}", "outcome_refused"), 0)

    def _listen(self) -> tuple[Any, ...] | None:
        """Renew until the lab's function has ended, or had to and did not: then return None."""
        while True:
            message = self._hand.hear(min(_TICK_S, self._renew_at - time.monotonic()))
            if message is not None and message[0] == hand.PROGRESS:
                self._held.done, self._held.text = message[1], message[2]
            elif message is not None:
                return message
            if time.monotonic() >= self._renew_at:
                self._renew()
            leave_by = self._leave_by()
            if leave_by is not None and time.monotonic() >= leave_by - self._grace_s / 4:
                self._ask_to_stop(leave_by)
            if self._stop_by is not None and time.monotonic() >= self._stop_by:
                return None

    def _renew(self) -> None:
        try:
            order = self._gate.renew([self._held]).get(self._lease.job, _LOST)
        except ClientError as error:
            if not is_stale(error):
                if not is_passing(error):
                    raise
                _log.warning("a lease was not renewed: %s", error)
                self._renew_at = time.monotonic() + pause_s(1, error) + self._gate.renew_s
                return
            order = _LOST
        self._renew_at = time.monotonic() + self._gate.renew_s
        if order in (_STOP, _LOST):
            self._is_lost = order == _LOST
            self._ask_to_stop(time.monotonic() + self._grace_s)

    def _ask_to_stop(self, by: float) -> None:
        if self._stop_by is None:
            self._stop_by = by
            self._hand.ask_to_stop()
        self._stop_by = min(self._stop_by, by)

    def _why_stopped(self) -> str:
        return _STOPS if self._leave_by() is not None else "stopped"

    def _finish(self, parts: Sequence[Part | Failed], seconds: float) -> None:
        what = f"the outcome of job {self._lease.job}"
        with kept(
            self._gate, self._held
        ):  # a large outcome may travel for longer than a lease lives
            is_taken = deliver(
                lambda: self._gate.finish(self._lease, parts, seconds), self._pause, what
            )
        if is_taken:
            _log.info("job %s is done", self._lease.job)

    def _fail(self, failed: Failed, seconds: float) -> None:
        what = f"the failure of job {self._lease.job}"
        deliver(lambda: self._gate.fail(self._lease, failed, seconds), self._pause, what)

    def _release(self, reason: str, *, blamed: bool = False) -> None:
        what = f"the release of job {self._lease.job}"
        send = self._gate.release
        deliver(lambda: send(self._lease, reason, blamed=blamed), self._pause, what)

    def _pause(self, seconds: float) -> bool:
        """Wait before another try, proving life meanwhile; False when the agent is to end now."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            leave_by = self._leave_by()
            if leave_by is not None and time.monotonic() >= leave_by:
                return False
            time.sleep(min(_TICK_S, max(0.0, until - time.monotonic())))
        with suppress(ClientError):  # the next try will tell
            self._gate.renew([self._held])
        return True
