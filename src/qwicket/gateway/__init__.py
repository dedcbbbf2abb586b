"""The one door behind the doors: sign in, submit, read, wait, cancel.

Every dialect calls these methods and nothing below them; nothing here knows a dialect.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from msgspec import structs

from qwicket.gateway.admission import Admission
from qwicket.gateway.agents import Agents
from qwicket.gateway.answers import SMALL_ANSWER_BYTES
from qwicket.gateway.bulk import Bulk
from qwicket.gateway.compilation import Compilation
from qwicket.gateway.devices import Devices
from qwicket.gateway.first_polls import HOLD_MS, FirstPolls
from qwicket.gateway.groups import Groups, Records
from qwicket.gateway.insistence import insist, patiently
from qwicket.gateway.passes import Passes, Ticket
from qwicket.gateway.signin import SignIn, subject
from qwicket.gateway.tokens import Tokens
from qwicket.gateway.uploads import Uploads
from qwicket.gateway.views import Awaited, DeviceView, JobPart, Results, are_short, is_quick
from qwicket.gateway.waiting import LongPolls, Waiting
from qwicket.model.accounts import Scope
from qwicket.model.errors import Conflict, Forbidden, NoResult, NotFinished, NotFound
from qwicket.model.ids import parse_id
from qwicket.model.outcomes import Encoded, Failure, Outcome, PartResult, decode
from qwicket.model.states import JobState
from qwicket.scheduling import Forecast
from qwicket.store import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from qwicket.compute import Readers
    from qwicket.gateway.answers import Answer
    from qwicket.model.accounts import Account, Actor, Project
    from qwicket.model.jobs import Job, JobQuery, Progress, Submission
    from qwicket.model.limits import Limits
    from qwicket.scheduling import Outlook, Place
    from qwicket.store import JobEvent, Sizes, Store, Watch

_NOTHING_KEPT: Final = b"{}"
_FEW_CIRCUITS: Final = 100
"""The results of so many are measured in microseconds."""

__all__ = ["Awaited", "DeviceView", "Gateway", "JobPart", "Program", "Results", "Ticket"]


class Gateway:
    """What every door can do, on behalf of an actor.

    Args:
        store: What is kept.
        readers: Read programs that are not small, in a process of their own.
        limits: Bounds on all requests; `memory_bytes` must be set.
        now_ms: The clock, Unix milliseconds.
        lease_s: Lease time of runners.
        first_poll_ms: The longest hold of a young job's status read; 0 holds none.
    """

    def __init__(
        self,
        store: Store,
        readers: Readers,
        limits: Limits,
        now_ms: Callable[[], int],
        *,
        lease_s: float = 45.0,
        first_poll_ms: int = HOLD_MS,
    ) -> None:
        self._store = store
        self._readers = readers
        self._now_ms = now_ms
        self._admission = Admission(store, readers, limits, now_ms)
        self._sign_in = SignIn(store, limits, now_ms)
        self._passes = Passes(store, self._sign_in, now_ms)
        self._forecast = Forecast(store, now_ms)
        self._waiting = Waiting(store.changes, self._find)
        self._long_polls = LongPolls(limits.polls_each)
        self.first_polls = FirstPolls(
            self._waiting, self._forecast, self.confirm, now_ms, first_poll_ms
        )
        self.agents = Agents(store, readers, limits, now_ms, lease_s=lease_s)
        self.devices = Devices(store, self._admission, now_ms)
        self.bulk = Bulk(store, limits, now_ms, self._waiting)
        self.compilation = Compilation(store, readers)
        self.groups = Groups(store, limits, now_ms)
        self.records = Records(store, limits, now_ms)
        self.tokens = Tokens(store, self._sign_in, limits, now_ms)
        self.uploads = Uploads(store, self._admission, limits, now_ms)
        self.limits = limits

    @property
    def wrong_tokens(self) -> int:
        """How many tokens, passes and tickets were refused that somebody invented."""
        return self._sign_in.wrong_tokens

    @property
    def wrong_passwords(self) -> int:
        """How many passwords were refused."""
        return self._sign_in.wrong_passwords

    async def sign_in(self, secret: str | None, address: str) -> Actor:
        """Return who holds this token; `address` is the client's.

        Raises:
            Unauthenticated: It is absent, unknown, expired or revoked.
            TooManyRequests: It is unknown, as were many others from this address.
        """
        return await self._sign_in.by_token(secret, address)

    async def sign_in_with_password(self, login: str, password: str, address: str) -> Actor:
        """Return who has this name or e-mail address and this password.

        Raises:
            Unauthenticated: They do not match.
            TooManyRequests: Too many tries from this address for this name.
        """
        return await self._sign_in.by_password(login, password, address)

    async def confirm(self, actor: Actor) -> None:
        """Refuse an actor who may not be here any more.

        Raises:
            Unauthenticated: The token was revoked or has expired, or the account is disabled.
        """
        await self._sign_in.by_subject(subject(actor))

    async def issue_pass(self, actor: Actor, door: str, life_s: float) -> str:
        """Return a signed text that signs in as `actor` at one door for `life_s` seconds.

        It dies with the token that `actor` signed in with, or with the account.
        """
        return await self._passes.issue(actor, door, life_s)

    async def sign_in_with_pass(self, text: str | None, door: str, address: str) -> Actor:
        """Return who holds this pass.

        Raises:
            Unauthenticated: It is absent, no pass of this door, or not valid any more.
            TooManyRequests: It is forged, as were many others from this address.
        """
        return await self._passes.holder(text, door, address)

    async def issue_ticket(
        self, actor: Actor, door: str, purpose: str, job: str, life_s: float
    ) -> str:
        """Return a signed text, safe in a URL, that allows `purpose` for one job.

        Args:
            actor: On whose behalf; the ticket dies with their token.
            door: The door that takes it back.
            purpose: A word of that door, such as `upload`.
            job: The job's id.
            life_s: Seconds for which it is good.
        """
        return await self._passes.issue_ticket(actor, door, purpose, job, life_s)

    async def take_ticket(self, text: str | None, door: str, purpose: str, address: str) -> Ticket:
        """Return what a ticket allows.

        Raises:
            Unauthenticated: It is absent, for another purpose or door, or not valid any more.
            TooManyRequests: It is forged, as were many others from this address.
        """
        return await self._passes.ticket(text, door, purpose, address)

    async def account(self, actor: Actor) -> Account:
        """Return the account of an actor.

        Raises:
            NotFound: It is gone.
        """
        found = await self._store.accounts.by_id(actor.account)
        if found is None:
            raise NotFound("There is no such account.")
        return found

    async def projects(self, actor: Actor) -> list[Project]:
        """Return the projects of an actor's account; that of its token is one of them."""
        return await self._store.accounts.projects_of(actor.account)

    async def unfinished(self, actor: Actor, project: str, device: str) -> int:
        """Return how many jobs of a project on a device have not ended, as seen by actor."""
        return await self._store.jobs.unfinished(project, device) if actor.sees(device) else 0

    async def submit(
        self,
        actor: Actor,
        submission: Submission,
        *,
        keep_refused: bool = False,
        is_once: bool = False,
        unfinished_limit: int | None = None,
    ) -> Job:
        """Check a submission and store it; it is on disk when this returns.

        Args:
            actor: Whose job it is.
            submission: What to run.
            keep_refused: Whether a refused program makes a job that has failed, because the
                dialect demands a 2xx for it.
            is_once: Whether clients of this door repeat a POST that failed, without a key, and give
                up where they might wait: then readers are waited for, and nothing fails of which
                something may be stored but with a Conflict.
            unfinished_limit: Most jobs of the project on this device that have not ended.

        Raises:
            QwicketError: It is refused; nothing is stored.
            Conflict: Whether it is stored is not known (with `is_once`).
        """
        actor.require(Scope.JOBS_WRITE)
        submission = self._admission.complete(submission)
        # First: a repeated submit is the same job although the device went off meanwhile.
        earlier = await self._admission.repeated(actor, submission)
        if earlier is not None:
            actor.require_device(earlier.device)
            return earlier
        await self.groups.check_joins(actor, submission.group)
        admit = partial(self._admission.admit, actor, submission, keep_refused=keep_refused)
        new = await (patiently(admit) if is_once else admit())
        add = partial(
            self._store.jobs.add,
            new,
            waiting_limit=self.limits.waiting_jobs,
            unfinished_limit=unfinished_limit,
            stored_limit=self.limits.stored_bytes,
        )
        return await (insist(add, partial(self._store.jobs.get, new.id)) if is_once else add())

    async def job(self, actor: Actor, id_text: str, *, door: str | None = None) -> Job:
        """Return a job that this actor may read.

        Args:
            actor: Who asks.
            id_text: Any text; one that is no id of ours is an unknown id.
            door: Only jobs of this door exist for a vendor's door.

        Raises:
            NotFound: Absent, another account's or another door's: all look alike.
        """
        actor.require(Scope.JOBS_READ)
        return await self._find(actor, id_text, door)

    async def kept_job(self, actor: Actor, id_text: str, *, door: str) -> tuple[Job, bytes]:
        """Return a job as `job` does, and the vendor's opaque document of it, by one read.

        Raises:
            NotFound: As for `job`.
        """
        actor.require(Scope.JOBS_READ)
        return await self._find_kept(actor, _whole(id_text), door)

    async def kept_part(self, actor: Actor, id_text: str, *, door: str) -> tuple[JobPart, bytes]:
        """Return the same of a job or of one of its parts.

        Raises:
            NotFound: As for `job`.
        """
        actor.require(Scope.JOBS_READ)
        ref = parse_id(id_text)
        if ref is None or ref.part is None:
            job, document = await self._find_kept(actor, _whole(id_text), door)
            return JobPart.whole(job), document
        job, document = await self._find_kept(actor, ref.job, door)
        if ref.part >= job.n_circuits:
            raise _no_job()
        return await self.part_of(job, ref.part), document

    async def _find(self, actor: Actor, id_text: str, door: str | None) -> Job:
        job = await self._store.jobs.visible(_whole(id_text), actor.account)
        if job is None or not actor.sees(job.device) or door not in (None, job.door):
            raise _no_job()
        return job

    async def _find_kept(self, actor: Actor, job: str, door: str) -> tuple[Job, bytes]:
        found = await self._store.jobs.visible_kept(job, actor.account)
        if found is None or not actor.sees(found[0].device) or found[0].door != door:
            raise _no_job()
        return found

    async def part_of(self, job: Job, number: int) -> JobPart:
        """Return a part of a job that this actor was given just now."""
        if job.state is not JobState.FAILED:
            return JobPart(job, number, job.state, None)
        for result in await self._store.jobs.results(job.id, number):
            if isinstance(result, Encoded):
                return JobPart(job, number, JobState.COMPLETED, None)
            return JobPart(job, number, JobState.FAILED, result)
        failure = Failure(job.error_code or "failed", job.error_text or "")
        return JobPart(job, number, JobState.FAILED, failure)

    async def wait(
        self, actor: Actor, id_text: str, timeout_s: float, *, door: str | None = None
    ) -> Awaited:
        """Return the job when it has ended, or as it is after `timeout_s` seconds.

        While the account waits for `polls_each` already, the job is returned at once.

        Raises:
            NotFound: As for `job`.
        """
        actor.require(Scope.JOBS_READ)
        if timeout_s <= 0:
            return await self._waiting.for_end(actor, id_text, 0.0, door)
        with self._long_polls.counted(actor.account) as may_wait:
            timeout_s = timeout_s if may_wait else 0.0
            return await self._waiting.for_end(actor, id_text, timeout_s, door)

    async def news(self, actor: Actor, job: Job, timeout_s: float) -> Job:
        """Return a job when it is not as it was, after `timeout_s` seconds, or at the server's end.

        Raises:
            NotFound: It is gone, or the actor may not read it.
        """
        return await self._waiting.for_news(actor, job, timeout_s)

    @contextmanager
    def watch(self, actor: Actor) -> Iterator[Watch]:
        """Watch all jobs of an actor's account; begin before reading any."""
        actor.require(Scope.JOBS_READ)
        with self._store.changes.watch_account(actor.account) as watch:
            yield watch

    async def last_change(self, actor: Actor) -> int:
        """Return the number of the last change of the account's jobs."""
        return await self._store.jobs.last_change(actor.account, actor.devices)

    async def changed(self, actor: Actor, change: int, limit: int) -> list[Job]:
        """Return the account's jobs that changed after a number, as they are now, in order."""
        return await self._store.jobs.changed(actor.account, change, limit, actor.devices)

    @property
    def is_stopping(self) -> bool:
        """Whether the server stops: whoever waits should go."""
        return self._store.changes.is_closed

    async def jobs(self, actor: Actor, query: JobQuery) -> list[Job]:
        """Return the actor's own jobs, newest first."""
        return await self._store.jobs.page(_own_of(actor, query))

    async def tally(self, actor: Actor, query: JobQuery) -> dict[JobState, int]:
        """Return how many of the actor's own jobs a search finds in each state."""
        return await self._store.jobs.tally(_own_of(actor, query))

    async def run_ms(self, actor: Actor, query: JobQuery) -> int:
        """Return for how long the actor's own ended jobs that a search finds ran, in ms."""
        return await self._store.jobs.run_ms(_own_of(actor, query))

    async def job_by_prefix(self, actor: Actor, prefix: str, *, door: str) -> Job:
        """Return the actor's own job by the first hexadecimal digits of its id.

        Raises:
            NotFound: None or several begin so, or it is another door's.
        """
        actor.require(Scope.JOBS_READ)
        low, high = (str(uuid.UUID(prefix.ljust(32, end))) for end in "0f")
        job = await self._store.jobs.starting(actor.account, low, high, actor.devices)
        if job is None or job.door != door:
            raise _no_job()
        return job

    async def cancel(
        self, actor: Actor, id_text: str, *, door: str | None = None, wait_s: float = 0.0
    ) -> Job:
        """Cancel a waiting job at once, ask a running one to stop, leave an ended one as it is.

        Args:
            actor: Who asks.
            id_text: The job.
            door: As for `job`.
            wait_s: Seconds to wait for a running job to end.

        Raises:
            NotFound: As for `job`.
            Forbidden: The job is readable but another account's.
            Conflict: It is a part of a job.
        """
        actor.require(Scope.JOBS_WRITE)
        job = await self._own(actor, id_text, door, "cancel")
        await self._store.jobs.cancel(job.id, actor=actor.account, now=self._now_ms())
        return (await self._waiting.for_end(actor, job.id, wait_s, door)).job

    async def rename(
        self,
        actor: Actor,
        id_text: str,
        *,
        door: str | None = None,
        name: str | None = None,
        tags: tuple[str, ...] | None = None,
    ) -> Job:
        """Give a job another name, or other tags.

        Raises:
            NotFound: As for `job`.
            Forbidden: The job is readable but another account's.
            LimitExceeded: The name, a tag or their number is too long.
        """
        actor.require(Scope.JOBS_WRITE)
        job = await self._own(actor, id_text, door, "change")
        self._admission.check_names(name or "", tags or ())
        return await self._store.jobs.rename(job.id, name, tags, self._now_ms())

    async def delete(self, actor: Actor, id_text: str, *, door: str | None = None) -> None:
        """Forget an ended job, its program and its results.

        Raises:
            NotFound: As for `job`.
            Forbidden: The job is readable but another account's.
            Conflict: It has not ended, or is a part of a job.
        """
        actor.require(Scope.JOBS_WRITE)
        job = await self._own(actor, id_text, door, "delete")
        await self._store.jobs.delete(job.id)

    async def _own(self, actor: Actor, id_text: str, door: str | None, verb: str) -> Job:
        """Return a job that this actor may change: parts are read-only."""
        ref = parse_id(id_text)
        if ref is not None and ref.part is not None:
            job = await self._find(actor, ref.job, door)
            if job.n_circuits == 1 or ref.part >= job.n_circuits:
                raise _no_job()
            raise Conflict(f"This is part of the job {job.id}: {verb} that one.")
        job = await self._find(actor, id_text, door)
        if job.account != actor.account:
            raise Forbidden(f"Only the account that submitted a job may {verb} it.")
        return job

    async def place(self, job: Job) -> Place | None:
        """Return where a waiting job is expected to stand; None when it does not wait."""
        if job.state is not JobState.QUEUED:
            return None
        return await self._forecast.place(job.device, job.id)

    async def progress(self, job: Job) -> Progress | None:
        """Return how far an agent says that it is with a running job; None where nobody says."""
        if job.state not in (JobState.RUNNING, JobState.CANCELLING):
            return None
        return await self._store.leases.progress(job.id)

    async def outlook(self, device: str) -> Outlook:
        """Return the forecast of a device's queue, at most a second old."""
        return await self._forecast.outlook(device)

    def run_time(
        self, view: DeviceView, n_qubits: int, gates: tuple[int, int], shots: int
    ) -> float:
        """Return the seconds that a job would run, as far as numbers can tell.

        Args:
            view: The device.
            n_qubits: Qubits of its circuit.
            gates: Gates on one qubit, and on two.
            shots: Shots.
        """
        return self._admission.run_time(view.device, view.calibration, n_qubits, gates, shots)

    async def events(
        self, actor: Actor, id_text: str, *, door: str | None = None
    ) -> list[JobEvent]:
        """Return what happened to a job beside the happy path.

        Raises:
            NotFound: As for `job`.
        """
        job = await self.job(actor, id_text, door=door)
        return await self._store.jobs.events(job.id)

    async def wire(self, job: Job) -> bytes:
        """Return the vendor's opaque document of a job.

        Raises:
            NotFound: The job was deleted since it was read.
        """
        found = await self._store.jobs.wire(job.id)
        if found == _NOTHING_KEPT and await self._store.jobs.get(job.id) is None:
            raise _no_job()
        return found

    async def sizes(self, job: Job) -> Sizes:
        """Return the bytes of a job's program and of its results."""
        return await self._store.jobs.sizes(job.id)

    async def results_of(
        self,
        job: Job,
        answer: Answer,
        number: int | None = None,
        *,
        told: Sequence[PartResult] | None = None,
    ) -> Results:
        """Return what each circuit, or one, of a job gave that the actor was given just now.

        Args:
            job: The job.
            answer: What the results are for: large ones wait until there is room for it.
            number: Which circuit alone.
            told: What a wait for the job's end was told of them.

        Raises:
            NotFinished: The job has not ended.
            NoResult: It ended without any result; the detail says why.
            NotFound: The job was deleted since it was read.
            TooManyRequests: The account has too many large answers.
            Unavailable: All accounts together have.
        """
        if not job.state.is_final:
            raise NotFinished(f"The job is {job.state}.", retry_after_s=1.0)
        quick = is_quick(job)
        if told is None:
            if not quick and await self._is_long(job, "results"):
                await answer.begin()
            parts: Sequence[PartResult] = await self._store.jobs.results(
                job.id, number, is_quick=quick
            )
        else:
            parts = told if number is None else told[number : number + 1]
        if not any(isinstance(part, Encoded) for part in parts):
            if job.state is JobState.COMPLETED:  # it was deleted since it was read
                raise _no_job()
            raise _no_result(job)
        if quick:
            return Results(job, [_decode(part) for part in parts])
        if not are_short(parts):
            await answer.begin()
        return Results(job, await asyncio.to_thread(lambda: [_decode(part) for part in parts]))

    async def has_results(self, job: Job) -> bool:
        """Return whether some circuit of a job gave something."""
        return job.state.is_final and (await self.sizes(job)).results > 0

    async def program(self, job: Job, answer: Answer) -> Program:
        """Return a job's program as it was submitted.

        Args:
            job: The job.
            answer: What it is for: a large one waits until there is room for it.

        Raises:
            NotFound: It has none.
            TooManyRequests: The account has too many large answers.
            Unavailable: All accounts together have.
        """
        if await self._is_long(job, "program"):
            await answer.begin()
        return await self._store.jobs.program(job.id)

    async def _is_long(self, job: Job, what: Literal["program", "results"]) -> bool:
        """Say whether a job's program or results are long: of many circuits they may be."""
        if job.n_circuits > _FEW_CIRCUITS:
            return True
        return bool(getattr(await self.sizes(job), what) > SMALL_ANSWER_BYTES)


def _decode(part: PartResult) -> Outcome | Failure:
    return decode(part) if isinstance(part, Encoded) else part


def _own_of(actor: Actor, query: JobQuery) -> JobQuery:
    """Return a search among the actor's own jobs, on the devices that their token is for."""
    actor.require(Scope.JOBS_READ)
    return structs.replace(query, account=actor.account, devices=actor.devices)


def _whole(id_text: str) -> str:
    """Return the id of a job from any text.

    Raises:
        NotFound: The text is none: it is that of a part, or of nothing.
    """
    ref = parse_id(id_text)
    if ref is None or ref.part is not None:
        raise _no_job()
    return ref.job


def _no_result(job: Job) -> NoResult:
    if job.state is JobState.CANCELLED:
        return NoResult("The job was cancelled; it has no result.")
    reason = (job.error_text or "no reason was given").rstrip(".")  # others write their own stops
    return NoResult(f"The job failed: {reason}.")


def _no_job() -> NotFound:
    return NotFound("There is no such job.")
