"""Client of the server for labs' agents: announce, claim, renew, finish, release."""

from __future__ import annotations

import logging
import random
import secrets
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from qwicket import __version__, schema
from qwicket.agents.outcomes import Part
from qwicket.agents.program import Failed, Program
from qwicket.clients.http import RetryPolicy
from qwicket.clients.native import (
    ApiError,
    ClientError,
    ServerBusy,
    UnexpectedResponse,
    Unreachable,
)
from qwicket.clients.native.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_TIMEOUT_S: Final = 30.0
_MAX_RENEW_S: Final = 2.0
"""Longest pause between renewals, and so the longest delay of a cancellation."""
_JOIN_S: Final = 2.0
"""Longest wait for the thread that renews a lease, which may be waiting for a response."""
_MESSAGE_CHARS: Final = 1_000
"""Limit of `RunErrorBody.message`."""
_REASON_CHARS: Final = 200
"""Limit of `PilotReleaseBody.reason`."""
_SLOWEST_BYTES_PER_S: Final = 32 << 10
"""Slowest rate at which a large result may be sent: the server's limit `body_bytes_per_s`."""
_NO_RETRY: Final = RetryPolicy(max_attempts=1)
_PAUSES: Final = RetryPolicy(first_pause_s=0.2, max_pause_s=15.0)
"""Pauses between retries. Only the pauses are used: the agent retries without a limit."""
_RANDOM: Final = random.SystemRandom()
_TRANSIENT_STATUSES: Final = frozenset({500, 507})
"""Statuses besides those of `ServerBusy` after which a retry may help: 507 is a full disk."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lease:
    """The right to run one job.

    Attributes:
        job: Id of the job.
        fence: Fencing token: higher than in the job's earlier leases.
        nonce: Random text that proves the right.
        max_bytes: Size limit in bytes of the request that delivers the result; None if unknown.
    """

    job: str
    fence: int
    nonce: str
    max_bytes: int | None = None

    def __repr__(self) -> str:
        return f"<Lease of {self.job}>"


@dataclass
class HeldLease:
    """A lease that the agent holds, and the progress of its job.

    Attributes:
        lease: The lease.
        done: Progress from 0 to 1; None before the first report.
        text: Progress in words.
    """

    lease: Lease
    done: float | None = None
    text: str = ""

    def body(self) -> schema.pilots.PilotLeaseBody:
        lease, text = self.lease, "" if self.done is None else _sendable(self.text)
        return schema.pilots.PilotLeaseBody(
            id=lease.job, fence=lease.fence, nonce=lease.nonce, done=self.done, text=text
        )


class RequestNumbers:
    """Numbers of the requests of a pilot. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._pending: frozenset[int] = frozenset()

    @property
    def settled(self) -> int:
        """Newest number such that no response to that request or an earlier one is awaited."""
        return min(self._pending, default=self._last + 1) - 1

    @contextmanager
    def next(self) -> Iterator[int]:
        """Yield the number of a request, whose response is awaited until the block ends."""
        with self._lock:
            self._last += 1
            number = self._last
            self._pending |= {number}
        try:
            yield number
        finally:
            with self._lock:
                self._pending -= {number}


