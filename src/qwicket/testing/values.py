"""Values that a test and its test bed exchange: faults, scenarios, entries of the journal."""

from __future__ import annotations

import os
from typing import Annotated, Final, Literal, Self, get_args

import msgspec

from qwicket.testing.errors import CassetteError

FaultKind = Literal[
    "status",
    "delay",
    "throttle",
    "drop",
    "cut",
    "truncate",
    "garbage",
    "html",
    "duplicate_header",
    "half_close",
    "lost_answer",
    "stale",
]
Event = Literal[
    "revoke_token",
    "expire_token",
    "close_session",
    "spend_budget",
    "change_limits",
    "recalibrate",
]
"""Scenarios that change an account, a project, a session or a device instead of the job."""
EVENTS: Final = frozenset(get_args(Event))
ScenarioKind = Literal[
    "fail", "refuse", "cancel", "stay_queued", "slow", "counts", "partial", Event
]
_NEEDED: Final = {
    "counts": ("counts",),
    "partial": ("parts",),
    "slow": ("seconds",),
    "change_limits": ("max_shots", "qubits"),
}
"""Options without which a scenario would have no effect; one of them must be set."""
MIN_SECRET_CHARS: Final = 8
"""Shorter secrets are not replaced in texts of journals and recordings, where they could occur by
chance."""
BudgetUnit = Literal["jobs", "shots", "seconds", "cost"]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Fault(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A fault, and the requests that it makes fail.

    Attributes:
        kind: `status` refuses with the vendor's own body. `delay` waits. `throttle` sends the
            response slowly. `drop` ends the connection before the request is handled. `cut` ends
            it in the middle of the response; `half_close` ends only the server's sending there.
            `truncate` sends half of the body as if it were whole, `garbage` random bytes, `html` a
            page of a proxy. `duplicate_header` sends a header twice. `lost_answer` handles the
            request, then ends the connection. `stale` repeats the last response with status 200 to
            a GET with the same URL and `Authorization`, cut to 64 KiB; without one, it changes
            nothing.
        dialect: Name of a dialect; "" is any.
        method: HTTP method; "" is any.
        path: Pattern of the path with `*` and `?`; "" is any.
        account: Name of an account of the test bed whose token is in a header or in the query; ""
            is any.
        text: Text in the body, such as the name of a tool; "" is any.
        skip: Number of matching requests that succeed first.
        times: Number of requests that fail; None is all.
        lasts_s: Seconds on the test bed's clock after which no more requests fail; None is no
            limit.
        probability: Share of the matching requests that fail.
        seed: Seed of the random choice by `probability`, and of the bytes of `garbage`.
        seconds: Real seconds to wait before the request is handled.
        status: HTTP status of `status` and `html`.
        handled: Whether the request of `status` and `html` is handled first, as if a proxy had
            taken the answer. Without it nothing is done.
        message: Text of `status` and `html`.
        retry_after: Value of the header `Retry-After` of `status`; invalid ones are sent, too.
        header: Header that `duplicate_header` sends twice.
        bytes_per_s: Rate of `throttle` in bytes per second, in steps of 20, at least 20.
    """

    kind: FaultKind
    dialect: str = ""
    method: str = ""
    path: str = ""
    account: str = ""
    text: str = ""
    skip: _Count = 0
    times: _Count | None = None
    lasts_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    seed: int = 0
    seconds: _Seconds = 0.0
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 503
    handled: bool = False
    message: str = ""
    retry_after: str | int | None = None
    header: str = "content-type"
    bytes_per_s: Annotated[int, msgspec.Meta(ge=1)] = 1000

    def __post_init__(self) -> None:
        if self.kind == "delay" and not self.seconds:
            raise ValueError("delay: needs the option seconds.")
        if self.handled and self.kind not in ("status", "html"):
            raise ValueError(f"handled: is an option of status and html, not of {self.kind}.")


class Scenario(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A scenario, and the jobs that have it.

    Attributes:
        kind: `fail` ends a job with `code` and `message`. `refuse` refuses its submission.
            `cancel` cancels it when it starts, as an operator does, or with `code` as a cloud does.
            `stay_queued` keeps it waiting
            for `polls` reads of its status, or for `seconds` on the test bed's clock, or else until
            a reset. `slow` lets it run for `seconds` longer, on the same clock. `counts` replaces
            the counts of each of its circuits. `partial` fails the circuits `parts`, numbered from
            0. The others are events, which happen when the job has been submitted, or with `polls`
            during the read with that number: `revoke_token` and `expire_token` end all tokens of
            the account, `close_session` ends the job's session, `spend_budget` gives its project a
            budget with nothing left, `change_limits` gives its device the limit `max_shots`, and a
            twin also `qubits`, and `recalibrate` gives a twin errors `factor` times as large, and
            lifetimes as much shorter. A reset undoes the last four.
        dialect: Name of the dialect of the job, or of the API that submits it; "" is any.
        device: Name of the device as Qwicket knows it; "" is any.
        account: Name of an account of the test bed; "" is any.
        tag: Tag of the job; "" is any.
        client: Text in the header `User-Agent` of the submission; "" is any.
        text: Text in the job's name or program; "" is any.
        times: Number of jobs that have the scenario; None is all.
        code: Code of the failure, refusal or cancellation; some clients want a number.
        message: Text of the failure or refusal.
        polls: See `kind`.
        seconds: See `kind`; with `fail`, the run time that is charged.
        counts: Shots by outcome, the first bit on the right.
        parts: See `kind`.
        max_shots: See `kind`.
        qubits: See `kind`.
        factor: See `kind`.
    """

    kind: ScenarioKind
    dialect: str = ""
    device: str = ""
    account: str = ""
    tag: str = ""
    client: str = ""
    text: str = ""
    times: _Count | None = 1
    code: str = ""
    message: str = ""
    polls: _Count | None = None
    seconds: _Seconds | None = None
    counts: dict[str, _Count] = {}
    parts: tuple[_Count, ...] = ()
    max_shots: Annotated[int, msgspec.Meta(ge=1)] | None = None
    qubits: Annotated[int, msgspec.Meta(ge=1)] | None = None
    factor: Annotated[float, msgspec.Meta(ge=1e-3, le=1e3)] = 10.0

    def __post_init__(self) -> None:
        needed = _NEEDED.get(self.kind, ())
        if needed and not any(getattr(self, name) for name in needed):
            raise ValueError(f"{self.kind}: needs the option {' or '.join(needed)}.")
        for outcome in self.counts:
            if not {*outcome.replace(" ", "")} <= {"0", "1"} or not outcome.strip():
                raise ValueError(f"counts: {outcome[:100]!r} is not an outcome such as '011'.")


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its response in the journal, without secrets.

    Attributes:
        number: Number in the journal, from 1; a reset does not begin again.
        at: Beginning of the request, in seconds since the test bed started.
        seconds: Seconds until the response was complete.
        dialect: Name of the dialect.
        account: Name of the account of the jobs that it created, or "".
        method: HTTP method.
        path: Path without its query.
        query: Query without its `?`.
        headers: Headers of the request, with lower-case names.
        body: First 64 KiB of the body of the request.
        status: Status of the response; 0 if there was none.
        response_headers: Headers of the response, with lower-case names.
        response_body: First 64 KiB of the body of the response.
        fault: Kind of the fault that was injected, or "".
        unknown: Whether no route serves this method and path.
        jobs: Qwicket's ids of the jobs that the request read or created.
        created: Qwicket's ids of the jobs that it created.
        warnings: Sentences on parameters and fields that no route declares.
    """

    number: int
    at: float
    seconds: float
    dialect: str
    account: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    status: int
    response_headers: dict[str, str]
    response_body: str
    fault: str
    unknown: bool
    jobs: tuple[str, ...]
    created: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def line(self) -> str:
        """Return a line with method, path, status and duration, and one for each warning."""
        status = str(self.status) if self.status else "no response"
        extra = f" fault={self.fault}" if self.fault else ""
        extra += " unknown call" if self.unknown else ""
        extra += "".join(f"\n       warning: {each}" for each in self.warnings)
        query = f"?{self.query}" if self.query else ""
        agent = self.headers.get("user-agent", "")[:40]
        return (
            f"{self.number:4d} {self.at:9.3f} s  {self.method} {self.path}{query} -> {status}"
            f" in {1000 * self.seconds:.0f} ms  {agent}{extra}"
        )


class Credentials(msgspec.Struct, frozen=True):
    """Credentials of one account.

    Attributes:
        account: Name of the account.
        token: API token.
        aws_key_id: Id of a key pair for clients of AWS.
        aws_secret: Secret of this key pair.
    """

    account: str
    token: str
    aws_key_id: str
    aws_secret: str


class AwsKeys(msgspec.Struct, frozen=True):
    """A user's keys of AWS.

    Attributes:
        key_id: Id of the access key.
        secret: The secret access key.
        session_token: Token of temporary keys; "" for others.
    """

    key_id: str
    secret: str
    session_token: str = ""

    @classmethod
    def from_environment(cls) -> Self:
        """Return the keys in the variables that AWS's clients read.

        Raises:
            CassetteError: The key id or the secret is missing.
        """
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        if missing := [name for name in names if not os.environ.get(name)]:
            raise CassetteError(f"{' and '.join(missing)}: not set; the recorder signs with them.")
        key_id, secret = (os.environ[name] for name in names)
        return cls(key_id, secret, os.environ.get("AWS_SESSION_TOKEN", ""))


class Journal(msgspec.Struct, frozen=True):
    """The newest entries of the journal.

    Attributes:
        exchanges: Entries, at most 5,000, in the order in which the requests began.
        dropped: Number of older entries, which were removed.
        ended: Time at which each job ended, by id, in seconds since the test bed started.
    """

    exchanges: tuple[Exchange, ...]
    dropped: int
    ended: dict[str, float]
