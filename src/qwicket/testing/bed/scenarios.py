"""Scenarios: what happens to jobs.

A job gets its scenario at submission. `refuse` is applied at once; the store applies `stay_queued`,
`events` the kinds in `EVENTS`, and `ScenarioDriver` the others when the job runs.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from qwicket.circuits.outcomes import (
    COUNTS,
    MEMORY,
    PROBABILITIES,
    Encoded,
    Outcome,
    PartResult,
    RunResult,
    decode,
    encode,
    float64_array,
    int64_array,
    key_array,
    key_width,
)
from qwicket.model.errors import DeviceOff, InvalidRequest, QwicketError, Unavailable, codes
from qwicket.model.failures import Failure
from qwicket.testing.bed.journal import RECORD

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from qwicket.drivers import Driver, ForwardLog
    from qwicket.gateway.admission import Admission
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Assignment, NewJob, Submission
    from qwicket.testing.values import Scenario

SLOTS: Final = 64
"""Jobs that can be in the state running at the same time; only some of them use a worker."""
_KEYS: Final = "keys"
_OF_DRIVER: Final = frozenset({"fail", "cancel", "slow", "counts", "partial"})
"""Kinds that `ScenarioDriver` applies, so an agent's jobs cannot have them."""


class _ActiveScenario:
    """A scenario, and the number of jobs that have it."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.n_jobs = 0


class Scenarios:
    """Scenarios in the order in which they were added; a job has the first that matches.

    Args:
        names: Function that returns the name of an account, by its id.
        is_simulated: Function that returns whether the test bed itself runs a device's jobs.
    """

    def __init__(self, names: Callable[[str], str], is_simulated: Callable[[str], bool]) -> None:
        self._names = names
        self._is_simulated = is_simulated
        self._entries: list[_ActiveScenario] = []
        self._by_job: dict[str, Scenario] = {}

    def add(self, scenario: Scenario) -> None:
        self._entries.append(_ActiveScenario(scenario))

    def clear(self) -> None:
        self._entries.clear()
        self._by_job.clear()

    def decide(self, new: NewJob, job: str) -> None:
        """Choose the scenario of a new job, whose id is `job`.

        Raises:
            QwicketError: The scenario refuses the job, or cannot apply to its device.
        """
        for entry in self._entries:
            scenario = entry.scenario
            if scenario.times is not None and entry.n_jobs >= scenario.times:
                continue
            if self._matches(scenario, new):
                entry.n_jobs += 1
                if scenario.kind == "refuse":
                    raise refusal(scenario)
                if scenario.kind == "recalibrate" and new.calibration is None:
                    raise InvalidRequest(f"{new.device} has no calibration.", field="device")
                if scenario.kind in _OF_DRIVER and not self._is_simulated(new.device):
                    text = f"An agent runs the jobs of {new.device}, without {scenario.kind}."
                    raise InvalidRequest(text, field="device")
                self._by_job[job] = scenario
                return

    def set(self, job: str, scenario: Scenario | None) -> None:
        """Set the scenario of a job, whether or not it matches; None removes it."""
        self._by_job.pop(job, None)
        if scenario is not None:
            self._by_job[job] = scenario

    def get(self, job: str) -> Scenario | None:
        """Return the scenario of a job; None without one."""
        return self._by_job.get(job)

    def _matches(self, scenario: Scenario, new: NewJob) -> bool:
        record = RECORD.get()
        agent = b"" if record is None else dict(record.scope["headers"]).get(b"user-agent", b"")
        text = f"{new.name}\n{new.source.decode('utf-8', 'replace')}"
        return (
            scenario.dialect in ("", new.dialect, "" if record is None else record.dialect)
            and scenario.device in ("", new.device)
            and scenario.account in ("", self._names(new.account))
            and (not scenario.tag or scenario.tag in new.tags)
            and scenario.client.lower() in agent.decode("latin-1").lower()
            and scenario.text in text
        )


class ScenarioAdmission:
    """Admission that also applies scenarios, which may refuse a job that passed all checks.

    Args:
        admission: Admission of the server.
        scenarios: Scenarios of jobs.
    """

    def __init__(self, admission: Admission, scenarios: Scenarios) -> None:
        self._admission = admission
        self._scenarios = scenarios

    def __getattr__(self, name: str) -> Any:
        return getattr(self._admission, name)

    async def admit(
        self, actor: Actor, submission: Submission, *, keep_refused: bool = False
    ) -> NewJob:
        """Return the job to store.

        Raises:
            QwicketError: The submission is invalid, or a scenario refuses the job.
        """
        new = await self._admission.admit(actor, submission, keep_refused=keep_refused)
        if new.error is None:
            self._scenarios.decide(new, new.id)
        return new


def refusal(scenario: Scenario) -> QwicketError:
    """Return the error with which a scenario refuses a job."""
    kind = codes().get(scenario.code or "unavailable", Unavailable)
    error = kind.__new__(kind)  # without the constructor, whose parameters differ by class
    field = "device" if isinstance(error, DeviceOff) else None
    QwicketError.__init__(error, scenario.message or kind.title, field=field)
    for name, default in (("limit", ""), ("quota", None), ("allowed", ())):
        if not hasattr(error, name):
            setattr(error, name, default)  # attributes that some constructors set
    return error


class ScenarioDriver:
    """Driver that applies the scenarios of jobs, in front of another driver.

    Args:
        driver: Driver that runs the jobs.
        scenarios: Scenarios of jobs.
        cancel: Function that cancels a job as an operator does, with a reason if one is given.
        sleep: Function that waits for seconds on the clock of the test bed.

    Attributes:
        running: Ids of the jobs that have started and not ended.
    """

    jobs_per_task = 1
    forwards = False

    def __init__(
        self,
        driver: Driver,
        scenarios: Scenarios,
        cancel: Callable[[str, Failure | None], Awaitable[object]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._driver = driver
        self._scenarios = scenarios
        self._cancel = cancel
        self._sleep = sleep
        # Up to `SLOTS` jobs run at once; those without a slot of `driver` wait here.
        self._free = asyncio.Semaphore(max(1, driver.slots))
        self.running: set[str] = set()

    @property
    def slots(self) -> int:
        return SLOTS

    async def run(
        self, assignments: Sequence[Assignment], forward_log: ForwardLog
    ) -> list[RunResult]:
        (assignment,) = assignments
        job = assignment.lease.job
        self.running.add(job)
        try:
            return await self._run_scenario(job, assignments, forward_log)
        finally:
            self.running.discard(job)

    async def _run_scenario(
        self, job: str, assignments: Sequence[Assignment], forward_log: ForwardLog
    ) -> list[RunResult]:
        scenario = self._scenarios.get(job)
        if scenario is None:
            return await self._run(assignments, forward_log)
        if scenario.kind == "cancel":
            has_reason = scenario.code or scenario.message
            await self._cancel(job, _failure(scenario) if has_reason else None)
            await asyncio.Event().wait()  # until the dispatcher notices and cancels this task
        if scenario.kind == "fail":
            failure = _failure(scenario)
            return [RunResult(failure, scenario.seconds or 0.0)]
        if scenario.kind == "slow":
            await self._sleep(scenario.seconds or 0.0)
        (result,) = await self._run(assignments, forward_log)
        if isinstance(result.result, Failure):
            return [result]
        parts: tuple[PartResult, ...] = result.result
        if scenario.kind == "counts":
            parts = tuple(_with_counts(each, scenario.counts) for each in parts)
        if scenario.kind == "partial":
            failed = {*scenario.parts}
            parts = tuple(
                _failure(scenario) if number in failed else each
                for number, each in enumerate(parts)
            )
        return [RunResult(parts, result.seconds)]

    async def _run(
        self, assignments: Sequence[Assignment], forward_log: ForwardLog
    ) -> list[RunResult]:
        async with self._free:
            return await self._driver.run(assignments, forward_log)


def _failure(scenario: Scenario) -> Failure:
    what = "The job was cancelled." if scenario.kind == "cancel" else "The device failed."
    return Failure(scenario.code or "device_failed", scenario.message or what)


def _with_counts(part: PartResult, counts: Mapping[str, int]) -> PartResult:
    """Return a result with other counts, in all forms in which it had them."""
    if not isinstance(part, Encoded):
        return part
    outcome: Outcome = decode(part)
    width, n_bits = key_width(outcome.n_bits), outcome.n_bits
    shots = max(1, sum(counts.values()))
    pairs = sorted((int(text.replace(" ", ""), 2), n) for text, n in counts.items() if n)
    keys = [key.to_bytes(width, "little") for key, _ in pairs]
    numbers = b"".join(n.to_bytes(8, "little") for _, n in pairs)
    arrays = {**outcome.arrays}
    if _KEYS in arrays:
        arrays[_KEYS] = key_array(b"".join(keys), n_bits)
    if COUNTS in arrays:
        arrays[COUNTS] = int64_array(numbers)
    if PROBABILITIES in arrays:
        arrays[PROBABILITIES] = float64_array(_floats([n / shots for _, n in pairs]))
    if MEMORY in arrays:
        repeated = (key * n for key, (_, n) in zip(keys, pairs, strict=True))
        arrays[MEMORY] = key_array(b"".join(repeated), n_bits)
    return encode(structs.replace(outcome, arrays=arrays))


def _floats(numbers: list[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}d", *numbers)