class AgentAPI:
    """One device at one server, for one agent, which holds at most one job.

    Its requests are those of a worker on another machine, with one slot for one device. Requests
    are numbered, so that the server can distinguish a claim whose response was lost from one whose
    response is on its way. Safe to use from several threads.

    Args:
        url: Address of the server.
        token: Token that serves the device.
        device: Name of the device.
        agent: Name of the agent, 1 to 63 of A-Z, a-z, 0-9, ".", "_" and "-"; by default a random
            one.

    Attributes:
        renew_s: Seconds within which the server expects the next request, as it last responded.

    Raises:
        ClientError: The address or the token is invalid.
    """

    def __init__(self, url: str, token: str, device: str, *, agent: str | None = None) -> None:
        self._transport = Transport(url, token, _TIMEOUT_S, retry_policy=_NO_RETRY)
        self.url = self._transport.url
        self.device = device
        self.agent = agent or secrets.token_hex(8)
        self.renew_s = 1.0
        self._requests = RequestNumbers()

    def __repr__(self) -> str:
        return f"<AgentAPI of {self.device} at {self.url}>"

    def announce(self, document: Mapping[str, Any]) -> None:
        """Announce the device: `family`, `spec` and optionally `dialects`."""
        self._send("PUT", self._device_path, msgspec.to_builtins(document))

    def calibrate(self, document: Mapping[str, Any]) -> None:
        """Upload a calibration, with the fields of its file."""
        self._send("PUT", f"{self._device_path}/calibration", msgspec.to_builtins(document))

    def claim(self, wait_s: float) -> tuple[Lease, Program] | None:
        """Return the next job, or None after `wait_s` seconds. The agent must hold no job.

        Args:
            wait_s: Seconds for which the server may wait for a job.

        Raises:
            ClientError: The request failed.
        """
        pulled = self._pull((), 1, wait_s)
        if not pulled.tasks:
            return None
        ((job,),) = pulled.tasks
        lease = Lease(
            job=job.lease.id,
            fence=job.lease.fence,
            nonce=job.lease.nonce,
            max_bytes=pulled.result_bytes,
        )
        return lease, _program(job)

    def renew(self, held: HeldLease) -> str:
        """Renew a lease and report progress; return `go on`, or else `stop` or `lost`.

        Raises:
            ClientError: The request failed.
        """
        pulled = self._pull((held.body(),), 0, 0.0)
        lease = held.lease.job, held.lease.fence
        found = [each.directive for each in pulled.directives if (each.id, each.fence) == lease]
        return found[0] if found else "go on"

    def finish(self, lease: Lease, parts: Sequence[Part | Failed], seconds: float) -> bool:
        """Deliver the result of a job, one part per circuit; return False if the lease is lost.

        Raises:
            ApiError: The server refuses it, or it is too large to be sent.
            ClientError: No valid response arrived; the server may have accepted the result.
        """
        # Base64 makes four bytes of three.
        n_bytes = sum(len(each.body) for each in parts if isinstance(each, Part)) * 4 // 3
        if lease.max_bytes is not None and n_bytes > lease.max_bytes:
            text = f"It has {n_bytes:,} bytes; the limit outcome_bytes is {lease.max_bytes:,}."
            raise ApiError(413, {"code": "body_too_large", "detail": text})
        result = schema.pilots.PilotResultBody(
            id=lease.job,
            fence=lease.fence,
            nonce=lease.nonce,
            seconds=seconds,
            parts=tuple(map(_part, parts)),
        )
        return self._report(lease, n_bytes / _SLOWEST_BYTES_PER_S, results=(result,))

    def fail(self, lease: Lease, failed: Failed, seconds: float) -> bool:
        """Fail a job; return False if the lease is lost.

        Raises:
            ClientError: The request failed.
        """
        result = schema.pilots.PilotResultBody(
            id=lease.job,
            fence=lease.fence,
            nonce=lease.nonce,
            seconds=seconds,
            error=_error(failed),
        )
        return self._report(lease, results=(result,))

    def release(self, lease: Lease, reason: str, *, counts_as_attempt: bool = False) -> bool:
        """Give a job back: it is queued again, or cancelled if that was requested.

        Args:
            lease: The lease.
            reason: A short reason.
            counts_as_attempt: Whether the process of the lab's function died while it ran the job.
                The third such attempt fails the job.

        Returns:
            Whether the lease was not lost.

        Raises:
            ClientError: The request failed.
        """
        release = schema.pilots.PilotReleaseBody(
            id=lease.job,
            fence=lease.fence,
            nonce=lease.nonce,
            reason=reason[:_REASON_CHARS],
            counts_as_attempt=counts_as_attempt,
        )
        return self._report(lease, releases=(release,))

    def leave(self) -> None:
        """Sign off, so that the device is offline at once if it has no other agent."""
        self._send("DELETE", self._path, None)

    def close(self) -> None:
        self._transport.close()

    @property
    def _device_path(self) -> str:
        return f"/v1/agent/devices/{quote(self.device, safe='')}"

    @property
    def _path(self) -> str:
        return f"/v1/pilots/{quote(self.agent, safe='')}"

    def _pull(
        self, held: tuple[schema.pilots.PilotLeaseBody, ...], tasks: int, wait_s: float
    ) -> schema.pilots.PulledBody:
        path = f"{self._path}/pull?wait={wait_s:.3f}"
        with self._requests.next() as number:
            body = schema.pilots.PullBody(
                offer=self._offer(number, tasks), settled=self._requests.settled, held=held
            )
            pulled = self._transport.send(
                "POST", path, body, schema.pilots.PulledBody, hold_s=wait_s
            )
        self.renew_s = min(pulled.pull_s, _MAX_RENEW_S)
        return pulled

    def _report(
        self,
        lease: Lease,
        hold_s: float = 0.0,
        *,
        results: tuple[schema.pilots.PilotResultBody, ...] = (),
        releases: tuple[schema.pilots.PilotReleaseBody, ...] = (),
    ) -> bool:
        with self._requests.next() as number:
            body = schema.pilots.PilotReportBody(
                offer=self._offer(number, 0), results=results, releases=releases
            )
            response = schema.pilots.PilotReportedBody
            path = f"{self._path}/results"
            reported = self._transport.send("POST", path, body, response, hold_s=hold_s)
        return reported.states.get(lease.job) is not None

    def _offer(self, number: int, tasks: int) -> schema.pilots.OfferBody:
        return schema.pilots.OfferBody(
            version=__version__, request=number, slots=1, tasks=tasks, devices=(self.device,)
        )

    def _send(self, method: str, path: str, body: Any) -> None:
        self._transport.send(method, path, body, dict[str, Any])


