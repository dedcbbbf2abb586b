"""Choice of a device for a job, by expected start, expected fidelity and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import structs

from qwicket import programs
from qwicket.gateway.refusals import no_device
from qwicket.model.choices import BEST, Candidate, Choice, Weights, scored
from qwicket.model.errors import (
    BudgetSpent,
    Conflict,
    DeviceOff,
    Forbidden,
    InvalidProgram,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    QwicketError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.compute import ParserPool
    from qwicket.gateway.admission import Admission
    from qwicket.gateway.devices import Devices
    from qwicket.gateway.estimates import Estimates
    from qwicket.gateway.job_groups import JobGroups
    from qwicket.model.accounts import Actor
    from qwicket.model.budgets import NamedBudget
    from qwicket.model.devices import Device
    from qwicket.model.jobs import NewJob, Submission
    from qwicket.model.limits import Limits

_REFUSALS: Final = (InvalidRequest, LimitExceeded, Forbidden, NotFound, Conflict, DeviceOff)
"""Errors that refuse one candidate. Any other, such as too many requests, refuses the job."""
_REASON_CHARS: Final = 200


class Choices:
    """Chooses devices. A choice is made once: the job is then one for the chosen device.

    Args:
        devices: The devices.
        admission: Checks the job for each candidate; its program is parsed once.
        estimates: Estimates the job on each candidate.
        job_groups: Finds the group that the job joins.
        parsers: Compute fidelities.
        limits: Bounds on the number of candidates.
    """

    def __init__(
        self,
        devices: Devices,
        admission: Admission,
        estimates: Estimates,
        job_groups: JobGroups,
        parsers: ParserPool,
        limits: Limits,
    ) -> None:
        self._devices = devices
        self._admission = admission
        self._estimates = estimates
        self._job_groups = job_groups
        self._parsers = parsers
        self._limits = limits

    async def choose(self, actor: Actor, submission: Submission) -> Submission:
        """Return a submission for the device that is chosen, with how it was chosen.

        Each candidate is checked and estimated as if it were the device of the job. Only figures
        are kept of it, because its compiled circuits may be large.

        Args:
            actor: The submitter.
            submission: A submission with candidates, completed.

        Raises:
            NotFound: There is no device of a given name.
            LimitExceeded: There are too many candidates.
            QwicketError: No candidate can run the job; the detail has the reason of each.
        """
        weights = submission.weights or Weights()
        if not weights.sum:
            raise InvalidRequest("weights: one of them must be above 0.", field="weights")
        devices = await self._candidates(actor, submission)
        only = None
        if submission.group is not None:
            only = (await self._job_groups.of_submission(actor, submission.group)).device
        admission = self._admission.for_one_program()
        budgets = await self._estimates.budgets_of(actor)
        found: list[Candidate] = []
        refusals: dict[str, QwicketError] = {}
        for device in devices:
            single = structs.replace(submission, device=device.name, candidates=())
            try:
                if only not in (None, device.name):
                    raise Conflict(f"The group is for the device {only}.", field="group")
                job = await admission.admit(actor, single)
                found.append(await self._figures(actor, device, single, job, budgets))
            except _REFUSALS as error:
                refusals[device.name] = error
        if not found:
            raise _none_can(refusals)
        found = scored(found, weights)
        refused = [
            Candidate(device=name, refusal=_reason(error)) for name, error in refusals.items()
        ]
        choice = Choice(weights=weights, candidates=(*found, *refused))
        text = msgspec.json.encode(choice).decode()
        return structs.replace(submission, device=found[0].device, candidates=(), choice=text)

    async def _candidates(self, actor: Actor, submission: Submission) -> list[Device]:
        """Return the devices of the given names; for the best one, all that take the format."""
        offered = {each.name: each for each in await self._devices.offered(submission.dialect)}
        names: tuple[str, ...] = tuple(dict.fromkeys(submission.candidates))
        if names == (BEST,) and BEST not in offered:
            taking = [it for it in offered.values() if submission.format in it.spec.formats]
            names = tuple([each.name for each in taking if actor.sees(each.name)])
            if not names:
                title = programs.format_title(submission.format)
                raise InvalidRequest(
                    f"device: no device for this token takes {title}.", field="device"
                )
        maximum = self._limits.jobs.candidates
        if len(names) > maximum:
            raise LimitExceeded(
                f"device: there are {len(names)} candidates, and {maximum} are allowed (limit"
                " candidates): name fewer devices.",
                field="device",
            )
        for name in names:
            if name not in offered:
                raise no_device(name, submission.dialect, offered.values())
        return [offered[name] for name in names]

    async def _figures(
        self,
        actor: Actor,
        device: Device,
        submission: Submission,
        job: NewJob,
        budgets: list[NamedBudget],
    ) -> Candidate:
        """Return the figures of a job that a device takes.

        Raises:
            BudgetSpent: A budget, or the day of the token, has no room for it.
        """
        estimate = await self._estimates.of_admitted(actor, job, budgets)
        if estimate.refusals:
            raise BudgetSpent(estimate.refusals[0])
        starts_in_s = estimate.forecast.new_job_start_in_s(actor.project)
        return Candidate(
            device=device.name,
            starts_in_s=None if starts_in_s is None else round(starts_in_s, 3),
            fidelity=await self._fidelity(actor, device, submission, job),
            cost=estimate.cost,
        )

    async def _fidelity(
        self, actor: Actor, device: Device, submission: Submission, job: NewJob
    ) -> float | None:
        """Return the expected fidelity of a job; None if it is unknown."""
        noise = await self._admission.expected_noise(submission, device)
        if noise is None:
            return 1.0 if device.is_simulated else None
        if device.family != "qubit":
            return None
        try:
            found = await self._parsers.fidelity(job.circuits, noise, account=actor.account)
        except (InvalidProgram, LimitExceeded):  # it takes too long, or crashes the process
            return None
        return round(found, 6)


def _none_can(refusals: Mapping[str, QwicketError]) -> QwicketError:
    """Return the error of a job that no candidate can run."""
    errors = [*refusals.values()]
    if len({(each.code, each.detail) for each in errors}) == 1:
        return errors[0]
    kinds = {type(each) for each in errors}
    kind = kinds.pop() if len(kinds) == 1 else InvalidRequest
    reasons = " ".join(f"{name}: {_reason(error)}" for name, error in refusals.items())
    return kind(f"None of the devices can run this job. {reasons}", field="device")


def _reason(error: QwicketError) -> str:
    text = error.detail.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if len(text) <= _REASON_CHARS else f"{text[: _REASON_CHARS - 1]}…"
