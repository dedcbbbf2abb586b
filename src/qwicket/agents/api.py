"""Client of the server's agent API: announce, claim, renew, finish, release."""

from __future__ import annotations

import logging
import random
import secrets
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from qwicket import schema
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

T = TypeVar("T")

_TIMEOUT_S: Final = 30.0
_JOIN_S: Final = 2.0
"""Longest wait for the thread that renews a lease, which may be waiting for a response."""
_MESSAGE_CHARS: Final = 1_000
"""Limit of `RunErrorBody.message`."""
_REASON_CHARS: Final = 200
"""Limit of `ReleaseBody.reason`."""
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

    def body(self) -> schema.agents.HeldLeaseBody:
        lease, text = self.lease, "" if self.done is None else _sendable(self.text)
        return schema.agents.HeldLeaseBody(
            id=lease.job, fence=lease.fence, nonce=lease.nonce, done=self.done, text=text
        )


class AgentAPI:
    """One device at one server, for one agent.

    Args:
        url: Address of the server.
        token: Token that serves the device.
        device: Name of the device.
        agent: Name of the agent, 8 to 32 of a-z and 0-9; by default a random one.

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

    def __repr__(self) -> str:
        return f"<AgentAPI of {self.device} at {self.url}>"

    def announce(self, document: Mapping[str, Any]) -> None:
        """Announce the device: `family`, `spec` and optionally `dialects`."""
        self._send("PUT", self._device_path, msgspec.to_builtins(document))

    def calibrate(self, document: Mapping[str, Any]) -> None:
        """Upload a calibration, with the fields of its file."""
        self._send("PUT", f"{self._device_path}/calibration", msgspec.to_builtins(document))

    def claim(self, held: Sequence[HeldLease], wait_s: float) -> tuple[Lease, Program] | None:
        """Return the next job, or None after `wait_s` seconds.

        Args:
            held: Leases that the agent holds. The agent's other jobs are queued again.
            wait_s: Seconds for which the server may wait for a job.

        Raises:
            ClientError: The request failed.
        """
        path = f"/v1/devices/{quote(self.device, safe='')}/leases?wait={wait_s:.3f}"
        body = schema.agents.ClaimBody(agent=self.agent, held=_bodies(held))
        found = self._transport.send("POST", path, body, schema.agents.ClaimedBody, hold_s=wait_s)
        self.renew_s = found.renew_s
        if found.lease is None:
            return None
        lease = Lease(
            job=found.lease.id,
            fence=found.lease.fence,
            nonce=found.lease.nonce,
            max_bytes=_given(found.outcome_bytes, None),
        )
        return lease, _program(found, lease)

    def renew(self, held: Sequence[HeldLease]) -> dict[str, str]:
        """Report held leases, at least one; return a directive per job: `go on`, `stop` or `lost`.

        Raises:
            ClientError: The request failed.
        """
        path = f"{_lease_path(held[0].lease)}/renew"
        body = schema.agents.RenewBody(agent=self.agent, held=_bodies(held))
        found = self._transport.send("POST", path, body, schema.agents.DirectivesBody)
        self.renew_s = found.renew_s
        return found.directives

    def finish(self, lease: Lease, parts: Sequence[Part | Failed], seconds: float) -> None:
        """Deliver the result of a job, one part per circuit.

        Raises:
            ApiError: The server refuses it, or it is too large to be sent.
            ClientError: No valid response arrived; the server may have accepted the result.
        """
        # Base64 makes four bytes of three.
        n_bytes = sum(len(each.body) for each in parts if isinstance(each, Part)) * 4 // 3
        if lease.max_bytes is not None and n_bytes > lease.max_bytes:
            text = f"It has {n_bytes:,} bytes; the limit outcome_bytes is {lease.max_bytes:,}."
            raise ApiError(413, {"code": "body_too_large", "detail": text})
        body = schema.agents.FinishBody(
            agent=self.agent,
            fence=lease.fence,
            nonce=lease.nonce,
            seconds=seconds,
            parts=tuple(map(_part, parts)),
        )
        self._end(lease, "finish", body, hold_s=n_bytes / _SLOWEST_BYTES_PER_S)

    def fail(self, lease: Lease, failed: Failed, seconds: float) -> None:
        """Fail a job.

        Raises:
            ClientError: The request failed.
        """
        body = schema.agents.FinishBody(
            agent=self.agent,
            fence=lease.fence,
            nonce=lease.nonce,
            seconds=seconds,
            error=_error(failed),
        )
        self._end(lease, "finish", body)

    def release(self, lease: Lease, reason: str, *, counts_as_attempt: bool = False) -> None:
        """Give a job back: it is queued again, or cancelled if that was requested.

        Args:
            lease: The lease.
            reason: A short reason.
            counts_as_attempt: Whether the process of the lab's function died while it ran the job.
                The third such attempt fails the job.

        Raises:
            ClientError: The request failed.
        """
        body = schema.agents.ReleaseBody(
            agent=self.agent,
            fence=lease.fence,
            nonce=lease.nonce,
            reason=reason[:_REASON_CHARS],
            counts_as_attempt=counts_as_attempt,
        )
        self._end(lease, "release", body)

    def leave(self) -> None:
        """Sign off, so that the device is offline at once if it has no other agent."""
        self._send("DELETE", f"{self._device_path}/agents/{self.agent}", None)

    def close(self) -> None:
        self._transport.close()

    @property
    def _device_path(self) -> str:
        return f"/v1/agent/devices/{quote(self.device, safe='')}"

    def _end(self, lease: Lease, verb: str, body: msgspec.Struct, hold_s: float = 0.0) -> None:
        self._send("POST", f"{_lease_path(lease)}/{verb}", body, hold_s)

    def _send(self, method: str, path: str, body: Any, hold_s: float = 0.0) -> None:
        self._transport.send(method, path, body, dict[str, Any], hold_s=hold_s)


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


def deliver(send: Callable[[], None], pause: Callable[[float], bool], request_name: str) -> bool:
    """Send a request until the server accepts it; return False if it is stale or retries end.

    Args:
        send: Sends the request once.
        pause: Waits for some seconds; returns False to stop retrying.
        request_name: Name of the request for the log.

    Raises:
        ApiError: The server refused the request for another reason.
    """
    attempts = 0
    while True:
        attempts += 1
        try:
            send()
        except ClientError as error:
            if is_stale(error):
                _log.warning("%s came too late: %s", request_name, error)
                return False
            if not is_transient(error):
                raise
            _log.warning("%s is not delivered yet: %s", request_name, error)
            wait_s = pause_s(attempts, error)
        else:
            return True
        if not pause(wait_s):
            _log.error("%s was not delivered", request_name)
            return False


def renew_until(ended: threading.Event, api: AgentAPI, held: HeldLease) -> None:
    """Renew a lease until an event is set, ignoring directives; the target of a thread."""
    while not ended.wait(api.renew_s):
        try:
            api.renew([held])
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


def _lease_path(lease: Lease) -> str:
    return f"/v1/leases/{quote(lease.job, safe='')}"


def _bodies(held: Sequence[HeldLease]) -> tuple[schema.agents.HeldLeaseBody, ...]:
    return tuple(each.body() for each in held)


def _part(part: Part | Failed) -> schema.agents.PartReportBody:
    if isinstance(part, Failed):
        return schema.agents.PartReportBody(error=_error(part))
    return schema.agents.PartReportBody(outcome=part.body, sha256=part.sha256)


def _error(failed: Failed) -> schema.agents.RunErrorBody:
    message = _sendable(failed.message[:_MESSAGE_CHARS])
    return schema.agents.RunErrorBody(code=failed.code, message=message)


def _sendable(text: str) -> str:
    """Return a lab's text without what the server refuses: NUL, and surrogates of file names."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _given(value: T | msgspec.UnsetType, default: T) -> T:
    """Return a field of a claim, or the default: an older server may not send it."""
    return default if isinstance(value, msgspec.UnsetType) else value


def _program(body: schema.agents.ClaimedBody, lease: Lease) -> Program:
    return Program(
        job=lease.job,
        device=_given(body.device, ""),
        family=_given(body.family, ""),
        format=_given(body.format, ""),
        source=_given(body.source, ""),
        shots=_given(body.shots, 0),
        seed=_given(body.seed, 0),
        outputs=_given(body.outputs, ()),
        inputs=_given(body.inputs, {}),
        packed=_given(body.circuits, b""),
        attempts=_given(body.attempts, 0),
    )