def is_transient(error: ClientError) -> bool:
    """Return whether a retry may help: the server is unavailable, busy or full."""
    if isinstance(error, ApiError) and not isinstance(error, ServerBusy):
        return error.status in _TRANSIENT_STATUSES
    return isinstance(error, ServerBusy | Unreachable | UnexpectedResponse)


def is_stale(error: ClientError) -> bool:
    """Return whether the lease is lost: the job has ended, is another's, or cannot be seen."""
    return isinstance(error, ApiError) and error.status in {404, 409}


def pause_s(attempts: int, error: ClientError) -> float:
    """Return the pause in seconds after failed attempts, with jitter to spread the agents."""
    requested_s = error.retry_after_s if isinstance(error, ServerBusy) else 0.0
    return _PAUSES.pause_s(attempts, requested_s, _RANDOM.random())


def deliver(send: Callable[[], bool], pause: Callable[[float], bool], request_name: str) -> bool:
    """Send a request until the server responds; return False if the lease is lost or retries end.

    Args:
        send: Sends the request once; returns False if the lease is lost.
        pause: Waits for some seconds; returns False to stop retrying.
        request_name: Name of the request for the log.

    Raises:
        ApiError: The server refused the request for another reason.
    """
    attempts = 0
    while True:
        attempts += 1
        try:
            is_accepted = send()
        except ClientError as error:
            if not is_transient(error):
                raise
            _log.warning("%s is not delivered yet: %s", request_name, error)
            wait_s = pause_s(attempts, error)
        else:
            if not is_accepted:
                _log.warning("%s came too late", request_name)
            return is_accepted
        if not pause(wait_s):
            _log.error("%s was not delivered", request_name)
            return False


def renew_until(ended: threading.Event, api: AgentAPI, held: HeldLease) -> None:
    """Renew a lease until an event is set, ignoring directives; the target of a thread."""
    while not ended.wait(api.renew_s):
        try:
            api.renew(held)
        except ClientError as error:
            _log.warning("a lease was not renewed: %s", error)


@contextmanager
def renewing(api: AgentAPI, held: HeldLease) -> Iterator[None]:
    """Renew a lease in a thread while the block runs, ignoring directives."""
    ended = threading.Event()
    thread = threading.Thread(target=renew_until, args=(ended, api, held), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_JOIN_S)


def _part(part: Part | Failed) -> schema.pilots.PartReportBody:
    if isinstance(part, Failed):
        return schema.pilots.PartReportBody(error=_error(part))
    return schema.pilots.PartReportBody(outcome=part.body, sha256=part.sha256)


def _error(failed: Failed) -> schema.pilots.RunErrorBody:
    message = _sendable(failed.message[:_MESSAGE_CHARS])
    return schema.pilots.RunErrorBody(code=failed.code, message=message)


def _sendable(text: str) -> str:
    """Return a lab's text without what the server refuses: NUL, and surrogates of file names."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _program(job: schema.pilots.TaskJobBody) -> Program:
    if isinstance(job.program, msgspec.UnsetType):
        raise UnexpectedResponse("The server sent a job without its program.")
    return Program(
        job=job.lease.id,
        device=job.device,
        family=job.family,
        format=job.program.format,
        source=job.program.source,
        shots=job.program.shots,
        seed=job.program.seed,
        outputs=job.program.outputs,
        inputs=job.program.inputs,
        packed=job.circuits,
        attempts=job.program.attempts,
    )
